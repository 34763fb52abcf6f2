"""A call of a harness phone: what the person at the phone does, and what can be seen of the call."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from harness.audio.marks import SAMPLE_RATE
from harness.audio.prompts import prompt_name, prompt_path, prompt_samples
from harness.audio.wav import write_wav
from harness.case.checks import landing
from harness.case.checks.audio import Sound
from harness.case.checks.claims import Observation
from harness.case.events import CallState, Event, MediaState, SipMessage, Span
from harness.case.model import Call as CallFacts
from harness.case.model import message_of, read
from harness.deployment import is_digit
from harness.errors import OfferPendingError, PhoneMisuseError
from harness.phone import Mark, Silence, Source, Wav, recording
from harness.phone.leg import Leg
from harness.phone.waiter import NeverCame, headers_cut_off
from harness.scenario.context import LOOKS_EVERY_S, CaseContext
from harness.scenario.ends import (
    PAUSES_WITHIN_S,
    ListeningLeg,
    comes,
    wait_for_greeting,
    wait_for_pause,
    wait_for_speech,
)
from harness.scenario.handover import hands_over_unasked
from harness.sip.message import Request, Response

#: After a change of the call a mark that was on its way may be heard: the buffer holds 200 ms, the
#: detector looks back 160 ms.
SETTLE_S = 0.36
_AGREED_S = 1.0  # how much later one end may report a codec than the other
_MOST_GLARES = 2  # for one offer; a third 491 is no coincidence
_ASKS_BACK_WITHIN_S = 3.0  # as long as live voice agents take to answer
#: How long a caller stays after its words: voice agents take 0.3 to 1 s for the end of a turn.
QUIET_S = 1.5
MARK_S = 0.7  #: of its mark, before the caller speaks; 0.6 s of it in a recording decide
DIGIT_S = 0.2  #: a digit and the pause after it, as pjsua sends them


class UnfinishedLook(Protocol):
    """A look at what is heard, which may still need the call unchanged."""

    def settle(self, *, asking: bool = False) -> None:
        """Get what it needs of the call."""

    def wait_until_said(self) -> float:
        """Wait until the caller's words were said, and return when; 0 if there are none."""


