"""A live run says only what it saw, of programs nobody here wrote: Kamailio, baresip, SIPp; the API
has records alone.

A voice that hands over on a digit, and deaf ones of every kind; RTCP or none; media that does not
get through one way or the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from harness.case.verdict import Verdict
from harness.report.coverage import claims
from harness.report.evidence import CaseEvidence
from harness.world.addresses import Block
from harness.world.pki import Authority
from tests.interop import others
from tests.interop.others import DEAF, Others
from tests.interop.verifying import Verified, verify

INBOUND, TRANSFER = "TD-INBOUND", "TD-TRANSFER-BLIND"
pytestmark = pytest.mark.xdist_group("others")


@pytest.fixture(scope="module")
def programs(
    block: Block, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Others]:
    with others.running(
        tmp_path_factory.mktemp("others") / "programs", block, authority
    ) as programs:
        yield programs


@pytest.fixture(scope="module")
def run(programs: Others, tmp_path_factory: pytest.TempPathFactory) -> Verified:
    return verify(programs.file, (INBOUND, TRANSFER), tmp_path_factory.mktemp("run"), workers=4)


def case(run: Verified, row: str, number: str) -> CaseEvidence:
    """The case of that row that called that number of the deployment, or that trunk."""
    found = [CaseEvidence.read(path) for path in run.cases_of(row)]
    (one,) = [case for case in found if re.search(rf"[-:]{number}[-\]]", case.id)]
    return one


def heard(of: CaseEvidence, towards: str) -> dict[str, Any]:
    """What the first finding on what that end hears has measured, with its verdict."""
    found = next(f for f in of.findings if f.check == "audio" and f.facts.get("towards") == towards)
    return {**found.facts, "verdict": found.verdict, "actual": found.actual}


def certain(of: CaseEvidence) -> set[str]:
    """Causes that are named as certain."""
    sure = [
        cause
        for cause in of.diagnosis
        if cause["confidence"] == "certain" and not cause.get("candidate")
    ]
    return {str(cause["id"]) for cause in sure}


@pytest.mark.parametrize("number", ["direct", "relayed"])
def test_rtcp_of_the_ai_indicates_reception(run: Verified, number: str) -> None:
    one = case(run, INBOUND, number)
    assert one.verdict is Verdict.PASSED, one.message
    assert heard(one, "ai")["observation"] == "rtcp"
    assert heard(one, "caller")["observation"] == "sound"


def test_handover_by_digit_confirms_the_path_to_the_ai(run: Verified) -> None:
    one = case(run, TRANSFER, "direct")
    assert one.verdict is Verdict.PASSED, one.message
    assert heard(one, "ai")["observation"] == "digit"


@pytest.mark.parametrize("number", list(DEAF))
def test_deaf_ai_never_passes(run: Verified, number: str) -> None:
    one = case(run, INBOUND, number)
    assert one.verdict in (Verdict.FAILED, Verdict.NOT_OBSERVABLE), one.message
    assert heard(one, "ai")["verdict"] is not Verdict.PASSED


def test_missing_rtp_to_the_ai_never_passes(run: Verified) -> None:
    one = case(run, INBOUND, "blocked-to-ai")
    assert one.verdict in (Verdict.FAILED, Verdict.NOT_OBSERVABLE), one.message
    assert heard(one, "ai")["verdict"] is not Verdict.PASSED
    assert certain(one) <= {"rtp-blocked-to-ai", "rtp-blocked-both"}, (
        "RTP from another port than the SDP names is not counted"
    )


def test_missing_rtp_to_the_caller_is_not_a_silent_ai(run: Verified) -> None:
    one = case(run, INBOUND, "blocked-to-caller")
    assert one.verdict is Verdict.FAILED, one.message
    assert heard(one, "caller")["kind"] == "no-rtp"
    causes = [str(cause["id"]) for cause in one.diagnosis]
    assert "rtp-blocked-to-caller" in causes, causes
    assert certain(one) <= {"rtp-blocked-to-caller"}


def test_received_silence_may_come_from_the_ai(run: Verified) -> None:
    """An API that never has a transcript does not say that the AI spoke."""
    one = case(run, INBOUND, "silence")
    assert one.verdict is Verdict.FAILED, one.message
    assert "ai-silent" in {str(cause["id"]) for cause in one.diagnosis}
    assert not certain(one) - {"ai-silent"}


def test_number_from_the_record_alone_is_signed_as_such(run: Verified) -> None:
    """From at the AI is anonymous; its record has the number that the platform asserts."""
    one = case(run, INBOUND, "anonymous")
    assert one.verdict is Verdict.PASSED, one.message
    (finding,) = [finding for finding in one.findings if finding.check == "caller_id"]
    assert finding.facts["record"]
    sources = {claim.words: claim.source for claim in claims([one])}
    assert sources["the caller's number"] == "record"
    assert sources["transport"] == sources["codec"] == "declared"


def test_swallowed_refer_fails_the_transfer_without_a_certain_cause(run: Verified) -> None:
    one = case(run, TRANSFER, "refer-swallowed")
    assert one.verdict is Verdict.FAILED, one.message
    assert not certain(one)
    assert json.loads((one.directory / "case.json").read_text())["end"]["diagnosis"]["headline"]
