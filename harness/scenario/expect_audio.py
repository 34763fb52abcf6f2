"""Expectations of audio: who hears whom, how clearly and how soon."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from operator import itemgetter

from harness.audio.classify import classify, is_sure
from harness.audio.describe import describe, voiceless_spans
from harness.audio.machine import last_sound
from harness.audio.marks import PERIOD_SECONDS, SAMPLE_RATE
from harness.case.checks import audio, reach
from harness.case.checks.audio import Sound
from harness.case.checks.claims import Denial
from harness.case.checks.finding import heard_at
from harness.case.events import Expected, Listened, MediaState
from harness.case.measurement import EarlyMedia, Silence
from harness.case.verdict import Finding, Verdict
from harness.scenario import audio_quality, live_audio
from harness.scenario.ai import Ai
from harness.scenario.ai_calls import SynthflowCall
from harness.scenario.call import SETTLE_S, Call
from harness.scenario.context import CaseContext, CasePart
from harness.scenario.ends import WHISPER_S, End, last_words_to
from harness.scenario.evidence import unobserved
from harness.scenario.reported import MachineCall, ReportedCall
from harness.scenario.signs import LISTEN_S, Look

#: The tone comes this soon after the machine's words.
_TONE_WITHIN_S = 2.0
#: When two people are listened to again after they were proved to hear each other: media may move,
#: or a relay may end with its leg, as soon as a transfer is complete.
_STILL_AFTER_S = 2.0
#: The time that counts as the end. In 100 clean cases the last mark was heard 0.45 s before the end
#: at the earliest: it is said again each 0.2 s.
LATELY_S = 1.0
#: Ends that hear each other this soon were not told anything first.
_AT_ONCE_S = (audio.MOST_DELAY_MS + audio.DECISION_MS) / 1000
#: The share of the ring timeout for audio before the answer.
_EARLY_SHARE = 0.7
#: Sounds that tell a caller something; tones and music do not.
_SPOKEN = ("speech", "mark")


class ExpectAudio(CasePart):
    """Expectations of what one end hears."""

    def __init__(self, context: CaseContext, end: End) -> None:
        super().__init__(context)
        self._end = end

    def two_way_audio_with(
        self, other: End, *, changed: bool = False, joined_within_s: float | None = None
    ) -> None:
        """Each hears the other. ``changed``: count only what is heard after a change of the call
        that was just made.

        ``joined_within_s``: so long an AI that brings them together itself may take for that.
        """
        mine = self._end
        if isinstance(other, MachineCall):
            self.hears_machine(other)
            return
        if isinstance(mine, Call) and isinstance(other, ReportedCall):
            self._with_others_people(mine, other)
            return
        if changed:  # a transfer was refused, say, before the caller had been silent long enough
            for end in (mine, other):
                if isinstance(end, Call):
                    end.end_silence()
        begin = time.monotonic()
        since = begin + SETTLE_S if changed else _since_answered(mine, other, begin)
        deadline = max(begin, since) + (joined_within_s or 0.0) + LISTEN_S
        with self._evidence.step(f"{mine.label} and {other.label} hear each other"):
            for caller, talk in ((mine, other), (other, mine)):
                if (
                    isinstance(caller, Call)
                    and isinstance(talk, SynthflowCall)
                    and talk.is_known_by_words
                ):
                    self._look(caller, talk, since, changed)
                    return
            # only the platform says anything to an agent whom a stand-in calls; for an AI the file
            # says how long it speaks with one
            by_platform = joined_within_s is None or self._context.has_stand_in
            if by_platform and isinstance(other, Call) and other.role == "agent":
                deadline = self._by_when_connected(other, since, deadline)
            heard = [
                (self._one_way(speaker, listener, since, deadline, changed), speaker, listener)
                for speaker, listener in ((mine, other), (other, mine))
            ]
            if not changed:
                if by_platform:
                    audio_quality.check_first_audio(self._context, heard, since)
                audio_quality.check_delay(self._context, heard)
            findings = [found for found, _, _ in heard]
            if all(found.verdict is Verdict.PASSED for found in findings):
                both_s = max(map(_delay_s, findings))
                self._evidence.scripted(max(0.0, since + both_s - begin), "listening", began=begin)
                audio_quality.wait_for_packets(self._context, (mine, other))

    def _by_when_connected(self, agent: Call, since: float, deadline: float) -> float:
        """The deadline for caller and agent to hear each other: later than ``deadline`` if one of
        them is told something first.

        Platforms connect an agent who has answered behind a whisper, of any length, while the
        caller hears music or a ringing tone; and some behind words to the caller, while the agent
        hears nothing. A caller who hears music then is kept apart.
        """

        def last_told() -> float:
            return max(agent.leg.facts.last_spoken(since), self._last_words((self._end,), since))

        by_when, connected_at = self._by_when_heard(agent, since, deadline, last_told)
        is_late = connected_at is not None and connected_at > since + _AT_ONCE_S
        if is_late and last_told() > since:
            agent.connected_at = connected_at
        return by_when

    def _by_when_heard(
        self, other: End, since: float, deadline: float, last_told: Callable[[], float]
    ) -> tuple[float, float | None]:
        """The deadline for both to hear each other, later if they are told something until
        ``last_told()``; and when they did.
        """
        mine, by_when = self._end, deadline
        while True:
            at_other = other.hears(mine, since, by_when)
            at_mine = mine.hears(other, since, by_when)
            if at_other is not None and at_mine is not None:
                return by_when, max(at_other.at, at_mine.at)
            later = min(deadline + WHISPER_S, last_told() + LISTEN_S)
            if later <= by_when:
                return by_when, None
            by_when = later

    @staticmethod
    def _last_words(ends: Iterable[End], since: float) -> float:
        """When words (no mark) were last heard at a harness phone among ``ends`` after ``since``;
        ``since`` if none were.
        """
        calls = [end for end in ends if isinstance(end, Call)]
        return max((last_words_to(call.leg, since) for call in calls), default=since)

    def _with_others_people(self, caller: Call, people: ReportedCall) -> None:
        """No harness phone hears these people: a sound at the caller's end is the only possible
        sign.
        """
        since, now = people.began, time.monotonic()
        later = (since + now) / 2  # not the AI's last words
        heard = caller.hears_sound(later, now)
        samples = caller.leg.received_since(later)
        spans = classify(samples)
        if voiceless_spans(samples, spans) is not None or not is_sure(spans):
            heard = None  # a ringing tone, for example
        self._unseen_audio(people, heard, again=False)

    def _unseen_audio(self, people: ReportedCall, heard: Sound | None, *, again: bool) -> None:
        """The findings on both directions, if ``heard`` is the only sign of people without harness
        phones.
        """
        mine = self._end
        for speaker, listener, sound in ((people, mine, heard), (mine, people, None)):
            expected = self._direction(speaker, listener, people.began, again, sound)
            self._evidence.expect(people.unseen(expected))

    def _look(self, caller: Call, talk: SynthflowCall, since: float, again: bool) -> None:
        """Signs come during the call or after it; the findings are made when the call is over."""
        # The platform's announcement, and the rest of it on its way, is not the AI's voice.
        if caller.routed > caller.began:
            since = max(since, caller.routed + SETTLE_S)
        look = Look(self._context, talk, caller, since, again=again)
        look.begin()

        def find() -> list[Expected]:
            look.leg.statistics()
            label = look.leg.id
            found = [
                self._direction(caller, talk, since, again, *look.to_ai(), label=label),
                self._direction(talk, caller, since, again, *look.to_caller(), label=label),
            ]
            found = [replace(one, words_due=look.words_due) for one in found]
            if crossing := look.crossing():
                found.append(crossing)
            found += live_audio.quality(look)
            # dated before the harness hung up
            return [replace(one, dated_at=min(one.at, look.until)) for one in found]

        self._context.looks_when_over.append(find)

    def _one_way(
        self, speaker: End, listener: End, since: float, deadline: float, again: bool
    ) -> Finding:
        sound = listener.hears(speaker, since, deadline)
        account = None
        if sound is None:
            account = listener.account(since, missing=speaker)
            for end in (speaker, listener):
                if isinstance(end, Call):
                    end.leg.statistics()  # the newest say whether its phone was mute
        return self._evidence.expect(
            self._direction(speaker, listener, since, again, sound, account),
            sound_due=[(since, time.monotonic())],
            least_s=deadline - since,
        )

    def _direction(
        self,
        speaker: End,
        listener: End,
        since: float,
        again: bool,
        sound: Sound | None,
        account: audio.ListenerReport | None = None,
        denial: Denial | None = None,
        label: str = "",
    ) -> Expected:
        """``label``: the caller's at the time of the look; else as it is now."""
        speaks, listens = speaker.label, listener.label
        if label and speaker.is_ours:
            speaks = label
        if label and listener.is_ours:
            listens = label
        return audio.direction.of(
            speaks,
            listens,
            sound,
            account,
            since=since,
            own=listener.voices_for(speaker) if listener.is_ours else (),
            least=self._deployment.expect.least_strength,
            names=self._context.calls.names_of(account.marks if account else ()),
            towards=listener.role,
            again=again,
            denial=denial,
        )

    def hears_only(self, other: End) -> None:
        """Both hear each other at a fit level, without another call's voice or an echo.

        And still does, where marks show it: when audio has stopped, no other voice is heard either.
        """
        mine = self._end
        audio_quality.check_crosstalk(self._context, mine, other)
        calls = [end for end in (mine, other) if isinstance(end, Call)]
        if any(call.is_over() for call in calls):
            return
        now = time.monotonic()
        self._hear_each_other_on(other, now, now + LISTEN_S)

    def still_hears(self, other: End) -> None:
        """Two people who were proved to hear each other still do, at least two seconds later.

        Behind what the platform then says over their talk in words, that it is recorded, say.
        """
        mine = self._end
        if isinstance(other, MachineCall):
            return
        if isinstance(other, ReportedCall):
            self._unseen_audio(other, None, again=True)
            return
        at_other, at_mine = self._proved_at(mine, other), self._proved_at(other, mine)
        if at_other is None or at_mine is None:
            return  # the first finding has failed already
        if isinstance(mine, Call) and isinstance(other, Call):
            audio_quality.check_words(self._context, mine, other)
        now = time.monotonic()
        since = max(now, max(at_other, at_mine) + _STILL_AFTER_S)
        self._evidence.scripted(since - now, "listening again", began=now)

        def last_words() -> float:
            return self._last_words((mine, other), since)

        by_when, _ = self._by_when_heard(other, since, since + LISTEN_S, last_words)
        self._hear_each_other_on(other, since, by_when)

    def hears_to_the_end(self, other: End) -> None:
        """Both were proved to hear each other, and did so in the last second as well; a prompt that
        is still said is let finish.
        """
        mine = self._end
        calls = [end for end in (mine, other) if isinstance(end, Call)]
        if not all(_flows_both_ways(call) for call in calls):
            return
        if self._proved_at(mine, other) is None or self._proved_at(other, mine) is None:
            return
        now = time.monotonic()
        words_s = max(call.words_s for call in calls)
        self._hear_each_other_on(other, now - LATELY_S, now + words_s + LISTEN_S)

    def _hear_each_other_on(self, other: End, since: float, deadline: float) -> None:
        mine = self._end
        with self._evidence.step(f"{mine.label} and {other.label} still hear each other"):
            for speaker, listener in ((mine, other), (other, mine)):
                if _is_told_by_marks(speaker, listener):
                    self._one_way(speaker, listener, since, deadline, again=True)

    def _proved_at(self, speaker: End, listener: End) -> float | None:
        """When the listener was last found to hear the speaker; None if it does not."""
        found = self._found_of(speaker, listener)
        if not found or found[-1].verdict is not Verdict.PASSED:
            return None
        return found[-1].at

    def _found_of(self, speaker: End, listener: End) -> list[Finding]:
        """The findings so far on whether the listener hears the speaker, on whichever legs they
        were.
        """
        subjects = {heard_at(one, other) for one in _labels(speaker) for other in _labels(listener)}
        return self._evidence.found("audio", *subjects)

    def one_way_delay_ok(self, other: End) -> None:
        """Neither hears the other too late, nor words without their beginning: measured between two
        harness phones.
        """
        mine = self._end
        if isinstance(mine, Call) and isinstance(other, Call):
            audio_quality.check_words(self._context, mine, other)
            audio_quality.measure_one_way_delay(self._context, mine, other)

    def silence_from(self, other: End, seconds: float = 0.8) -> None:
        """For ``seconds`` it listens and does not hear ``other``; a harness phone not beneath
        another voice either.
        """
        listener = self._end
        with self._evidence.step(f"{listener.label} does not hear {other.label}"):
            if self._context.unheard is not None:
                self._unseen_silence(
                    other, "no harness phone sees whether an agent has answered by now"
                )
                return
            if not other.voices_for(listener):
                self._unseen_silence(other, "its voice cannot be told from others")
                return
            with self._evidence.timed("listening for silence"):
                self._context.pause(self._settles_s(other))
                since, before = time.monotonic(), _discarded(listener)
                self._context.pause(seconds)
            heard = self._marks_since(since)
            if heard is None:
                self._unseen_silence(other, "the far end does not say which marks it hears")
                return
            marks, listened_s = heard
            voices, after = other.voices_for(listener), _discarded(listener)
            discarded = None
            if before is not None and after is not None:
                discarded = after - before
            takes_audio = before is None  # an end that holds the call takes none
            if takes_audio and isinstance(listener, Call):
                beneath = audio_quality.marks_beneath(self._context, listener, voices, since)
                marks = [*marks, *beneath]
            self._evidence.expect(
                audio.silent.of(other.label, listener.label, marks, voices, listened_s, discarded)
            )

    def _marks_since(self, since: float) -> tuple[Sequence[int], float] | None:
        """The marks heard after ``since``, and the seconds of audio looked at; None where the end
        does not say.
        """
        end = self._end
        if not isinstance(end, Call):
            account = end.account(since)
            return None if account is None else (account.marks, account.seconds)
        marks = end.leg.facts.marks_heard(since)
        newest = end.leg.facts.last(Listened)
        if newest is None or newest.at < since:
            return marks, 0.0
        return marks, time.monotonic() - since

    def _settles_s(self, speaker: End) -> float:
        """How long earlier audio of ``speaker`` may still arrive: longer if its voice took longer
        at first.
        """
        took_s = max(map(_delay_s, self._found_of(speaker, self._end)), default=0.0)
        return max(SETTLE_S, min(_AT_ONCE_S, took_s) + PERIOD_SECONDS)

    def _unseen_silence(self, other: End, why: str) -> None:
        listener, unheard = self._end, self._context.unheard
        expected = unobserved(
            "audio.silent",
            heard_at(other.label, listener.label),
            f"{listener.label} does not hear {other.label}",
            why,
            Silence(speaker=other.label, listener=listener.label),
        )
        self._evidence.expect(unheard.unseen(expected) if unheard is not None else expected)

    def hears_machine(self, machine: MachineCall) -> None:
        """A machine has the call: it speaks, and voicemail asks for a message with a tone."""
        call, tone, since = self._call, machine.group.entry.voicemail, machine.since
        with self._evidence.step(f"{call.label} hears a machine"):
            spoken = machine.listen()
            machine.group.was_declined()
            if spoken is not None:
                self._evidence.expect(reach.machine_speaks.of(call.label, spoken, tone=tone))
                return
            heard = call.leg.received_since(since)
            found = describe(
                heard, expected=(), own={call.mark}, name_of=self._context.calls.name_of_mark
            )
            instead = f"it heard {found.words}"
            if call.is_over():
                heard_s = len(heard) / SAMPLE_RATE
                instead += f", and the call was over {heard_s:.1f} s after the answer"
            self._evidence.expect(
                reach.machine_speaks.of(call.label, None, instead, tone=tone),
                sound_due=[(since, since + last_sound(heard) + _TONE_WITHIN_S)],
            )

    def is_told(self, since: float) -> None:
        """The caller is spoken to before the call is over. Words before ``since`` do not count."""
        call, limit_s = self._call, self._context.patience
        with self._evidence.step(f"{call.label} is told before it is released"):
            heard = call.leg.received_since(since)
            heard_s = len(heard) / SAMPLE_RATE
            spoken: list[tuple[str, float]] = []  # kind, and seconds before the end
            others: dict[str, None] = {}
            for span in classify(heard):
                if span.kind in _SPOKEN:
                    spoken.append((span.kind, heard_s - span.ended))
                else:
                    others[span.kind] = None
            last = min(spoken, key=itemgetter(1), default=None)
            self._evidence.expect(
                reach.told.of(call.label, last, limit_s, ", ".join(others)),
                sound_due=[(since, time.monotonic())],
            )

    def hears_early(self, ai: Ai) -> None:
        """The AI is heard before the call is answered."""
        call = self._call
        with self._evidence.step(f"{call.label} hears the AI before the answer"):
            since = time.monotonic()
            who, voices = ai.endpoint.early(call)
            if not voices and not ai.is_ours:
                subject = heard_at(who, call.label)
                expected = "audio before the 200, opened by a 18x with SDP"
                why = "the AI's voice cannot be told from others"
                measured = EarlyMedia(speaker=who, listener=call.label)
                self._evidence.unseen("audio.early", subject, expected, why, measured)
                return
            # To a harness phone the call has come by now, and it has to answer before the platform
            # gives up on it; to any other AI the call may still be on its way.
            if ai.is_ours:
                listened = min(LISTEN_S, _EARLY_SHARE * self._context.timings.ring_timeout_s)
            else:
                listened = self._context.patience + LISTEN_S
            sound = None
            if voices:
                sound = call.hears_marks(voices, 0.0, time.monotonic() + listened)
            opened = sum(map(audio.opens_early_media, call.leg.messages))
            self._evidence.scripted(time.monotonic() - since, "early media")
            answered_at = call.answered_at()
            self._evidence.expect(
                audio.early.of(who, call.label, sound, answered_at, opened),
                sound_due=[(since, answered_at or time.monotonic())],
            )

    def _not_observable(self, check: str, expected: str, why: str) -> None:
        self._evidence.unseen(check, self._end.label, expected, why)

    @property
    def _call(self) -> Call:
        assert isinstance(self._end, Call)
        return self._end


