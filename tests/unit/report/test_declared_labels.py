"""A label that nobody saw is said to be declared, in every view of the case."""

from __future__ import annotations

import base64
import html
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.calls.events import Event, FarEndRecord, LegStarted, MediaState, SipMessage
from harness.calls.measurement import Codec, ReferMode, Transport
from harness.calls.verdict import Finding, Strength, Verdict
from harness.report import allure, junit
from harness.report.coverage import labels
from harness.report.evidence import CaseEvidence
from harness.report.html import write
from harness.report.recorder import CaseRecorder
from harness.report.summary import summarise
from tests.unit.conftest import run_of

AXES = {
    "ai": "synthflow",
    "transport": "tls",
    "authentication": "digest",
    "trunk": "US East",
    "codec": "pcmu",
    "refer": "consumed",
    "ask": "digit",
    "number": "hotline",
}
INVITE = "INVITE sip:+12065550100@192.0.2.1 SIP/2.0\r\nCSeq: 1 INVITE\r\n{more}\r\n"
ANSWER = "SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS 192.0.2.1\r\nCSeq: 1 INVITE\r\n\r\n"
CREDENTIALS = 'Authorization: Digest username="acme"\r\n'
OWN = (
    LegStarted(at=1.0, phone="caller", leg="caller.1", direction="outgoing", mark=1, remote_uri="sip:x@192.0.2.1"),
    MediaState(at=1.2, phone="caller", leg="caller.1", active=True, direction="sendrecv", codec="PCMU"),
)


def finding(check: str, verdict: Verdict = Verdict.PASSED, measured: Any = None) -> Finding:
    strength = Strength.UNKNOWN if verdict is Verdict.NOT_OBSERVABLE else None
    return Finding(check, "the call", verdict, "so", "so", 1.5, strength=strength, measured=measured)


def at_stand_in(transport: str, *texts: str) -> list[Event]:
    where = {"local": "192.0.2.1:32682", "remote": "192.0.2.9:5061"}
    return [
        SipMessage(
            at=1.1, phone="stand-in", leg="stand-in.1", direction="received", transport=transport, text=text, **where
        )
        for text in texts
    ]


def recorded(*texts: str) -> FarEndRecord:
    messages = [{"transport": "tls", "text": text, "local": "a:1", "remote": "b:2"} for text in texts]
    return FarEndRecord(at=2.0, phone="synthflow", source="GET", record={"witness": {"messages": messages}})


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., CaseEvidence]:
    def make(events: Sequence[Event] = OWN, findings: Sequence[Finding] = (), **more: Any) -> CaseEvidence:
        directory = tmp_path / "run" / "cases" / "one"
        plain = {"id": "A[b]", "row": "TD-TRANSFER-BLIND", "integration": "talkdesk", "title": "A call", "axes": AXES}
        recorder = CaseRecorder(directory, plain | more)
        for event in events:
            recorder.event(event)
        for one in findings:
            recorder.finding(one)
        recorder.close(Verdict.PASSED, "")
        return CaseEvidence.read(directory)

    return make


def seen(case: CaseEvidence) -> set[str]:
    return {axis for axis, shown in labels(case).items() if not shown.endswith(" (declared)")}


DONE = {"ai", "ask", "codec", "number"}  #: what the harness itself does, or hears at its own phones


@pytest.mark.parametrize(
    ("events", "findings", "more"),
    [
        ((), (), set()),
        ((), (finding("route.transport", measured=Transport(transport="tls", port=1)),), {"transport"}),
        ((), (finding("route.transport", Verdict.FAILED),), {"transport"}),
        ((), (finding("route.transport", Verdict.NOT_OBSERVABLE),), set()),
        ((), (finding("route.trunk"),), {"trunk"}),
        ((), (finding("transfer.refer", measured=ReferMode(declared="consumed", seen="consumed")),), {"refer"}),
        (at_stand_in("tls", INVITE.format(more="")), (), {"transport"}),
        (at_stand_in("udp", INVITE.format(more="")), (), set()),
        (at_stand_in("tls", INVITE.format(more=CREDENTIALS)), (), {"transport", "authentication"}),
        (at_stand_in("tls", INVITE.format(more=""), ANSWER), (), {"transport"}),  # taken by address: not as labelled
    ],
)
def test_a_label_is_a_fact_where_somebody_saw_it(
    made: Callable[..., CaseEvidence], events: Sequence[Event], findings: Sequence[Finding], more: set[str]
) -> None:
    assert seen(made([*OWN, *events], findings)) == DONE | more


