"""A softphone, as scenarios use it. Synchronous and thread-safe; events arrive in a background
thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.case.events import (
    Event,
    LegStarted,
    PhoneLost,
    Recorded,
    RegistrationState,
    from_values,
)
from harness.case.legs import E, EventLog
from harness.deployment.limits import LEG_MARKS, Admitted
from harness.deployment.safety import check_headers, check_never_called, check_request
from harness.errors import (
    BrokenError,
    HarnessError,
    PhoneLostError,
    PhoneMisuseError,
    ResourceError,
)
from harness.phone import crash_cleanup
from harness.phone.config import PhoneConfig
from harness.phone.leg import Headers, Leg, accept_every_leg
from harness.phone.process import PhoneProcess
from harness.phone.protocol import Answer, Mark, Policy, Ring, Source, choice_to_plain
from harness.phone.rules import CallSlots, Rules, check_transport
from harness.phone.waiter import NeverCame, event_lines, first, wait_for, why_nothing_came

if TYPE_CHECKING:
    from harness.phone.pool import PhonePool

Sink = Callable[[Event], None]


class Phone:
    """A leased softphone. End the lease with :meth:`release`, or use the phone as a context
    manager.
    """

    def __init__(
        self,
        owner: PhonePool,
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
        self._slots = CallSlots(rules)
        self._owner = owner
        self.process = process
        self.key = key
        self.config = config
        self.changed: threading.Condition = owner.changed
        self.directory = directory
        self.address = ""  #: ``address:port`` in its messages; behind a router, the router's
        self._sink = sink
        self._marks = marks
        self._legs: dict[int, Leg] = {}
        self._events = EventLog()
        self._policy: Policy = Ring()
        #: Whether an incoming leg belongs to the case. Other legs are ignored and keep ringing.
        self.is_ours: Callable[[Leg], bool] = accept_every_leg
        #: Whether a call came that may belong to this case or to another one that shares the phone.
        self.guessed = False
        self.loss: PhoneLostError | None = None  #: why its process died
        self._sink_error: Exception | None = None
        self._crash_hangup: threading.Thread | None = None
        self._released = False
        #: Set when a leg lasted too long and was hung up, or got no mark.
        self.overrun: BrokenError | None = None
        #: Set when this run's rules declined a REFER to a number of the deployment.
        self.declined: BrokenError | None = None

    def __repr__(self) -> str:
        return f"<Phone {self.name} {self.config.transport} {self.address}>"

    def __enter__(self) -> Phone:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def name(self) -> str:
        """The name in its configuration; its legs are named ``name.1``, ``name.2`` …"""
        return self.config.name

    @property
    def events(self) -> list[Event]:
        """Events of the phone that belong to no leg: registrations, OPTIONS, transports."""
        with self.changed:
            return list(self._events)

    @property
    def facts(self) -> EventLog:
        """:attr:`events` by their kind. They grow meanwhile."""
        return self._events

    @property
    def legs(self) -> list[Leg]:
        """All legs of this lease, oldest first."""
        with self.changed:
            return list(self._legs.values())

    def _up(self) -> list[Leg]:
        unfinished = [leg for leg in self.legs if not leg.closed]
        return [leg for leg in unfinished if leg.state != "disconnected"]

    @property
    def incoming(self) -> list[Leg]:
        """The incoming legs that belong to the case (:attr:`is_ours`)."""
        incoming = [leg for leg in self.legs if leg.direction == "incoming"]
        return list(filter(self._belongs, incoming))

    def _belongs(self, leg: Leg) -> bool:
        is_of_the_case_before = not leg.taken and leg.facts.began < self._rules.first_placed()
        return self.is_ours(leg) and not is_of_the_case_before

    @property
    def error(self) -> BaseException | None:
        """Why no wait can succeed: the phone process or the simulated world is lost."""
        return self.loss or self._owner.fatal_error

    def fault(self) -> BaseException | None:
        """:attr:`error`, or why its process does not answer or has just stood still. Asks the
        process.
        """
        if self.error is None:
            try:
                self.process.check()
            except HarnessError as error:
                return error
        return self.error

    def instead(self, events: EventLog) -> str | BrokenError | None:
        """Why an expected event is missing: a phone of the case was lost, or ``events`` hold it as
        an unread message.
        """
        return self._owner.loss or why_nothing_came(events)

    def stalled_s(self, begin: float, end: float) -> float:
        """For how many seconds between two moments its process did not run."""
        return sum(stall.seconds for stall in self.process.stalls(begin, end))

    @property
    def policy(self) -> Policy:
        """How the phone treats incoming calls."""
        return self._policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        self.command("set_policy", phone=self.key, policy=choice_to_plain(policy))
        self._policy = policy

    def log(self) -> str:
        """The events of the phone and its legs as text."""
        with self.changed:
            events = list(self._events)
            for leg in self._legs.values():
                events += leg.events
        return event_lines(sorted(events, key=lambda event: event.at))

    # Registration.

    def register(self, within: float = 5.0) -> RegistrationState:
        """Send REGISTER and wait for the outcome, which may be a refusal. An active registration is
        returned at once.

        Raises :class:`NeverCame` without an answer, :class:`PhoneMisuseError` without a registrar.
        """
        with self.changed:
            kept = self.registration
            if kept is not None and kept.active:
                return kept
        begin = len(self._events)
        self.command("register", phone=self.key)
        return self.wait_for(
            RegistrationState, f"{self.name} registered", lambda _: True, within, begin=begin
        )

    # Calls.

    def dial(
        self,
        uri: str,
        headers: Headers = (),
        play: Source | None = None,
        identity: str | None = None,
    ) -> Leg:
        """Call ``uri`` (a SIP or tel URI, or a number of the phone's domain); returns at once.

        ``identity`` replaces the user in From: a warm transfer may show another party's number.

        Raises :class:`RefusedError` when the rules forbid the call, :class:`ResourceError` when no
        call is free.
        """
        target = self.config.target(uri)
        self.guard(target)
        check_headers(headers)
        up = len(self._up())
        most = self.config.max_calls
        if up >= most:
            raise ResourceError(f"phone {self.name} has {up} calls up; its limit is {most}")
        own: list[tuple[str, str]] = []
        if self.config.privacy:
            own.append(("Privacy", "id"))
            own.append(("P-Asserted-Identity", f"<{self.config.address_of_record}>"))
        slot = self._slots.take()
        try:
            key = self.command(
                "dial",
                phone=self.key,
                uri=target,
                headers=[*own, *headers],
                mark=self._next_mark(),
                source=choice_to_plain(play or Mark()),
                local_uri=self.config.from_uri(identity),
            )
        except BaseException:
            if slot is not None:
                slot.release()
            raise
        leg = self._legs[key]
        if slot is not None:
            with self.changed:
                leg.limits.hold(slot)
        return leg

    def expect_call(self, within: float, answer: bool | None = True, headers: Headers = ()) -> Leg:
        """The next incoming leg that no earlier wait returned, answered if ``answer``."""
        leg = self.next_call(within)
        if isinstance(self._policy, Answer):
            return leg  # the phone answers by itself
        if answer and leg.state in ("incoming", "early"):
            leg.answer(headers)
        return leg

    def next_call(self, within: float) -> Leg:
        """The next incoming leg that no earlier wait returned; nothing is sent."""

        def probe() -> Leg | None:
            for leg in self._legs.values():
                if leg.direction != "incoming" or leg.taken or not leg.is_offered:
                    continue
                if self._belongs(leg):
                    leg.taken = True
                    return leg
            return None

        return wait_for(
            self.changed,
            probe,
            goal=f"a call at {self.name}",
            within=within,
            subject=self.name,
            hopeless=lambda: self.error,
            log=self.log,
            missed=lambda: self.instead(self._events),
            stalled=self.stalled_s,
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
        credentials: Headers = (),
    ) -> tuple[int, str]:
        """The final answer to a request outside any dialog; after 32 s the phone itself reports
        408.

        pjsua does not answer challenges to such requests; pass the headers that do as
        ``credentials`` (RFC 3261 section 22).
        """
        check_request(method, headers)
        code, reason = self.command(
            "request",
            within,
            phone=self.key,
            method=method,
            uri=self.config.target(uri),
            headers=[*headers, *credentials],
            body=body,
            content_type=content_type,
        )
        return int(code), str(reason)

    def wait(
        self,
        goal: str,
        predicate: Callable[[Event], bool],
        within: float,
        since: float | None = None,
    ) -> Event:
        """The first of :attr:`events` for which ``predicate`` holds; see :meth:`Leg.wait`."""
        return self._wait(goal, predicate, within, since=since)

    def wait_for(
        self,
        kind: type[E],
        goal: str,
        predicate: Callable[[E], bool],
        within: float,
        *,
        begin: int = 0,
    ) -> E:
        """:meth:`wait` for an event of one kind, from the event at index ``begin`` on."""
        found = self._wait(
            goal,
            lambda event: isinstance(event, kind) and predicate(event),
            within,
            begin=begin,
        )
        assert isinstance(found, kind)
        return found

    def _wait(
        self,
        goal: str,
        predicate: Callable[[Event], bool],
        within: float,
        *,
        begin: int = 0,
        since: float | None = None,
    ) -> Event:
        return wait_for(
            self.changed,
            first(self._events, predicate, begin, since),
            goal=goal,
            within=within,
            subject=self.name,
            hopeless=lambda: self.overrun or self.error,
            log=self.log,
            missed=lambda: self.instead(EventLog(self._events[begin:])),
            stalled=self.stalled_s,
        )

    # Hanging up.

    def hang_up(self) -> None:
        """End all calls without waiting for answers."""
        for leg in self._up():
            self.process.post("hang_up", leg=leg.key, code=0, reason="", headers=[])

    @property
    def registration(self) -> RegistrationState | None:
        """The newest state of its registration; None before the first."""
        return self._events.last(RegistrationState)

    def release(self, keep_registration: bool = False) -> None:
        """Hang up, wait for the recordings, and return the phone to the pool; its process is kept
        for the next case.

        With ``keep_registration`` the next lease of an equal configuration finds it registered.
        Raises the sink's first error. Releasing a lost phone waits until its calls have been ended,
        and raises nothing. To release several phones, call :meth:`hang_up` on all of them first:
        their recordings then close at the same time.
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
        self._owner.give_back(self, keep_registration)
        if self._crash_hangup is not None:
            self._crash_hangup.join()
        if self._sink_error is not None:
            raise self._sink_error

    # The pool's side.

    def guard(self, uri: str) -> None:
        """Raise :class:`RefusedError` if ``uri`` may not be called."""
        self._rules.guard(uri)
        check_never_called(uri)

    def guard_refer(self, uri: str) -> None:
        """Raise :class:`RefusedError` if another party may not be asked to call ``uri``."""
        guard = self._rules.refer_guard or self._rules.guard
        guard(uri)
        check_never_called(uri)

    def follow(self, leg: Leg, uri: str, *, has_room: bool) -> None:
        """Reserve a slot for the call that a REFER in ``leg`` asks for. Raises
        :class:`RefusedError` or :class:`BrokenError`.
        """
        self.guard(uri)
        check_transport(uri, self.config)
        if not has_room:
            raise ResourceError(f"the process of phone {self.name} has no free call")
        self._slots.promise(leg.limits)

    def declines(self, error: Exception) -> None:
        """Note that the harness declined a legitimate REFER. The consequences are not a fault of
        the system under test.
        """
        self.declined = BrokenError(f"a REFER was declined with 603: {error}")

    def overran(self, leg: str, seconds: float) -> None:
        """Note that a leg was hung up at its time limit; all waits of the phone end."""
        with self.changed:
            self.overrun = ResourceError(
                f"{leg} was hung up after {seconds:g} s; allowed: limits.seconds_per_call"
            )
            self.changed.notify_all()

    def command(self, name: str, within: float = 10.0, /, **arguments: Any) -> Any:
        """Run a command of the phone process and return its result."""
        if self.loss is not None:
            raise self.loss
        if self._released:
            raise PhoneMisuseError(f"phone {self.name} was released")
        return self.process.call(name, within, **arguments)

    def _next_mark(self) -> int:
        mark = next(self._marks, None)
        if mark is None:
            raise ResourceError(f"no mark is left for a leg of phone {self.name}")
        return mark

    def notified(self, name: str, arguments: dict[str, Any]) -> int | None:
        """Handle a notification of the process; the caller holds ``changed``. Returns the mark that
        a new leg still needs.
        """
        if name == "events":
            leg = None
            if arguments["leg"] is not None:
                leg = self._legs.get(arguments["leg"])
            for values in arguments["events"]:
                self._take(from_values(values), leg)
        elif name == "leg_started":
            return self._started(arguments)
        elif name == "leg_closed":
            self._legs[arguments["leg"]].close()
        elif name == "guessed":
            self.guessed = True
        return None

    def _started(self, arguments: dict[str, Any]) -> int | None:
        """Add a leg. One that the phone's process created (an incoming call, or one on a REFER) has
        no mark yet.
        """
        try:
            mark = self._next_mark() if arguments["mark"] is None else arguments["mark"]
        except ResourceError as error:  # the reader thread serves all phones and must go on
            mark = LEG_MARKS  # which no leg sends
            self.overrun = self.overrun or error
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
        if predecessor is not None:
            predecessor.succeed(leg)
            slot = self._slots.promised() if leg.direction == "outgoing" else None
            if slot is not None:
                leg.limits.hold(slot)
        if self._rules.seconds_per_call is not None:
            leg.end_after(self._rules.seconds_per_call, self._owner.deadlines)
        self._emit(event)
        return mark if arguments["mark"] is None else None

    def _take(self, event: Event, leg: Leg | None) -> None:
        if leg is not None:
            leg.take(event)
        else:
            self._events.add(event)
        self._emit(event, leg)

    def _emit(self, event: Event, leg: Leg | None = None) -> None:
        try:
            self._sink(event)
            if leg is not None and isinstance(event, Recorded) and self.loss is None:
                leg.require_recorded()
        # A full disk must not stop the reader of all phones; release() raises it.
        except Exception as error:
            self._sink_error = self._sink_error or error

    def lose(self, reason: str, log: str) -> None:
        """Note that the process died; the caller holds ``changed``."""
        self.loss = PhoneLostError(f"phone {self.name} was lost: {reason}\n{log}")
        self._take(PhoneLost(at=time.monotonic(), phone=self.name, reason=reason, log=log), None)
        left = [(leg, leg.limits.keep_slot()) for leg in self._up()]
        for leg in self._legs.values():
            leg.close()
        if left:
            self._crash_hangup = threading.Thread(
                target=self._end_for_the_lost, args=(left,), name=f"end {self.name}"
            )
            self._crash_hangup.start()

    def _end_for_the_lost(self, left: list[tuple[Leg, Admitted | None]]) -> None:
        """End the calls of a process that died, one after the other, and give their slots back."""
        for leg, slot in left:

            def note(event: Event, leg: Leg = leg) -> None:
                with self.changed:
                    self._take(event, leg)

            ended = crash_cleanup.end(self.config, self.directory, leg.id, leg.messages, note)
            if slot is None:
                continue
            # A call that may still be up keeps its slot for its maximum length.
            until = leg.facts.began + (self._rules.seconds_per_call or 0.0)
            left_s = until - time.monotonic()
            if ended or left_s <= 0:
                slot.release()
            else:
                self._owner.deadlines.after(left_s, slot.release)

    def leg(self, key: int) -> Leg | None:
        """The leg with the process's ``key``."""
        return self._legs.get(key)

    def adopt(self, registration: RegistrationState | None) -> None:
        """Take over the registration of an earlier lease."""
        if registration is not None:
            with self.changed:
                self._take(registration, None)