def _since_answered(one: End, other: End, begin: float) -> float:
    """Since when audio belongs to the answered call: early media (RFC 3960) is heard for a moment
    longer than it flows.
    """
    since = max(end.answered_at() or begin for end in (one, other))
    for speaker, listener in ((one, other), (other, one)):
        if isinstance(listener, Call):
            sound = listener.hears_marks(speaker.voices_for(listener), 0.0, 0.0)
            if sound is not None and sound.at < since:
                return since + SETTLE_S
    return since


def _delay_s(found: Finding) -> float:
    return float(found.facts.get("delay_ms") or 0.0) / 1000


def _flows_both_ways(call: Call) -> bool:
    media = call.leg.facts.last(MediaState)
    flows = media is not None and media.active and media.direction == "sendrecv"
    return flows and not call.is_over()


def _discarded(listener: End) -> int | None:
    """RTP packets received so far by a harness phone that discards them because it holds the call;
    else None.
    """
    if not isinstance(listener, Call):
        return None
    media = listener.leg.facts.media
    if media is None or media.direction in ("sendrecv", "recvonly"):
        return None
    counted = listener.leg.statistics()
    return None if counted is None else counted.rx_packets


def _labels(end: End) -> set[str]:
    """The names that findings use for it: a call may move to another leg (RFC 3515, RFC 3891)."""
    legs = end.legs if isinstance(end, Call) else ()
    return {end.label, *(leg.id for leg in legs)}


def _is_told_by_marks(speaker: End, listener: End) -> bool:
    """Whether the listener is known by marks, which do not pause as speech does."""
    if isinstance(listener, SynthflowCall):
        return listener.says_in_band
    return bool(speaker.voices_for(listener))
