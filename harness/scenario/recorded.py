"""What the AI's own recording of a call proves, once the call is over: fetched once, kept with the
case's evidence.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.audio.marks import SAMPLE_RATE, VOICES
from harness.case.checks import audio
from harness.case.checks.audio import Sound
from harness.case.checks.claims import Denial, Observation
from harness.case.events import Expected, MarkInFile, Span
from harness.errors import FarEndError
from harness.phone import recording
from harness.scenario.call import MARK_S, Call
from harness.scenario.context import CaseContext, CasePart
from harness.support.files import whole_file
from harness.witness import sound_file
from harness.witness.recordings import AT_AI, CallAudio, FetchedFile, Shown, fetch, shown
from harness.witness.sound_file import SoundFileError, sound_of

if TYPE_CHECKING:
    from harness.scenario.ai_calls import SynthflowCall

_PHONE: Final = "synthflow"  # whose events they are


class RecordedCall(CasePart):
    """The recording of one of the AI's calls. Thread-safe: the first caller waits for the download."""

    def __init__(self, context: CaseContext, talk: SynthflowCall) -> None:
        super().__init__(context)
        self._talk = talk
        self._lock = threading.Lock()
        self._file: FetchedFile | None = None
        self._sound: sound_file.Sound | None = None
        self._is_asked = False
        self._compared: dict[Span, Shown | None] = {}  #: by the time since and until when
        self._has_told_marks = self._has_told_crossing = False

    def of(self, caller: Call, since: float, until: float) -> Shown | None:
        """What it shows of a caller's leg between two moments; None where it cannot be had or shows
        nothing of the call.
        """
        with self._lock:
            if not self._is_asked:
                self._is_asked = True
                try:
                    self._fetch(caller)
                except (FarEndError, SoundFileError) as error:
                    self._evidence.note_once(str(error))
            if self._sound is None or self._file is None:
                return None
            span = since, until
            if span not in self._compared:
                self._compared[span] = self._compare(self._sound, self._file, caller, span)
            return self._compared[span]

    def _fetch(self, caller: Call) -> None:
        declared, context = self._context.far_end.declared, self._context
        if self._talk.is_unknown:
            return
        deadline = time.monotonic() + declared.recording_within_s

        def wait() -> bool:
            if time.monotonic() >= deadline:
                return False
            context.pause(context.far_end.poll_s)
            return True

        def old_address() -> str | None:
            found = self._talk.refresh().plain.get("recording_url")
            return found if isinstance(found, str) and found else None

        file = fetch(context.far_end.api, self._talk.record.id, wait, old_address, declared.ca_file)
        # not named by the call's id, whose digits may look like a number and are masked then
        path = recording.path_of(
            context.evidence.directory,
            caller.first_leg.id,
            f".ai-recording{Path(file.name).suffix}",
        )
        self._file = file = replace(file, name=path.name)
        whole_file.write(path, file.content)
        context.evidence.attach(
            f"the AI's recording, {file.name}", path, "application/octet-stream"
        )
        self._sound = sound_of(file.content, f"the AI's recording {file.name}")

    def _compare(
        self, sound: sound_file.Sound, file: FetchedFile, caller: Call, span: Span
    ) -> Shown | None:
        leg = caller.first_leg  # the AI's, though a later one replaced it
        received, origin = leg.received()
        since_s, until_s = (at - origin for at in span)
        counts = received.copy()
        counts[: max(0, round(since_s * SAMPLE_RATE))] = 0
        counts[max(0, round(until_s * SAMPLE_RATE)) :] = 0
        sent = tuple((at - origin, at - origin + MARK_S) for at in caller.marked_at)
        if not sent:  # no moment is known: then the whole call
            sent = ((0.0, len(received) / SAMPLE_RATE),)
        found = shown(sound, CallAudio(counts, leg.mark, sent, caller.words_s, since_s))
        self._tell(file, found, caller, origin)
        strangers = {mark.mark for mark in found.marks if mark.mark < VOICES.start}
        strangers -= self._marks_of(caller)
        name = f"the AI's recording {file.name}"
        if found.is_silent:
            self._evidence.note_once(f"{name} is silent throughout, and shows nothing")
            return None
        if strangers and not found.mine:
            marks = ", ".join(map(str, sorted(strangers)))
            self._evidence.note_once(
                f"{name} has mark {marks}, which another call sent: it shows nothing of this one"
            )
            return None
        if not found.mine and not found.has_voice:
            words = f"{name} has neither the caller's mark nor what the caller heard"
            self._evidence.note_once(f"{words}: it may be another call's")
            return None
        return found

    def _tell(self, file: FetchedFile, found: Shown, caller: Call, origin: float) -> None:
        """Record what was found as events."""
        now = time.monotonic()
        if not self._has_told_marks:
            self._has_told_marks = True
            self._tell_marks(file, found, origin)
        self._evidence.event(
            found.voice_event(
                at=now, phone=_PHONE, leg=caller.first_leg.id, file=file.name, sha256=file.sha256
            )
        )

    def _tell_marks(self, file: FetchedFile, found: Shown, origin: float) -> None:
        """Record which of the case's legs the recording has, and where."""
        began = origin - (found.voice.lag if found.has_voice else 0.0)  # of the recording
        legs: dict[int, str] = {}
        for call in self._context.calls.own:
            for leg in call.legs:
                legs.setdefault(leg.mark, leg.id)
        for mark in found.marks:
            if mark.mark in legs:
                self._evidence.event(
                    MarkInFile(
                        at=began + mark.began,
                        phone=_PHONE,
                        leg=legs[mark.mark],
                        file=file.name,
                        sha256=file.sha256,
                        made_at=AT_AI,
                        mark=mark.mark,
                        file_s=mark.began,
                        heard_s=mark.ended - mark.began,
                        covered_s=found.seconds - mark.began,
                    )
                )

    def crossing(self, found: Shown, caller: Call) -> Expected | None:
        """Whether the AI heard other calls as well; None the second time, and of a recording that
        may be another call's.
        """
        if self._has_told_crossing or not found.mine:
            return None
        self._has_told_crossing = True
        allowed = self._marks_of(caller)
        marks = [mark.mark for mark in found.marks if mark.mark < VOICES.start]
        legs = [leg for call in self._context.calls.own for leg in call.legs]
        names = {leg.mark: f"mark {leg.mark} of {leg.id}" for leg in legs}
        for mark in found.marks:
            if mark.mark in allowed - {caller.first_leg.mark}:
                words = f"the AI's recording has {names[mark.mark]} at {mark.began:.1f} s: the AI was still connected then"
                self._evidence.note_once(words)
        return audio.no_crossing.of(self._talk.label, marks, (), allowed, names)

    def _marks_of(self, caller: Call) -> set[int]:
        """The caller's, and those of agents who took its call."""
        calls = [caller, *(call for call in self._context.calls.own if call.peer is caller)]
        return {leg.mark for call in calls for leg in call.legs}

    # -- as signs of one direction

    def heard_caller(self, found: Shown, caller: Call, since: float) -> Sound | None:
        """The caller's mark in it proves that the AI's side got the caller's audio."""
        if not found.mine:
            return None
        first = found.mine[0]
        where = f"at {first.began:.1f} s"
        if channel := self._channel(first.channel):
            where += f", {channel}"
        words = f"the AI's recording has mark {first.mark} {where}, match {first.match:.2f}"
        at = min((at for at in caller.marked_at if at >= since), default=since)
        return Sound(at, Observation.RECORDING, words, first.mark)

    def lacks_caller(self, found: Shown, caller: Call) -> Denial | None:
        """The recording has the AI's voice of this call, and goes on, without the mark."""
        if not found.is_missing:
            return None
        mark = caller.first_leg.mark
        words = f"the AI's recording ({found.seconds:.1f} s) has what the caller heard, and not the caller's mark {mark}"
        return Denial(Observation.RECORDING, words)

    def _channel(self, number: int) -> str:
        return self._sound.channel_name(number) if self._sound is not None else ""

    @staticmethod
    def heard_ai(found: Shown, heard: Sound, caller: str) -> Sound:
        """The voice at the caller, with what the recording says of it."""
        if found.has_voice:
            voice = found.voice
            match = f"{len(voice.agreeing)} of {len(voice.parts)} parts, match {voice.match:.2f}"
            words = f"the AI's recording has the voice that {caller} heard ({match})"
            if found.round_trip_s is not None:
                one_way_ms = max(0.0, found.round_trip_s / 2) * 1000
                words += f"; one way it takes about {one_way_ms:.0f} ms"
            return Sound(heard.at, Observation.RECORDING, words, level_dbov=heard.level_dbov)
        if found.has_other_voice:
            words = f"speech at {caller} that the AI's recording of this call does not have"
            return Sound(heard.at, Observation.OTHER_SOUND, words, level_dbov=heard.level_dbov)
        return heard
