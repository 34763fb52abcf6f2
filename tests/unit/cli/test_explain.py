"""``harness explain`` finds the case and prints the whole reasoning."""

from __future__ import annotations

import json
import shlex
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from harness.case.recorder import CaseRecorder
from harness.case.verdict import Finding, Verdict
from harness.deployment.limits import try_lease
from harness.diagnosis import Cause, Diagnosis, RuledOut
from harness.errors import MistakeError
from harness.report.markup import explain_command
from harness.report.merge import merge
from harness.report.run_directory import read_cases
from harness.run.cli.app import application
from tests.unit.phone_events import sip_message

CAUSE = Cause(
    id="from-anonymous",
    title="the platform sends the AI an anonymous From",
    guide_issue="Caller ID missing",
    fix="Let the platform pass the caller's number.",
    link="https://example.org/guide#quick-troubleshooting",
    owner="platform routing",
    confidence="certain",
    evidence=("caller_id of assistant main",),
    rule="caller_id.from-anonymous",
    because="From is anonymous",
)
DIAGNOSIS = Diagnosis(
    causes=(CAUSE,),
    ruled_out=(
        RuledOut(
            "caller_id.from-national", "from-national", "the caller's number – it is anonymous"
        ),
    ),
    facts=("the caller's number in From at the AI: anonymous",),
)


def case(
    run: Path,
    name: str,
    verdict: Verdict = Verdict.FAILED,
    diagnosis: Diagnosis | None = DIAGNOSIS,
    actual: str = "anonymous",
) -> Path:
    directory = run / "cases" / name.replace("[", "_").rstrip("]")
    recorder = CaseRecorder(
        directory, {"id": name, "row": name.partition("[")[0], "title": "A call"}
    )
    recorder.event(
        sip_message(
            "sent", "INVITE sip:+13125550100@carrier.example SIP/2.0\r\n\r\n", at=time.monotonic()
        )
    )
    recorder.raised(
        Finding("caller_id", "assistant main", verdict, "the number", actual, time.monotonic())
    )
    recorder.close(verdict, "message", diagnosis.to_plain() if diagnosis else None)
    return directory


def amend(directory: Path, **values: object) -> None:
    plain = json.loads((directory / "case.json").read_text()) | values
    (directory / "case.json").write_text(json.dumps(plain))


def explained(*arguments: str) -> str:
    outcome = CliRunner().invoke(application(), ["explain", *arguments])
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    return outcome.output


def test_explain_prints_the_complete_reasoning(tmp_path: Path) -> None:
    text = explained(str(case(tmp_path, "TD-INBOUND[a]")), "--all")
    for part in (
        "diagnosis: Caller ID missing: the platform sends the AI an anonymous From",
        "expected the number",
        "m1",
        "INVITE sip:+13125550100@carrier.example SIP/2.0",
        "rule caller_id.from-anonymous: From is anonymous",
        "owner: platform administrator (platform routing)",
        "fix: Let the platform pass the caller's number.",
        "guide: https://example.org/guide#quick-troubleshooting",
        "shown by: caller_id of assistant main",
        "caller_id.from-national: the caller's number – it is anonymous",
    ):
        assert part in text


@pytest.mark.parametrize(
    "told", ["late", ["late"], [{"cause": "late"}], {"causes": [{"id": "x", "cause": "late"}]}]
)
def test_diagnosis_of_another_version_is_a_mistake(tmp_path: Path, told: object) -> None:
    """Reports accept these forms (docs/reports.md); explain needs the rules of this version."""
    directory = case(tmp_path, "TD-INBOUND[a]")
    end = json.loads((directory / "case.json").read_text())["end"]
    amend(directory, end=end | {"diagnosis": told})
    with pytest.raises(
        MistakeError, match=r"not of this version|not a case's evidence: its diagnosis"
    ):
        explained(str(directory))


def test_control_characters_from_the_wire_are_escaped(tmp_path: Path) -> None:
    text = explained(
        str(case(tmp_path, "TD-INBOUND[a]", actual="486 \x1b[2J\x1b]0;all passed\x07"))
    )
    assert "\\x1b[2J\\x1b]0;all passed\\x07" in text
    assert "\x1b" not in text


def test_case_is_found_by_id_or_a_part_of_it(tmp_path: Path) -> None:
    case(tmp_path, "TD-INBOUND[a]")
    case(tmp_path, "GL-INBOUND[b]")
    assert explained(str(tmp_path), "GL-INBOUND[b]").startswith("GL-INBOUND[b]")
    assert explained(str(tmp_path), "TD").startswith("TD-INBOUND[a]")


def test_without_all_it_is_what_decided(tmp_path: Path) -> None:
    wrong = [f"check {number}" for number in range(9)]
    many = replace(
        DIAGNOSIS, causes=(replace(CAUSE, evidence=tuple(wrong)),) * 9, unexplained=tuple(wrong)
    )
    directory = case(
        tmp_path,
        "TD-INBOUND[a]",
        diagnosis=replace(many, nearest_facts=tuple(wrong), next_look="look"),
    )
    text = explained(str(directory))
    assert "rule caller_id.from-anonymous: From is anonymous" in text
    assert text.count("fix: ") == 1
    assert not {"INVITE sip:", "What is known", "ruled out, and why"} & set(text.splitlines())
    assert len(text.splitlines()) <= 40
    assert text.endswith(
        "--all shows every check, message, known fact, and rule that was ruled out\n"
    )


