"""A live run says only what it saw: worlds started apart, of which the harness is told a customer's
file.

Each is wrong in a way that touches a claim; the AI is seen by its record alone, or with RTCP.
``make liveproof`` has all of them.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.case.checks.claims import STRENGTH, Claim, Observation
from harness.case.verdict import Strength, Verdict
from harness.report.coverage import claims, labels
from harness.report.evidence import CaseEvidence, latest
from harness.report.run_directory import read_cases
from tools import ROOT
from tools.liveproof.outside import world
from tools.liveproof.plan import AIS, INBOUND, LISTENS, TRANSFER, WITNESSES, World

pytestmark = pytest.mark.nightly

_WITNESS = {witness.name: witness for witness in WITNESSES}
_AI = {ai.name: ai for ai in AIS}


def _world(
    number: int, witness: str, ai: str = LISTENS.name, fault: str | None = None, row: str = INBOUND
) -> World:
    return World(number, _WITNESS[witness], _AI[ai], fault, (row,))


WORLDS: Mapping[str, World] = {
    "nothing reaches the AI": _world(0, "record and RTCP", fault="rtp-blocked-to-ai"),
    "no reaction": _world(1, "record, packets asked for", "deaf, speaks without end"),
    "nothing reaches the caller": _world(
        2, "record, packets asked for", fault="rtp-blocked-to-caller"
    ),
    "recorded": _world(6, "recording"),
    "nothing recorded of the caller": _world(7, "recording", fault="rtp-blocked-to-ai"),
    "in order": _world(3, "record and RTCP"),
    "anonymous": _world(5, "record and RTCP", fault="from-anonymous"),
    "REFER swallowed": _world(4, "record and RTCP", fault="refer-never-notified", row=TRANSFER),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, forked_python: str) -> Path:
    """One run of all of them, one number each."""
    directory = tmp_path_factory.mktemp("seen")
    with world(len(WORLDS), directory) as outside:
        environment, files = {**os.environ, "HARNESS_LIVE": "1"}, []
        for place, one in enumerate(WORLDS.values()):
            file, secrets = outside.prepare(place, one)
            files.append(str(file))
            environment |= secrets
        command = [
            forked_python,
            "-c",
            "from harness.run.cli.app import main; main()",
            "verify",
            *files,
            "--quiet",
            "-n",
            "3",
        ]
        swallowed = WORLDS["REFER swallowed"].name
        wanted = f"front and ({INBOUND} and not {swallowed} or {TRANSFER} and {swallowed})"
        command += ["--preflight", "off", "--reports", str(directory / "reports"), "-k", wanted]
        command += [f"--row={row}" for row in (INBOUND, TRANSFER)]
        subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, timeout=900, check=False
        )
    return (directory / "reports" / "latest").resolve()


def case(run: Path, name: str) -> CaseEvidence:
    """The case that the world of that name was made for."""
    wanted = WORLDS[name]
    found = latest(read_cases(run))  # on a busy machine a case may have been tried again
    (one,) = [
        case
        for case in found
        if case.case["deployment"] == wanted.name and case.row == wanted.rows[0]
    ]
    return one


def certain(of: CaseEvidence) -> set[str]:
    """Causes that are named as certain."""
    return {
        str(cause["id"])
        for cause in of.diagnosis
        if cause["confidence"] == "certain" and not cause.get("candidate")
    }


def test_missing_rtp_to_the_ai_does_not_pass(run: Path) -> None:
    one = case(run, "nothing reaches the AI")
    assert one.verdict is not Verdict.PASSED, "broken on a machine that is much too busy"
    assert certain(one) <= {"rtp-blocked-to-ai"}


def test_sent_audio_does_not_count_as_heard(run: Path) -> None:
    one = case(run, "no reaction")
    assert one.verdict is Verdict.NOT_OBSERVABLE, one.message
    (finding,) = [f for f in one.findings if f.check == "audio" and f.facts.get("towards") == "ai"]
    assert finding.strength is Strength.UNKNOWN is STRENGTH[Claim.HEARD][Observation.SENT]


def test_missing_rtp_to_the_caller_is_not_blamed_on_a_silent_ai(run: Path) -> None:
    """A transcript that this API never has shows nothing by its absence, neither against the AI nor
    against another cause.
    """
    one = case(run, "nothing reaches the caller")
    assert one.verdict is Verdict.FAILED, one.message
    assert certain(one) <= {"rtp-blocked-to-caller"}
    assert "rtp-blocked-to-caller" in {str(cause["id"]) for cause in one.diagnosis}
    assert not [
        ruled
        for ruled in one.case["end"]["diagnosis"]["ruled_out"]
        if ruled["cause"] == "rtp-blocked-to-caller"
    ]


def test_a_recording_at_the_ai_proves_both_directions(run: Path) -> None:
    one = case(run, "recorded")
    assert one.verdict is Verdict.PASSED, one.message
    both = [f for f in one.findings if f.check == "audio"]
    assert {finding.facts["observation"] for finding in both} == {
        Observation.RECORDING.name.lower()
    }
    assert [finding.strength for finding in both] == [Strength.PROVED] * 2
    assert [path.suffix for path in one.directory.glob("*.mp3")]


def test_a_recording_without_the_callers_mark_is_evidence_against(run: Path) -> None:
    one = case(run, "nothing recorded of the caller")
    assert one.verdict is Verdict.FAILED, one.message
    assert "the AI's recording" in one.message
    assert certain(one) <= {"rtp-blocked-to-ai"}


def test_facts_from_the_record_alone_are_signed_as_such(run: Path) -> None:
    one = case(run, "in order")
    assert one.verdict is Verdict.PASSED, one.message
    (finding,) = [f for f in one.findings if f.check == "caller_id"]
    assert finding.facts["record"]
    sources = {claim.words: claim.source for claim in claims([one])}
    assert sources["the caller's number"] == "by the AI's record"
    assert sources["transport"] == "declared, not seen"


def test_unobserved_axis_is_marked_declared(run: Path) -> None:
    """The AI has its record alone, so nobody sees over which trunk the call came; what the caller's
    phone negotiated it saw.
    """
    one = case(run, "in order")
    shown = labels(one)
    assert {axis for axis, value in shown.items() if value.endswith(" (declared)")} == {
        "transport",
        "authentication",
    }
    assert (
        f'class="ax">{" · ".join(shown.values())} · of {WORLDS["in order"].name}<'
        in (run / "report.html").read_text()
    )
    sources = {claim.words: claim.source for claim in claims([one])}
    assert sources["how the trunk authenticates"] == "declared, not seen"


def test_row_without_a_transport_check_does_not_claim_the_transport(run: Path) -> None:
    """Nothing of a transfer's checks is about the trunk; its label is no more than what the file
    declares.
    """
    one = case(run, "REFER swallowed")
    assert "route.transport" not in {finding.check for finding in one.findings}
    assert labels(one)["transport"] == "udp (declared)"


def test_anonymous_caller_in_the_record_is_reported(run: Path) -> None:
    one = case(run, "anonymous")
    assert one.verdict is Verdict.FAILED, one.message
    assert "the record says 'anonymous'" in one.message


def test_refer_without_an_outcome_names_the_next_step(run: Path) -> None:
    one = case(run, "REFER swallowed")
    assert one.verdict is Verdict.FAILED, one.message
    assert certain(one) <= {"refer-never-notified"}
    told = one.case["end"]["diagnosis"]
    assert told["headline"]
    assert told["next_look"] or any(cause.get("settles") for cause in told["causes"])