def test_a_call_that_was_never_placed_has_no_number_and_no_codec(made: Callable[..., CaseEvidence]) -> None:
    assert seen(made(())) == {"ai", "ask"}


@pytest.mark.parametrize(("label", "is_seen"), [("pcmu", True), ("pcma", False)])
def test_a_codec_is_seen_where_it_is_the_labels_own(
    made: Callable[..., CaseEvidence], label: str, is_seen: bool
) -> None:
    """The check passes on any G.711."""
    findings = (finding("codec", measured=Codec(codec="PCMU")),)
    assert ("codec" in seen(made((), findings, axes=AXES | {"codec": label}))) is is_seen


def test_trust_in_an_address_is_seen_by_an_answer_without_credentials(made: Callable[..., CaseEvidence]) -> None:
    axes = AXES | {"authentication": "ip"}
    assert "authentication" in seen(made(at_stand_in("tls", INVITE.format(more=""), ANSWER), axes=axes))
    assert "authentication" not in seen(made(at_stand_in("tls", INVITE.format(more="")), axes=axes))


def test_who_registers_in_the_ais_place_shows_its_trunk_as_well(made: Callable[..., CaseEvidence]) -> None:
    register = INVITE.replace("INVITE", "REGISTER")
    events = [replace(event, phone="sip-number") for event in at_stand_in("tls", register.format(more=CREDENTIALS))]
    assert {"transport", "authentication"} <= seen(made(events))
    assert not {"transport", "authentication"} & seen(made([replace(event, phone="caller") for event in events]))


def test_messages_of_the_far_end_count_where_the_deployment_says_that_it_shows_them(
    made: Callable[..., CaseEvidence],
) -> None:
    record = recorded(INVITE.format(more=CREDENTIALS))
    assert seen(made([*OWN, record])) == DONE
    assert seen(made([*OWN, record], shows_messages=True)) == DONE | {"transport", "authentication"}


def test_one_end_of_two_is_not_enough(made: Callable[..., CaseEvidence]) -> None:
    """The AI's record shows who called; at the agent, whom the axis is about, nobody could look."""
    findings = (finding("caller_id"), finding("caller_id", Verdict.NOT_OBSERVABLE))
    assert "caller_id" not in seen(made(OWN, findings, axes=AXES | {"caller_id": "fixed"}))
    assert "caller_id" in seen(made(OWN, findings[:1], axes=AXES | {"caller_id": "fixed"}))


def test_every_view_says_it(made: Callable[..., CaseEvidence], tmp_path: Path) -> None:
    case = made()
    shown = "synthflow · tls (declared) · digest (declared) · US East (declared) · pcmu · consumed (declared) · digit · hotline"

    run = run_of(case)
    (tmp_path / "allure-results").mkdir()
    allure.write(case, tmp_path / "allure-results")
    (result,) = (tmp_path / "allure-results").glob("*-result.json")
    assert f"[{shown}]" in result.read_text(encoding="utf-8")

    junit.write(tmp_path / "junit.xml", run)
    assert "transport: tls (declared)" in (tmp_path / "junit.xml").read_text(encoding="utf-8")

    page = tmp_path / "run" / "report.html"
    write(page, run, summarise(run))
    text = page.read_text(encoding="utf-8")
    assert f'class="ax">{shown}<' in html.unescape(text)
    (packed,) = re.findall(r'<script type="text/plain">([^<]+)</script>', text)
    opened = html.unescape(zlib.decompress(base64.b64decode(packed)).decode())
    assert (
        "Declared in the deployment file, seen by nobody: transport tls, authentication digest, trunk US East" in opened
    )
