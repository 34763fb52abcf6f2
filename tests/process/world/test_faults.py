"""Each fault shows as it does in the real world, and only while it is set."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from harness.audio.marks import reply_to
from harness.calls.events import Listened, MarkHeard, RtpStatistics
from harness.phone.leg import Leg
from harness.phone.waiter import NeverCame
from harness.sip.message import Request
from harness.witness.call_record import CallRecord
from harness.world.faults import Fault
from tests.process.world.conftest import PATIENCE, Stage, hears

CALLER = "+14155550101"


def invite_of(record: CallRecord) -> Request:
    text = [m["text"] for m in record.witness("messages") if m["text"].startswith("INVITE ")][-1]
    request = Request.parse(text)
    assert isinstance(request, Request)
    return request


def answered(stage: Stage, line: str = "inbound", trunk: str = "udp-ip") -> tuple[Leg, CallRecord]:
    call = stage.dial(line, trunk)
    call.wait_state("confirmed", PATIENCE)
    return call, stage.record()


def marks_heard(leg: Leg) -> set[int]:
    return {event.mark for event in leg.events if isinstance(event, MarkHeard)}


def listens(leg: Leg, seconds: float = 1.0) -> None:
    """Until a leg's listener has looked at so much more of what it receives, be it silence: what was to be heard has been."""
    looked = max((event.seconds for event in leg.events if isinstance(event, Listened)), default=0.0)
    leg.wait("more sound", lambda e: isinstance(e, Listened) and e.seconds >= looked + seconds, PATIENCE)


def until(goal: str, reached: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline, f"it never came: {goal}"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("fault", "from_user"),
    [
        ("from-anonymous", "anonymous"),
        ("from-trunk-did", "+13125550100"),
        ("from-national", "4155550101"),
        ("from-other-number", "+17735550199"),
    ],
)
def test_callers_number_in_from(td: Stage, fault: str, from_user: str) -> None:
    with td.world.fault(fault, "inbound"):
        _, record = answered(td)
    assert invite_of(record).from_.uri.user == from_user


def test_pai_stripped(td: Stage) -> None:
    with td.world.fault("pai-stripped"):
        _, record = answered(td)
    assert not invite_of(record).has("P-Asserted-Identity")


def test_a_fault_of_another_line_is_not_seen(td: Stage) -> None:
    with td.world.fault("from-anonymous", "inbound-warm"):
        _, record = answered(td)
    assert invite_of(record).from_.uri.user == CALLER
    assert "+14155550101" in (invite_of(record).get("P-Asserted-Identity") or "")


# -- audio


@pytest.mark.parametrize(
    ("fault", "caller_hears_ai", "ai_hears_caller"),
    [
        ("rtp-blocked-to-ai", True, False),
        ("rtp-blocked-to-caller", False, True),
        ("rtp-blocked-both", False, False),
        ("sdp-private-address", False, True),
        ("g711-one-side", False, False),
        ("payload-mismatch", False, False),
        ("audio-crossed", False, False),
        ("audio-echoed", False, True),
    ],
)
def test_audio(td: Stage, fault: str, caller_hears_ai: bool, ai_hears_caller: bool) -> None:
    with td.world.fault(fault, "inbound"):
        call, _ = answered(td)
        crossed, theirs = fault == "audio-crossed", {240, reply_to(call.mark)}

        def at_ai() -> set[int]:
            return {mark["mark"] for mark in td.record().witness("marks")}

        until("the AI is heard", lambda: not caller_hears_ai or marks_heard(call) & theirs)
        until("the AI hears", lambda: not ai_hears_caller or call.mark in at_ai())
        until("both hear somebody", lambda: not crossed or (marks_heard(call) and at_ai()))
        listens(call)  # what must not be heard has to be given time
        assert bool(marks_heard(call) & theirs) is caller_hears_ai
        assert (call.mark in at_ai()) is ai_hears_caller


def test_a_replay_plays_the_mark_of_the_call_before(td: Stage) -> None:
    """To both ends, which hear nobody of their own call."""
    with td.world.fault("audio-replayed", "inbound"):
        first, _ = answered(td)
        listens(first)
        first.hangup()
        first.wait_state("disconnected", PATIENCE)
        second, _ = answered(td)
        until("the caller hears the one before", lambda: first.mark in marks_heard(second))
        until("so does the AI", lambda: first.mark in {mark["mark"] for mark in td.record().witness("marks")})
        listens(second)
        assert marks_heard(second) == {first.mark}
        assert {mark["mark"] for mark in td.record().witness("marks")} == {first.mark}


def test_sdp_names_a_private_address(td: Stage) -> None:
    with td.world.fault("sdp-private-address", "inbound"):
        _, record = answered(td)
    assert b"c=IN IP4 10.0.0.10" in invite_of(record).body


def test_sdp_names_a_host_that_does_not_exist(td: Stage) -> None:
    with td.world.fault("media-host-unknown", "inbound"):
        call = td.dial("inbound")
        with pytest.raises(NeverCame, match=r"DNS has no address for media\.x+\.invalid \(in the far end's SDP\)"):
            call.wait("somebody", lambda event: isinstance(event, MarkHeard), PATIENCE)