class Call(ListeningLeg):
    """A call of a harness phone, as a scenario uses it."""

    def __init__(
        self,
        context: CaseContext,
        leg: Leg,
        role: str,
        number: str | None = None,
        peer: Call | None = None,
    ) -> None:
        super().__init__(context, leg)
        self.role = role
        self.group: str | None = None  #: the group whose agent took it, if an agent did
        self.peer = peer  #: the caller's call that it was taken for; None where it is one itself
        self.number = number  #: the phone's number, E.164, if it has one
        #: The id of its record at the AI, if it was requested beforehand.
        self.prepared: str | None = None
        self._asked_by_digit = self._asks_silently = False
        self._asks_since = 0.0
        self.beside: list[Call] = []  #: the calls of other agents who rang for the same caller
        #: When the agent was connected to the caller, if that was after a digit that takes the
        #: call, or a whisper.
        self.connected_at: float | None = None
        self.obeyed_digit: Sound | None = None  #: the AI did what a digit of this caller asked for
        self.is_quiet = False  #: whether it sends no mark, so that an AI that takes one for speech can greet or answer
        self.pressed: list[Span] = []  #: when it sent digits in place of audio
        self.marked_at: list[float] = []  #: when it began to send its mark to a live AI
        self.words_s = 0.0  #: the longest prompt that it said
        self.looks: list[UnfinishedLook] = []
        #: When the last announcement was to begin, and how long the platform is to speak.
        self.announced: Span | None = None
        self.began = next((event.at for event in leg.events), time.monotonic())
        self.assistants: set[str] = set()  #: those that it was handed to
        self.chosen = self.began  #: when the caller began to press the last digit of the menus
        self.routed = self.began  #: when it was past the platform's announcement and menus

    @property
    def invite_number(self) -> str:
        """The number that reports give to the INVITE that began it."""
        first = self.leg.facts.invite
        return (first and self._evidence.number(first)) or ""

    # -- what the person at this phone does

    def settle(self, *, asking: bool = False) -> None:
        """Before the call is changed or ended, let every unfinished look get what it needs."""
        for look in self.looks:
            look.settle(asking=asking)

    def press(self, digits: str, method: Literal["rfc4733", "info"] = "rfc4733") -> None:
        """Send DTMF digits."""
        self.settle()
        began = time.monotonic()
        with self._evidence.step(f"{self.label} presses {digits} ({method})"):
            if method == "rfc4733":  # an INFO takes no time of its own, and needs no media
                self._let_media_begin()
                self._evidence.scripted(DIGIT_S * len(digits), "digits", began=time.monotonic())
            self.leg.send_digits(digits, method=method)
        self.pressed.append((began, time.monotonic() + DIGIT_S * len(digits)))

    def _let_media_begin(self) -> None:
        """A third-party call controller may set a call up on hold and offer media a moment later
        (RFC 3725 section 4).
        """
        media = self.leg.facts.last(MediaState)
        if media is not None and not media.active:
            self.leg.wait_for(
                MediaState,
                "media to send digits by",
                lambda state: state.active,
                self._context.patience,
                since=media.at,
            )

    def say(self, prompt: str) -> float:
        """Speak a prompt as soon as the far end pauses, then send the mark again; when it ends."""
        self.settle()
        return self.speak(prompt)[0]

    def speak(self, prompt: str) -> tuple[float, bool]:
        """As :meth:`say`, without waiting for unfinished looks; when it ends, and whether the far
        end paused.

        An AI that names no marks takes a mark for speech, and would not answer or break off: to it
        the caller is quiet after the words, until the call changes (:meth:`end_quiet`).
        """
        with self._evidence.step(f"{self.label} says {prompt_name(prompt)}"):
            asked = time.monotonic()
            with self._evidence.step(f"{self.label} lets the far end finish"):
                pauses = wait_for_pause(self.leg)
            began = time.monotonic()
            seconds = len(prompt_samples(prompt)) / SAMPLE_RATE
            self._evidence.scripted(
                began - asked + seconds, f"the prompt {prompt_name(prompt)}", began=asked
            )
            self.words_s = max(self.words_s, seconds)
            self.is_quiet = bool(self.looks)
            path = self._with_quiet(prompt) if self.is_quiet else prompt_path(prompt)
            self.leg.play(Wav(path))  # then its mark
            return began + seconds, pauses

    def _with_quiet(self, prompt: str) -> Path:
        whose = f"{self.label}-{prompt}"  # the whole path: directories share file names
        path = recording.path_of(self._evidence.directory, whose, "-quiet.wav")
        if not path.exists():
            quiet = np.zeros(round(PAUSES_WITHIN_S * SAMPLE_RATE), np.int16)
            write_wav(path, np.concatenate([prompt_samples(prompt), quiet]), SAMPLE_RATE)
        return path

    def hear_greeting(self, within: float) -> None:
        """Let the AI greet first, then send the mark; an AI that says nothing has ``within``
        seconds.
        """
        if not self.is_quiet:
            return
        with self._evidence.step(f"{self.label} lets the AI greet first"):
            wait_for_greeting(self.leg, max(self.answered_at() or self.began, self.routed), within)
        self.show_mark()
        if self._deployment.records_calls:  # so much decides, and an AI takes a mark for speech
            self.be_quiet()

    def show_mark(self) -> None:
        """Send the mark for as long as decides, in a recording as well."""
        self.is_quiet = True
        self.end_quiet()
        self._context.pause(MARK_S)

    def be_quiet(self) -> None:
        """Send nothing until :meth:`end_quiet`."""
        self.is_quiet = True
        self._send(Silence())

    def end_quiet(self) -> None:
        """Send the mark from now on, if the caller is quiet."""
        if self.is_quiet:
            self.is_quiet = False
            self.marked_at.append(time.monotonic())
            self._send(Mark())

    def _send(self, source: Source) -> None:
        """Send ``source`` on the leg, and on those that replaced it: the newest may have failed
        already, and the caller is on the one before again (RFC 5589 section 6.2).
        """
        for leg in self.legs:
            with contextlib.suppress(NeverCame, PhoneMisuseError):  # it has ended
                leg.play(source)

    def let_answer(self, since: float, within: float) -> None:
        """Wait until the far end, spoken to until ``since``, begins to answer, for ``within``
        seconds at most.
        """
        with self._evidence.step(f"{self.label} gives the far end time to answer"):
            wait_for_speech(self.leg, since, within)

    def ask_for_a_person(self, *, once: bool = False) -> None:
        """Ask the AI for a person, the way the case or the deployment says, and again while nothing
        comes of it.

        ``once``: not again, since nothing can come of it.
        """
        escalation, way = self._deployment.escalation, self._context.asks_by
        attempts = 1 if once else escalation.attempts
        waiting = escalation.retry_after_s
        more_patience = (attempts - 1) * waiting
        if way == "silence":  # the AI acts only when the caller has been silent for so long
            waiting = escalation.silence_s
            more_patience = attempts * waiting
        self._context.more_patience = more_patience
        self.settle(asking=way == "digit" and not hands_over_unasked(self._context))
        # an AI that hands over unasked does that to every caller
        for agent in self._context.phones.rang({self.number}):
            self._evidence.expect(
                landing.turn.of(agent, True, its_turn=False, before=landing.ASKED)
            )
        self._asks_since = time.monotonic()
        self._ask(way)
        began, ended = self._context.asked[-1]
        # the AI may ask back each time
        self._context.more_patience += (attempts - 1) * (ended - began)
        if attempts > 1 or way == "silence":
            self._context.background.start(
                lambda: self._until_somebody_rings(way, waiting, attempts)
            )

    def _ask(self, way: str) -> None:
        handover, began = self._context.handover, time.monotonic()
        ended = began
        match way:
            case "prompt":
                ended = self.say(str(handover.prompt))
            case "silence":
                with self._evidence.step(f"{self.label} says nothing"):
                    self._asks_silently = True
                    self.leg.play(Silence())
            case _:
                ended = self._pressed(handover.digit or "0")
                self._asked_by_digit = True
        for answer in handover.then:
            self._let_ask_back(ended)
            # once an agent rings or has answered, the caller says no more
            if self._is_done_asking():
                break
            ended = self._pressed(answer) if is_digit(answer) else self.say(answer)
        self._context.asked.append((began, ended))

    def _pressed(self, digits: str) -> float:
        self.press(digits)
        return time.monotonic() + DIGIT_S * len(digits)

    def _let_ask_back(self, asked: float) -> None:
        """Wait until the AI, which was asked until ``asked``, has asked back."""
        with self._evidence.timed("the AI asks back"):
            self.let_answer(asked, _ASKS_BACK_WITHIN_S)
            wait_for_pause(self.leg)

    def _is_done_asking(self) -> bool:
        """Whether somebody rings, another assistant has the call, it is over, or another leg has
        taken its place.
        """
        phones = self._context.phones
        # a call that came before the request, and may be a stranger's, is no answer
        rings = phones.rang(self._context.own_numbers) or phones.rang(since=self._asks_since)
        is_elsewhere = bool(rings) or bool(self.assistants) or self.leg is not self.first_leg
        return self.is_over() or is_elsewhere

    def obeyed(self, at: float) -> None:
        """The requested handover came at ``at``: the AI acted on the digit, unless it hands over by
        itself.
        """
        if self._asked_by_digit and not hands_over_unasked(self._context):
            words = f"{self.label} sent a digit as telephone-event, and the AI handed over"
            self.obeyed_digit = Sound(at, Observation.DIGIT, words)

    def _until_somebody_rings(self, way: str, waiting: float, attempts: int) -> None:
        """Ask again until somebody rings; a silent caller speaks when the waiting is over."""
        for attempt in range(1, attempts + 1):
            if attempt > 1:
                if way == "prompt":
                    wait_for_pause(self.leg)
                if self._is_done_asking():
                    return
                with contextlib.suppress(NeverCame):  # the call ends as the caller asks
                    self._ask(way)
            more_s = self._context.patience if way == "silence" else 0.0
            self._context.wait_for(self._is_done_asking, waiting + more_s)
            self.end_silence()
            if self._is_done_asking():
                return

    def end_silence(self) -> None:
        """Send the mark again, if the caller asked for a person by saying nothing."""
        if self._asks_silently and not self.is_over():
            self._asks_silently = False
            self._send(Mark())

    def hold(self) -> None:
        """Put the far end on hold, and wait until that is agreed."""
        self._offer("holds", "hold", self.leg.hold, lambda m: m.direction != "sendrecv")

    def resume(self) -> None:
        """Take the far end off hold, and wait until that is agreed."""
        self._offer("resumes", "resume", self.leg.resume, lambda m: m.direction == "sendrecv")

    def change_codec(self, codec: str) -> None:
        """Offer only ``codec`` in a re-INVITE, and wait until it is agreed."""
        offer = partial(self.leg.reinvite, codecs=(codec,))
        self._offer(f"offers {codec} alone", codec, offer, lambda m: m.codec.upper() == codec)

    def _offer(
        self, does: str, what: str, offer: Callable[[], None], agreed: Callable[[MediaState], bool]
    ) -> None:
        self.settle()
        with self._evidence.step(f"{self.label} {does}"):
            for waits_s in (*self._glare_waits_s(), None):
                since = self._when_made(offer)
                is_last = waits_s is None

                def is_settled(event: Event, is_last: bool = is_last) -> bool:
                    if isinstance(event, MediaState):
                        return event.active and agreed(event)
                    return not is_last and _is_pending(event)

                event = self.leg.wait(
                    f"{what} agreed", is_settled, within=self._context.patience, since=since
                )
                if waits_s is None or not _is_pending(event):
                    return
                with self._evidence.step("the far end offers as well (491), and it offers again"):
                    self._context.pause(waits_s, "two offers at once (RFC 3261 section 14.1)")

    def _when_made(self, offer: Callable[[], None]) -> float:
        """Make an offer as soon as no INVITE of the far end's is under way (RFC 3261 section 14.1);
        when it was made.
        """
        deadline = time.monotonic() + self._context.patience
        while True:
            since = time.monotonic()
            try:
                offer()
            except OfferPendingError:
                if since >= deadline:
                    raise
                self._context.pause(LOOKS_EVERY_S)
            else:
                return since

    def _glare_waits_s(self) -> tuple[float, ...]:
        """Seconds to wait after each 491: longer for the owner of the Call-ID, so that offers do
        not cross again (section 14.1).
        """
        least, most = (2.1, 4.0) if self.leg.direction == "outgoing" else (0.0, 2.0)
        return tuple(random.uniform(least, most) for _ in range(_MOST_GLARES))

    def hang_up(self) -> float:
        """Hang up; the moment it was done."""
        self.settle()
        with self._evidence.step(f"{self.label} hangs up"):
            at = time.monotonic()
            self.leg.hangup()
            return at

    def cancel(self) -> float:
        """Give up before the answer; the moment it was done."""
        with self._evidence.step(f"{self.label} gives up"):
            at = time.monotonic()
            self.leg.cancel()
            return at

    # -- what can be seen of the call

    @property
    def phone_name(self) -> str:
        """Its phone's name."""
        return self.leg.phone.name

    @property
    def codec(self) -> str:
        """What SDP agreed on; empty before."""
        return self.leg.codec

    def settle_on(self, codecs: Collection[str]) -> None:
        """Wait a moment for one of ``codecs``: two phones do not report one agreement at the same
        time.
        """
        if self.codec.upper() in codecs or self.is_over():
            return

        def is_agreed(_: MediaState) -> bool:
            return self.codec.upper() in codecs

        now = time.monotonic()
        comes(self.leg, MediaState, is_agreed, now + _AGREED_S, now)

    @property
    def invite(self) -> Request | None:
        """The INVITE that began the leg. Raises :class:`PhoneParseError` where not all of its
        headers are known.
        """
        if (cut_off := headers_cut_off(self.leg.invite)) is not None:
            raise cut_off
        message = read(self.leg.invite.text)
        assert isinstance(message, Request)
        return message

    @property
    def received(self) -> list[SipMessage]:
        """The SIP messages that came on the leg as it was dialled, and as it is now."""
        legs = dict.fromkeys((self.first_leg, self.leg))
        return [m for leg in legs for m in leg.messages if m.direction == "received"]

    def state(self) -> CallState | None:
        """The last state of the call."""
        return self.leg.facts.last(CallState)

    def final_response(self, within: float) -> tuple[int, str]:
        """The final response on the wire. A refusal by the phone itself is none.

        A phone may take its call for over before the response comes, as after a CANCEL, which a 200
        may cross (RFC 3261 section 9.1).
        """
        state = self.state()
        if state is None or state.state != "disconnected":
            return 0, "no final response"
        if state.code < 300:
            return state.code, state.reason
        invite = CallFacts(self.leg.messages).invite

        def final(event: SipMessage) -> Response | None:
            answer = message_of(event)
            if answer is None or invite is None or not answer.is_of(invite):
                return None
            return answer.response_to("INVITE") if answer.is_final else None

        event = comes(
            self.leg,
            SipMessage,
            lambda message: final(message) is not None,
            time.monotonic() + within,
            outlives_call=True,
        )
        response = None if event is None else final(event)
        if response is None:
            return 0, f"no final response; the phone itself ended it as {state.code} {state.reason}"
        return response.status, response.reason

    def answered_at(self) -> float | None:
        """When the leg was confirmed, or when the agent was connected if that was later."""
        return self.connected_at or self.leg.facts.answered_at

    def released_at(self, deadline: float) -> float | None:
        """When the leg ended."""
        return ended_at(self.leg, deadline)


def ended_at(leg: Leg, deadline: float) -> float | None:
    """When the leg ended; waits until ``deadline``; None when it is still up then."""
    ended = comes(leg, CallState, lambda e: e.state == "disconnected", deadline, outlives_call=True)
    return None if ended is None else ended.at


def _is_pending(event: Event) -> bool:
    """Whether our offer was refused because the far end has one under way (RFC 3261 section 14.2)."""
    answer = message_of(event)
    return answer is not None and answer.received and answer.answers("INVITE") == 491
