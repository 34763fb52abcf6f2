"""What the terminal shows when a run has ended."""

from __future__ import annotations

import io
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.calls.verdict import Verdict
from harness.diagnosis import common
from harness.report import terminal
from harness.report.causes import CauseGroup, grouped, judged, signature
from harness.report.evidence import CaseEvidence
from harness.report.run_directory import read_cases, read_planned
from harness.report.summary import Counts, summarise


def shown(made: Any, width: int = 80, **options: Any) -> str:
    cases = read_cases(made.directory)
    summary = summarise(cases, made.planned, run=made.directory.name, wall_s=12.5, workers=4)
    out = io.StringIO()
    terminal.show(
        summary, grouped(cases), Console(file=out, width=width, color_system=None), run=made.directory, **options
    )
    return out.getvalue()


def many(tmp_path: Path, samples: ModuleType, rows: list[str]) -> list[CaseEvidence]:
    return [
        CaseEvidence.read(samples.failed(tmp_path / f"{index}", samples.case_of(row, deployment=f"d{index}")))
        for index, row in enumerate(rows)
    ]


def test_the_table_holds_in_eighty_columns(run: Any) -> None:
    text = shown(run)
    lines = text.splitlines()
    assert lines[0].split() == ["integration", "passed", "failed", "not", "observable", "broken", "cases", "seconds"]
    assert any(line.split()[:8] == ["talkdesk", "(5", "rows)", "1", "1", "1", "2", "5"] for line in lines)
    assert "5 cases in 12.5 s: 1 passed, 1 failed, 1 not observable, 2 broken" in lines
    assert "TD-FALLBACK-REFUSED[talkdesk-sim:udp-ip-pcmu-synthflow]" in text


def test_one_row_of_one_case_is_no_plural(tmp_path: Path, runs: ModuleType) -> None:
    made = runs.make_run(tmp_path, rows=("HOLD",))
    text = shown(SimpleNamespace(directory=made.directory, planned=read_planned(made.directory)[0]))
    assert "talkdesk (1 row) " in text
    assert "\n1 case in 12.5 s: 1 passed" in text


def test_every_row_when_asked_for(run: Any) -> None:
    lines = shown(run, every_row=True).splitlines()
    assert any(line.split() == ["TD-INBOUND", "1", "·", "·", "·", "1", "1.1"] for line in lines)
    assert not any(line.split()[:1] == ["TD-INBOUND"] for line in shown(run).splitlines())


def test_a_failure_says_cause_fix_owner_and_how_to_learn_more(run: Any) -> None:
    lines = shown(run).splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("FAILED"))
    assert lines[start] == "FAILED   The platform does not pass the caller's number on (1 case)"
    assert lines[start + 1] == "         fix    Set the From header to the caller's E.164 number."
    assert lines[start + 2] == "         owner  platform routing"
    assert lines[start + 3] == "         rows   TD-TRANSFER-BLIND 1"
    command = lines[start + 4].removeprefix("         why    ")
    assert command.startswith("harness explain ")
    assert command.endswith("'TD-TRANSFER-BLIND[talkdesk-sim:udp-ip-pcmu-synthflow]'")


def test_what_failed_stands_before_what_broke(run: Any) -> None:
    text = shown(run)
    assert text.index("\nFAILED") < text.index("\nBROKEN") < text.index("\nNOT OBSERVABLE  ")


def test_ten_cases_of_one_cause_are_said_once(tmp_path: Path, samples: ModuleType) -> None:
    cases = many(tmp_path, samples, ["TD-TRANSFER-BLIND"] * 7 + ["TD-TRANSFER-WARM"] * 3)
    (group,) = grouped(cases)
    assert group.verdict is Verdict.FAILED
    assert group.rows == {"TD-TRANSFER-BLIND": 7, "TD-TRANSFER-WARM": 3}
    assert group.plain()["owner"] == "platform routing"
    assert len(group.plain()["cases"]) == 10


def test_it_fits_a_screen_however_many_causes_there_are(tmp_path: Path, samples: ModuleType) -> None:
    cases = many(tmp_path, samples, ["TD-INBOUND"] * 30)
    groups = [CauseGroup(Verdict.FAILED, (case,)) for case in cases]
    summary = summarise(cases, [dict(case.case) for case in cases], run="r", wall_s=1.0, workers=1)
    out = io.StringIO()
    terminal.show(summary, groups, Console(file=out, width=80, color_system=None), run=tmp_path)
    lines = out.getvalue().splitlines()
    assert len(lines) <= 40
    assert any("more causes of" in line and line.endswith("cases: see the report") for line in lines)


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


