"""The AI's recording of a case's call, as evidence: what it proves, what it is silent about, and
whose it is not.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from harness.audio.marks import waveform
from harness.audio.wav import to_int16
from harness.case.checks.audio import Sound
from harness.case.checks.claims import Observation
from harness.case.events import MarkInFile, VoiceInFile
from harness.case.verdict import Strength, Verdict
from harness.deployment import Synthflow
from harness.errors import FarEndError
from harness.scenario import recorded
from harness.scenario.call import Call
from harness.scenario.context import CaseContext
from harness.scenario.recorded import RecordedCall
from harness.witness.call_record import CallRecord
from harness.witness.recordings import FetchedFile, Shown
from tests.unit.scenario.conftest import MakeContext, judged
from tests.unit.witness.recorded_calls import (
    AI,
    CALLER,
    MARK,
    WORDS,
    Samples,
    encoded,
    mixed,
    over_the_line,
    quiet,
)

RATE = 8000
OTHERS_MARK = 90
RIGHT = mixed(AI, over_the_line(CALLER, 0.2))


def marked(mark: int, at_s: float) -> Samples:
    return np.concatenate([quiet(at_s), to_int16(np.tile(waveform(mark), 6))])


class Recorded(RecordedCall):
    """A call whose caller heard ``received``, and whose recording is ``content``, or cannot be had."""

    def __init__(
        self, context: CaseContext, content: bytes | FarEndError, patch: pytest.MonkeyPatch
    ) -> None:
        self.asked = 0

        def fetch(*_: object) -> FetchedFile:
            self.asked += 1
            if isinstance(content, FarEndError):
                raise content
            return FetchedFile("c1.mp3", content)

        patch.setattr(recorded, "fetch", fetch)
        super().__init__(
            context,
            SimpleNamespace(is_unknown=False, record=CallRecord("c1", {}), label="assistant main"),  # type: ignore[arg-type]
        )
        self.caller: Any = Call.__new__(Call)
        leg: Any = SimpleNamespace(
            id="caller.1",
            mark=MARK,
            successor=None,
            received=lambda: (over_the_line(AI, 0.1), 100.0),
        )
        self.caller.first_leg, self.caller.peer = leg, None
        self.caller.marked_at, self.caller.words_s = [105.0], len(WORDS) / RATE
        context.calls.own.append(self.caller)
        self.context = context

    @property
    def found(self) -> Shown | None:
        return self.of(self.caller, 100.5, 115.0)

    @property
    def notes(self) -> str:
        return "\n".join(self.context.evidence._notes)


@pytest.fixture
def make(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Samples | FarEndError | bytes], Recorded]:
    def made(recording: Samples | FarEndError | bytes) -> Recorded:
        context = make_context(
            synthflow=Synthflow(api_base="https://api.example/v2", recording=True)
        )
        content = encoded(recording) if isinstance(recording, np.ndarray) else recording
        return Recorded(context, content, monkeypatch)

    return made


Make = Callable[[Samples | FarEndError | bytes], Recorded]


def test_both_directions_are_proved_and_the_file_is_kept(make: Make) -> None:
    call = make(RIGHT)
    found = call.found
    assert found is not None
    proof = call.heard_caller(found, call.caller, 100.5)
    assert proof is not None
    assert (proof.strength, proof.at, proof.mark) == (Strength.PROVED, 105.0, MARK)
    voice = call.heard_ai(found, Sound(101.0, Observation.SOUND, "speech"), "caller.1")
    assert voice.strength is Strength.PROVED
    assert "one way it takes about" in voice.evidence
    assert (call.context.evidence.directory / "caller.1.ai-recording.mp3").stat().st_size
    told = [
        event
        for event in call.context.evidence.events
        if isinstance(event, MarkInFile | VoiceInFile)
    ]
    assert [type(event) for event in told] == [MarkInFile, VoiceInFile]
    assert call.found is found


@pytest.mark.parametrize("hours", [2.01, 4, 2000])
def test_recording_of_hours_is_not_decoded(make: Make, hours: float) -> None:
    content = BytesIO()
    soundfile.write(content, quiet(1.0), RATE, format="FLAC")
    raw = content.getvalue()
    word = int.from_bytes(raw[18:26]) >> 36 << 36 | round(hours * 3600 * RATE)  # RFC 9639 8.2
    call = make(raw[:18] + word.to_bytes(8) + raw[26:])
    assert call.found is None
    name = "the AI's recording caller.1.ai-recording.mp3"
    assert f"{name}: {hours:,g} hours long; up to 2 hours are read" in call.notes


@pytest.mark.parametrize(
    ("recording", "said"),
    [
        (FarEndError("GET /calls/{id}/recording: 403 Forbidden"), "403 Forbidden"),
        (quiet(9.0), "silent throughout"),
        (mixed(AI, marked(OTHERS_MARK, 5.0)), f"has mark {OTHERS_MARK}, which another call sent"),
        (mixed(quiet(9.0), over_the_line(WORDS, 1.0)), "may be another call's"),
    ],
)
def test_what_shows_nothing_of_the_call_says_so_once(
    make: Make, recording: Samples | FarEndError, said: str
) -> None:
    call = make(recording)
    assert call.found is None
    assert said in call.notes
    assert call.found is None
    assert call.asked == 1


def test_a_mark_of_another_call_beside_the_callers_is_crossed_audio(make: Make) -> None:
    for recording, verdict in (
        (RIGHT, Verdict.PASSED),
        (mixed(RIGHT, marked(OTHERS_MARK, 6.9)), Verdict.FAILED),
    ):
        call = make(recording)
        assert call.found is not None
        expected = call.crossing(call.found, call.caller)
        assert expected is not None
        assert judged(expected).verdict is verdict
        assert call.crossing(call.found, call.caller) is None


def test_a_transferred_caller_is_known_by_the_mark_of_its_first_leg(make: Make) -> None:
    """Its phone followed a REFER: the leg that talked to the AI has ended, another has its own
    mark.
    """
    call = make(RIGHT)
    call.caller.first_leg.successor = SimpleNamespace(
        id="caller.2", mark=OTHERS_MARK, successor=None, state="confirmed", events=()
    )
    assert call.found is not None
    proof = call.heard_caller(call.found, call.caller, 100.5)
    assert proof is not None
    assert proof.mark == MARK
    expected = call.crossing(call.found, call.caller)
    assert expected is not None
    assert judged(expected).verdict is Verdict.PASSED
    told = [
        one for one in call.context.evidence.events if isinstance(one, MarkInFile | VoiceInFile)
    ]
    assert {event.leg for event in told} == {"caller.1"}
