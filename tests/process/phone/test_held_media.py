"""A far end that goes on sending to a caller who has put it on hold (RFC 3264 sections 6.1 and 8.4)."""

from __future__ import annotations

import contextlib
import time
from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.events import MediaState
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
