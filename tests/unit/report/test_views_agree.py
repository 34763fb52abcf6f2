"""Every view of a run says the same of it: how many cases ended in which way, and whether it was
good.
"""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from harness.case.recorder import CaseRecorder
from harness.case.verdict import CaseOutcome, Finding, Strength, Verdict
from harness.report import bundle, matrix, signoff, terminal
from harness.report.evidence import CaseEvidence
from harness.report.history import runs_of
from harness.report.run import FinishedRun, finish, remake
from harness.report.run_directory import RunEnd, RunEvidence, case_directory, create
from harness.support.terminal import SafeConsole
from tests.unit import conftest as runs
from tests.unit.report import samples

#: Names as customers, and the wire, may have them.
WORDS = st.one_of(
    st.sampled_from(
        ["<script>alert(1)</script>", "a|b", "two\nlines", "\u202egnp.exe", "=1+1",
         "+13125550100", "Büro", "[/red]", "\ud800", "\x1b[2J", "x" * 400, "']]>--><!--", "\x00"]
    ),
    st.text(max_size=20),
)  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """One case of a run; None among its attempts is one whose worker died."""

    number: int
    site: str
    row: str
    planned: bool
    masked: bool
    attempts: tuple[Verdict | None, ...]
    words: str

    def plain(self) -> dict[str, Any]:
        axes = {
            "transport": "udp",
            "number": f"+1312{self.number}550100",
        }  # masked, they look the same
        names = {
            "row": self.row,
            "integration": "talkdesk",
            "deployment": "acme",
            "site": self.site,
            "mask": self.masked,
        }
        said = dict.fromkeys(("title", "description"), self.words)
        return {"id": f"{self.row}[acme:udp-{self.number}]", "axes": axes, **names, **said}

    @property
    def verdict(self) -> Verdict:
        """How it ended: what broke after a failure, or could not be seen, does not hide it."""
        said = [verdict for verdict in self.attempts if verdict in (Verdict.PASSED, Verdict.FAILED)]
        last = (self.attempts[-1] if self.attempts else None) or Verdict.BROKEN
        return (
            Verdict.FAILED if last is not Verdict.PASSED and said[-1:] == [Verdict.FAILED] else last
        )

    def play(self, run: Path) -> None:
        for attempt, verdict in enumerate(self.attempts, start=1):
            plain = self.plain() | {"attempt": attempt, "run": run.name}
            home = case_directory(run, plain)
            recorder = CaseRecorder(
                home.with_name(f"{self.site}{home.name}"), plain, CaseOutcome()
            )  # as of merged sites
            if verdict is not None:
                found = Finding(
                    "answered", "caller.1", verdict, self.words, self.words, time.monotonic()
                )
                recorder.raised(found)
                cause = [dict.fromkeys(("cause", "fix", "owner", "issue"), self.words)]
                recorder.close(verdict, str(found), cause if verdict is Verdict.FAILED else None)


cases = st.builds(
    Drawn,
    number=st.integers(0, 3),
    site=st.sampled_from(["", "Austin", "Berlin"]),
    row=st.sampled_from(["HOLD", "BUSY"]),
    planned=st.sampled_from([True, True, True, False]),
    masked=st.booleans(),
    attempts=st.lists(st.sampled_from([*Verdict, None]), max_size=3).map(tuple),
    words=WORDS,
)
ends = st.builds(
    RunEnd,
    workers=st.just(2),
    wall_s=st.sampled_from([0.0, 1.5, 90_000.0]),
    interrupted=st.sampled_from(["", "", "", "stopped by the user", "redis [/x] is gone"]),
    broke=st.sampled_from([(), (), (), ("test_mine.py cannot be read",)]),
)


def made(run: Path, drawn: list[Drawn], end: RunEnd) -> FinishedRun:
    for case in drawn:
        case.play(run)
    return finish(run, [case.plain() for case in drawn if case.planned], end)


def _with_not_run(counts: dict[str, int]) -> dict[str, int]:
    """People read apart what machines count as broken."""
    return counts | {"broken": counts["broken"] + counts.pop("not run", 0)}


