"""One call as scenarios hold it: its events, commands and waits."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.audio.marks import SAMPLE_RATE
from harness.calls.events import (
    CallState,
    Event,
    LegStarted,
    Listened,
    MediaState,
    Recorded,
    RtpStatistics,
    SipMessage,
)
from harness.deployment.safety import check_headers, check_request
from harness.errors import BrokenError, HarnessError, PhoneMisuseError
from harness.phone import event_log, recording
from harness.phone.deadlines import DeadlineScheduler
from harness.phone.process import NotNegotiatedError, PhoneProcess
from harness.phone.protocol import FAREWELL_SECONDS, Source, choice_to_plain
from harness.phone.rules import CallLimits
from harness.phone.unread import how_it_ended, why_it_ended
from harness.phone.waiter import NeverCame, first, never_came, wait_for

Headers = Sequence[tuple[str, str]]

#: A final response to an INFO, and how long one is waited for before the next digit goes out.
_INFO_ANSWER: Final = re.compile(
    r"SIP/2\.0 [2-6]\d\d .*?^CSeq\s*:\s*\d+\s+INFO\s*$", re.DOTALL | re.MULTILINE | re.IGNORECASE
)
_INFO_ANSWERED_S: Final = 2.0
#: How many of a leg's last pulses tell the time of what it received: a second's.
_PULSES: Final = 5
#: Of a recording that goes on: twice what it needs to get there, for less is no full disk.
_HELD_BACK_S: Final = 2 * recording.ON_DISK_WITHIN_S
_ROUNDED_S: Final = 0.02
#: How long after a call's beginning the message that began it may be told, on a busy machine.
_TOLD_WITHIN_S: Final = 5.0


def _is_invite(event: Event) -> bool:
    return isinstance(event, SipMessage) and not event.unread and event.text.startswith("INVITE ")


class LegPhone(Protocol):
    """The phone, as its legs see it."""

    changed: threading.Condition  #: notified at each event; held while they are taken
    process: PhoneProcess
    directory: Path
    overrun: BrokenError | None  #: a leg lasted too long and was hung up, or had no mark
    is_ours: Callable[[Leg], bool]  #: whether a call that it gets is no stranger's

    @property
    def name(self) -> str:
        """Of its configuration."""

    @property
    def legs(self) -> Sequence[Leg]:
        """All its legs, oldest first."""

    @property
    def incoming(self) -> Sequence[Leg]:
        """The legs that were received, without strangers'."""

    @property
    def error(self) -> BaseException | None:
        """Why nothing can be waited for any more."""

    def instead(self, events: Sequence[Event]) -> str | BrokenError | None:
        """What explains that something never came."""

    def wait(self, goal: str, predicate: Callable[[Event], bool], within: float, since: float | None = None) -> Event:
        """The first event of the phone itself, of none of its legs, for which ``predicate`` holds."""

    def command(self, name: str, within: float = ..., /, **arguments: Any) -> Any:
        """Have the process do something."""

    def guard(self, uri: str) -> None:
        """Raise :class:`RefusedError` for what may not be called."""

    def follow(self, leg: Leg, uri: str, *, has_room: bool) -> None:
        """Promise a slot to the call that a REFER asks for."""

    def declines(self, error: Exception) -> None:
        """Note that a REFER was declined that the far end had every reason to send."""

    def overran(self, leg: str, seconds: float) -> None:
        """Note that a leg had to be hung up."""


