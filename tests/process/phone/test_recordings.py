"""What a leg hears and says is recorded: what is in the files, when there are any, and before they are whole."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import pytest

from harness.audio.detector import Heard, marks_heard
from harness.audio.wav import read_wav
from harness.errors import ResourceError
from harness.events import Listened, MarkEnded, MarkHeard, Recorded, SipMessage
from harness.phone import Mark, Reject, Silence, Silent
from tests.process.phone.conftest import Desk, connect, hears, uri_of


def test_recordings_are_whole_and_hold_the_marks(lease: Desk) -> None:
    alice, bob = lease("alice"), lease("bob")
    out, back = connect(alice, bob)
    hears(out, back)
    begin = next(e.at for e in out.events if isinstance(e, MarkHeard))
    out.wait("more of it", lambda e: isinstance(e, MarkHeard) and e.at > begin + 0.5, 10)
    out.hangup()
    recorded = out.recorded()
    received, rate = read_wav(Path(recorded.path))
    assert rate == 8000
    assert {h.mark for h in marks_heard(received, rate) if isinstance(h, Heard)} == {back.mark}
    assert recorded.sent_path is not None
    sent, rate = read_wav(Path(recorded.sent_path))
    assert {h.mark for h in marks_heard(sent, rate) if isinstance(h, Heard)} == {out.mark}


@pytest.mark.parametrize("policy", [Reject(486), Silent()])
def test_a_call_without_media_leaves_no_recording(lease: Desk, policy: Reject | Silent) -> None:
    alice, bob = lease("alice"), lease("bob")
    bob.policy = policy
    out = alice.dial(uri_of(bob))
    back = bob.next_call(10)
    if isinstance(policy, Silent):
        out.wait("100", lambda e: isinstance(e, SipMessage) and e.text.startswith("SIP/2.0 100"), 10)
        out.hangup()
    for leg in (out, back):
        leg.wait_closed()
        assert not any(isinstance(event, Recorded) for event in leg.events)
    assert [path for phone in (alice, bob) for path in phone.directory.glob("*.wav")] == []


def test_what_was_received_can_be_heard_while_the_call_goes_on(lease: Desk) -> None:
    alice, bob = lease("alice"), lease("bob")
    out, back = connect(alice, bob)
    hears(out, back)
    back.play(Silence())
    fell_silent = out.wait("the mark's end", lambda e: isinstance(e, MarkEnded) and e.mark == back.mark, 10).at
    out.wait("two seconds of silence", lambda e: isinstance(e, Listened) and e.at > fell_silent + 2.0, 10)
    asked = time.monotonic()
    back.play(Mark())
    heard = hears(out, back, since=asked).at
    out.wait("a second of the mark", lambda e: isinstance(e, Listened) and e.at > heard + 1.0, 10)

    assert back.mark in {fact.mark for fact in marks_heard(out.received_since(out.events[0].at))}
    after = [fact for fact in marks_heard(out.received_since(fell_silent)) if isinstance(fact, Heard)]
    assert after
    assert asked - fell_silent - 0.1 <= after[0].began <= heard - fell_silent + 0.1


def test_a_disk_that_takes_no_more_breaks_the_case(own: Desk) -> None:
    """pjmedia says nothing of it, and what is looked for in a recording is not found in what is not there."""
    alice, bob = own("alice"), own("bob")
    assert alice.process is bob.process
    out, back = connect(alice, bob)
    hears(out, back)
    hears(back, out)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.prlimit(alice.process.pid, resource.RLIMIT_FSIZE, (8192, most))  # half a second of a recording
    for leg in (out, back):
        began = leg.events[-1].at
        leg.wait("two seconds", lambda e, began=began: isinstance(e, Listened) and e.at > began + 2.0, 10)  # type: ignore[misc]
    with pytest.raises(ResourceError, match=r"the disk took \d\.\d s of \d\.\d s"):
        out.received_since(out.events[0].at)
    out.hangup()
    for phone, leg in ((alice, out), (bob, back)):
        leg.recorded()
        with pytest.raises(ResourceError, match="the disk took "):
            phone.release()
