"""What the terminal shows when a run has ended."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.case.verdict import Verdict
from harness.report import terminal
from harness.report.causes import CauseGroup, grouped, signature
from harness.report.evidence import CaseEvidence
from harness.report.run_directory import read_cases
from harness.report.summary import summarise
from harness.support.terminal import SafeConsole
from tests.unit.conftest import run_of
from tests.unit.report import samples


def shown(made: Any, **options: Any) -> str:
    run = run_of(*read_cases(made.directory), planned=made.planned, wall_s=12.5)
    out = io.StringIO()
    terminal.show(
        summarise(run),
        grouped(run.cases),
        Console(file=out, width=80, color_system=None),
        run=made.directory,
        **options,
    )
    return out.getvalue()


def many(tmp_path: Path, rows: list[str]) -> list[CaseEvidence]:
    return [
        CaseEvidence.read(
            samples.failed(tmp_path / f"{index}", samples.case_of(row, deployment=f"d{index}"))
        )
        for index, row in enumerate(rows)
    ]


def test_the_table_holds_in_eighty_columns(run: Any) -> None:
    text = shown(run)
    lines = text.splitlines()
    headings = [
        "integration",
        "passed",
        "failed",
        "observable",
        "broken",
        "run",
        "cases",
        "seconds",
    ]
    assert (lines[0].split(), lines[1].split()) == (["not", "not"], headings)
    assert any(
        line.split()[:9] == ["Talkdesk", "(5", "rows)", "1", "1", "1", "1", "1", "5"]
        for line in lines
    )
    assert "5 cases in 12.5 s: 1 passed, 1 failed, 1 not observable, 1 broken, 1 not run" in lines
    assert "TD-FALLBACK-REFUSED[talkdesk-sim:udp-ip-pcmu-synthflow]" in text


@pytest.mark.parametrize("columns", [None, 60])
def test_piped_output_has_every_cause_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int | None
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns:
        monkeypatch.setenv("COLUMNS", str(columns))
    cases = many(tmp_path, ["TD-INBOUND"] * 30)
    groups = [CauseGroup(Verdict.FAILED, (case,)) for case in cases]
    out = io.StringIO()
    terminal.show(
        summarise(run_of(*cases)), groups, SafeConsole(file=out, highlight=False), run=tmp_path
    )
    assert out.getvalue().count(groups[0].headline.split()[0]) >= 30
    assert "…" not in out.getvalue()
    words = [
        line for line in out.getvalue().splitlines() if "why " not in line and "case" not in line
    ]
    assert columns is None or max(map(len, words)) <= columns
    assert SafeConsole(file=out).width == (columns or 120)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "No documented cause fits: audio of assistant orders → caller.1: expected x; in 2.6 s it heard nothing",
            "No documented cause fits: audio of stand-in.1 → caller.1: expected y; in 2.7 s it heard nothing",
        ),
        ("its worker process died (gw3 crashed)", "its worker process died (gw11 crashed)"),
    ],
)
def test_subjects_and_figures_make_no_new_cause(one: str, other: str) -> None:
    assert signature(one) == signature(other)


def ended(
    directory: Path,
    verdict: Verdict,
    *causes: str,
    of: Mapping[str, Any] | None = None,
    **case: str,
) -> CaseEvidence:
    """A case that ended so, with these causes shown by its own evidence, of which more is told."""
    told: list[dict[str, Any]] = []
    for name in causes:
        said = {"cause": f"Issue: {name}", "title": name, "fix": f"mend {name}", **(of or {})}
        told.append({"id": name, "issue": "Issue", **said})
    with samples.playing(directory, samples.case_of(**case)) as sample:
        return sample.ends(verdict, "it ended so", told)


def test_a_case_with_two_causes_stands_in_both_groups(tmp_path: Path) -> None:
    """Neither cause hides the other: what is mended first leaves the other one to be seen."""
    cases = [
        ended(tmp_path / "a", Verdict.FAILED, "one"),
        ended(tmp_path / "b", Verdict.FAILED, "one", "other"),
    ]
    first, second = grouped(cases)

    assert (first.headline, len(first.cases)) == ("Issue: one", 2)
    assert (second.headline, [case.directory.name for case in second.cases]) == (
        "Issue: other",
        ["b"],
    )
    assert second.said("fix") == "mend other"


def test_a_cause_that_only_others_leave_possible_is_hedged(tmp_path: Path) -> None:
    """Passed cases exclude the first of a case's candidates; the next one is no more certain for
    that.
    """
    names = "trunk-transport-mismatch", "route-wrong-trunk", "route-missing"
    doubt = {"cause": "Issue: one of 3", "candidate": True, "confidence": "possible"}
    cases = [
        ended(tmp_path / "passed", Verdict.PASSED, line="one"),
        ended(tmp_path / "failed", Verdict.FAILED, *names, of=doubt, line="two"),
    ]
    (group,) = grouped(cases)
    assert group.headline == "Issue: possibly route-wrong-trunk"


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.BROKEN, Verdict.NOT_OBSERVABLE])
def test_a_cause_says_whose_it_is_where_a_run_has_several_deployments(
    tmp_path: Path, verdict: Verdict
) -> None:
    """The same words of two customers' systems are two things to mend, at two places."""
    causes = ["one"] if verdict is Verdict.FAILED else []
    kyoto, lima = (
        ended(tmp_path / name, verdict, *causes, deployment=name) for name in ("Kyōto", "lima")
    )
    other = ended(tmp_path / "other", Verdict.PASSED, deployment="lima")

    (group,) = grouped([kyoto, other])
    assert group.where.split("; ")[0] == "deployment Kyōto"
    assert all("deployment" not in group.where for group in grouped([kyoto]))
    for group in grouped([kyoto, lima]):
        own = {str(case.case["deployment"]) for case in group.cases}
        assert ("deployment" in group.where) == (len(own) == 1)


@pytest.mark.parametrize("hostile", ["redis [/red] is gone", "[bold", "a\\", "[/]", "[link=x]y"])
def test_words_of_others_are_no_markup(run: Any, hostile: str) -> None:
    summary = summarise(run_of(*read_cases(run.directory), interrupted=hostile, broke=(hostile,)))
    summary.planned["missing"] = summary.required_missing = [hostile]
    out = io.StringIO()
    terminal.show(summary, [], Console(file=out, width=200, color_system=None), run=run.directory)
    assert out.getvalue().count(hostile) == 4
