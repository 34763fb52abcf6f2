"""Second looks at the audio between two ends: other voices, delay, missing packets, pauses, and
phones that sent nothing.

Each takes CPU or time of the call, so only the rows that promise it, or a doubt, ask for it.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.delay import PERIOD_SECONDS, one_way_delay, probe
from harness.audio.marks import SAMPLE_RATE, VOICES
from harness.audio.mixture import marks_in
from harness.audio.quality import WORD_SECONDS, Gap, heard_words, holes, spoken_words
from harness.audio.residue import LEAST_S, UNBROKEN_S, Residue, residue
from harness.audio.wav import to_int16, write_wav
from harness.case.checks import audio, reach
from harness.case.checks.finding import heard_at
from harness.case.events import PACKET_S, MarkHeard, MediaState, Span
from harness.case.legs import MEDIA_CHANGES_S
from harness.case.verdict import Finding, Strength
from harness.phone import recording
from harness.phone.leg import Leg
from harness.phone.protocol import Mark, Silence, Wav
from harness.phone.recording import ON_DISK_WITHIN_S
from harness.phone.waiter import NeverCame
from harness.scenario.ai_calls import StandInCall, SynthflowCall
from harness.scenario.call import SETTLE_S, Call
from harness.scenario.context import CaseContext
from harness.scenario.ends import End

# -- other voices: every call's own listener hears the strongest voice; finding one at a tenth of its power, or an echo, takes a
#    search of some tens of milliseconds of CPU

#: The audio searched: enough to find a mark in several windows of 320 ms.
_WINDOW_S: Final = 0.8


def check_crosstalk(context: CaseContext, one: End, other: End) -> None:
    """A finding for each end that is a harness phone. A strange voice must be heard a second time."""
    pairs = [(a, b) for a, b in ((one, other), (other, one)) if isinstance(a, Call)]
    listeners = [listener for listener, _ in pairs]
    names = " and ".join(listener.label for listener in listeners)
    with context.evidence.step(f"{names} hear no other voice"):
        since = max(end.answered_at() or 0.0 for end in (one, other))
        _wait_until(context, since + SETTLE_S + _WINDOW_S + ON_DISK_WITHIN_S)
        for listener in listeners:
            context.evidence.expect(listener.is_up(listener.released_at(0.0)))
        if any(listener.is_over() for listener in listeners):
            return
        heard = {listener: _marks_at(listener) for listener in listeners}
        if any(context.calls.strange(listener.leg, heard[listener]) for listener in listeners):
            _wait_until(context, time.monotonic() + _WINDOW_S)
            for listener in listeners:
                heard[listener] &= _marks_at(listener)
        for listener, speaker in pairs:
            context.evidence.expect(context.calls.crossing(listener.leg, sorted(heard[listener])))
            _check_level(context, speaker.label, listener.leg, speaker.voices_for(listener))


def marks_beneath(
    context: CaseContext, listener: Call, voices: Collection[int], since: float
) -> set[int]:
    """Those of ``voices`` that an end hears after ``since``, also beneath the strongest. Each must
    be heard a second time.
    """
    with context.evidence.step(f"{listener.label} is searched for what is heard beneath"):
        _wait_until(context, since + _WINDOW_S + ON_DISK_WITHIN_S)
        found = _marks_at(listener).intersection(voices)
        if found:
            _wait_until(context, time.monotonic() + _WINDOW_S)
            found &= _marks_at(listener)
        return found


def _wait_until(context: CaseContext, until: float) -> None:
    seconds = until - time.monotonic()
    if seconds > 0:
        context.pause(seconds, "a deeper look at what is heard")


def _marks_at(call: Call) -> set[int]:
    samples = call.leg.received_since(time.monotonic() - _WINDOW_S - ON_DISK_WITHIN_S)
    return {fact.mark for fact in marks_in(samples[: round(_WINDOW_S * SAMPLE_RATE)])}


def _check_level(
    context: CaseContext, speaker: str, leg: Leg, voices: Collection[int], *clipped: float
) -> None:
    levels = [e.level_dbov for e in leg.facts.of(MarkHeard) if e.mark in voices]
    if levels:
        level = statistics.median(levels)
        context.evidence.expect(audio.level.of(speaker, leg.id, level, *clipped))


# -- the whole call: what sounds beneath the marks, how loud each is, and whether an AI that handed the call over is still heard

#: How much has to be searched. A call that is up goes on until it is enough.
_ENOUGH_S: Final = 1.2
#: The call goes on for no longer than this: with much jitter it may never be enough.
_LONGER_S: Final = 3.0
#: After the first of a person's voice the AI's may last for a moment: buffers, and a switch that
#: takes a packet or two.
_GIVES_WAY_S: Final = 1.0


def listen_to_whole_call(context: CaseContext, leg: Leg) -> list[int]:
    """Findings on everything that a leg received. Returns the marks that sound beneath the
    strongest.
    """
    if not leg.facts.of(MarkHeard):
        return []
    (received, origin), left = _residue_once_enough(context, leg)
    if left is None:
        return []
    times = [(event.mark, event.at, event.at) for event in leg.facts.of(MarkHeard)]
    times += [(fact.mark, origin + fact.began, origin + fact.decided) for fact in left.marks]
    stayed = [
        talk.label
        for talk in context.calls.of_the_ai
        if _is_heard_beside_a_person(context, leg, talk, times)
    ]
    if left.seconds or stayed:
        context.evidence.expect(
            audio.beneath.of(leg.id, left.seconds, left.floor_db, left.sound, stayed)
        )
    _check_levels(context, leg, left.clipped)
    for mark, began, ended in left.spoken:
        _check_holes(context, leg, mark, (began, ended), (received, origin))
    return [fact.mark for fact in left.marks]


def _residue_once_enough(context: CaseContext, leg: Leg) -> tuple[Recorded, Residue | None]:
    """What the leg received and what is beneath its marks, as soon as enough was searched, or after
    :data:`_LONGER_S`.
    """
    recorded = leg.received()
    left = residue(recorded[0])
    if not _missing_s(left, leg):
        return recorded, left
    with context.evidence.step(
        f"{leg.id} hears too little to tell what sounds beneath: a longer look"
    ):
        until = time.monotonic() + _LONGER_S
        while True:
            missing_s = _missing_s(left, leg)
            most_s = until - time.monotonic()
            if not missing_s or most_s <= 0:
                return recorded, left
            longer_s = min(missing_s + ON_DISK_WITHIN_S, most_s)
            context.pause(longer_s, "a longer look at what is heard beneath")
            recorded = leg.received()
            left = residue(recorded[0])


def _missing_s(left: Residue | None, leg: Leg) -> float:
    """How much more a leg that is up has to hear."""
    if left is None or leg.state == "disconnected":
        return 0.0
    return max(0.0, _ENOUGH_S - left.seconds, UNBROKEN_S - left.unbroken_s)


def _is_heard_beside_a_person(
    context: CaseContext, leg: Leg, talk: End, times: Collection[tuple[int, float, float]]
) -> bool:
    """Whether an AI that a harness phone stands in for has handed the call over (RFC 3515), and
    does not stop.
    """
    if not isinstance(talk, StandInCall) or not talk.has_referred:
        return False
    people = context.calls.people_with(talk) - {leg.mark}
    first = min((began for mark, began, _ in times if mark in people), default=math.inf)
    since = first + _GIVES_WAY_S
    # counted by fifths of a second, since the times of one mark overlap
    fifths: set[int] = set()
    for mark, began, ended in times:
        if mark == talk.mark and ended >= since:
            first_fifth, last_fifth = math.floor(5 * max(began, since)), math.floor(5 * ended)
            fifths.update(range(first_fifth, last_fifth + 1))
    return len(fifths) / 5 >= LEAST_S


def _check_levels(context: CaseContext, leg: Leg, clipped: Mapping[int, float]) -> None:
    """The level of each leg's voice, where the scenario has not asked for it."""
    done = {finding.subject for finding in context.evidence.found("audio.level")}
    marks = sorted(set(clipped) - context.calls.strange(leg, clipped))
    names = context.calls.names_of(mark for mark in marks if mark < VOICES.start)
    for mark, speaker in names.items():
        if heard_at(speaker, leg.id) not in done:
            _check_level(context, speaker, leg, {mark}, clipped[mark])