def test_another_check_is_another_cause() -> None:
    assert signature("caller_id of billing.1: expected a; b") != signature("audio of billing.1: expected a; b")
    assert signature("One-way or no audio: A") != signature("One-way or no audio: B")


@given(
    st.text(st.characters(exclude_categories=["Nd"], exclude_characters="#\n\r"), max_size=40), st.integers(0, 10**9)
)
def test_figures_alone_make_no_other_cause(words: str, figure: int) -> None:
    assert signature(f"{words} 7") == signature(f"{words} {figure}")


def failing(directory: Path, samples: ModuleType, *causes: str) -> CaseEvidence:
    """A case that failed, with these causes shown by its own evidence."""
    told = [
        {"id": name, "cause": f"Issue: {name}", "title": name, "issue": "Issue", "fix": f"mend {name}"}
        for name in causes
    ]
    with samples.playing(directory, samples.case_of()) as sample:
        sample.finding("answered", "caller.1", Verdict.FAILED, expected="an answer", actual="none")
        sample.recorder.close(Verdict.FAILED, "answered of caller.1", told)
    return CaseEvidence.read(directory)


def test_a_case_with_two_causes_stands_in_both_groups(tmp_path: Path, samples: ModuleType) -> None:
    """Neither cause hides the other: what is mended first leaves the other one to be seen."""
    cases = [failing(tmp_path / "a", samples, "one"), failing(tmp_path / "b", samples, "one", "other")]
    first, second = grouped(cases)

    assert (first.headline, len(first.cases)) == ("Issue: one", 2)
    assert (second.headline, [case.directory.name for case in second.cases]) == ("Issue: other", ["b"])
    assert second.said("fix") == "mend other"


def test_a_cause_that_only_others_leave_possible_is_hedged(tmp_path: Path, samples: ModuleType) -> None:
    """Passed cases exclude the first of a case's candidates; the next one is no more certain for that."""
    told = [
        {
            "id": name,
            "title": name,
            "issue": "Issue",
            "cause": "Issue: one of 3",
            "candidate": True,
            "confidence": "possible",
        }
        for name in ("trunk-transport-mismatch", "route-wrong-trunk", "route-missing")
    ]
    cases = []
    for verdict, case in ((Verdict.PASSED, samples.case_of(line="one")), (Verdict.FAILED, samples.case_of(line="two"))):
        with samples.playing(tmp_path / str(verdict), case) as sample:
            sample.recorder.close(verdict, "seen", told if verdict is Verdict.FAILED else [])
        cases.append(CaseEvidence.read(tmp_path / str(verdict)))
    (group,) = grouped(cases)
    assert group.headline == "Issue: possibly route-wrong-trunk"


def test_a_cause_beside_another_is_not_told_as_of_different_figures(tmp_path: Path, samples: ModuleType) -> None:
    """Two cases that say the same of a cause, of which one has another cause first."""
    cases = [failing(tmp_path / "a", samples, "one"), failing(tmp_path / "b", samples, "other", "one")]
    groups = {group.cause["id"]: group for group in grouped(cases)}

    assert len(groups["one"].cases) == 2
    assert not groups["one"].is_mixed


def test_words_that_differ_in_a_figure_are_told(tmp_path: Path, samples: ModuleType) -> None:
    cases = []
    for number in (3, 7):
        told = [{"id": "late", "cause": f"Late: {number} s", "title": "late", "issue": "Late"}]
        with samples.playing(tmp_path / str(number), samples.case_of()) as sample:
            sample.recorder.close(Verdict.FAILED, "late", told)
        cases.append(CaseEvidence.read(tmp_path / str(number)))
    (group,) = grouped(cases)
    assert group.is_mixed


def of_deployment(directory: Path, samples: ModuleType, deployment: str, verdict: Verdict) -> CaseEvidence:
    told = [{"id": "one", "cause": "Issue: one", "title": "one", "issue": "Issue"}]
    with samples.playing(directory, samples.case_of(deployment=deployment)) as sample:
        sample.recorder.close(verdict, "it broke", told if verdict is Verdict.FAILED else None)
    return CaseEvidence.read(directory)


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.BROKEN, Verdict.NOT_OBSERVABLE])
def test_a_cause_says_whose_it_is_where_a_run_has_several_deployments(
    tmp_path: Path, samples: ModuleType, verdict: Verdict
) -> None:
    """The same words of two customers' systems are two things to mend, at two places."""
    kyoto, lima = (of_deployment(tmp_path / name, samples, name, verdict) for name in ("Kyōto", "lima"))
    other = of_deployment(tmp_path / "other", samples, "lima", Verdict.PASSED)

    (group,) = grouped([kyoto, other])
    assert group.where.split("; ")[0] == "deployment Kyōto"
    assert all("deployment" not in group.where for group in grouped([kyoto]))
    for group in grouped([kyoto, lima]):
        own = {str(case.case["deployment"]) for case in group.cases}
        assert ("deployment" in group.where) == (len(own) == 1)


