"""Whether an AI that names no marks and its caller hear each other: signs are collected during the
call and judged after it.

What tells takes its time: a greeting has to be said, an RTCP report to come, a transcript to be
written. So a look begins, and the scenario goes on; before the call is changed or ended it is given
what it still needs (:meth:`Look.settle`). Looks at several calls take as long as one.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.classify import SURE_S, classify, is_sure, spoken_s
from harness.audio.describe import begins_after_pause, voiceless, voiceless_spans
from harness.audio.marks import SAMPLE_RATE
from harness.audio.prompts import prompt_samples, prompt_text
from harness.case.checks.audio import ListenerReport, Sound
from harness.case.checks.claims import Denial, Observation
from harness.case.events import (
    PACKET_S,
    Expected,
    FarEndReport,
    RtpPaused,
    RtpStatistics,
    Span,
)
from harness.case.verdict import Strength
from harness.phone.leg import Leg
from harness.phone.waiter import NeverCame
from harness.scenario.call import QUIET_S, Call, UnfinishedLook
from harness.scenario.context import CaseContext, CasePart
from harness.scenario.ends import End, comes, received_between
from harness.witness.call_record import CallRecord
from harness.witness.recordings import Shown
from harness.witness.transcript import (
    RecordReader,
    Side,
    answers,
    has_turn,
    is_as_documented,
    said,
    takes_as_long,
    times_heard,
)

if TYPE_CHECKING:
    from harness.scenario.ai_calls import SynthflowCall

#: What a caller says so that the transcript shows it.
GREETING: Final = "hello-en"
#: How long recognition may take to put it into the transcript of a call that goes on, in seconds.
RECOGNISED_WITHIN_S: Final = 2.5
#: How long an RTCP report may take: 5 s between two, plus a half (RFC 3550 sections 6.2 and 6.3.1),
#: and its way.
REPORTED_WITHIN_S: Final = 8.5
#: How long an end is listened to before what did not arrive counts as missing: live AIs take up to
#: 3 s to answer, and what they say is on its way for a while.
LISTEN_S: Final = 3.5
#: How soon an AI begins to answer. A caller who speaks again earlier would speak at the same time.
_ANSWERED_WITHIN_S: Final = 1.5
#: How much of a sound is needed to classify it, in seconds, with what is not on disk yet.
_WORTH_JUDGING_S: Final = 1.0
#: How long after a caller began to send its mark the AI's recording has to go on, to be missing it.
_SHOWN_S: Final = 1.8
#: RTCP comes every 5 s, times 0.5 to 1.5 (RFC 3550 sections 6.2 and 6.3.1), and takes a moment.
_NEXT_REPORT_S: Final = 9.0
#: How much of a voice is needed to find it in a recording.
_COMPARED_S: Final = 1.2
#: With this many packets sent (one second), a low count is no matter of timing.
_ENOUGH_SENT: Final = 50
#: What babble, music and announcements do as well as an AI.
_NO_PAUSE: Final = "speech that does not pause for the caller's words"
#: Below this share no word can be understood.
_TOO_FEW: Final = 0.5
#: How much later than a packet its sound is played, at most: the jitter buffer.
_BUFFERED_S: Final = 0.2


class Words(RecordReader):
    """The transcript of one call, and how often its caller has been greeting the AI."""

    def __init__(
        self,
        context: CaseContext,
        read: Callable[[], CallRecord],
        within_s: float,
        is_blind: Callable[[], bool],
    ) -> None:
        self.come = context.deployment.transcript
        api = context.far_end.api
        super().__init__(
            read,
            transcript=self.come,
            within_s=within_s,
            is_down=lambda: api.is_down,
            is_blind=is_blind,
        )
        self._context = context
        self.greetings = 0

    @property
    def may_confirm(self) -> bool:
        """Whether words are strong enough for what is asked: they confirm, and prove nothing."""
        least = self._context.deployment.expect.least_strength
        return self.come != "none" and least is Strength.CONFIRMED

    @property
    def text(self) -> str:
        """The transcript, read anew."""
        return self.look().transcript

    def has_greeting(self, times: int) -> bool:
        """Whether the AI has understood the greeting this many times by now."""
        return times_heard(self.text, prompt_text(GREETING)) >= times

    def find_greeting(self, times: int) -> bool:
        """The same, once the transcript is complete."""

        def is_there(text: str) -> bool:
            return times_heard(text, prompt_text(GREETING)) >= times

        return self.find(is_there, self._pause)

    def find_answer(self, to: int = 0) -> bool:
        """Whether the AI's words are there, after greeting number ``to``, when no more words are
        expected.
        """

        def is_there(text: str) -> bool:
            return answers(text, prompt_text(GREETING), to)

        return self.find(is_there, self._pause)

    def lacks(self, side: Side) -> bool:
        """Whether the other side's words are there, and none of this side's, understood or not.

        No word of either may be missing: an API that fails in the middle leaves a transcript that
        was read too early, and one with other speaker names has words of unknown speakers.
        """
        text = self.text
        others = said(text, "human" if side == "bot" else "bot")
        is_silent = bool(others) and not has_turn(text, side)
        return is_silent and is_as_documented(text) and self.has_told_all

    def _pause(self) -> None:
        self._context.pause(self._context.far_end.poll_s)


#: The parts of one direction's finding: what was heard, what arrived instead, and what shows that
#: nothing was heard.
DirectionSigns = tuple[Sound | None, ListenerReport | None, Denial | None]


class Look(CasePart):
    """One look at a harness caller's conversation with an AI that names no marks."""

    def __init__(
        self,
        context: CaseContext,
        talk: SynthflowCall,
        caller: Call,
        since: float,
        *,
        again: bool = False,
    ) -> None:
        """Nothing happens before :meth:`begin`. Audio before ``since`` does not count; ``again``:
        the call was changed.
        """
        super().__init__(context)
        self.talk = talk
        self._caller = caller
        self.leg = caller.leg  #: a later one replaces it where its phone follows a REFER
        self.since = since
        self.again = again
        self._begun = time.monotonic()
        #: When the look was settled: the call was changed, or ended, then.
        self.until = math.inf
        self._least = context.deployment.expect.least_strength
        self._said = threading.Event()
        self._greeted_at = self._said_at = self._begun
        self._in_pause = False
        self._wanted = 0
        self._understood: Sound | None = None
        self._heard: Sound | None = None
        self._account: ListenerReport | None = None
        self._greeting_s = 0.0  #: of speech, until the caller's words
        self._voice_since = since
        self._has_greeted = False
        self._is_sure = False  #: that it is speech
        self._spoken_s = 0.0  #: of speech, since the voice began
        self._takes_turns = False  #: it began after the caller's words, behind a pause
        self._lock = threading.Lock()
        self._settled = False

    def begin(self) -> None:
        """Hear the AI's greeting. The caller then greets it, if a transcript may show that, after
        earlier looks are done.
        """
        earlier = list(self._caller.looks)
        self._caller.looks.append(self)
        # a recording shows its mark and the AI's greeting; behind a change the AI has to be made to
        # speak again
        if self.talk.words.may_confirm or (self.again and self._deployment.records_calls):
            self.talk.words.greetings += 1
            self._wanted = self.talk.words.greetings
        if self._wanted or self._caller.is_quiet:
            self._context.background.start(lambda: self._talk_first(earlier))
        else:
            self._said.set()

    def _talk_first(self, earlier: Sequence[UnfinishedLook]) -> None:
        try:
            for look in earlier:
                if said_at := look.wait_until_said():
                    self._caller.let_answer(said_at, _ANSWERED_WITHIN_S)
            self._caller.hear_greeting(self.silent_s)
            if not self._wanted:
                return
            if self.again and self._deployment.records_calls:
                self._caller.show_mark()
            ended, self._in_pause = self._caller.speak(GREETING)
            self._greeted_at = ended
            self._be_understood(ended)
        finally:
            self._said_at = time.monotonic()
            self._said.set()

    def _be_understood(self, ended: float) -> None:
        """An AI transcribes what was said once the speaker has paused: a caller who hangs up before
        is not heard.
        """
        words = self.talk.words
        self._context.pause(max(0.0, ended - time.monotonic()))  # the caller is still speaking
        if words.come == "after" and self._in_pause:
            self._caller.let_answer(ended, QUIET_S)  # an AI that answers needs no more silence
            return
        if words.come == "none":
            return
        until = ended + (RECOGNISED_WITHIN_S if words.come == "during" else QUIET_S)

        def is_understood() -> bool:
            return words.come == "during" and words.has_greeting(self._wanted)

        with self._evidence.step(f"{self._caller.label} gives the far end time to answer"):
            poll_s = self._context.far_end.poll_s
            if self._context.wait_for(is_understood, until - time.monotonic(), every_s=poll_s):
                self._understood = self._by_words()

    def wait_until_said(self) -> float:
        """Wait until the caller has greeted the AI for this look; when that was, 0 if it was not
        needed.
        """
        self._said.wait()
        return self._said_at if self._wanted else 0.0

    # -- before the call is changed or ended

    def settle(self, *, asking: bool = False) -> None:
        """Collect the signs that need the call. ``asking``: the caller asks for something next, and
        getting it is another sign.
        """
        with self._lock:
            if self._settled:
                return
            both = f"{self._caller.label} and {self.talk.label}"
            with (
                self._evidence.step(f"{both} hear each other: what tells of it"),
                self._evidence.timed("what tells who is heard"),
            ):
                self._collect(asking=asking)
                if self._caller.looks[-1] is self:  # else a newer look has begun
                    self._caller.end_quiet()  # the next party of the call listens for its mark
            self.until = time.monotonic()
            self._settled = True

    def _collect(self, *, asking: bool) -> None:
        caller, is_recorded = self._caller, self._deployment.records_calls
        self.wait_until_said()
        if self.again and self._wanted:
            caller.let_answer(self._greeted_at, LISTEN_S)
            if is_recorded:
                with self._evidence.step(f"{caller.label} hears the answer"):
                    self._context.pause(_COMPARED_S)
        self._listen()
        if self._least <= Strength.INDICATED and not asking and not caller.is_over():
            self._wait_for_report()
        if is_recorded and caller.marked_at:
            shown_at = caller.marked_at[-1] + _SHOWN_S
            self._context.pause(max(0.0, shown_at - time.monotonic()))
        if not asking and not caller.is_over():
            self._wait_for_round_trip()
        self._judge()

    def _wait_for_report(self) -> None:
        """Wait for the far end's report on the time since; as much longer as this machine was kept
        from working.
        """
        deadline = max(self._begun, self.since) + REPORTED_WITHIN_S
        self._caller.wait_for_far_end_report(self.since, deadline)
        if starved_s := self._evidence.kept_from(self._begun, time.monotonic()).starved_s:
            self._caller.wait_for_far_end_report(self.since, deadline + starved_s)

    def _wait_for_round_trip(self) -> None:
        """Wait for the round trip, which only the far end's second RTCP report may show: it needs
        one of the caller's first (RFC 3550 section 6.4.1).
        """
        leg = self._caller.leg
        report = leg.facts.last(FarEndReport)
        if report is None or any(one.rtt_ms for one in leg.facts.of(RtpStatistics)):
            return
        comes(leg, RtpStatistics, lambda one: one.rtt_ms > 0, report.at + _NEXT_REPORT_S)

    def _listen(self) -> None:
        began = max(self._begun, self.since)
        if self._wanted:  # an AI that speaks only when spoken to has time to answer the greeting
            began = max(began, self._said_at)
        self._hear(self.since, began + LISTEN_S)
        is_recorded = self._heard is not None and self._deployment.records_calls
        if is_recorded or self._caller.is_over():
            return
        with suppress(NeverCame):  # it may hang up meanwhile
            if not self._wanted:
                self._greeted_at = self._caller.speak(GREETING)[0]
            self._has_greeted, ended = True, self._greeted_at
            before, voice_since = self._heard, self._voice_since
            with self._evidence.step(f"{self._caller.label} hears the answer"):
                self._hear(ended, ended + LISTEN_S)
            if before is None:
                return
            is_unanswered = self._heard is None and not self._caller.is_over()
            if is_unanswered:
                words = f"speech at {self._caller.label}, and nothing that answered its words"
                before = replace(before, observation=Observation.OTHER_SOUND, evidence=words)
            # the same voice, from its beginning
            self._heard, self._voice_since = before, voice_since

    def _hear(self, since: float, deadline: float) -> None:
        """Wait for the AI's voice, which is speech. Behind a tone or music it may still come."""
        latest = deadline + self._context.patience
        while True:
            heard = self._heard = self._caller.hears(self.talk, since, deadline)
            if heard is None or heard.observation is not Observation.SOUND:
                return
            self._context.pause(max(0.0, heard.at + _WORTH_JUDGING_S - time.monotonic()))
            is_over = self._caller.is_over()
            instead = voiceless(self._caller.leg.received_since(since))
            if instead is not None and instead.what == "silence" and not is_over:
                # A word or two are too little to be known as speech.
                self._context.pause(_WORTH_JUDGING_S)
                instead = voiceless(self._caller.leg.received_since(since))
            if instead is None:
                self._voice_since = since
                return
            self._heard = None
            if is_over:
                return
            since = time.monotonic()
            if instead.what in ("tone", "music"):
                deadline = max(deadline, min(latest, since + LISTEN_S))

    def _judge(self) -> None:
        """Judge all audio since the voice began: music is taken for speech for moments. Without a
        voice, describe the sound.
        """
        heard = self._heard
        if heard is not None and heard.observation is not Observation.SOUND:
            return
        if self._wanted or self._has_greeted:
            words_began = self._greeted_at - len(prompt_samples(GREETING)) / SAMPLE_RATE
            greeting = received_between(self._caller.leg, self.since, words_began)
            self._greeting_s = spoken_s(classify(greeting))
            self._takes_turns = begins_after_pause(_without_dropouts(self._caller.leg, words_began))
        since = self.since if heard is None else self._voice_since
        samples = self._caller.leg.received_since(since)
        spans = classify(samples)
        instead = voiceless_spans(samples, spans)
        self._is_sure, self._spoken_s = is_sure(spans), spoken_s(spans)
        if instead is not None and instead.what == "music":
            words = f"{instead.words} at {self._caller.label}, and no speech"
            self._heard = Sound(heard.at if heard else self.since, Observation.OTHER_SOUND, words)
        elif instead is not None:
            self._heard = None
        if self._heard is None:
            self._account = replace(
                self._caller.account(self.since, missing=self.talk), instead=instead
            )

    # -- when the call is over

    @property
    def greeted_at(self) -> float | None:
        """When the caller's words had been said; None without any."""
        return self._greeted_at if self._wanted or self._has_greeted else None

    @property
    def silent_s(self) -> float:
        """The most that the AI may say nothing at first."""
        return max(LISTEN_S, self._deployment.responsiveness.dead_air_s or 0.0)

    @property
    def words_due(self) -> Span | None:
        """When the caller's words had to be understood; None without any."""
        return (self._begun, self.until) if self._wanted else None

    def to_ai(self) -> DirectionSigns:
        """Whether the AI heard the caller."""
        recorded, missing = self._recorded(), None
        if recorded is not None:
            proof = self.talk.recording.heard_caller(recorded, self._caller, self.since)
            if proof is not None:
                return proof, None, None
            missing = self.talk.recording.lacks_caller(recorded, self._caller)
        understood = self._understood
        has_words = self.talk.words.come != "none" and self._wanted
        if has_words and self.talk.words.find_greeting(self._wanted):
            understood = understood or self._by_words()
        account, denial = self._uncounted() or (None, None)
        obeyed = self._caller.obeyed_digit
        if obeyed is not None and obeyed.at < self.since:
            obeyed = None
        if denial is not None and obeyed is not None:
            # the digit is part of the RTP that was counted (RFC 4733 section 2.1)
            denial = replace(denial, evidence=f"{denial.evidence}; yet {obeyed.evidence}")
            obeyed = None
        signs = filter(None, [understood, obeyed, self._counted()])
        sound = max(signs, key=lambda sign: sign.strength, default=None)
        return sound, account, missing or self._no_words_of_the_caller() or denial

    def to_caller(self) -> DirectionSigns:
        """Whether the caller heard the AI."""
        heard, words = self._heard, self.talk.words
        if heard is None or heard.observation is not Observation.SOUND:
            return heard, self._account if heard is None else None, None
        if recorded := self._recorded():
            compared = self.talk.recording.heard_ai(recorded, heard, self._caller.label)
            if compared is not heard:
                return compared, None, None
        # words from before a change of the call say nothing about the way now
        behind = self._wanted if self.again else 0
        if words.may_confirm and words.find_answer(behind):
            return self._confirmed_by_words(heard)
        denial = self._no_words_of_the_ai()
        if self.greeted_at is not None and not self._takes_turns:
            return self._no_proof(heard, _NO_PAUSE, denial)
        if self.greeted_at is None and not self._is_sure:
            spoken = f"{self._spoken_s:.1f} s of speech without a pause behind it"
            return self._no_proof(heard, f"{spoken} (below {SURE_S:g} s it may be music)", denial)
        return heard, None, denial

    def _confirmed_by_words(self, heard: Sound) -> DirectionSigns:
        """A voice whose words the transcript has: the AI's, where its length and its pauses agree."""
        # the look may have begun within the greeting
        if not self.again and not takes_as_long(self.talk.words.text, self._greeting_s):
            spoken = f"{self._greeting_s:.1f} s of speech before the caller spoke"
            longer = f"longer than {self.talk.label}'s greeting in the transcript"
            return self._no_proof(heard, f"{spoken}, {longer}")
        if not self._takes_turns:
            return self._no_proof(heard, _NO_PAUSE)
        evidence = f"{heard.evidence}; the transcript has {self.talk.label}'s own words"
        return replace(heard, observation=Observation.WORDS, evidence=evidence), None, None

    def _no_proof(self, heard: Sound, what: str, denial: Denial | None = None) -> DirectionSigns:
        evidence = f"{what}, at {self._caller.label}"
        return replace(heard, observation=Observation.OTHER_SOUND, evidence=evidence), None, denial

    def crossing(self) -> Expected | None:
        """Whether the AI heard another call as well, where its recording tells."""
        recorded = self._recorded()
        if recorded is None:
            return None
        return self.talk.recording.crossing(recorded, self._caller)

    def _recorded(self) -> Shown | None:
        if not self._deployment.records_calls:
            return None
        since, answered = self.since, self._caller.answered_at()
        if not self.again and answered is not None:
            # the AI may greet before its record shows the call
            since = min(since, max(answered, self._caller.routed))
        return self.talk.recording.of(self._caller, since, self.until)

    def _by_words(self) -> Sound:
        evidence = f"{self.talk.label}'s transcript has {prompt_text(GREETING)!r}"
        return Sound(self._said_at, Observation.WORDS, evidence)

    def _counted(self) -> Sound | None:
        counted = self._caller.first_leg.facts.counted_by_far_end(self.since, self.until)
        if counted is None:
            return None
        sent, received = counted
        if received <= 0 or _is_cut_off(sent, received):
            return None
        observation, at = Observation.RTCP, self.talk.label
        if self._context.far_end.declared.rtcp == "by-hop":
            observation, at = Observation.HOP_RTCP, "the platform, which ends it"
        evidence = f"RTCP counts {received} of {sent} RTP packets at {at}"
        return Sound(self.until, observation, evidence)

    def _uncounted(self) -> tuple[ListenerReport, Denial] | None:
        """The finding that by the far end's count hardly any of the caller's packets arrived; None
        otherwise.
        """
        counted = self._caller.first_leg.facts.counted_by_far_end(self.since, self.until)
        if counted is None or not _is_cut_off(*counted):
            return None
        sent, received = counted[0], max(0, counted[1])
        account = ListenerReport(
            seconds=sent * PACKET_S, level_dbov=None, rx_packets=received, tx_packets=sent
        )
        evidence = f"RTCP of the far end counts {received or 'none'} of {sent} RTP packets"
        return account, Denial(Observation.RTCP, evidence)

    def _no_words_of_the_caller(self) -> Denial | None:
        """The transcript has the AI's words and none of the caller's, who spoke in a pause."""
        if not self._wanted or not self._in_pause or not self.talk.words.lacks("human"):
            return None
        return _denied_by_words(self.talk, self._caller)

    def _no_words_of_the_ai(self) -> Denial | None:
        words = self.talk.words
        if words.come == "none" or not said(words.text, "human") or words.find_answer():
            return None
        return _denied_by_words(self._caller, self.talk) if words.lacks("bot") else None


def _denied_by_words(speaker: End, silent: End) -> Denial:
    words = f"the transcript has {speaker.label}'s words, and none of {silent.label}'s"
    return Denial(Observation.WORDS, words)


def _without_dropouts(leg: Leg, since: float) -> NDArray[np.int16]:
    """What the leg received, without the silence in place of packets that did not come in time."""
    samples = leg.received_since(since)
    came = np.ones(len(samples), bool)
    for pause in leg.facts.of(RtpPaused):
        began, ended = (round((at - since) * SAMPLE_RATE) for at in (pause.began, pause.ended))
        came[max(0, began) : max(0, ended + round(_BUFFERED_S * SAMPLE_RATE))] = False
    return samples[came]


def _is_cut_off(sent: int, received: int) -> bool:
    return sent >= _ENOUGH_SENT and received < _TOO_FEW * sent