# -- holes in a voice: what its softphone sent shows whether it paused of its own accord

#: Samples, and the monotonic time at which they begin.
Recorded = tuple[NDArray[np.int16], float]
#: The part of what was sent that may have been heard in a time: it arrives later.
_APART_S: Final = 0.5
#: How much longer a voice is listened to in which there was one hole.
_LONGER_LOOK_S: Final = 2.0
#: A speaker's own pause that may be heard as a hole of 0.1 s: 20 ms more at either end.
_SHORTEST_PAUSE_S: Final = 0.06
#: How much longer than the lost packets' audio a hole may be: a jitter buffer fills up again.
_HOLE_TO_LOSS: Final = 2.0


def _check_holes(
    context: CaseContext, listener: Leg, mark: int, spoken: Span, received: Recorded
) -> None:
    """``spoken``: from when to when the mark was heard, in seconds of what was ``received``."""
    speaker = _end_with(context, mark)
    if speaker is None:
        return
    missing, sent_s, voice = _missing(listener, speaker, spoken, received)
    if len(missing) == 1 and listener.state != "disconnected" and not speaker.is_over():
        with context.evidence.step(f"{listener.id} hears a hole in a voice: a longer look"):
            context.pause(_LONGER_LOOK_S, "a longer look at a hole in a voice")
        spoken = (spoken[0], spoken[1] + _LONGER_LOOK_S)
        missing, sent_s, voice = _missing(listener, speaker, spoken, listener.received())
    if missing:
        paused_ms = [1000 * (until - since) for since, until in missing]
        voice_s = voice[1] - voice[0]
        expected = audio.holes.of(listener.id, speaker.label, paused_ms, voice_s, sent_s)
        context.evidence.expect(expected, sound_due=[voice, *missing])