def views(finished: FinishedRun) -> Iterator[tuple[str, Mapping[str, int]]]:
    """How many cases ended in which way, by each view."""
    run = finished.directory
    plain = json.loads((run / "summary.json").read_text())
    yield "summary.json", {str(v): plain[v.name.lower()] for v in Verdict}
    yield (
        "summary.json, rows",
        {str(v): sum(row[v.name.lower()] for row in plain["rows"].values()) for v in Verdict},
    )
    root = ET.parse(finished.junit).getroot()
    by_type = Counter(
        str(problem.get("type")) for problem in root.iter() if problem.tag in ("failure", "error")
    )
    names = {(test.get("classname"), test.get("name")) for test in root.iter("testcase")}
    yield "JUnit", by_type | {"passed": len(names) - by_type.total()}
    assert int(root.get("failures", 0)) == by_type["failed"] + by_type["not observable"]
    assert int(root.get("errors", 0)) == by_type["broken"]
    yield "Allure", Counter(_allure(run / "allure-results"))
    page = finished.report.read_text()
    listed = Counter(re.findall(r'<details class="case"[^>]*? data-verdict="([^"]*)"', page))
    absent = re.search(r"</span></span> (\d+) cases? not run", page)
    yield "report.html, cases", listed + Counter({"broken": int(absent[1]) if absent else 0})
    head = re.findall(r'<li class="v-[^"]*"><b>(\d+)</b> ([^<]*)</li>', page)
    yield "report.html, head", _with_not_run({name: int(number) for number, name in head})
    with bundle.table(run).open(encoding="utf-8-sig", newline="") as file:
        yield "report.csv", Counter(row["verdict"] for row in csv.DictReader(file))
    out = io.StringIO()
    terminal.show(finished.summary, finished.groups, SafeConsole(file=out, width=120), run=run)
    told = out.getvalue().strip().splitlines()[-1].rpartition(": ")[2].split(", ")
    yield (
        "terminal",
        _with_not_run(
            {words: int(number) for number, words in (one.split(" ", 1) for one in told)}
        ),
    )
    yield (
        "history",
        Counter(result.verdict for one in runs_of(RunEvidence.read(run)) for result in one.results),
    )


def _allure(results: Path) -> list[str]:
    """What Allure would count: of the results of one history the last."""
    last: dict[str, tuple[int, int, str]] = {}
    for path in results.glob("*-result.json"):
        plain = json.loads(path.read_text())
        labels = {label["name"]: label["value"] for label in plain["labels"]}
        attempt = (
            int(labels["evidence"].rpartition(".")[2])
            if re.search(r"\.\d$", labels["evidence"])
            else 1
        )
        mine = (plain["start"], attempt, labels.get("verdict", "broken"))
        last[plain["historyId"]] = max(last.get(plain["historyId"], mine), mine)
    return [verdict for *_, verdict in last.values()]


# without shrinking, which takes minutes; the fixture sets the PATH alone
@settings(
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    drawn=st.lists(cases, max_size=8, unique_by=lambda case: (case.site, case.plain()["id"])),
    end=ends,
)
@example(
    drawn=[Drawn(0, "", "BUSY", True, False, (Verdict.FAILED, None), "\ud800")],
    end=RunEnd(workers=2, wall_s=0.0),
)
def test_every_view_of_a_run_counts_the_same(drawn: list[Drawn], end: RunEnd) -> None:
    ended = Counter(str(case.verdict) for case in drawn if case.planned or case.attempts)
    with tempfile.TemporaryDirectory() as scratch:
        run = create(Path(scratch))
        vars(end)["allure_results"] = run / "allure-results"
        finished = made(run, drawn, end)
        for again in (finished, remake(run)):
            for name, counted in views(again):
                assert +Counter(counted) == ended, name
            page = unescape(again.report.read_text())
            badge = re.search(r'<h1><span class="badge v-([\w-]+)"', page)
            assert badge is not None
            assert (badge[1] == "passed") is (again.summary.exit_code == 0)
            assert (badge[1] in ("failed", "not-observable")) is (again.summary.exit_code == 1)


#: Turned around (UAX #9), not seen, line breaks of Unicode, controls of ISO 6429, tags.
HIDDEN = (
    "\ufe0f\u034f\u115f\u3164\u2800\u202e\u2066\u200b\u200d\u2060\u200f\u00ad\ufeff\u061c"
    "\u180e\u2028\u2029\x85\x9b\x1b\ufff9\U000e0041"
)