def test_high_delay(td: Stage) -> None:
    with td.world.fault("high-delay", "inbound"):
        call, _ = answered(td)
        began = call.wait_state("confirmed", PATIENCE).at
        assert hears(call, reply_to(call.mark)).at - began > 1.3


def test_heavy_loss(td: Stage) -> None:
    with td.world.fault("heavy-loss", "inbound"):
        call, _ = answered(td)
        statistics = call.wait("two seconds", lambda e: isinstance(e, RtpStatistics) and e.rx_packets > 100, PATIENCE)
    assert isinstance(statistics, RtpStatistics)
    assert statistics.rx_lost > 0.05 * statistics.rx_packets


# -- routes and refusals: who answers instead


@pytest.mark.parametrize(
    "fault",
    [
        "no-g711",
        "srtp-mismatch",
        "route-missing",
        "assistant-not-attached",
        "concurrency-exhausted",
        "trunk-transport-mismatch",
    ],
)
def test_the_fallback_answers(td: Stage, fault: str) -> None:
    reception = td.phone("reception")
    with td.world.fault(fault, "inbound"):
        call = td.dial("inbound")
        landed = reception.expect_call(PATIENCE)
        call.wait_state("confirmed", PATIENCE)
        hears(landed, call.mark)
        hears(call, landed.mark)


@pytest.mark.parametrize(
    ("fault", "trunk"),
    [
        ("password-wrong", "udp-digest"),
        ("username-wrong", "tcp-digest"),
        ("firewall-udp-32681", "udp-ip"),
        ("firewall-udp-32681-rejected", "udp-ip"),
        ("firewall-tcp-32681", "tcp-ip"),
        ("firewall-tcp-32681-rejected", "tcp-ip"),
        ("firewall-tls-32682", "tls-ip"),
        ("firewall-tls-32682-rejected", "tls-ip"),
        ("certificate-expired", "tls-ip"),
        ("certificate-wrong-name", "tls-ip"),
    ],
)
def test_the_fallback_answers_for_a_whole_tenant(td: Stage, fault: str, trunk: str) -> None:
    reception = td.phone("reception")
    with td.world.fault(fault):
        call = td.dial("inbound", trunk)
        landed = reception.expect_call(PATIENCE)
        call.wait_state("confirmed", PATIENCE)
        hears(landed, call.mark)
    call.hangup()
    again = td.dial("inbound", trunk)
    hears(again, 240)


def test_route_wrong_did(td: Stage) -> None:
    with td.world.fault("route-wrong-did", "inbound"):
        call, record = answered(td)
        hears(call, 241)
    assert record.number_to == "+12065550101"


def test_route_wrong_trunk(td: Stage) -> None:
    with td.world.fault("route-wrong-trunk", "inbound"):
        _, record = answered(td, trunk="tls-ip")
    assert record.witness("messages")[0]["transport"] == "udp"


def test_fallback_missing(td: Stage) -> None:
    with td.world.fault("fallback-missing"):
        call = td.dial("fallback-refused")
        assert call.wait_state("disconnected", PATIENCE).code == 503


def test_fallback_wrong_group(td: Stage) -> None:
    billing = td.phone("billing")
    with td.world.fault("fallback-wrong-group"):
        td.dial("fallback-refused")
        billing.expect_call(PATIENCE)


def test_ring_timeout_wrong(td: Stage) -> None:
    reception = td.phone("reception")
    with td.world.fault("ring-timeout-wrong"):
        began = time.monotonic()
        td.dial("fallback-timeout")
        reception.expect_call(PATIENCE)
        assert time.monotonic() - began > 4.5


# -- registration


def registration(stage: Stage, username: str, fulfilled: Callable[[dict[str, object]], bool]) -> dict[str, object]:
    api = stage.api()
    deadline = time.monotonic() + PATIENCE
    try:
        while True:
            numbers = api.ask("GET", "/sip_numbers")["sip_numbers"]
            found: dict[str, object] = next(n for n in numbers if str(n["username"]).startswith(username))
            if fulfilled(found):
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
    finally:
        api.close()


@pytest.mark.parametrize(
    ("fault", "code"),
    [("password-wrong", 403), ("username-wrong", 403), ("synthflow-ip-not-allowed", 403), ("trunk-inactive", 503)],
)
def test_registration_refused(td: Stage, fault: str, code: int) -> None:
    with td.world.fault(fault):
        registration(td, "synthflow-udp", lambda number: number["code"] == code)
    registration(td, "synthflow-udp", lambda number: number["code"] == 200)


def test_registration_expires_early(td: Stage) -> None:
    with td.world.fault("registration-expires-early"):
        found = registration(td, "synthflow-udp", lambda number: number["expires"] == 1)
        assert found["code"] == 200
        registration(td, "synthflow-udp", lambda number: not number["registered"])
    wanted = td.deployment.timings_by("quick").register_expires_s
    registration(td, "synthflow-udp", lambda number: number["expires"] == wanted)


# -- transfers