def _end_with(context: CaseContext, mark: int) -> Call | None:
    """The harness phone that sends the mark."""
    for end in (*context.calls.own, *context.calls.of_the_ai):
        if isinstance(end, Call) and end.leg.mark == mark:
            return end
    return None


def _missing(
    listener: Leg, speaker: Call, spoken: Span, received: Recorded
) -> tuple[list[Span], float, Span]:
    """The holes that neither lost packets nor the speaker's own pauses explain, what the latter
    took of them in seconds, and the time in which the voice was heard.
    """
    samples, origin = received
    voice = began, ended = origin + spoken[0], origin + spoken[1]
    no_audio = _without_audio(listener, speaker)
    heard = _between(samples, origin, began, ended)
    missing = [span for span in _spans(holes(heard), began) if not _overlaps(span, no_audio)]
    missing_s = sum(until - since for since, until in missing)
    if missing_s <= _HOLE_TO_LOSS * _lost_s(listener):
        return [], 0.0, voice
    _, sent_from = speaker.leg.received()
    whole = _between(speaker.leg.sent(), sent_from, began - _APART_S, ended + _APART_S)
    sent = holes(whole, _SHORTEST_PAUSE_S)
    if len(sent) < len(missing):
        return missing, 0.0, voice
    sent_s = sum(hole.seconds for hole in sent)  # a hole may lie at the end of a pause
    if missing_s - sent_s <= audio.MOST_LOST * (ended - began):
        missing = []
    return missing, sent_s, voice


def _without_audio(listener: Leg, speaker: Call) -> list[Span]:
    """When no audio is due: media changes, or the speaker sends digits."""
    changes = [*listener.facts.of(MediaState), *speaker.leg.facts.of(MediaState)]
    around = [(event.at - MEDIA_CHANGES_S, event.at + MEDIA_CHANGES_S) for event in changes]
    return around + speaker.pressed


def _overlaps(span: Span, others: Iterable[Span]) -> bool:
    began, ended = span
    return any(began < until and since < ended for since, until in others)


def _lost_s(leg: Leg) -> float:
    """The audio of packets that were lost, or came too late: these are counted."""
    counted = leg.statistics()
    return 0.0 if counted is None else (counted.rx_lost + counted.rx_late) * counted.packet_s


def _spans(gaps: Iterable[Gap], since: float) -> list[Span]:
    return [(since + gap.began, since + gap.began + gap.seconds) for gap in gaps]


def _between(
    samples: NDArray[np.int16], origin: float, began: float, ended: float
) -> NDArray[np.int16]:
    """The part of a recording that begins at ``origin``; all times are monotonic."""
    first, last = (max(0, round((at - origin) * SAMPLE_RATE)) for at in (began, ended))
    return samples[first:last]