def test_the_failed_case_is_meant_where_one_alone_failed(tmp_path: Path) -> None:
    case(tmp_path, "TD-INBOUND[a]", Verdict.PASSED, None)
    case(tmp_path, "TD-INBOUND[b]")
    assert explained(str(tmp_path), "TD-INBOUND").startswith("TD-INBOUND[b]")
    assert explained(str(tmp_path)).startswith("TD-INBOUND[b]")
    case(tmp_path, "TD-INBOUND[c]")
    with pytest.raises(MistakeError, match=r"allowed: one of TD-INBOUND\[b\], TD-INBOUND\[c\]$"):
        explained(str(tmp_path), "TD-INBOUND")
    with pytest.raises(MistakeError, match=r"'TD-INBUND' \(perhaps TD-INBOUND\)"):
        explained(str(tmp_path), "TD-INBUND")


def test_unknown_case_is_a_mistake_that_lists_the_cases(tmp_path: Path) -> None:
    case(tmp_path, "TD-INBOUND[a]")
    case(tmp_path, "GL-INBOUND[b]")
    with pytest.raises(
        MistakeError, match=r": no case of this run is called 'XY'; allowed: one of GL"
    ):
        explained(str(tmp_path), "XY")
    with pytest.raises(MistakeError, match="more than one case is meant"):
        explained(str(tmp_path), "INBOUND")
    with pytest.raises(
        MistakeError,
        match=r"/nowhere/else: no such directory; allowed: a case's directory, or a run's",
    ):
        explained(str(tmp_path / "nowhere" / "else"))
    with pytest.raises(MistakeError, match="not the directory of a run or of a case"):
        explained(str(tmp_path / "cases"), "TD")


def test_cases_of_two_sites_are_told_apart(tmp_path: Path, runs: ModuleType) -> None:
    """One failed and one passed: each report's command explains its own case, and the id alone is
    ambiguous.
    """
    made = [
        runs.make_run(
            tmp_path,
            deployment=runs.live().model_copy(update={"site": site}),
            rows=("HOLD",),
            plays=plays,
        )
        for site, plays in (("Austin", {"HOLD": runs.fails}), ("Berlin", {}))
    ]
    merged = merge([one.directory for one in made], tmp_path)
    for evidence in read_cases(merged):
        assert f": {evidence.verdict}" in explained(
            *shlex.split(explain_command(str(merged), evidence))[2:]
        )
    assert "verdict: failed" in explained(str(merged), made[0].cases[0].id)


@pytest.mark.parametrize(
    ("verdicts", "explained_attempt"),
    [([Verdict.FAILED] * 11, 11), ([Verdict.FAILED, Verdict.BROKEN], 1)],
    ids=["the last", "no broken one behind a failure"],
)
def test_counting_attempt_is_explained(
    tmp_path: Path, verdicts: list[Verdict], explained_attempt: int
) -> None:
    for attempt, verdict in enumerate(verdicts, start=1):
        directory = case(tmp_path, "HOLD[x]", verdict, actual=f"so it was at attempt {attempt}")
        amend(directory, attempt=attempt, began_wall=float(attempt))
        directory.rename(directory.with_name(f"HOLD_x.{attempt}"))
    assert f"so it was at attempt {explained_attempt}" in explained(str(tmp_path), "HOLD[x]")


def test_unconfirmed_guess_is_broken(tmp_path: Path) -> None:
    """The call may have belonged to another case."""
    directory = case(tmp_path, "HOLD[x]")
    amend(directory, guessed=True)
    text = explained(str(tmp_path), "HOLD[x]")
    assert "verdict: broken" in text
    assert CAUSE.title not in text


@pytest.mark.parametrize("verdict", [Verdict.BROKEN, Verdict.NOT_OBSERVABLE, Verdict.FAILED])
def test_case_without_a_diagnosis_shows_its_message(tmp_path: Path, verdict: Verdict) -> None:
    """The terminal's line "why harness explain …" leads to this command."""
    lines = explained(str(case(tmp_path, "TD-INBOUND[a]", verdict, None))).splitlines()
    assert lines[2:4] == [f"verdict: {verdict}", "because: message"]


def test_case_of_a_dead_worker_says_so(tmp_path: Path) -> None:
    directory = tmp_path / "cases" / "a"
    CaseRecorder(directory, {"id": "a"})
    assert "because: worker died" in explained(str(directory))


def test_open_case_of_a_run_under_way_is_a_mistake(tmp_path: Path) -> None:
    ended = case(tmp_path, "HOLD[x]")
    open_still = tmp_path / "cases" / "a"
    CaseRecorder(open_still, {"id": "a"})
    (tmp_path / "control").mkdir()
    runner = try_lease(tmp_path / "control" / "runner")
    assert runner is not None
    for result in ([str(open_still)], [str(tmp_path), "a"]):
        with pytest.raises(MistakeError, match="still under way"):
            explained(*result)
    assert "anonymous" in explained(str(ended))
    with pytest.raises(MistakeError, match="still under way"):
        CliRunner().invoke(
            application(), ["compare", str(tmp_path), str(tmp_path)], catch_exceptions=False
        )
    runner.release()
    assert "because: worker died" in explained(str(open_still))


def test_planned_case_without_evidence_is_named_as_such(tmp_path: Path, runs: ModuleType) -> None:
    """Terminal, report and JUnit name such a case."""
    made = runs.make_run(tmp_path, rows=("HOLD", "BUSY"), lost=("BUSY",))
    lost = next(one.id for one in made.cases if one.row.id == "BUSY")
    with pytest.raises(MistakeError, match="was not run: it left no evidence") as told:
        explained(str(made.directory), lost)
    assert lost in str(told.value)
    with pytest.raises(MistakeError, match="no case of this run is called 'BUSYNESS'"):
        explained(str(made.directory), "BUSYNESS")