@pytest.mark.parametrize("sign", HIDDEN, ids=lambda sign: f"U+{ord(sign):04X}")
def test_no_view_holds_a_character_that_is_not_seen(sign: str, tmp_path: Path) -> None:
    run = create(tmp_path)
    words = f"ac{sign}me"
    drawn = [Drawn(n, words, "HOLD", True, False, (v,), words) for n, v in enumerate(Verdict)]
    finished = made(
        run, drawn, RunEnd(workers=1, wall_s=1.0, broke=(words,), allure_results=run / "allure")
    )
    signed = runs.hold(tmp_path / "signed").directory
    signoff.make(signed, customer=words)
    out = io.StringIO()
    terminal.show(finished.summary, finished.groups, SafeConsole(file=out, width=120), run=run)
    tables = matrix.of_run(RunEvidence.read(run), matrix.MOST_NARROW)
    seen = {
        "terminal": out.getvalue(),
        "report --matrix": matrix.markdown(tables),
        "report --matrix --as svg": matrix.svg(tables, words),
        "report.html": finished.report.read_text(),
        "signoff.html": (signed / "signoff.html").read_text(),
        "JUnit": finished.junit.read_text(),
        "report.csv": bundle.table(run).read_text("utf-8-sig"),
    }
    results = list((run / "allure").glob("*.json"))
    seen |= {path.name: str(json.loads(path.read_text())) for path in results}
    assert results
    assert [name for name, text in seen.items() if sign in unescape(text)] == []
    shown = r"\\+[xuU][0-9a-f]+|\ufffd"
    if sign.isspace():  # a table's cell is one line, whose spaces are joined
        shown += "| "
    named = {name for name, text in seen.items() if re.search(f"ac({shown})me", text)}
    assert {
        "terminal",
        "report --matrix",
        "report.html",
        "signoff.html",
        "JUnit",
        "report.csv",
    } <= named


def test_what_is_wrong_besides_is_no_other_possibility(tmp_path: Path) -> None:
    """Two faults, each shown: both are to be mended. What the evidence does not show is said to be
    possible.
    """
    told = [
        {
            "id": name,
            "cause": f"The {name} cause",
            "fix": f"Mend {name}.",
            "owner": f"{name}'s owner",
            "candidate": candidate,
            "confidence": confidence,
        }
        for name, candidate, confidence in (
            ("first", False, "likely"),
            ("second", False, "certain"),
            ("third", True, "possible"),
            ("fourth", False, "possible"),
        )
    ]
    case = samples.case_of()
    run = create(tmp_path)
    with samples.playing(case_directory(run, case), case) as sample:
        sample.finding("header", "the AI", Verdict.FAILED)
        sample.recorder.close(Verdict.FAILED, "two things are wrong", told)
    results = run / "allure-results"
    finished = finish(run, [case], RunEnd(workers=1, wall_s=1.0, allure_results=results))
    (result,) = (json.loads(path.read_text()) for path in results.glob("*-result.json"))
    page = re.sub(
        r"<details><summary>.*?</details>", "", finished.report.read_text(), flags=re.DOTALL
    )
    for view in (page, finished.junit.read_text(), result["statusDetails"]["message"]):
        text = unescape(re.sub(r"<[^>]+>", " ", view))
        assert "Also: The second cause" in text
        assert "Mend second." in text
        assert "second's owner" in text
        assert "third" not in text
        assert "fourth" not in text
    assert "2 other possible causes<" in finished.report.read_text()
    assert "**Also: The second cause**" in result["description"]
    assert "**Or, less likely (3): The third cause**" in result["description"]
    assert "**Or, less likely (4): The fourth cause**" in result["description"]


def test_what_the_case_may_do_without_makes_its_evidence_no_weaker(tmp_path: Path) -> None:
    """Each finding that could not be made says ``unknown``, whatever it is about; the sign-off
    leaves it out as well.
    """
    with samples.playing(tmp_path) as sample:
        sample.finding("audio", "caller.1 → assistant main", strength=Strength.CONFIRMED)
        unseen = {
            "actual": "not observable: no SDP",
            "strength": Strength.UNKNOWN,
            "dispensable": True,
        }
        sample.finding("codec", "assistant main", Verdict.NOT_OBSERVABLE, **unseen)
        sample.recorder.close(Verdict.PASSED, "")
    assert CaseEvidence.read(tmp_path).strength is Strength.CONFIRMED