# -- delay: not only a slow network but also a busy machine makes a first sound late. So a late voice is stopped and started again
#    at a known moment: a slow path is slow each time

#: How long a speaker is silent before it is begun again: more than any delay that is looked for.
_SILENCE_S = 2.0
_WAIT_S = 2.5
#: How often each direction is tried again.
_LOOKS = 2

#: A finding on audio, its speaker and its listener.
Heard = tuple[Finding, End, End]


def check_first_audio(context: CaseContext, both: Sequence[Heard], since: float) -> None:
    """Findings on how long each of two harness phones heard nothing after ``since``: after the
    answer, or after what it was told.

    A voice that is begun again shows nothing of that. What an AI is allowed before its first word
    is in ``[responsiveness]``.
    """
    limit_s = context.deployment.expect.first_audio_within_s
    for _, speaker, listener in both:
        if isinstance(speaker, Call) and isinstance(listener, StandInCall):
            _check_passed_on(context, speaker, listener, limit_s)
    for finding, speaker, listener in both:
        delay_ms = finding.facts.get("delay_ms")
        if delay_ms is None or not isinstance(speaker, Call) or not isinstance(listener, Call):
            continue
        at = since + delay_ms / 1000
        voices = {speaker.mark, listener.mark}
        began = max(
            speaker.leg.facts.last_other_sound(voices, since, at),
            listener.leg.facts.last_other_sound(voices, since, at),
        )
        silent_s = at - began
        context.evidence.expect(
            audio.first.of(speaker.label, listener.label, silent_s, limit_s),
            sound_due=[(began, at)],
            least_s=max(0.0, silent_s - limit_s),
        )


def _check_passed_on(context: CaseContext, caller: Call, ai: StandInCall, limit_s: float) -> None:
    accepted_at, answered_at = ai.leg.facts.accepted_at, caller.answered_at()
    if accepted_at is not None and answered_at is not None:
        context.evidence.expect(
            reach.passed_on.of(caller.label, answered_at - accepted_at, limit_s), since=accepted_at
        )


def check_delay(context: CaseContext, both: Sequence[Heard]) -> None:
    """Findings on the delay of each direction that a harness phone heard for certain.

    A far end's own report says nothing of the delay: it is as late as the report.
    """
    limit = audio.MOST_DELAY_MS + audio.DECISION_MS
    for finding, speaker, listener in both:
        ms = finding.facts.get("delay_ms")
        if ms is None or finding.strength is not Strength.PROVED or not listener.is_ours:
            continue
        looks = [(finding.at - ms / 1000, finding.at)]
        again, shortest = None, ms
        if ms > limit:
            # A third-party far end cannot be made to speak: only the way to it can be tried again.
            ways = [way for _, *way in both if way[0] is speaker or not speaker.is_ours]
            again = _shortest_delay(context, ways, limit, looks)
            if again is None:
                continue
            shortest = min(ms, again)
            if again == math.inf:  # it was never heard again
                again = None
        context.evidence.expect(
            audio.delay.of(speaker.label, listener.label, ms, again),
            sound_due=looks,
            least_s=(shortest - limit) / 1000,
        )


def _shortest_delay(
    context: CaseContext,
    ways: Iterable[Sequence[End]],
    limit: float,
    looks: list[Span],
) -> float | None:
    """The shortest delay of several new starts, in milliseconds; stops at the first within
    ``limit``.

    Adds to ``looks`` the time in which each was waited for.
    """
    shortest: float | None = None
    for _ in range(_LOOKS):
        for speaker, listener in ways:
            found = _delay_of_a_new_start(context, speaker, listener)
            if found is None:
                continue
            now = time.monotonic()
            looks.append((now - min(found / 1000, _WAIT_S), now))
            shortest = found if shortest is None else min(shortest, found)
            if shortest <= limit:
                return shortest
    return shortest


def _delay_of_a_new_start(context: CaseContext, speaker: End, listener: End) -> float | None:
    """Milliseconds from a new start to its arrival; infinite if a harness phone never heard it,
    None if it cannot be tried.
    """
    if not isinstance(speaker, Call) or speaker.is_over():
        return None
    with (
        context.evidence.step(f"{speaker.label} falls silent, and speaks again"),
        context.evidence.timed("a second look at the delay"),
    ):
        speaker.leg.play(Silence())
        context.pause(_SILENCE_S)
        since = time.monotonic()
        speaker.leg.play(Mark())
        # an AI by its own account alone: what it says in band takes the way back as well
        hears = listener.hears_mark if isinstance(listener, SynthflowCall) else listener.hears
        sound = hears(speaker, since, since + _WAIT_S)
    if sound is None:
        goes_on = isinstance(listener, Call) and not listener.is_over() and not speaker.is_over()
        return math.inf if goes_on else None
    return (sound.at - since) * 1000


