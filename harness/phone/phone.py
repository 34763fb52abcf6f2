"""The parent's side of softphones: what scenarios hold. Synchronous, thread-safe; events arrive in the background."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from harness.audio.marks import SAMPLE_RATE
from harness.errors import BrokenError, HarnessError, PhoneLostError, PhoneMisuseError, ResourceError
from harness.events import (
    CallState,
    Event,
    LegStarted,
    Listened,
    MediaState,
    PhoneLost,
    Recorded,
    RegistrationState,
    RtpStatistics,
    SipMessage,
    from_plain,
    to_plain,
)
from harness.phone import orphan, recording
from harness.phone.config import PhoneConfig
from harness.phone.process import NotNegotiatedError, PhoneProcess
from harness.phone.protocol import FAREWELL_SECONDS, Answer, Mark, Policy, Ring, Source, choice_to_plain
from harness.phone.rules import Curfew, Place, Rules
from harness.phone.waiter import NeverCame, never_came, wait_for
from harness.safety import check_headers, check_request

if TYPE_CHECKING:
    from harness.phone.pool import PhonePool

Sink = Callable[[Event], None]
Headers = Sequence[tuple[str, str]]

#: A final response to an INFO, and how long one is waited for before the next digit goes out.
_INFO_ANSWER: Final = re.compile(
    r"SIP/2\.0 [2-6]\d\d .*?^CSeq:\s*\d+\s+INFO\s*$", re.DOTALL | re.MULTILINE | re.IGNORECASE
)
_INFO_ANSWERED_S: Final = 2.0
#: How many of a leg's last pulses tell the time of what it received: a second's.
_PULSES: Final = 5

_ANONYMOUS: Final = '"Anonymous" <sip:anonymous@anonymous.invalid>'  # RFC 3323 section 4.1.1.3


class Leg:
    """One call of a phone."""

    def __init__(self, phone: Phone, key: int, started: LegStarted, predecessor: Leg | None) -> None:
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
        self._successor: Leg | None = None
        self._closed = False
        self._taken = False
        self.is_offered = (
            False  #: received, and not refused by the stack itself with 422 (RFC 4028: it is offered again)
        )
        self._place: Place | None = None
        self._call_off: Callable[[], None] | None = None

    def __repr__(self) -> str:
        return f"<Leg {self.id} {self.direction} {self.state}>"

    # What happened.

    @property
    def events(self) -> list[Event]:
        """All of the leg's events so far, in the order they arrived."""
        with self.phone.bell:
            return list(self._events)

    @property
    def messages(self) -> list[SipMessage]:
        """The leg's SIP messages."""
        return [event for event in self.events if isinstance(event, SipMessage)]

    @property
    def invite(self) -> SipMessage:
        """The first INVITE, sent or received. Raises ``LookupError`` when none left the phone."""
        for message in self.messages:
            if message.text.startswith("INVITE "):
                return message
        raise LookupError(f"{self.id} has no INVITE")

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
        """The call that took this one's place: placed on a REFER, or received with Replaces."""
        return self._successor

    @property
    def closed(self) -> bool:
        """Whether nothing more will come: hung up, answered, recorded."""
        return self._closed

    def log(self) -> str:
        """One line for each event but the pulses, with the seconds since the first."""
        return _log(self.events)

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
        self._do("respond", code=code, reason=reason, headers=list(headers))

    def hangup(self, code: int = 0, reason: str = "", headers: Headers = ()) -> None:
        """BYE, CANCEL or a refusal, whichever ends the call now; nothing when it is over."""
        self._do("hang_up", code=code, reason=reason, headers=list(headers))

    def cancel(self) -> None:
        """CANCEL. Raises :class:`PhoneMisuseError` for a call that is not an unanswered outgoing one."""
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
            self._do("statistics")
        return next((event for event in reversed(self.events) if isinstance(event, RtpStatistics)), None)

    def _same_process(self, other: Leg) -> None:
        if other.phone.process is not self.phone.process:
            raise PhoneMisuseError(f"{self.id} and {other.id} live in different processes")

    def _do(self, name: str, **arguments: Any) -> Any:
        return self.phone.command(name, leg=self.key, **arguments)

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
        seen = 0

        def probe() -> Event | None:
            nonlocal seen
            while seen < len(self._events):
                event = self._events[seen]
                seen += 1
                if (since is None or event.at >= since) and predicate(event):
                    return event
            return None

        def hopeless() -> str | BaseException | None:
            error = self.phone.overrun or self.phone.error
            if error is not None:
                return error
            if self._closed or (self._state == "disconnected" and not outlives_call):
                return self._ended
            return None

        return wait_for(
            self.phone.bell, probe, goal=goal, within=within, subject=self.id, hopeless=hopeless, log=self.log
        )

    @property
    def _ended(self) -> str:
        """That the call has ended, and how where it was refused."""
        refusals = [e for e in self._events if isinstance(e, CallState) and e.state == "disconnected" and e.code >= 300]
        if not refusals:
            return "the call has ended"
        # pjsua2 says 487 of its own for a redirection it does not follow
        redirections = [m.text for m in self.messages if m.direction == "received" and m.text.startswith("SIP/2.0 3")]
        told = (
            redirections[-1].partition("\r\n")[0][8:] if redirections else f"{refusals[-1].code} {refusals[-1].reason}"
        )
        return f"the call has ended with {told}"

    def wait_state(self, state: str, within: float) -> CallState:
        """Until the call is in ``state``, or was."""
        event = self.wait(
            f"{self.id} {state}", lambda event: isinstance(event, CallState) and event.state == state, within
        )
        assert isinstance(event, CallState)
        return event

    def wait_media(self, within: float, since: float | None = None) -> MediaState:
        """Until media is active."""
        event = self.wait(
            f"{self.id} has media", lambda event: isinstance(event, MediaState) and event.active, within, since
        )
        assert isinstance(event, MediaState)
        return event

    def wait_closed(self, within: float = 2 * FAREWELL_SECONDS) -> None:
        """Until the far end has answered the BYE and the recordings are whole."""
        wait_for(
            self.phone.bell,
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
        """What it received after the monotonic time ``since``, at 8 kHz, as far as it is on disk by now."""
        samples = recording.so_far(recording.paths(self.phone.directory, self.id)[0])
        pulses = [event for event in self.events if isinstance(event, Listened)][-_PULSES:]
        if not pulses:
            return samples[:0]
        # A pulse may be told late and never early, so the earliest of them tells when the recording began.
        origin = min(pulse.at - pulse.seconds for pulse in pulses)
        return samples[max(0, round((since - origin) * SAMPLE_RATE)) :]

    # The pool's side; the bell is held.

    def take(self, event: Event) -> None:
        """Note an event."""
        self._events.append(event)
        if isinstance(event, CallState):
            self._state = event.state
            if event.code >= 100 and event.code != 422:
                self.is_offered = True
            if event.state == "disconnected":
                self._leave()
        elif isinstance(event, MediaState) and event.active:
            self._codec = event.codec

    def close(self) -> None:
        """Note that nothing more will come."""
        self._closed = True
        self._leave()

    def hold_place(self, place: Place) -> None:
        """Keep a place among the calls until this one ends."""
        self._place = place
        if self._closed or self._state == "disconnected":
            self._leave()

    def end_after(self, seconds: float, curfew: Curfew) -> None:
        """See to it that the leg ends in ``seconds`` at the latest."""
        self._call_off = curfew.after(seconds, lambda: self._overrun(seconds))

    def _overrun(self, seconds: float) -> None:
        if self._closed or self._state == "disconnected":
            return
        self.phone.overran(self.id, seconds)
        with contextlib.suppress(HarnessError):  # a lost process has hung up already
            self.hangup()

    def _leave(self) -> None:
        place, self._place = self._place, None
        if place is not None:
            place.leave()
        if self._call_off is not None:
            self._call_off()

    @property
    def place(self) -> Place | None:
        """Its place among the calls; None when it was received, or is over."""
        return self._place

    def succeed(self, successor: Leg) -> None:
        """Note the call that takes this one's place."""
        self._successor = successor


class Phone:
    """A leased softphone. Leave it by :meth:`release`, or use it as a context manager."""

    def __init__(
        self,
        pool: PhonePool,
        process: PhoneProcess,
        key: int,
        config: PhoneConfig,
        *,
        sink: Sink,
        marks: Iterator[int],
        directory: Path,
        rules: Rules,
    ) -> None:
        self._rules = rules
        self._pool, self.process, self.key, self.config = pool, process, key, config
        self.bell: threading.Condition = pool.bell
        self.directory = directory
        self.address = ""  #: ``address:port`` it is bound to
        self._sink, self._marks = sink, marks
        self._legs: dict[int, Leg] = {}
        self._order: list[Leg] = []
        self._events: list[Event] = []
        self._policy: Policy = Ring()
        #: Which of the calls that come are looked at: where others call the same number, theirs go on ringing.
        self.is_ours: Callable[[Leg], bool] = lambda leg: True
        self._lost: PhoneLostError | None = None
        self._sink_error: Exception | None = None
        self._farewell: threading.Thread | None = None
        self._released = False
        self._promised: list[Place] = []
        self.overrun: BrokenError | None = None  #: a leg lasted too long and was hung up
        self.registration: RegistrationState | None = None

    def __repr__(self) -> str:
        return f"<Phone {self.name} {self.config.transport} {self.address}>"

    def __enter__(self) -> Phone:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def name(self) -> str:
        """Of its configuration; its legs are called ``name.1``, ``name.2`` …"""
        return self.config.name

    @property
    def events(self) -> list[Event]:
        """What happened to the phone and not to one of its legs: registrations, OPTIONS, transports."""
        with self.bell:
            return list(self._events)

    @property
    def legs(self) -> list[Leg]:
        """All legs of this lease, oldest first."""
        with self.bell:
            return list(self._order)

    @property
    def incoming(self) -> list[Leg]:
        """The legs that were received, strangers' left out (:attr:`is_ours`)."""
        return [leg for leg in self.legs if leg.direction == "incoming" and self.is_ours(leg)]

    @property
    def error(self) -> BaseException | None:
        """Why nothing can be waited for any more: the process is lost, or the pool was told that the world is."""
        return self._lost or self._pool.doom

    @property
    def policy(self) -> Policy:
        """What the phone does with calls from now on."""
        return self._policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        self.command("set_policy", phone=self.key, policy=choice_to_plain(policy))
        self._policy = policy

    def log(self) -> str:
        """One line for each event of the phone and its legs."""
        with self.bell:
            events = sorted([*self._events, *(e for leg in self._order for e in leg.events)], key=lambda e: e.at)
        return _log(events)

    # Registration.

    def register(self, within: float = 5.0) -> RegistrationState:
        """REGISTER and wait for the outcome, which may be a refusal. A registration that was kept is returned as it is.

        Raises :class:`NeverCame` without an answer, :class:`PhoneMisuseError` without a registrar.
        """
        with self.bell:
            kept = self.registration
            if kept is not None and kept.active:
                return kept
        return self._registration("registered", True, within)

    def unregister(self, within: float = 5.0) -> RegistrationState:
        """Take the registration back and wait for the answer."""
        return self._registration("unregistered", False, within)

    def _registration(self, goal: str, active: bool, within: float) -> RegistrationState:
        begin = len(self._events)
        self.command("register", phone=self.key, active=active)
        event = self._wait(
            f"{self.name} {goal}", lambda event: isinstance(event, RegistrationState), within, begin=begin
        )
        assert isinstance(event, RegistrationState)
        return event

    # Calls.

    def dial(self, uri: str, headers: Headers = (), play: Source | None = None, identity: str | None = None) -> Leg:
        """Call ``uri`` (a SIP or tel URI, or a number of the phone's domain); returns at once.

        ``identity`` is the user that From names instead of the phone's own, as a warm transfer shows another's number.

        Raises :class:`RefusedError` when the rules do not allow it, :class:`ResourceError` without a free call.
        """
        target = self.target(uri)
        self.guard(target)
        check_headers(headers)
        with self.bell:
            up = sum(1 for leg in self._order if not leg.closed and leg.state != "disconnected")
        if up >= self.config.max_calls:
            raise ResourceError(f"phone {self.name} has {up} calls up, and may have {self.config.max_calls}")
        own: list[tuple[str, str]] = []
        if self.config.privacy:
            own = [("Privacy", "id"), ("P-Asserted-Identity", f"<{self.config.address_of_record}>")]
        place = Place(self._rules.admit()) if self._rules.admit else None
        try:
            key = self.command(
                "dial",
                phone=self.key,
                uri=target,
                headers=[*own, *headers],
                mark=self._next_mark(),
                source=choice_to_plain(play or Mark()),
                local_uri=_ANONYMOUS if self.config.privacy else self._local_uri(identity),
            )
        except BaseException:
            if place is not None:
                place.leave()
            raise
        leg = self._legs[key]
        if place is not None:
            with self.bell:
                leg.hold_place(place)
        return leg

    def _local_uri(self, identity: str | None) -> str:
        return f"<sip:{identity}@{self.config.domain}>" if identity else ""

    def target(self, uri: str) -> str:
        """``uri`` as it is dialled: whole, and with the transport where no proxy decides on it."""
        if ":" not in uri:
            uri = f"sip:{uri}@{self.config.domain}"
        transport = self.config.transport
        if not self.config.proxy and transport != "udp" and uri.startswith("sip:") and ";transport=" not in uri.lower():
            head, question, rest = uri.partition("?")
            uri = f"{head};transport={transport}{question}{rest}"
        return uri

    def expect_call(self, within: float, answer: bool | None = True, ring: bool = True, headers: Headers = ()) -> Leg:
        """The next incoming leg that nobody has taken yet, answered if ``answer``.

        With ``ring``, a leg that is not answered says 180, if the phone's policy has not made it ring already.
        """
        leg = self.next_call(within)
        if isinstance(self._policy, Answer):
            return leg  # it does that by itself
        if answer and leg.state in ("incoming", "early"):
            leg.answer(headers)
        elif ring and leg.state == "incoming":
            leg.ring()
        return leg

    def next_call(self, within: float) -> Leg:
        """The next incoming leg that nobody has taken yet, left as it is."""

        def probe() -> Leg | None:
            for leg in self._order:
                if leg.direction == "incoming" and not leg._taken and leg.is_offered and self.is_ours(leg):
                    leg._taken = True
                    return leg
            return None

        return wait_for(
            self.bell,
            probe,
            goal=f"a call at {self.name}",
            within=within,
            subject=self.name,
            hopeless=lambda: self.error,
            log=self.log,
        )

    def options(self, uri: str, within: float = 5.0) -> tuple[int, str]:
        """The answer to an OPTIONS (RFC 3261 section 11)."""
        return self.request("OPTIONS", uri, within=within)

    def request(
        self,
        method: str,
        uri: str,
        headers: Headers = (),
        body: str = "",
        content_type: str = "text/plain",
        within: float = 35.0,
    ) -> tuple[int, str]:
        """The final answer to a request outside any dialog; 408 comes from the phone itself after 32 s."""
        check_request(method, headers)
        code, reason = self.command(
            "request",
            within,
            phone=self.key,
            method=method,
            uri=self.target(uri),
            headers=list(headers),
            body=body,
            content_type=content_type,
        )
        return int(code), str(reason)

    def wait(self, goal: str, predicate: Callable[[Event], bool], within: float, since: float | None = None) -> Event:
        """The first event of the phone itself for which ``predicate`` holds; see :meth:`Leg.wait`."""
        return self._wait(goal, lambda event: (since is None or event.at >= since) and predicate(event), within)

    def _wait(self, goal: str, predicate: Callable[[Event], bool], within: float, *, begin: int = 0) -> Event:
        seen = begin

        def probe() -> Event | None:
            nonlocal seen
            while seen < len(self._events):
                event = self._events[seen]
                seen += 1
                if predicate(event):
                    return event
            return None

        return wait_for(
            self.bell,
            probe,
            goal=goal,
            within=within,
            subject=self.name,
            hopeless=lambda: self.overrun or self.error,
            log=self.log,
        )

    # Its end.

    def hang_up(self) -> None:
        """End all calls, without waiting for anything."""
        for leg in self.legs:
            if not leg.closed and leg.state != "disconnected":
                self.process.post("hang_up", leg=leg.key, code=0, reason="", headers=[])

    def release(self, keep_registration: bool = False) -> None:
        """Hang up, wait for the recordings, and give the phone back; the process is kept for the next case.

        With ``keep_registration`` the next lease of an equal configuration finds it registered. Raises what the sink
        raised first. A lost phone is released without complaint, once its calls have been ended for it. To release
        several phones, :meth:`hang_up` all of them first: their recordings are then closed at the same time.
        """
        if self._released:
            return
        if keep_registration:
            try:
                self.hang_up()
                for leg in self.legs:
                    leg.wait_closed()
            except (HarnessError, NeverCame):
                keep_registration = False
        self._released = True
        self._pool.give_back(self, keep_registration)
        if self._farewell is not None:
            self._farewell.join()
        if self._sink_error is not None:
            raise self._sink_error

    # The pool's side.

    def guard(self, uri: str) -> None:
        """Raise :class:`RefusedError` for what may not be called."""
        self._rules.guard(uri)

    def follow(self, leg: Leg, uri: str) -> None:
        """Promise a place to the call that a REFER in ``leg`` asks for. Raises :class:`RefusedError` or :class:`BrokenError`."""
        self.guard(uri)
        if self._rules.admit is None:
            return
        place = leg.place
        if place is None:
            place = Place(self._rules.admit())
        else:
            place.share()
        with self.bell:
            self._promised.append(place)

    def overran(self, leg: str, seconds: float) -> None:
        """Note that a leg had to be hung up; every wait of the phone's ends."""
        with self.bell:
            self.overrun = ResourceError(f"{leg} was hung up after {seconds:g} s; allowed: limits.seconds_per_call")
            self.bell.notify_all()

    def command(self, name: str, within: float = 10.0, /, **arguments: Any) -> Any:
        """Have the process do something."""
        if self._lost is not None:
            raise self._lost
        if self._released:
            raise PhoneMisuseError(f"phone {self.name} was released")
        return self.process.call(name, within, **arguments)

    def _next_mark(self) -> int:
        try:
            return next(self._marks)
        except StopIteration:
            raise ResourceError(f"no mark is left for a leg of phone {self.name}") from None

    def told(self, name: str, arguments: dict[str, Any]) -> int | None:
        """Take what the process tells of this phone; the bell is held. Returns the mark a new leg still needs."""
        if name == "event":
            event = from_plain(arguments["event"])
            leg = self._legs.get(arguments["leg"]) if arguments["leg"] is not None else None
            self._take(event, leg)
        elif name == "leg_started":
            return self._started(arguments)
        elif name == "leg_closed":
            self._legs[arguments["leg"]].close()
        return None

    def _started(self, arguments: dict[str, Any]) -> int | None:
        given = arguments["mark"]
        mark = self._next_mark() if given is None else given
        predecessor = self._legs.get(arguments["replaces"])
        event = LegStarted(
            at=arguments["at"],
            phone=self.name,
            leg=arguments["name"],
            direction=arguments["direction"],
            mark=mark,
            remote_uri=arguments["remote_uri"],
            replaces=predecessor.id if predecessor else None,
        )
        leg = Leg(self, arguments["leg"], event, predecessor)
        self._legs[leg.key] = leg
        self._order.append(leg)
        if predecessor is not None:
            predecessor.succeed(leg)
            if self._promised and leg.direction == "outgoing":
                leg.hold_place(self._promised.pop(0))
        if self._rules.seconds_per_call is not None:
            leg.end_after(self._rules.seconds_per_call, self._pool.curfew)
        self._emit(event)
        return mark if given is None else None

    def _take(self, event: Event, leg: Leg | None) -> None:
        if leg is not None:
            leg.take(event)
        else:
            self._events.append(event)
            if isinstance(event, RegistrationState):
                self.registration = event
        self._emit(event)

    def _emit(self, event: Event) -> None:
        try:
            self._sink(event)
        except Exception as error:  # a full disk must not stop the reader of all phones; release() raises it
            self._sink_error = self._sink_error or error

    def lose(self, reason: str, log: str) -> None:
        """The process is gone; the bell is held."""
        self._lost = PhoneLostError(f"phone {self.name} was lost: {reason}\n{log}")
        self._take(PhoneLost(at=time.monotonic(), phone=self.name, reason=reason, log=log), None)
        left = [leg for leg in self._order if not leg.closed and leg.state != "disconnected"]
        for leg in self._order:
            leg.close()
        if left:
            self._farewell = threading.Thread(target=self._bid_farewell, args=(left,), name=f"farewell {self.name}")
            self._farewell.start()

    def _bid_farewell(self, legs: list[Leg]) -> None:
        """Hang up for the process, and save what it recorded."""
        for leg in legs:

            def note(message: SipMessage, leg: Leg = leg) -> None:
                with self.bell:
                    self._take(message, leg)

            orphan.hang_up(self.config, leg.id, leg.messages, note)
            received, sent = recording.paths(self.directory, leg.id)
            if recording.mend(received):
                saved = Recorded(
                    at=time.monotonic(),
                    phone=self.name,
                    leg=leg.id,
                    path=str(received),
                    sent_path=str(sent) if recording.mend(sent) else None,
                )
                with self.bell:
                    self._take(saved, leg)

    def leg(self, key: int) -> Leg | None:
        """The leg the process knows by ``key``."""
        return self._legs.get(key)

    def adopt(self, registration: RegistrationState | None) -> None:
        """Take over the registration that an earlier lease left behind."""
        if registration is not None:
            with self.bell:
                self._take(registration, None)


def _log(events: list[Event]) -> str:
    if not events:
        return "nothing happened"
    begin = min(event.at for event in events)
    return "\n".join(
        f"{event.at - begin:8.3f}  {_line(event)}"
        for event in events
        if not isinstance(event, Listened | RtpStatistics)
    )


def _line(event: Event) -> str:
    who = event.leg or event.phone
    if isinstance(event, SipMessage):
        arrow = "→" if event.direction == "sent" else "←"
        return f"{who} {arrow} {event.transport} {event.remote} {event.text.splitlines()[0]}"
    facts = {name: value for name, value in to_plain(event).items() if name not in ("kind", "at", "phone", "leg")}
    if isinstance(event, PhoneLost):
        del facts["log"]
    return f"{who} {type(event).__name__} " + " ".join(f"{name}={value}" for name, value in facts.items())