class Leg:
    """One call of a phone."""

    def __init__(self, phone: LegPhone, key: int, started: LegStarted, predecessor: Leg | None) -> None:
        assert started.leg is not None
        self.phone = phone
        self.id: str = started.leg
        self.key = key
        self.mark = started.mark
        self.direction = started.direction
        self.remote_uri = started.remote_uri
        self.predecessor = predecessor
        self._events: list[Event] = [started]
        self._state = ""
        self._codec = ""
        self._successors: list[Leg] = []
        self._closed = False
        self._let_go = False  # by us
        self.taken = False  #: whether somebody waited for it, and has it
        #: Received, and not refused by the stack itself with 422 (RFC 4028: it is offered again).
        self.is_offered = False
        self.limits = CallLimits()

    def __repr__(self) -> str:
        return f"<Leg {self.id} {self.direction} {self.state}>"

    # What happened.

    @property
    def events(self) -> list[Event]:
        """All of the leg's events so far, in the order they arrived."""
        with self.phone.changed:
            return list(self._events)

    @property
    def messages(self) -> list[SipMessage]:
        """The leg's SIP messages, without what the stack could not read."""
        return [event for event in self.events if isinstance(event, SipMessage) and not event.unread]

    @property
    def invite(self) -> SipMessage:
        """The first INVITE, sent or received. Raises ``LookupError`` when none left the phone."""
        found = next(filter(_is_invite, self.events), None)
        # That a call began is told first, and its message a moment later.
        if found is None and self.direction == "incoming":
            with contextlib.suppress(NeverCame):
                found = self.wait("its INVITE", _is_invite, _TOLD_WITHIN_S, outlives_call=True)
        if not isinstance(found, SipMessage):
            raise LookupError(f"{self.id} has no INVITE")
        return found

    @property
    def state(self) -> str:
        """``calling``, ``incoming``, ``early``, ``connecting``, ``confirmed`` or ``disconnected``; at first empty."""
        return self._state

    @property
    def codec(self) -> str:
        """Of the media negotiated last; empty before that."""
        return self._codec

    @property
    def successor(self) -> Leg | None:
        """The call that took this one's place: placed on a REFER, or received with Replaces.

        Of several, as an AI may ask twice: the last that is up, else that may still be answered, else that was.
        """
        return max(reversed(tuple(self._successors)), key=Leg._came_to, default=None)

    def _came_to(self) -> int:
        if self._state == "confirmed":
            return 3
        was_up = any(isinstance(event, CallState) and event.state == "confirmed" for event in self._events)
        return 2 if self._state != "disconnected" else int(was_up)

    @property
    def closed(self) -> bool:
        """Whether nothing more will come: hung up, answered, recorded."""
        return self._closed

    def log(self) -> str:
        """One line for each event but the pulses, with the seconds since the first."""
        return event_log.lines(self.events)

    # Commands.

    def ring(self) -> None:
        """180."""
        self._respond(180)

    def progress(self, code: int = 183, headers: Headers = ()) -> None:
        """A provisional response with SDP: audio before the answer."""
        self._respond(code, headers=headers)

    def answer(self, headers: Headers = (), code: int = 200) -> None:
        """Accept the call."""
        self._respond(code, headers=headers)

    def reject(self, code: int = 486, reason: str = "", headers: Headers = ()) -> None:
        """Refuse the call."""
        self._respond(code, reason, headers)

    def _respond(self, code: int, reason: str = "", headers: Headers = ()) -> None:
        self._let_go = self._let_go or code >= 300
        self._do("respond", code=code, reason=reason, headers=list(headers))

    def hangup(self, code: int = 0, reason: str = "", headers: Headers = ()) -> None:
        """BYE, CANCEL or a refusal, whichever ends the call now; nothing when it is over."""
        self._let_go = True
        self._do("hang_up", code=code, reason=reason, headers=list(headers))

    def cancel(self) -> None:
        """CANCEL. Raises :class:`NeverCame` once the far end has answered or refused, :class:`PhoneMisuseError` for incoming calls."""
        answered = self.state in ("connecting", "confirmed")
        if self.direction == "outgoing" and (answered or (self.state == "disconnected" and not self._let_go)):
            why = "it was answered" if answered else how_it_ended(self.events)
            raise never_came(f"{self.id} still ringing, to be given up", 0.0, self.id, why, self.log())
        if self.direction != "outgoing" or self.state not in ("calling", "early", ""):
            raise PhoneMisuseError(f"{self.id} is {self.direction} and {self.state}: CANCEL is for calls still ringing")
        self.hangup()

    def hold(self) -> None:
        """Offer ``sendonly`` and send nothing (RFC 3264 section 8.4)."""
        self._do("hold")

    def resume(self) -> None:
        """Offer ``sendrecv`` again."""
        self._do("resume")

    def reinvite(self, codecs: Sequence[str] = ()) -> None:
        """Offer again, with ``codecs`` if given."""
        self._do("reinvite", codecs=list(codecs))

    def send_digits(self, digits: str, method: Literal["rfc4733", "info"] = "rfc4733", duration_ms: int = 160) -> None:
        """DTMF. Raises :class:`NeverCame` when the far end negotiated no telephone-event for RFC 4733."""
        if method == "info":
            self._send_by_info(digits, duration_ms)
            return
        try:
            self._do("send_digits", digits=digits, method=method, duration_ms=duration_ms)
        except NotNegotiatedError as error:
            raise never_came("telephone-event in the negotiated SDP", 0.0, self.id, str(error), self.log()) from None

    def _send_by_info(self, digits: str, duration_ms: int) -> None:
        # One after the other: requests under way at once may overtake each other at a proxy, and one whose CSeq is below
        # the last one's has to be refused (RFC 3261 section 12.2.2). A digit that is never answered holds up no other.
        for digit in digits:
            due = self._answers_to_info() + 1
            self._do("send_digits", digits=digit, method="info", duration_ms=duration_ms)
            with contextlib.suppress(NeverCame):
                self.wait("the answer to an INFO", partial(self._has_answers, due), within=_INFO_ANSWERED_S)

    def _has_answers(self, count: int, _: Event) -> bool:
        return self._answers_to_info() >= count

    def _answers_to_info(self) -> int:
        return sum(
            1 for message in self.messages if message.direction == "received" and _INFO_ANSWER.match(message.text)
        )

    def transfer(self, uri: str, headers: Headers = ()) -> None:
        """Blind: REFER to ``uri``. Its headers, and those that ``uri`` embeds, go along. Hang up when it succeeded."""
        self.phone.guard(uri)
        check_headers(headers)
        self._do("transfer", uri=uri, headers=list(headers))

    def transfer_attended(self, other: Leg, headers: Headers = ()) -> None:
        """REFER with Replaces: join this leg's far end to that of ``other``, a leg of the same process."""
        self._same_process(other)
        check_headers(headers)
        self._do("transfer_attended", other=other.key, headers=list(headers))

    def request(self, method: str, headers: Headers = (), body: str = "", content_type: str = "") -> None:
        """A request of any method within the dialog; its answer is among the messages."""
        check_request(method, headers)
        self._do("leg_request", method=method, headers=list(headers), body=body, content_type=content_type)

    def play(self, source: Source) -> None:
        """Send something else from now on."""
        self._do("play", source=choice_to_plain(source))

    def bridge(self, other: Leg) -> None:
        """Let the far ends of two legs hear each other; ends the marks of both."""
        self._same_process(other)
        self._do("bridge", other=other.key)

    def statistics(self) -> RtpStatistics | None:
        """The counters now, or the last ones of a leg that has ended; None when it never had media."""
        if not self._closed and self.state != "disconnected":
            with contextlib.suppress(NeverCame):  # it ended in this moment, and told its last
                self._do("statistics")
        return next((event for event in reversed(self.events) if isinstance(event, RtpStatistics)), None)

    def _same_process(self, other: Leg) -> None:
        if other.phone.process is not self.phone.process:
            raise PhoneMisuseError(f"{self.id} and {other.id} live in different processes")

    def _do(self, name: str, **arguments: Any) -> Any:
        """Raises :class:`NeverCame` where the far end has ended the call: what it was up for cannot come any more."""
        try:
            return self.phone.command(name, leg=self.key, **arguments)
        except PhoneMisuseError:
            if self._let_go or self.state != "disconnected":
                raise
            goal = f"{self.id} still up, to {name.replace('_', ' ')}"
            raise never_came(goal, 0.0, self.id, how_it_ended(self.events), self.log()) from None

    # Waits.

    def wait(
        self,
        goal: str,
        predicate: Callable[[Event], bool],
        within: float,
        since: float | None = None,
        *,
        outlives_call: bool = False,
    ) -> Event:
        """The first event for which ``predicate`` holds, among those so far and those of the next ``within`` seconds.

        ``since`` (monotonic) leaves out what happened before. The wait ends at once when the call ends, unless
        ``outlives_call`` says that the event may come after that (its 200 to BYE, its recordings).
        """

        def sought(event: Event) -> bool:
            return (since is None or event.at >= since) and predicate(event)

        def hopeless() -> str | BaseException | None:
            error = self.phone.overrun or self.phone.error
            if error is not None:
                return error
            if self._closed or (self._state == "disconnected" and not outlives_call):
                return why_it_ended(self._events)
            return None

        return wait_for(
            self.phone.changed,
            first(self._events, sought),
            goal=goal,
            within=within,
            subject=self.id,
            hopeless=hopeless,
            log=self.log,
            missed=lambda: self.phone.instead(self._events),
        )

    def wait_state(self, state: str, within: float) -> CallState:
        """Until the call is in ``state``, or was."""
        event = self.wait(
            f"{self.id} {state}", lambda event: isinstance(event, CallState) and event.state == state, within
        )
        assert isinstance(event, CallState)
        return event

    def wait_closed(self, within: float = 2 * FAREWELL_SECONDS) -> None:
        """Until the far end has answered the BYE and the recordings are whole."""
        wait_for(
            self.phone.changed,
            lambda: self._closed or None,
            goal=f"{self.id} closed",
            within=within,
            subject=self.id,
            hopeless=lambda: self.phone.error,
            log=self.log,
        )

    def recorded(self, within: float = 2 * FAREWELL_SECONDS) -> Recorded:
        """The recordings, once they are whole."""
        event = self.wait(f"{self.id} recorded", lambda event: isinstance(event, Recorded), within, outlives_call=True)
        assert isinstance(event, Recorded)
        return event

    def received_since(self, since: float) -> NDArray[np.int16]:
        """What it received after the monotonic time ``since``, at 8 kHz, as far as it is on disk by now.

        Raises :class:`ResourceError` where the disk takes nothing any more: nothing can be found in what is not there.
        """
        self.require_recorded(_HELD_BACK_S)
        samples = recording.so_far(recording.paths(self.phone.directory, self.id)[0])
        pulses = [event for event in self.events if isinstance(event, Listened)][-_PULSES:]
        if not pulses:
            return samples[:0]
        # A pulse may be told late and never early, so the earliest of them tells when the recording began.
        origin = min(pulse.at - pulse.seconds for pulse in pulses)
        return samples[max(0, round((since - origin) * SAMPLE_RATE)) :]

    def require_recorded(self, held_back_s: float = _ROUNDED_S) -> None:
        """Raise :class:`ResourceError` where what it heard is not on disk, but for so much that may not be there yet."""
        heard = [event.seconds for event in self.events if isinstance(event, Listened)]
        if heard:
            recording.require_whole(recording.paths(self.phone.directory, self.id)[0], heard[-1], held_back_s)

    # The pool's side; ``changed`` is held.

    def take(self, event: Event) -> None:
        """Note an event."""
        self._events.append(event)
        if isinstance(event, CallState):
            self._state = event.state
            if event.code >= 100 and event.code != 422:
                self.is_offered = True
            if event.state == "disconnected":
                self.limits.release()
        elif isinstance(event, MediaState) and event.active:
            self._codec = event.codec

    def close(self) -> None:
        """Note that nothing more will come."""
        self._closed = True
        self.limits.release()

    def end_after(self, seconds: float, scheduler: DeadlineScheduler) -> None:
        """See to it that the leg ends in ``seconds`` at the latest."""
        self.limits.end_after(seconds, scheduler, lambda: self._overrun(seconds))

    def _overrun(self, seconds: float) -> None:
        if self._closed or self._state == "disconnected":
            return
        self.phone.overran(self.id, seconds)
        with contextlib.suppress(HarnessError):  # a lost process has hung up already
            self.hangup()

    def succeed(self, successor: Leg) -> None:
        """Note a call that takes this one's place."""
        self._successors.append(successor)


def everybodys(leg: Leg) -> bool:
    """No call is a stranger's."""
    return True
