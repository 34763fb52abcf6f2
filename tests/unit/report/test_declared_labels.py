"""A label that nobody saw is said to be declared, in every view of the case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.case.events import Event, FarEndRecord, LegStarted, MediaState
from harness.case.measurement import Codec, ReferMode, Transport
from harness.case.recorder import CaseRecorder
from harness.case.verdict import Finding, Strength, Verdict
from harness.report.coverage import labels
from harness.report.evidence import CaseEvidence
from tests.unit.phone_events import sip_message

AXES = {
    "ai": "synthflow",
    "transport": "tls",
    "authentication": "digest",
    "trunk": "US East",
    "codec": "pcmu",
    "refer": "consumed",
    "ask": "digit",
    "number": "hotline",
    "caller_id": "fixed",
}
INVITE = "INVITE sip:+12065550100@192.0.2.1 SIP/2.0\r\nCSeq: 1 INVITE\r\n{more}\r\n"
ANSWER = "SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS 192.0.2.1\r\nCSeq: 1 INVITE\r\n\r\n"
CREDENTIALS = 'Authorization: Digest username="acme"\r\n'
OWN = (
    LegStarted(
        at=1.0,
        phone="caller",
        leg="caller.1",
        direction="outgoing",
        mark=1,
        remote_uri="sip:x@192.0.2.1",
    ),
    MediaState(
        at=1.2, phone="caller", leg="caller.1", active=True, direction="sendrecv", codec="PCMU"
    ),
)


def finding(check: str, verdict: Verdict = Verdict.PASSED, measured: Any = None) -> Finding:
    strength = Strength.UNKNOWN if verdict is Verdict.NOT_OBSERVABLE else None
    return Finding(
        check, "the call", verdict, "so", "so", 1.5, strength=strength, measured=measured
    )


def at_stand_in(transport: str, *texts: str) -> list[Event]:
    where = {"transport": transport, "local": "192.0.2.1:32682", "remote": "192.0.2.9:5061"}
    return [sip_message("received", text, 1.1, "stand-in.1", **where) for text in texts]


def recorded(*texts: str) -> FarEndRecord:
    messages = [
        {"transport": "tls", "text": text, "local": "a:1", "remote": "b:2"} for text in texts
    ]
    return FarEndRecord(
        at=2.0, phone="synthflow", source="GET", record={"witness": {"messages": messages}}
    )


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., CaseEvidence]:
    def make(
        events: Sequence[Event] = OWN, findings: Sequence[Finding] = (), **more: Any
    ) -> CaseEvidence:
        directory = tmp_path / "run" / "cases" / "one"
        plain = {
            "id": "A[b]",
            "row": "TD-TRANSFER-BLIND",
            "integration": "talkdesk",
            "title": "A call",
            "axes": AXES,
        }
        recorder = CaseRecorder(directory, plain | more)
        for event in events:
            recorder.event(event)
        for one in findings:
            recorder.raised(one)
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
        (
            (),
            (finding("route.transport", measured=Transport(transport="tls", port=1)),),
            {"transport"},
        ),
        ((), (finding("route.transport", Verdict.FAILED),), {"transport"}),
        ((), (finding("route.transport", Verdict.NOT_OBSERVABLE),), set()),
        ((), (finding("route.trunk"),), {"trunk"}),
        (
            (),
            (finding("transfer.refer", measured=ReferMode(declared="consumed", seen="consumed")),),
            {"refer"},
        ),
        (at_stand_in("tls", INVITE.format(more="")), (), {"transport"}),
        (at_stand_in("udp", INVITE.format(more="")), (), set()),
        (at_stand_in("tls", INVITE.format(more=CREDENTIALS)), (), {"transport", "authentication"}),
        (
            at_stand_in("tls", INVITE.format(more=""), ANSWER),
            (),
            {"transport"},
        ),  # accepted by address: not as labelled
        # the AI's record shows the caller; the axis is about the agent, who was not observable
        ((), (finding("caller_id"), finding("caller_id", Verdict.NOT_OBSERVABLE)), set()),
        ((), (finding("caller_id"),), {"caller_id"}),
    ],
)
def test_a_label_is_a_fact_where_somebody_saw_it(
    made: Callable[..., CaseEvidence],
    events: Sequence[Event],
    findings: Sequence[Finding],
    more: set[str],
) -> None:
    assert seen(made([*OWN, *events], findings)) == DONE | more


@pytest.mark.parametrize(("answers", "is_seen"), [((ANSWER,), True), ((), False)])
def test_trust_in_an_address_is_seen_by_an_answer_without_credentials(
    made: Callable[..., CaseEvidence], answers: tuple[str, ...], is_seen: bool
) -> None:
    events = at_stand_in("tls", INVITE.format(more=""), *answers)
    assert ("authentication" in seen(made(events, axes=AXES | {"authentication": "ip"}))) is is_seen


def test_a_call_that_was_never_placed_has_no_number_and_no_codec(
    made: Callable[..., CaseEvidence],
) -> None:
    assert seen(made(())) == {"ai", "ask"}


@pytest.mark.parametrize(("label", "is_seen"), [("pcmu", True), ("pcma", False)])
def test_a_codec_is_seen_where_it_is_the_labels_own(
    made: Callable[..., CaseEvidence], label: str, is_seen: bool
) -> None:
    """The check passes on any G.711."""
    findings = (finding("codec", measured=Codec(codec="PCMU")),)
    assert ("codec" in seen(made((), findings, axes=AXES | {"codec": label}))) is is_seen


def test_who_registers_in_the_ais_place_shows_its_trunk_as_well(
    made: Callable[..., CaseEvidence],
) -> None:
    register = INVITE.replace("INVITE", "REGISTER")
    events = [
        replace(event, phone="sip-number")
        for event in at_stand_in("tls", register.format(more=CREDENTIALS))
    ]
    assert {"transport", "authentication"} <= seen(made(events))
    assert not {"transport", "authentication"} & seen(
        made([replace(event, phone="caller") for event in events])
    )


def test_messages_of_the_far_end_count_where_the_deployment_says_that_it_shows_them(
    made: Callable[..., CaseEvidence],
) -> None:
    record = recorded(INVITE.format(more=CREDENTIALS))
    assert seen(made([*OWN, record])) == DONE
    assert seen(made([*OWN, record], shows_messages=True)) == DONE | {"transport", "authentication"}
