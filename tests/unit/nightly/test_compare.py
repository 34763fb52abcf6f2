"""What is new between two runs."""

from __future__ import annotations

import dataclasses
import json

import pytest

from harness.case.verdict import Verdict
from harness.report.history import Result, Run
from harness.report.nightly.compare import compare, lines, markdown
from harness.support.files import json_file


def result(
    case: str, verdict: str = "passed", attempts: int = 1, wall_s: float = 1.0, cause: str = ""
) -> Result:
    return Result(f"{case}[x]", "talkdesk", case, Verdict(verdict), attempts, wall_s, cause)


def run(name: str, *results: Result, key: str = "k", faults: tuple[str, ...] = ()) -> Run:
    return Run(name, 1.0, "d", "local", key, faults, "", results)


OLD = run(
    "old",
    result("A"),
    result("B", "failed"),
    result("C", "failed"),
    result("D"),
    result("E"),
    result("F"),
)


def test_each_kind_of_difference() -> None:
    new = run(
        "new",
        result("A", "failed", cause="The trunk is down"),
        result("B"),
        result("C", "broken"),
        result("D", attempts=2),
        result("E", wall_s=9.0),
        result("F", "broken", attempts=0),
    )
    (found,) = compare([OLD], [new])

    assert [one.row for one in found.newly_failing] == ["A"]
    assert [one.row for one in found.fixed] == ["B"]
    assert [one.row for one in found.still_failing] == ["C"]
    assert [one.row for one in found.flaky] == ["D"]
    assert [(one.row, one.before_s) for one in found.slower] == [("E", 1.0)]
    assert [one.row for one in found.lost_cases] == ["F"]
    assert found.lost_rows == ("F",)
    assert found.news
    assert ("newly failing", "A[x]", "failed: The trunk is down") in list(lines(found))
    (shown,) = json.loads(json_file.text(found))["slower"]
    assert (shown["row"], shown["before_s"]) == ("E", 1.0)


def test_fixed_slower_and_flaky_alone_wake_nobody() -> None:
    new = run("new", result("A"), result("B", attempts=3, wall_s=30.0))
    (found,) = compare([run("old", result("A", "failed"), result("B"))], [new])
    assert not found.news


@pytest.mark.parametrize("before", [("broken", 1), ("not observable", 2), ("broken", 0)])
def test_a_failure_of_what_nobody_knew_before_is_news(before: tuple[str, int]) -> None:
    """The harness had broken, nobody could look, or the run was interrupted: nothing says that it
    failed then, too.
    """
    (found,) = compare([run("old", result("A", *before))], [run("new", result("A", "failed"))])
    assert ([one.row for one in found.newly_failing], found.still_failing, found.news) == (
        ["A"],
        (),
        True,
    )


def test_what_never_ran_is_not_fixed_when_it_passes() -> None:
    old = run("old", result("A", "broken", attempts=0), result("B", "broken"))
    (found,) = compare([old], [run("new", result("A"), result("B"))])
    assert [one.row for one in found.fixed] == ["B"]
    assert ("not run before", "A[x]", "passed") in list(lines(found))
    assert [one.row for one in found.not_run_before] == ["A"]
    assert not found.news


def test_a_clean_run_is_compared_with_a_faulty_one_and_with_one_of_another_file() -> None:
    """Of two worlds that stand as if they were live, each has ports of its own in its file."""
    clean = run("old", result("A"), result("B"))
    faulty = dataclasses.replace(
        run("new", result("A", "failed"), result("B", wall_s=9.0)), key="k2", faults=("loss",)
    )
    (found,) = compare([clean], [faulty])
    assert [one.row for one in found.newly_failing] == ["A"]
    assert found.notes == ("faults were injected on purpose: none then, loss now",)

    files = [
        {"trunks": [{"name": "main", "port": port}], "limits": {"calls": 2}}
        for port in (5060, 5070)
    ]
    old, new = ([dataclasses.replace(clean, content=content)] for content in files)
    (found,) = compare(old, new)
    assert found.notes == ("the deployment file is not the same: trunks.main.port: 5060 → 5070",)
    assert not found.news
    assert ("note", *found.notes, "") in list(lines(found))

    (found,) = compare(
        [clean], [dataclasses.replace(run("new", result("A", wall_s=9.0), result("B")), key="k2")]
    )
    assert (found.notes, found.slower) == (("the timings are not the same",), ())
    (gone,) = compare([clean], [])
    assert "only the old run" in gone.incomparable


def test_a_table_holds_no_markup_of_others() -> None:
    (found,) = compare(
        [run("old", result("A"))], [run("new", result("A", "failed", cause="a | b\n<script>"))]
    )
    (line,) = (line for line in markdown([found]).splitlines() if "newly" in line)

    assert "a \\| b &lt;script>" in line


def test_cases_of_one_cause_are_one_entry() -> None:
    names, cause = ("A", "B", "C"), "The trunk is down"
    new = run("new", *(result(name, "failed", cause=cause) for name in names), result("D"))
    (found,) = compare([run("old", *(result(name) for name in (*names, "D")))], [new])
    assert list(lines(found)) == [("newly failing", "A[x] and 2 more", f"failed: {cause}")]
