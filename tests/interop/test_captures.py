"""Captures of calls between programs nobody here wrote: their headers and numbers, and whose marks passed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.phone.phone import Phone
from harness.phone.pool import PhonePool
from harness.sip.message import Message, Request
from harness.witness.capture import read_capture
from harness.witness.capture_calls import calls_of, match_capture, numbers_of
from harness.witness.matching import KnownLeg
from harness.world.addresses import Block
from tests.interop.baresip_ai import BaresipAi
from tests.interop.capture import Capture
from tests.interop.encounter import DID, encounter, with_sipp
from tests.interop.meeting import GOODBYE, GREETING
from tests.interop.platform import AI, KAMAILIO, PHONES, RTPENGINE, SIPP, Platform
from tests.interop.sipp import Sipp
from tests.interop.test_baresip import CALLER, call, hears
from tools.interop.processes import PATIENCE

BARESIP_RTP = "127.0.0.1"  #: where baresip takes RTP
#: Heard this long after the answer, a mark has been there for some time on every hop.
TALK_S = 1.0


def test_kamailio_rtpengine_and_baresip(
    tmp_path: Path, platform: Platform, baresip_ai: BaresipAi, lease: Callable[..., Phone]
) -> None:
    """Both sides of the proxy and of the media relay in one file."""
    kamailio, relay = platform.block[KAMAILIO], platform.block[RTPENGINE]
    with Capture(tmp_path, [kamailio, relay]) as capture:
        leg = call(platform, lease, "relayed")
        began = time.monotonic()
        leg.wait_state("confirmed", PATIENCE)
        hears(leg, baresip_ai.mark)
        baresip_ai.hears(leg.mark)
        hears(leg, baresip_ai.mark, since=time.monotonic() + TALK_S)
        leg.hangup()
        leg.wait_closed(PATIENCE)
        ended = time.monotonic()
        found = read_capture(capture.stop())
    own = Message.parse(leg.invite.text)
    own_host, ai_host = leg.invite.local.rpartition(":")[0], platform.block[AI["synthflow"]]
    invites = [one for one in found.messages if isinstance(one.message, Request) and one.message.method == "INVITE"]
    invites = [one for one in invites if one.message.call_id == own.call_id]
    assert {one.target[0] for one in invites} == {kamailio, ai_host}  # both sides of Kamailio
    assert all(CALLER[-9:] in numbers_of(one.message) for one in invites)
    known = KnownLeg(
        "case", "caller.1", "caller", leg.mark, ((began, ended),), True, frozenset({own.call_id}), invited=leg.invite.at
    )
    matched = match_capture(found, [known])
    assert [(one.how, one.call.call_id) for one in matched.calls] == [("Call-ID", own.call_id)]
    ways = {(one.voice.stream.source[0], one.voice.stream.target[0]) for one in matched.heard}
    assert ways == {(own_host, relay), (relay, BARESIP_RTP)}
    voices = [voice for one in calls_of(found) for voice in one.voices if voice.mark == baresip_ai.mark]
    assert {(voice.stream.source[0], voice.stream.target[0]) for voice in voices} == {
        (there, here) for here, there in ways
    }
    assert all(stream.lost <= 0.02 * stream.packets for stream in found.streams)


@pytest.mark.parametrize(("transport", "interface", "form"), [("udp", "lo", "pcapng"), ("tcp", "any", "pcap")])
def test_sipp(
    tmp_path: Path, block: Block, pool: PhonePool, marks: Iterator[int], transport: str, interface: str, form: str
) -> None:
    sipp_host, host = block[SIPP + 35], block[PHONES + 35]
    with (
        Sipp(tmp_path / "sipp", sipp_host, [*GREETING, *GOODBYE], transport=transport) as sipp,
        Capture(tmp_path / "capture", [sipp_host], interface, form) as capture,
        encounter(tmp_path, pool, marks, with_sipp(tmp_path, host, (sipp_host, sipp.port), transport)) as met,
    ):
        talk = met.caller().dial(DID)
        met.cast.expect(talk).answered()
        hears(talk.leg, sipp.mark, since=time.monotonic() + TALK_S)
        talk.hang_up()
        sipp.succeeds()
        talk.leg.wait_closed(PATIENCE)
        found = read_capture(capture.stop())
    own = [one.text for one in talk.leg.messages]
    assert [str(one.message) for one in found.messages] == own, found.notes
    assert {one.transport for one in found.messages} == {transport}
    voices = {
        (voice.mark, voice.stream.source[0], voice.stream.target[0]) for one in calls_of(found) for voice in one.voices
    }
    assert voices == {(sipp.mark, sipp_host, host), (talk.mark, host, sipp_host)}
    assert [note for note in found.notes if "TCP" in note or "left out" in note] == []