# -- words and pauses between two harness phones: a mark alone does not show what a path does to the first of what is said

#: The recording begins a little before; the mark has to be there again this soon.
_BEFORE_S, _BEHIND_S = 0.3, 2.0


def check_words(context: CaseContext, one: Call, other: Call) -> None:
    """A finding for each direction, unless something else is heard in the pauses."""
    with context.evidence.step(f"{one.label} and {other.label} pause between words"):
        began = time.monotonic()
        for speaker in (one, other):
            path = recording.path_of(context.evidence.directory, speaker.label, "-words.wav")
            words = spoken_words(speaker.mark)
            write_wav(path, to_int16(words), SAMPLE_RATE)
            with suppress(NeverCame):  # the far end has ended the call
                speaker.leg.play(Wav(path))  # then its mark
            path.unlink()  # the phone has opened it, and the recording of what was sent has it
        seconds = len(words) / SAMPLE_RATE
        context.pause(seconds, "words and pauses")
        both, ended = ((one, other), (other, one)), began + seconds
        sounds = [listener.hears(speaker, ended, ended + _BEHIND_S) for speaker, listener in both]
        if None in sounds:
            return  # audio that has stopped is another matter
        _wait_until(context, time.monotonic() + ON_DISK_WITHIN_S)
        middle = began + seconds / 2
        each = [(began, middle), (middle, ended)]
        for speaker, listener in both:
            heard = heard_words(listener.leg.received_since(began - _BEFORE_S))
            if heard is not None:
                context.evidence.expect(
                    audio.words.of(speaker.label, listener.label, heard, WORD_SECONDS),
                    sound_due=each,
                    least_s=WORD_SECONDS - max(heard),
                )


# -- one-way delay between two harness phones: each plays the probe, and the other's recording tells when its pulses came

#: The longest delay worth a figure, and what a recording does not have on disk yet.
_MORE_S: Final = 1.5


def measure_one_way_delay(context: CaseContext, one: Call, other: Call) -> None:
    """A finding for each direction, exact to one packet (20 ms): the start of playing is known no
    better.
    """
    path = context.evidence.directory / "delay-probe.wav"
    write_wav(path, to_int16(probe()), SAMPLE_RATE)
    with context.evidence.step(f"{one.label} and {other.label} measure the delay between them"):
        began = {}
        for speaker in (one, other):
            began[speaker.label] = time.monotonic()
            speaker.leg.play(Wav(path))
        listened = PERIOD_SECONDS + _MORE_S
        context.pause(listened, "the delay's probe")
        for speaker, listener in ((one, other), (other, one)):
            since = began[speaker.label]
            heard = listener.leg.received_since(since)
            measured = one_way_delay(heard, SAMPLE_RATE, sent_from=since, received_from=since)
            subject = heard_at(speaker.label, listener.label)
            before = context.evidence.found("audio.one_way_delay", subject)
            before_ms = before[0].facts.get("delay_ms") if before else None
            seconds = len(heard) / SAMPLE_RATE
            context.evidence.expect(
                audio.one_way_delay.of(speaker.label, listener.label, measured, seconds, before_ms)
            )


# -- packet loss: a voice is recognised within a few packets, too few to say how many get lost


def wait_for_packets(context: CaseContext, ends: Iterable[End]) -> None:
    """Let the call go on until enough packets came, if any is missing at a harness phone; the
    case's end judges them.
    """
    calls = [end for end in ends if isinstance(end, Call) and not end.is_over()]
    missing = []
    for call in calls:
        counted = call.leg.statistics()
        if counted is not None and audio.is_open(counted):
            missing.append(call.label)
    if missing:
        with context.evidence.step(
            f"RTP packets to {' and '.join(missing)} are missing: a longer look"
        ):
            context.pause(audio.ENOUGH_PACKETS * PACKET_S, "a longer look at what is lost")
