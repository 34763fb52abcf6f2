"""Captures of calls to a SIPp, as `harness witness` reads them; ``test_baresip.py`` has those of
Kamailio, rtpengine and baresip.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from harness.case.events import Event, MarkHeard
from harness.phone.pool import PhonePool
from harness.witness.capture import read_capture
from harness.witness.capture_calls import calls_of
from harness.world.addresses import Block
from tests.interop.capture import Capture
from tests.interop.encounter import DID, encounter, with_sipp
from tests.interop.meeting import GOODBYE, GREETING
from tests.interop.platform import PHONES, SIPP
from tests.interop.sipp import Sipp
from tools.interop.processes import PATIENCE

#: Heard this long after the answer, a mark has been there for some time on every hop.
TALK_S = 1.0


@pytest.mark.parametrize(
    ("transport", "interface", "form"), [("udp", "lo", "pcapng"), ("tcp", "any", "pcap")]
)
def test_messages_and_marks_of_a_call_to_sipp(
    tmp_path: Path,
    block: Block,
    pool: PhonePool,
    marks: Iterator[int],
    transport: str,
    interface: str,
    form: str,
) -> None:
    sipp_host, host = block[SIPP + 35], block[PHONES + 35]
    with (
        Sipp(tmp_path / "sipp", sipp_host, [*GREETING, *GOODBYE], transport=transport) as sipp,
        Capture(tmp_path / "capture", [sipp_host], interface, form) as capture,
        encounter(
            tmp_path, pool, marks, with_sipp(tmp_path, host, (sipp_host, sipp.port), transport)
        ) as met,
    ):
        talk = met.caller().dial(DID)
        met.cast.expect(talk).answered()
        talk.leg.wait(
            "SIPp for a while", partial(_is, sipp.mark), PATIENCE, time.monotonic() + TALK_S
        )
        talk.hang_up()
        sipp.succeeds()
        talk.leg.wait_closed(PATIENCE)
        found = read_capture(capture.stop())
    own = [one.text for one in talk.leg.messages]
    assert [str(one.message) for one in found.messages] == own, found.notes
    assert {one.transport for one in found.messages} == {transport}
    voices = {
        (voice.mark, voice.stream.source[0], voice.stream.target[0])
        for one in calls_of(found)
        for voice in one.voices
    }
    assert voices == {(sipp.mark, sipp_host, host), (talk.mark, host, sipp_host)}
    assert [note for note in found.notes if "TCP" in note or "left out" in note] == []


def _is(mark: int, event: Event) -> bool:
    return isinstance(event, MarkHeard) and event.mark == mark