def escalated(stage: Stage, line: str = "inbound") -> Leg:
    call, _ = answered(stage, line)
    hears(call, reply_to(call.mark))
    call.send_digits("0")
    return call


def transfer_status(stage: Stage) -> int:
    deadline = time.monotonic() + PATIENCE
    while True:
        for action in stage.record().actions:
            if "status_code" in action:
                return int(action["status_code"])
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("fault", "status"),
    [("refer-rejected", 403), ("trunk-inactive", 503), ("refer-accepted-then-failed", 486), ("group-did-wrong", 404)],
)
def test_transfer_refused(td: Stage, fault: str, status: int) -> None:
    billing = td.phone("billing")
    with td.world.fault(fault):
        call = escalated(td)
        assert transfer_status(td) == status
        hears(call, 240, since=time.monotonic())  # the call is back with the AI
    assert not billing.incoming


def test_refer_never_notified(td: Stage) -> None:
    with td.world.fault("refer-never-notified", "inbound"):
        call = escalated(td)
        until("the REFER", lambda: any(m["text"].startswith("REFER ") for m in td.record().witness("messages")))
        call.hangup()
        # RFC 3515 section 2.4.4: the first NOTIFY is sent at once.
        until("the end", lambda: td.record().witness("released_at"))
        assert [m["text"][:6] for m in td.record().witness("messages")].count("NOTIFY") == 0


def test_group_wrong(td: Stage) -> None:
    support = td.phone("support")
    with td.world.fault("group-wrong", "inbound"):
        escalated(td)
        support.expect_call(PATIENCE)


def test_caller_id_lost_on_transfer(td: Stage) -> None:
    billing = td.phone("billing")
    with td.world.fault("caller-id-lost-on-transfer", "inbound"):
        escalated(td)
        landed = billing.expect_call(PATIENCE)
    invite = Request.parse(landed.invite.text)
    assert invite.from_.uri.user == "+13125550100"


def test_transfer_no_audio(td: Stage) -> None:
    billing = td.phone("billing")
    with td.world.fault("transfer-no-audio", "inbound"):
        call = escalated(td)
        landed = billing.expect_call(PATIENCE)
        landed.wait_state("confirmed", PATIENCE)
        listens(landed)
        listens(call)
    assert call.mark not in marks_heard(landed)
    assert landed.mark not in marks_heard(call)


def test_agent_audio_stops(td: Stage) -> None:
    billing = td.phone("billing")
    with td.world.fault("agent-audio-stops", "inbound"):
        call = escalated(td)
        landed = billing.expect_call(PATIENCE)
        hears(landed, call.mark)
        hears(call, landed.mark)
        until("silence at the agent", lambda: not _hears_within(landed, 0.5))
        until("silence at the caller", lambda: not _hears_within(call, 0.5))
        call.hangup()


def _hears_within(leg: Leg, seconds: float) -> bool:
    try:
        leg.wait("a mark", lambda event: isinstance(event, MarkHeard), seconds, since=time.monotonic())
    except NeverCame:
        return False
    return True


def test_ai_leg_left_behind(td: Stage) -> None:
    billing = td.phone("billing")
    with td.world.fault("ai-leg-left-behind", "inbound"):
        call = escalated(td)
        landed = billing.expect_call(PATIENCE)
        hears(landed, call.mark)
        assert transfer_status(td) == 200
        listens(landed)  # which the AI's leg outlives
        assert td.record().witness("released_at") is None
        call.hangup()


def test_termination_uri_wrong(td: Stage) -> None:
    billing = td.phone("billing")
    with td.world.fault("termination-uri-wrong"):
        call = escalated(td, "inbound-warm")
        assert transfer_status(td) != 200
        assert not billing.incoming
        call.hangup()
        call.wait_state("disconnected", PATIENCE)


# -- Gladly's own


@pytest.mark.parametrize(
    ("fault", "line", "header", "value"),
    [
        ("caller-header-missing", "inbound", "X-Gladly-Caller-Id", None),
        ("caller-header-without-plus", "inbound", "X-Gladly-Caller-Id", "14155550111"),
        ("caller-header-wrong", "inbound", "X-Gladly-Caller-Id", "+17185550199"),
        ("selector-missing", "inbound-billing", "X-Gladly-Routing-Selector", None),
        ("selector-wrong", "inbound-billing", "X-Gladly-Routing-Selector", "support"),
    ],
)
def test_gladlys_headers(gl: Stage, fault: str, line: str, header: str, value: str | None) -> None:
    with gl.world.fault(fault, line):
        _, record = answered(gl, line, "tls-ip")
    assert invite_of(record).get(header) == value


def test_tls_not_appended(gl: Stage) -> None:
    reception = gl.phone("reception")
    with gl.world.fault("tls-not-appended", "inbound"):
        gl.dial("inbound", "tls-ip")
        reception.expect_call(PATIENCE)
    record = gl.record()
    assert (record.status, record.plain["error_message"]) == ("failed", "403 TLS required")
    assert record.witness("messages")[0]["transport"] == "udp"


def test_every_fault_has_a_note_that_says_how_it_shows() -> None:
    assert all(note.issue and note.shows for note in Fault)
