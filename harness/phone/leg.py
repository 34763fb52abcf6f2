"""One call leg, as scenarios use it: its events, commands and waits."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from harness.audio.marks import SAMPLE_RATE
from harness.case.events import (
    CallState,
    Event,
    LegStarted,
    Listened,
    MarkHeard,
    RtpStatistics,
    SipMessage,
)
from harness.case.legs import E, LegEvents, is_request
from harness.case.model import message_of, notifies
from harness.deployment.safety import check_headers
from harness.errors import HarnessError, PhoneMisuseError
from harness.phone import recording
from harness.phone.process import NotNegotiatedError
from harness.phone.protocol import FAREWELL_SECONDS, Source, choice_to_plain
from harness.phone.rules import CallLimits, DeadlineScheduler
from harness.phone.waiter import (
    NeverCame,
    event_lines,
    first,
    how_it_ended,
    never_came,
    wait_for,
    why_it_ended,
)

if TYPE_CHECKING:
    from harness.phone.phone import Phone

Headers = Sequence[tuple[str, str]]

#: How long to wait for the answer to an INFO before the next digit is sent.
_INFO_ANSWERED_S: Final = 2.0
#: The number of last pulses (one second of them) that date the received audio.
_PULSES: Final = 5
#: Audio of a running recording that may not be on disk yet: twice the usual delay, so that only a
#: full disk exceeds it.
_HELD_BACK_S: Final = 2 * recording.ON_DISK_WITHIN_S
_ROUNDED_S: Final = 0.02
#: The longest delay between a leg's start and the event of its INVITE, on a busy machine.
_INVITE_EVENT_WITHIN_S: Final = 5.0


class Leg:
    """One call of a phone.

    Commands return when the phone's process has carried them out, not when the far end has
    answered: that is waited for, with `wait`, `wait_for`, `wait_state` and `wait_closed`. A command
    that comes too late, since the far end has ended the call, raises :class:`NeverCame` as a wait
    would.
    """

    def __init__(
        self, phone: Phone, key: int, started: LegStarted, predecessor: Leg | None
    ) -> None:
        assert started.leg is not None
        self.phone = phone
        self.id: str = started.leg
        self.key = key
        self.mark = started.mark
        self.direction = started.direction
        self.remote_uri = started.remote_uri
        self.predecessor = predecessor
        self._facts = LegEvents([started])
        self._successors: list[Leg] = []
        #: No more events will come: the BYE is answered and the recordings are complete.
        self.closed = False
        self._let_go = False  # the harness ended or refused the call
        self.taken = False  #: whether a wait has returned this leg
        #: Received, and not refused by the stack itself with 422 (RFC 4028: the caller then sends a
        #: new INVITE).
        self.is_offered = False
        self.limits = CallLimits()

    def __repr__(self) -> str:
        return f"<Leg {self.id} {self.direction} {self.state}>"

    # Events and state.

    @property
    def events(self) -> list[Event]:
        """The leg's events so far, in order of arrival."""
        with self.phone.changed:
            return list(self._facts)

    @property
    def facts(self) -> LegEvents:
        """The events so far by their kind, and what follows from them. They grow meanwhile: each
        fact is what is known when it is asked for.
        """
        return self._facts

    @property
    def state(self) -> str:
        """``calling``, ``incoming``, ``early``, ``connecting``, ``confirmed`` or
        ``disconnected``; empty at first.
        """
        return self._facts.state

    @property
    def codec(self) -> str:
        """The codec negotiated last; empty before the first negotiation."""
        return self._facts.codec

    @property
    def messages(self) -> list[SipMessage]:
        """The leg's SIP messages, except those that the stack could not parse."""
        return self._facts.messages

    @property
    def invite(self) -> SipMessage:
        """The first INVITE, sent or received. Raises ``LookupError`` when the leg has none."""
        found = self._facts.invite
        # The start of a call is reported first, its INVITE a moment later.
        if found is None and self.direction == "incoming":
            with contextlib.suppress(NeverCame):
                self.wait(
                    "its INVITE",
                    lambda event: is_request(event, "INVITE"),
                    _INVITE_EVENT_WITHIN_S,
                    outlives_call=True,
                )
                found = self._facts.invite
        if found is None:
            raise LookupError(f"{self.id} has no INVITE")
        return found

    @property
    def successor(self) -> Leg | None:
        """The call that replaced this one: placed on a REFER, or received with Replaces.

        An AI may send several REFERs. The last call that is up is preferred, then one that may
        still be answered, then one that was up before.
        """
        return max(reversed(tuple(self._successors)), key=Leg._came_to, default=None)

    def _came_to(self) -> int:
        if self.state == "confirmed":
            return 3
        was_up = self._facts.answered_at is not None
        return 2 if self.state != "disconnected" else int(was_up)

    def log(self) -> str:
        """The events as text (:func:`harness.phone.waiter.event_lines`)."""
        return event_lines(self.events)

    # Commands.

    def answer(self, headers: Headers = (), code: int = 200) -> None:
        self._respond(code, headers=headers)

    def reject(self, code: int = 486, reason: str = "", headers: Headers = ()) -> None:
        self._respond(code, reason, headers)

    def _respond(self, code: int, reason: str = "", headers: Headers = ()) -> None:
        self._let_go = self._let_go or code >= 300
        self._do("respond", code=code, reason=reason, headers=list(headers))

    def hangup(self, code: int = 0, reason: str = "", headers: Headers = ()) -> None:
        """Send BYE, CANCEL or a refusal, whichever ends the call in its state; does nothing when
        the call is over.
        """
        self._let_go = True
        self._do("hang_up", code=code, reason=reason, headers=list(headers))

    def cancel(self) -> None:
        """Send CANCEL.

        Raises :class:`NeverCame` when the far end has answered or refused,
        :class:`PhoneMisuseError` for incoming calls.
        """
        is_outgoing = self.direction == "outgoing"
        is_answered = self.state in ("connecting", "confirmed")
        is_refused = self.state == "disconnected" and not self._let_go
        if is_outgoing and (is_answered or is_refused):
            goal = f"{self.id} still ringing, to be cancelled"
            why = "it was answered" if is_answered else how_it_ended(self._facts)
            raise never_came(goal, 0.0, self.id, why, self.log())
        if not is_outgoing or self.state not in ("calling", "early", ""):
            what = f"{self.id} is {self.direction} and {self.state}"
            raise PhoneMisuseError(f"{what}: only an outgoing, ringing call can be cancelled")
        self.hangup()

    def hold(self) -> None:
        """Offer ``sendonly`` and send nothing (RFC 3264 section 8.4)."""
        self._do("hold")

    def resume(self) -> None:
        """Offer ``sendrecv`` again."""
        self._do("resume")

    def reinvite(self, codecs: Sequence[str] = ()) -> None:
        """Send a re-INVITE, offering ``codecs`` if given."""
        self._do("reinvite", codecs=list(codecs))

    def send_digits(
        self, digits: str, method: Literal["rfc4733", "info"] = "rfc4733", duration_ms: int = 160
    ) -> None:
        """Send DTMF digits. Raises :class:`NeverCame` for RFC 4733 when telephone-event was not
        negotiated.
        """
        if method == "info":
            for digit in digits:
                self._send_by_info(digit, duration_ms)
            return
        try:
            self._do("send_digits", digits=digits, method=method, duration_ms=duration_ms)
        except NotNegotiatedError as error:
            goal = "telephone-event in the negotiated SDP"
            raise never_came(goal, 0.0, self.id, str(error), self.log()) from None

    def _send_by_info(self, digit: str, duration_ms: int) -> None:
        """Send one digit, and wait until its INFO is answered."""
        # One after the other: concurrent requests may overtake each other at a proxy, and the
        # receiver must refuse a lower CSeq than the last (RFC 3261 section 12.2.2). After a timeout
        # the next digit is sent anyway.
        answered = self._answers_to_info()
        self._do("send_digits", digits=digit, method="info", duration_ms=duration_ms)
        with contextlib.suppress(NeverCame):
            self.wait(
                "the answer to an INFO",
                lambda _: self._answers_to_info() > answered,
                _INFO_ANSWERED_S,
            )

    def _answers_to_info(self) -> int:
        count = 0
        for event in self.events:
            message = message_of(event)
            if message is not None and message.received and message.answers("INFO") >= 200:
                count += 1
        return count

    def transfer(self, uri: str, headers: Headers = ()) -> None:
        """Blind transfer: send REFER to ``uri``, with ``headers`` and those that ``uri`` embeds.
        The caller hangs up on success.
        """
        self.phone.guard_refer(uri)
        check_headers(headers)
        self._do("transfer", uri=uri, headers=list(headers))

    def play(self, source: Source) -> None:
        """Send ``source`` from now on."""
        self._do("play", source=choice_to_plain(source))

    def bridge(self, other: Leg) -> None:
        """Connect the audio of two legs' far ends; both legs stop sending marks."""
        if other.phone.process is not self.phone.process:
            raise PhoneMisuseError(f"{self.id} and {other.id} run in different processes")
        self._do("bridge", other=other.key)

    def statistics(self) -> RtpStatistics | None:
        """The current RTP counters, or the last ones of an ended leg; None when the leg never had
        media.
        """
        if not self.closed and self.state != "disconnected":
            # If it has just ended, its last counters are among the events.
            with contextlib.suppress(NeverCame):
                self._do("emit_statistics")
        return self._facts.statistics

    def _do(self, name: str, **arguments: Any) -> Any:
        """Run a command. Raises :class:`NeverCame` when the far end has ended the call, so that the
        command cannot run.
        """
        try:
            return self.phone.command(name, leg=self.key, **arguments)
        except PhoneMisuseError:
            if self._let_go or self.state != "disconnected":
                raise
            goal = f"{self.id} still up, to {name.replace('_', ' ')}"
            raise never_came(goal, 0.0, self.id, how_it_ended(self._facts), self.log()) from None

    # Waits.

    def wait(
        self,
        goal: str,
        predicate: Callable[[Event], bool],
        within: float,
        since: float | None = None,
        *,
        outlives_call: bool = False,
        tells: bool = True,
        meanwhile: contextlib.AbstractContextManager[object] | None = None,
    ) -> Event:
        """The first event, past or within ``within`` seconds, for which ``predicate`` holds.

        Events before ``since`` (monotonic) are ignored. The wait ends when the call ends, unless
        ``outlives_call`` says that the event may come later (the 200 to a BYE, the recordings).
        ``tells``: the error has the log of the events that came. ``meanwhile`` is entered only if
        the event has not come yet.
        """

        def hopeless() -> str | BaseException | None:
            error = self.phone.overrun or self.phone.error
            if error is not None:
                return error
            if self.closed or (self.state == "disconnected" and not outlives_call):
                return why_it_ended(self._facts)
            return None

        return wait_for(
            self.phone.changed,
            first(self._facts, predicate, since=since),
            goal=goal,
            within=within,
            subject=self.id,
            hopeless=hopeless,
            log=self.log if tells else str,
            missed=lambda: self.phone.instead(self._facts),
            stalled=self.phone.stalled_s,
            meanwhile=meanwhile,
        )

    def wait_for(
        self,
        kind: type[E],
        goal: str,
        predicate: Callable[[E], bool],
        within: float,
        since: float | None = None,
        *,
        outlives_call: bool = False,
        tells: bool = True,
    ) -> E:
        """:meth:`wait` for an event of one kind."""
        found = self.wait(
            goal,
            lambda event: isinstance(event, kind) and predicate(event),
            within,
            since,
            outlives_call=outlives_call,
            tells=tells,
            meanwhile=self._marks_at_once(within) if kind is MarkHeard else None,
        )
        assert isinstance(found, kind)
        return found

    @contextlib.contextmanager
    def _marks_at_once(self, seconds: float) -> Iterator[None]:
        """Have the phone report marks at once: in a steady call it looks each 0.3 s only."""
        self.phone.process.post("await_mark", leg=self.key, seconds=seconds)
        try:
            yield
        finally:
            self.phone.process.post("await_mark", leg=self.key, seconds=0.0)

    def wait_state(self, state: str, within: float) -> CallState:
        """Wait until the call is in ``state``, or has been."""
        return self.wait_for(
            CallState, f"{self.id} {state}", lambda event: event.state == state, within
        )

    def transfer_outcome(self, within: float, *, outlives_call: bool = True) -> int:
        """The final status of the call's last REFER, from its NOTIFYs or its refusal; 0 when none
        came.

        pjsua2 reports a final status only while the call is up, and only if the same NOTIFY ends
        the subscription. But the status may arrive after the BYE, because the subscription is a
        separate usage (RFC 5057 section 4.1), or before the subscription ends.
        """

        def hopeless() -> str | BaseException | None:
            error = self.phone.overrun or self.phone.error
            if error is not None:
                return error
            is_over = self.closed or self.state == "disconnected"
            return "the call has ended" if is_over and not outlives_call else None

        with contextlib.suppress(NeverCame):
            return wait_for(
                self.phone.changed,
                # A NOTIFY is an event of the leg until the leg has closed, then of the phone.
                lambda: _outcome_of_refer([*self._facts, *self.phone.events]) or None,
                goal="the outcome of the transfer",
                within=within,
                subject=self.id,
                hopeless=hopeless,
                log=self.log,
            )
        return 0

    def wait_closed(self, within: float = 2 * FAREWELL_SECONDS) -> None:
        """Wait until the far end has answered the BYE and the recordings are complete."""
        wait_for(
            self.phone.changed,
            lambda: self.closed or None,
            goal=f"{self.id} closed",
            within=within,
            subject=self.id,
            hopeless=lambda: self.phone.error,
            log=self.log,
        )

    def received_since(self, since: float) -> NDArray[np.int16]:
        """The audio received after the monotonic time ``since``, at 8 kHz, as far as it is on disk.

        Raises :class:`ResourceError` when the disk no longer takes the recording, because a check
        would then find nothing.
        """
        samples, origin = self.received()
        return samples[max(0, round((since - origin) * SAMPLE_RATE)) :]

    def received(self) -> tuple[NDArray[np.int16], float]:
        """All of it, and the monotonic time at which it begins. Raises as :meth:`received_since`
        does.
        """
        self.require_recorded(_HELD_BACK_S)
        samples = recording.so_far(recording.paths(self.phone.directory, self.id)[0])
        pulses = self._facts.of(Listened)[-_PULSES:]
        if not pulses:
            return samples[:0], 0.0
        # A pulse may arrive late but never early, so the earliest start time is the recording's.
        return samples, min(pulse.at - pulse.seconds for pulse in pulses)

    def sent(self) -> NDArray[np.int16]:
        """All that was sent, at 8 kHz, as far as it is on disk. It begins with what was received."""
        return recording.so_far(recording.paths(self.phone.directory, self.id)[1])

    def require_recorded(self, held_back_s: float = _ROUNDED_S) -> None:
        """Raise :class:`ResourceError` when received audio is missing on disk, apart from the last
        ``held_back_s`` seconds.
        """
        newest = self._facts.last(Listened)
        if newest is not None:
            path = recording.paths(self.phone.directory, self.id)[0]
            recording.require_whole(path, newest.seconds, held_back_s)

    # The pool's side; ``changed`` is held.

    def take(self, event: Event) -> None:
        self._facts.add(event)
        if isinstance(event, CallState):
            if event.code >= 100 and event.code != 422:
                self.is_offered = True
            if event.state == "disconnected":
                self.limits.release()

    def close(self) -> None:
        """Mark the leg as closed: no more events will come."""
        self.closed = True
        self.limits.release()

    def end_after(self, seconds: float, scheduler: DeadlineScheduler) -> None:
        """Hang up in ``seconds`` if the call is still up."""
        self.limits.end_after(seconds, scheduler, lambda: self._overrun(seconds))

    def _overrun(self, seconds: float) -> None:
        if self.closed or self.state == "disconnected":
            return
        self.phone.overran(self.id, seconds)
        # If the process is lost, the call has been ended already.
        with contextlib.suppress(HarnessError):
            self.hangup()

    def succeed(self, successor: Leg) -> None:
        """Note a call that replaces this one."""
        self._successors.append(successor)


def _outcome_of_refer(events: Sequence[Event]) -> int:
    """The final status of the last REFER that was sent; 0 while it is unknown."""
    messages = [message for message in map(message_of, events) if message is not None]
    refers = [m for m in messages if not m.received and m.is_request("REFER")]
    if not refers:
        return 0
    refer = refers[-1]
    for answer in messages:
        if not answer.received or not answer.is_of(refer):
            continue
        if answer.status >= 300 and not answer.is_challenge:
            return answer.status
    for notify, status in notifies(refer, messages):
        state = (notify.message.get("Subscription-State") or "").strip().lower()
        # With a 1xx that ends the subscription, the far end has given up.
        has_ended = status >= 200 or state.startswith("terminated")
        if status and has_ended:
            return status
    return 0


def accept_every_leg(leg: Leg) -> bool:
    """The ``is_ours`` of a phone that only one case uses."""
    return True