def test_a_cause_that_one_site_alone_has_says_so(tmp_path: Path, samples: ModuleType) -> None:
    """The same calls from elsewhere passed: it is that site's network, or what its calls go through."""
    cases = []
    for site, verdict in (("Tōkyō", Verdict.FAILED), ("Austin", Verdict.PASSED)):
        with samples.playing(tmp_path / site, samples.case_of(site=site)) as sample:
            sample.recorder.close(verdict, "it", [{"id": "one", "cause": "one"}] if verdict is Verdict.FAILED else None)
        cases.append(CaseEvidence.read(tmp_path / site))
    (group,) = grouped(cases)
    assert group.where.split("; ")[0] == "site Tōkyō"
    assert "site" not in grouped(cases[:1])[0].where


def test_terminal_report_and_causes_json_have_the_same_causes(tmp_path: Path, samples: ModuleType) -> None:
    cases = [
        failing(tmp_path / name, samples, *causes) for name, causes in (("a", ["x"]), ("b", ["x", "y"]), ("c", ["z"]))
    ]
    written = common.plain(judged(cases))["causes"]

    assert [(cause["id"], cause["failures"]) for cause in written] == [
        (group.cause["id"], len(group.cases)) for group in grouped(cases)
    ]


@pytest.mark.parametrize("hostile", ["redis [/red] is gone", "[bold", "a\\", "[/]", "[link=x]y"])
def test_words_of_others_are_no_markup(run: Any, hostile: str) -> None:
    cases = read_cases(run.directory)
    summary = summarise(
        cases, run.planned, run="r", wall_s=1.0, workers=1, interrupted=hostile, broke=[hostile], required=[hostile]
    )
    summary.missing = [hostile]
    out = io.StringIO()
    terminal.show(summary, [], Console(file=out, width=200, color_system=None), run=run.directory)
    assert out.getvalue().count(hostile) == 4


def test_the_seconds_of_the_last_line_are_of_the_column_above_it(tmp_path: Path, samples: ModuleType) -> None:
    """What the run took, with its cases beside each other, stands in the sentence below the table."""
    cases = [
        CaseEvidence.read(samples.passed(tmp_path / name, samples.case_of(name.upper(), integration=name)))
        for name in ("gladly", "talkdesk")
    ]
    summary = summarise(cases, [dict(case.case) for case in cases], run="r", wall_s=0.1, workers=2)
    column = [float(str(cell)) for cell in terminal.table(summary).columns[-1].cells]
    assert column[-1] == pytest.approx(sum(column[:-1]), abs=0.1)
    assert summary.total.wall_s > 0.1


@given(
    st.lists(
        st.tuples(st.sampled_from("ABCD"), st.sampled_from(["east", "west", "north"]), st.sampled_from(["dark", "no"])),
        unique=True,
    ),
    st.sets(st.sampled_from("ABCD")),
)
def test_no_row_is_said_to_be_left_out_where_it_ran(left: list[tuple[str, str, str]], ran: set[str]) -> None:
    """A row that one deployment ran is told with the deployments that did not; so is one that they left out for several reasons."""
    summary = summarise([], [], run="r", wall_s=1.0, workers=1)
    summary.deployments = dict.fromkeys(("east", "west", "north"), "live")
    summary.rows = dict.fromkeys(ran, Counts(cases=1))
    summary.left_out = [{"row": row, "deployment": of, "why": why, "documented": True} for row, of, why in left]
    said = {(name, why) for why, names in summary.not_run(documented=True).items() for name in names}
    for row, of, why in left:
        named = {words for words, reason in said if reason == why and words.split()[0] == row}
        assert len(named) == 1, "each row once for each reason"
        (words,) = named
        whys = {other for one, _, other in left if one == row}
        assert ("of" in words.split()) == (row in ran or len(whys) > 1)
        assert "of" not in words.split() or of in words.split()
    assert {row for row, _, _ in left} == {words.split()[0] for words, _ in said}


def test_who_wants_to_know_why_a_row_was_not_run_is_sent_to_where_it_stands() -> None:
    """A fleet has no plan to ask; the report has the reasons of every run."""
    summary = summarise([], [], run="r", wall_s=1.0, workers=1)
    summary.deployments = {"east": "live"}
    summary.left_out = [{"row": "HOLD", "deployment": "east", "why": "dark", "documented": False}]
    out = io.StringIO()
    terminal.show(summary, [], Console(file=out, width=200, color_system=None), run=Path("r"))
    assert "not run: 1 practice row (HOLD); the report says why" in out.getvalue()
