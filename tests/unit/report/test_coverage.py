"""How much of what cases look at could be seen, and that every reader of the run is told."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from harness.case.verdict import Finding, Strength, Verdict
from harness.report import terminal
from harness.report.coverage import coverage
from harness.report.evidence import CaseEvidence
from harness.report.html import CasePage
from harness.report.summary import summarise
from tests.unit.conftest import run_of
from tests.unit.report import samples

UNSEEN, SEEN = Verdict.NOT_OBSERVABLE, Verdict.PASSED


def finding(check: str, subject: str, verdict: Verdict = SEEN) -> Finding:
    return Finding(
        check, subject, verdict, "expected", "actual", 1.0, dispensable=verdict is UNSEEN
    )


def test_each_thing_counts_once_and_a_codec_at_each_end() -> None:
    found = coverage(
        [
            finding("codec", "caller.1"),
            finding("codec", "caller.1"),
            finding("codec", "assistant main", UNSEEN),
            finding("route.transport", "assistant main", UNSEEN),
        ]
    )
    assert str(found) == "seen 1 of 3; not observed: codec at the AI, transport at the AI"
    assert str(coverage([finding("codec", "caller.1")])) == "seen 1 of 1"


def test_a_phone_may_be_called_as_the_ai_is() -> None:
    """What its leg saw was counted as seen at the AI, or not."""
    findings = [finding("codec", "assistant desk.1"), finding("codec", "assistant main", UNSEEN)]
    ours = {
        "assistant",
        "assistant.1",
        "assistant desk",
        "assistant desk.1",
        "stand-in",
        "stand-in.1",
    }
    assert str(coverage(findings, ours)) == "seen 1 of 2; not observed: codec at the AI"
    assert (
        str(coverage([finding("codec", "stand-in.1", UNSEEN)], ours))
        == "seen 0 of 1; not observed: codec at the AI"
    )


def passed_in_part(directory: Path) -> CaseEvidence:
    with samples.playing(directory) as sample:
        sample.inbound()
        sample.finding("answered", "caller.1")
        sample.finding(
            "codec",
            "assistant main",
            UNSEEN,
            actual="not observable: no SDP",
            dispensable=True,
            strength=Strength.UNKNOWN,
        )
        sample.hang_up()
        return sample.ends()


def test_terminal_summary_and_report_tell_it(tmp_path: Path) -> None:
    case = passed_in_part(tmp_path / "case")
    summary = summarise(run_of(case))
    told = summary.coverage["TD-INBOUND"]
    assert told.unseen == ("codec at the AI",)
    assert told.seen == told.of - 1 >= 1
    out = io.StringIO()
    terminal.show(summary, [], Console(file=out, width=120, color_system=None), run=tmp_path)
    assert (
        f"seen in part: TD-INBOUND {told.seen} of {told.of}; not observed: codec at the AI"
        in out.getvalue()
    )
    page = CasePage.of(case, tmp_path, "harness verify").html()
    assert f"seen {told.seen} of {told.of}; not observed: codec at the AI" in page
    assert (
        "Declared in the deployment file, not seen in any call: transport udp, authentication ip."
        in page
    )
