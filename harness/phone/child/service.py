"""The process: its parts, the handling of the stack's callbacks, and the main loop."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NoReturn

from harness.calls.events import (
    Event,
    NameLookup,
    PasswordWithheld,
    SipMessage,
    TlsHandshake,
    TransportFailed,
    to_values,
)
from harness.phone.child.account import AccountHolder, Departures, HostedPhone, LeasedPhone
from harness.phone.child.admission import Admission
from harness.phone.child.attribution import Attribution
from harness.phone.child.bindings import Refusal, pj
from harness.phone.child.commands import LATER, Command, Commands, Parent
from harness.phone.child.hearing import MarkListener
from harness.phone.child.incoming import IncomingCalls
from harness.phone.child.leg import CallLeg, Legs
from harness.phone.child.media import PlayerFactory
from harness.phone.child.messages import StackLog, WireMessage
from harness.phone.child.names import Names, Trouble
from harness.phone.child.socket_limits import ConnectionLimit, SocketName, SocketSlots
from harness.phone.child.stack import Endpoint
from harness.phone.protocol import FAREWELL_SECONDS, PULSE_INTERVAL, LogRing, Wire
from harness.support import stalls

_PULSES_A_STATISTIC: Final = 4
_BUSY_TURN: Final = 0.005  # while something is about to end
_NAME_THEIR_TARGET: Final = ("INVITE", "UPDATE")  # RFC 3261 section 12.1.1, and target refreshes
_TOO_MANY_CALLS: Final = 70010  # PJ_ETOOMANY
_NO_SLOT: Final = "Unable to accept incoming call (too many calls)"


class Service:
    """Serves the parent at the other end of ``wire``; its files go to ``directory``."""

    def __init__(self, wire: Wire, directory: Path) -> None:
        self._ring = LogRing(directory / f"child-{os.getpid()}.ring")
        self.parent = Parent(wire, self._ring)
        self.fault = self.parent.fault
        self.leg_keys = itertools.count(1)
        self.arrived: WireMessage | None = None  #: the received request that pjsip handles now
        self._afterwards: list[Callable[[], None]] = []
        self.phones: dict[int, LeasedPhone] = {}  #: by key
        self.attribution = Attribution(self.accounts, self._tell_message)
        self.legs = Legs(self.attribution, self.parent)
        self.socket_slots = SocketSlots()
        self.admission = Admission(self)
        self.connection_limit = ConnectionLimit(self.accounts)
        self.departures = Departures(self)
        self.incoming = IncomingCalls(self)
        self._commands = Commands(self)
        self._log = StackLog()
        self.endpoint = Endpoint(self, directory)
        self.connection_limit.needed = self.socket_slots.needed = self.endpoint.native.asserts
        self.endpoint.native.before_each_connection(self.connection_limit.look, self.fault)
        self.names = Names(
            self.endpoint.native.has_ipv6(), self.endpoint.wake, self._tell_name, self.fault
        )
        self.endpoint.native.filter_messages(self, self.names)
        self.players = PlayerFactory(self.endpoint.native, MarkListener(wire.together, self.fault))

    def accounts(self) -> list[AccountHolder]:
        """The phones that have an account."""
        return [phone for phone in self.phones.values() if isinstance(phone, AccountHolder)]

    # Messages and the stack's log.

    def passed(self, message: WireMessage) -> None:
        """A message was sent or received."""
        now = time.monotonic()
        start = message.text.split("\r\n", 1)[0]
        self._ring.write(
            f"{now:.3f} {message.direction} {message.transport} {message.remote} {start}"
        )
        self.attribution.message(now, message)

    def logged(self, level: int, entry: str) -> None:
        """An entry of pjsua's log."""
        if self._log.holds_received(entry):
            return
        if (sent := self._log.sent(entry)) is not None:
            self.passed(sent)
            return
        now = time.monotonic()
        self._ring.write(f"{now:.3f} {level} {entry.strip()}")
        self.connection_limit.heard(entry)
        if _NO_SLOT in entry:
            self.admission.found_no_slot()
        if (unread := self._log.unread(entry)) is not None:
            if not self.admission.refuses_unread(unread):
                self.attribution.message(now, unread)
            return
        if (handshake := self._log.handshake(entry)) is not None:
            self._tell_handshake(*handshake)
        if (connection := self._log.connection(entry)) is not None:
            self.attribution.connected(connection)

    def withheld(self, message: WireMessage, challenges: Sequence[str]) -> list[bool]:
        """For each challenge of a response, whether it gets no answer."""
        phone = self.attribution.asker_of(message)
        if phone is None:
            return [False for _ in challenges]
        found = phone.challenges.withheld(message.method, challenges)
        for one in filter(None, found):
            (self.attribution.leg_of_tag(message.local_tag) or phone).emit(
                PasswordWithheld, **asdict(one)
            )
        return [one is not None for one in found]

    # Other callbacks of the stack.

    def select_account(self, prm: Any) -> None:
        """Choose the phone of an incoming call, and prepare its answer's SDP, which pjsua makes
        right after this.
        """
        phone = self.attribution.called(self.arrived) if self.arrived is not None else None
        if phone is None:
            phone = next(
                (p for p in self.accounts() if p.account.getId() == prm.accountIndex), None
            )
        if phone is not None:
            prm.accountIndex = phone.account.getId()
            self.endpoint.prefer(phone.config.codecs)

    def transport_failed(self, handle: int, error: int, tls: Any) -> None:
        """Report a failed or broken connection to the phones it may belong to."""
        reason = self.endpoint.error_text(error)
        if not tls.isEmpty() and tls.verifyStatus:
            reason = f"{reason}: {'; '.join(list(tls.verifyMsgs))}"
        for connection, phone in self.attribution.opened_by(handle):
            facts = {
                "transport": connection.transport,
                "remote": connection.remote,
                "reason": reason,
            }
            phone.emit(TransportFailed, **facts)
            phone.connection_lost(time.monotonic())

    # Legs.

    def ends(self, leg: CallLeg) -> None:
        """A leg is over for pjsua."""
        self.legs.ends(leg)
        self.socket_slots.closed((leg.branch, leg.call_id) if leg.branch else None)

    def calls_up(self, phone: HostedPhone) -> int:
        """How many calls a phone has."""
        return sum(1 for leg in self.legs.of(phone) if not leg.disconnected)

    def free_slots(self) -> int:
        """Calls this process can still make or take."""
        return self.endpoint.most_calls - max(self.legs.slots_taken, self.endpoint.native.calls())

    def unpromised_slots(self) -> int:
        """Free call slots that remain when every phone has its maximum of calls; negative if there
        are too few.
        """
        return self.free_slots() - sum(self._may_begin(phone) for phone in self.accounts())

    def _may_begin(self, phone: AccountHolder) -> int:
        return max(
            0, phone.config.max_calls - sum(self.calls_up(one) for one in (phone, *phone.shares))
        )

    def afterwards(self, do: Callable[[], None]) -> None:
        """Run ``do`` after pjsua's callback has returned.

        pjsua frees the INVITE after ``onIncomingCall`` and asserts if an answer has freed it
        before, as any final answer to an INVITE without SDP does.
        """
        self._afterwards.append(do)

    # Messages to the parent.

    def emit(self, events: Sequence[Event], phone: HostedPhone, leg: CallLeg | None = None) -> None:
        """Send events of a phone or ``leg`` to the parent. Thread-safe."""
        self.parent.tell(
            "events",
            phone=phone.key,
            leg=leg.key if leg else None,
            events=[*map(to_values, events)],
        )

    def _tell_message(
        self, at: float, message: WireMessage, phone: HostedPhone, leg: CallLeg | None
    ) -> None:
        event = SipMessage(
            at=at,
            phone=phone.config.name,
            leg=leg.name if leg else None,
            direction=message.direction,
            transport=message.transport,
            local=self.attribution.local_address(phone, message),
            remote=message.remote,
            text=message.text,
            unread=message.unread,
        )
        self.emit([event], phone, leg)
        if message.direction == "sent" and not message.status:
            phone.sources.add(message.remote_host)
        elif (
            not message.unread
            and not message.status
            and message.method in _NAME_THEIR_TARGET
            and message.next_hop
        ):
            phone.sources.add(message.next_hop)

    def _tell_handshake(self, local: str, remote: str, failed: bool) -> None:
        """Report a TLS handshake to the phone at ``local`` (its listener's or socket's address),
        unless it is a stranger's.
        """
        source = SocketName.parse(remote).host
        for phone in self.accounts():
            at = phone.transport_name == "tls" and (
                local == phone.address or phone.bound.covers(SocketName.parse(local))
            )
            if at and phone.sources.include(source):
                phone.emit(TlsHandshake, remote=remote, failed=failed)

    def _tell_name(self, trouble: Trouble) -> None:
        """Report a lookup to the phones and legs that may wait for it; to all phones if none is
        known to.
        """
        legs = [leg for leg in self.legs if leg.waits_for(trouble.name)]
        phones: list[HostedPhone] = [
            phone for phone in self.accounts() if trouble.name in phone.next_hops
        ]
        facts = asdict(trouble)
        for phone in {*phones, *(leg.phone for leg in legs)} or self.accounts():
            phone.emit(NameLookup, **facts)
        for leg in legs:
            leg.emit(NameLookup, **facts)

    def _obey(self, command: Command) -> None:
        name, call, arguments = command
        parent = self.parent
        try:
            value = self._commands.obey(name, call, arguments)
        except Refusal as refusal:
            parent.failed(call, refusal.kind, str(refusal))
        except pj.Error as error:
            kind = "resource" if error.status == _TOO_MANY_CALLS else "misuse"
            parent.failed(call, kind, f"{name}: {error.reason} ({error.title})")
        except Exception:
            parent.failed(call, "broken", traceback.format_exc())
        else:
            if value is not LATER:
                parent.done(call, value)

    # The loop.

    def run(self) -> NoReturn:
        """Serve until the parent's end closes; then end all calls and registrations, and exit."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
        signal.signal(signal.SIGTERM, lambda *_: self.parent.gone.set())
        endpoint, parent = self.endpoint, self.parent
        parent.listen(endpoint.wake)
        parent.tell(
            "ready", pid=os.getpid(), most_calls=endpoint.most_calls, version=endpoint.version
        )
        stalls.watch(lambda stall: parent.tell("stall", began=stall.began, ended=stall.ended))
        next_pulse = 0.0
        pulses = 0
        while not parent.gone.is_set():
            now = time.monotonic()
            if now >= next_pulse:
                with parent.together():  # to wake the parent once
                    parent.tell("pulse")
                    if pulses % _PULSES_A_STATISTIC == 0:
                        self._tell_statistics(now)
                pulses += 1
                next_pulse = now + PULSE_INTERVAL
            self._turn(next_pulse - now)
        self._farewell()

    def _tell_statistics(self, now: float) -> None:
        for leg in self.legs:
            if leg.check_alive():
                leg.tell_statistics()
        self.admission.tick(now)

    def _turn(self, longest: float) -> None:
        """One turn of the main loop: commands, the stack's events, and due actions."""
        while (command := self.parent.next_command(self._waits)) is not None:
            with contextlib.suppress(OSError):
                self._obey(command)
        due = list(self.incoming.due())
        due += [leg.media.player_done for leg in self.legs if leg.media.player_done is not None]
        due += [phone.refresh_at for phone in self.accounts() if phone.refresh_at is not None]
        longest = min([longest, *(at - time.monotonic() for at in due)])
        if self.legs.ending or self.departures or self.parent.waiting:
            longest = min(longest, _BUSY_TURN)
        self.endpoint.handle_events(longest)
        self._do_what_is_due(time.monotonic())

    def _waits(self, command: str) -> bool:
        """Whether a command must wait for socket slots of pjlib, or for the call slot of an ending
        call.
        """
        if command == "add":
            return not self.connection_limit.have_room
        if command != "dial":
            return False
        return not self.socket_slots.may_dial or (
            self.free_slots() < 1 and self.legs.may_free_a_slot
        )

    def _do_what_is_due(self, now: float) -> None:
        self.names.tick(now)
        self.connection_limit.look()
        self.attribution.give_up_unbound()
        todo, self._afterwards = self._afterwards, []
        for do in todo:
            with contextlib.suppress(
                Refusal, pj.Error
            ):  # the far end may have ended the call already
                do()
        self.incoming.tick(now)
        for leg in self.legs:
            leg.media.tick(now)
        for phone in self.accounts():
            phone.refresh(now)
        self.legs.tick(now)
        self.departures.tick(now)

    def _farewell(self) -> NoReturn:
        """End all calls and registrations, wait briefly for the answers, and exit."""
        began = time.monotonic()
        for leg in self.legs:
            with contextlib.suppress(pj.Error):
                leg.hang_up()
        while (waited := time.monotonic() - began) < 2 * FAREWELL_SECONDS:
            registered = [phone for phone in self.accounts() if phone.registered]
            if not registered and (not self.legs or waited >= FAREWELL_SECONDS):
                break
            for phone in registered:
                phone.unregister(began + waited)
            self._turn(0.02)
        # Not libDestroy: it takes a second, and aborts on leftovers.
        os._exit(0)
