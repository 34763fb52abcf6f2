"""A far end that goes on sending to a caller who has put it on hold (RFC 3264 sections 6.1 and 8.4)."""

from __future__ import annotations

import contextlib
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.events import MediaState, SipMessage
from harness.calls.verdict import Finding, Verdict
from harness.scenario.call import Call
from harness.scenario.expect_audio import ExpectAudio
from tests.process.phone.conftest import Desk
from tests.stranger import AUDIO, SESSION, VOICE, Stranger, answered


@pytest.mark.parametrize(("goes_on", "verdict"), [(True, Verdict.FAILED), (False, Verdict.PASSED)])
def test_audio_that_goes_on_is_not_silence(lease: Desk, stranger: Stranger, goes_on: bool, verdict: Verdict) -> None:
    """The caller's phone takes none of it, and so never hears it."""
    leg, answer = answered(phone := lease("caller"), stranger, SESSION + AUDIO)
    stranger.speaks_to(int(answer.body.decode().split("m=audio ")[1].split()[0]), phone)
    leg.wait_state("confirmed", 10)
    leg.hold()
    invite = stranger.request("INVITE")
    if not goes_on:
        stranger.falls_silent()
    sdp = (SESSION + AUDIO + "a=recvonly\n").format(host=stranger.host, port=stranger.rtp.getsockname()[1])
    stranger.respond(invite, 200, [("Content-Type", "application/sdp"), ("Contact", f"<sip:{stranger.address}>")], sdp)
    leg.wait("hold", lambda e: isinstance(e, MediaState) and e.direction == "sendonly", 10)
    found: list[Finding] = []
    evidence = SimpleNamespace(
        add=found.append,
        findings=found,
        scripted=lambda *_: None,
        step=lambda _: contextlib.nullcontext(),
        number=lambda _: "",
    )
    context: Any = SimpleNamespace(evidence=evidence, pause=time.sleep, unheard=None)
    ai: Any = SimpleNamespace(label="ai", voices_for=lambda peer: {VOICE})
    ExpectAudio(context, Call(context, leg, "caller")).silence_from(ai, seconds=0.4)
    assert [finding.verdict for finding in found] == [verdict]


@pytest.mark.parametrize("seen", [True, False], ids=["seen", "behind-the-look"])
def test_an_offer_waits_for_the_far_end_s_own(lease: Desk, stranger: Stranger, seen: bool) -> None:
    """RFC 3261 section 14.1: until its re-INVITE is acknowledged there is no other, and pjsua refuses to make one."""
    leg, answer = answered(phone := lease("caller"), stranger, SESSION + AUDIO)
    leg.wait_state("confirmed", 10)
    offer = (SESSION + AUDIO).format(host=stranger.host, port=stranger.rtp.getsockname()[1])
    accepted = stranger.within(phone, "INVITE", 2, answer, offer, ("Content-Type: application/sdp",))
    leg.wait("its own offer", lambda e: isinstance(e, SipMessage) and "\r\nCSeq: 2 INVITE" in e.text, 10)
    looked = threading.Event()
    context: Any = SimpleNamespace(
        evidence=SimpleNamespace(step=lambda _: contextlib.nullcontext()), patience=10.0, pause=time.sleep
    )
    call = Call(context, leg, "caller")
    real, look = leg.wait, call._is_offered
    looks = iter([seen])

    def wait(*of: Any, **how: Any) -> Any:
        looked.set()
        return real(*of, **how)

    def goes_on() -> None:
        looked.wait(10)
        stranger.says(phone, "ACK", 2, accepted)
        headers = [("Content-Type", "application/sdp"), ("Contact", f"<sip:{stranger.address}>")]
        stranger.respond(stranger.request("INVITE"), 200, headers, f"{offer}a=recvonly\r\n")

    far_end = threading.Thread(target=goes_on)
    far_end.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leg, "wait", wait)
        patch.setattr(call, "_is_offered", lambda: next(looks, True) and look())
        call.hold()
    far_end.join()
