"""The process: its parts, the handling of the stack's callbacks, and the main loop."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NoReturn

from harness.case.events import NameLookup, SipMessage, TlsHandshake, TransportFailed
from harness.phone.child.account import (
    AccountHolder,
    HostedPhone,
    LeasedPhone,
    PhoneHost,
    account_holders,
)
from harness.phone.child.admission import Admission
from harness.phone.child.attribution import Attribution
from harness.phone.child.bindings import Refusal, pj
from harness.phone.child.commands import LATER, Commands, Departures
from harness.phone.child.connection_limit import ConnectionLimit
from harness.phone.child.hearing import MarkListener
from harness.phone.child.incoming import IncomingCalls
from harness.phone.child.leg import CallLeg
from harness.phone.child.legs import Legs
from harness.phone.child.log_ring import LogRing
from harness.phone.child.media import PlayerFactory
from harness.phone.child.messages import StackLog, WireMessage
from harness.phone.child.names import Names, Trouble
from harness.phone.child.parent import Command, Parent
from harness.phone.child.pulse import PulsingLoop
from harness.phone.child.requests import MessageFilter
from harness.phone.child.socket_limits import SocketName, SocketSlots
from harness.phone.child.stack import Endpoint
from harness.phone.protocol import FAREWELL_SECONDS, Pulse, Wire
from harness.support.stalls import Stall, Watch

_REPORTS_EVERY_S: Final = 1.0
#: The longest turns: while something is about to end; while something is awaited that no event of
#: pjsua's announces; while nothing is.
_BUSY_TURN, _ALERT_TURN, _IDLE_TURN = 0.005, 0.25, 10.0
_NAME_THEIR_TARGET: Final = ("INVITE", "UPDATE")  # RFC 3261 section 12.1.1, and target refreshes
_TOO_MANY_CALLS: Final = 70010  # PJ_ETOOMANY
_NO_SLOT: Final = "Unable to accept incoming call (too many calls)"


class Service:
    """Serves the parent at the other end of ``wire``, who sees its ``pulse``; its files go to
    ``directory``.
    """

    def __init__(self, wire: Wire, pulse: Pulse, directory: Path) -> None:
        self._ring = LogRing(directory / f"child-{os.getpid()}.ring")
        self._parent = Parent(wire, self._ring)
        self.fault = self._parent.fault
        self._phones: dict[int, LeasedPhone] = {}  # by key
        self._attribution = Attribution(self._accounts, self._deliver)
        self._socket_slots = SocketSlots()
        self._connection_limit = ConnectionLimit(self._accounts)
        self._log = StackLog()
        self._endpoint = Endpoint(self, directory)
        native = self._endpoint.native
        self._ring.keep_media_entries(native.library)
        self._connection_limit.needed = self._socket_slots.needed = native.asserts
        native.before_each_connection(self._connection_limit.look, self.fault)
        self._names = Names(native.has_ipv6(), self._endpoint.wake, self._report_lookup, self.fault)
        self._names.serve(native.library)
        clock = self._endpoint.media_threads.clock
        players = PlayerFactory(native, clock, MarkListener(wire.together, self.fault))
        self._legs = Legs(
            self._endpoint, self._parent, players, self._attribution, self._socket_slots
        )
        self._admission = Admission(
            self._accounts,
            self._legs,
            self._attribution,
            self._socket_slots,
            self._passed,
        )
        self._filter = MessageFilter(native.library, self._admission, self.fault)
        self._incoming = IncomingCalls(self._legs, self._attribution)
        host = PhoneHost(
            self._endpoint,
            self._parent,
            self._incoming.take,
            self._attribution.take_connections,
        )
        self._departures = Departures(
            self._phones, self._legs, self._connection_limit, self._parent
        )
        self._commands = Commands(self._phones, host, self._legs, self._admission, self._departures)
        self._watch = Watch(self._stalled)
        self._loop = PulsingLoop(pulse, native.library, self._stalled)
        self._next_report = 0.0

    def _accounts(self) -> list[AccountHolder]:
        return account_holders(self._phones)

    # Messages and the stack's log.

    def _passed(self, message: WireMessage) -> None:
        """A message was sent or received."""
        now = time.monotonic()
        start = message.text.split("\r\n", 1)[0]
        self._ring.write(
            f"{now:.3f} {message.direction} {message.transport} {message.remote} {start}"
        )
        self._attribution.message(now, message)

    def logged(self, level: int, entry: str) -> None:
        """An entry of pjsua's log."""
        if self._log.holds_received(entry):
            return
        if (sent := self._log.sent(entry)) is not None:
            self._passed(sent)
            return
        now = time.monotonic()
        self._ring.write(f"{now:.3f} {level} {entry.strip()}")
        self._connection_limit.heard(entry)
        if _NO_SLOT in entry:
            self._admission.found_no_slot()
        if (unread := self._log.unread(entry)) is not None:
            if not self._admission.refuses_unread(unread):
                self._attribution.message(now, unread)
            return
        if (handshake := self._log.handshake(entry)) is not None:
            self._report_handshake(*handshake)
        if (connection := self._log.connection(entry)) is not None:
            self._attribution.connected(connection)

    # Other callbacks of the stack.

    def select_account(self, prm: Any) -> None:
        """Choose the phone of an incoming call, and prepare its answer's SDP, which pjsua makes
        right after this.
        """
        arrived = self._attribution.arrived
        phone = self._attribution.called(arrived) if arrived is not None else None
        if phone is None:
            phone = next(
                (p for p in self._accounts() if p.account.getId() == prm.accountIndex), None
            )
        if phone is not None:
            prm.accountIndex = phone.account.getId()
            self._endpoint.prefer(phone.config.codecs)

    def transport_failed(self, handle: int, error: int, tls: Any) -> None:
        """Report a failed or broken connection to the phones it may belong to."""
        reason = self._endpoint.error_text(error)
        if not tls.isEmpty() and tls.verifyStatus:
            reason = f"{reason}: {'; '.join(list(tls.verifyMsgs))}"
        for connection, phone in self._attribution.opened_by(handle):
            facts = {
                "transport": connection.transport,
                "remote": connection.remote,
                "reason": reason,
            }
            phone.emit(TransportFailed, **facts)
            phone.connection_lost(time.monotonic())

    # Messages to the parent.

    def _deliver(
        self, at: float, message: WireMessage, phone: HostedPhone, leg: CallLeg | None
    ) -> None:
        event = SipMessage(
            at=at,
            phone=phone.config.name,
            leg=leg.name if leg else None,
            direction=message.direction,
            transport=message.transport,
            local=self._attribution.local_address(phone, message),
            remote=message.remote,
            text=message.text,
            unread=message.unread,
        )
        self._parent.emit([event], phone.key, leg.key if leg else None)
        if message.direction == "sent" and not message.status:
            phone.sources.add(message.remote_host)
        elif (
            not message.unread
            and not message.status
            and message.method in _NAME_THEIR_TARGET
            and message.next_hop
        ):
            phone.sources.add(message.next_hop)

    def _report_handshake(self, local: str, remote: str, failed: bool) -> None:
        """Report a TLS handshake to the phone at ``local`` (its listener's or socket's address),
        unless it is a stranger's.
        """
        source = SocketName.parse(remote).host
        for phone in self._accounts():
            at = phone.transport_name == "tls" and (
                local == phone.address or phone.bound.covers(SocketName.parse(local))
            )
            if at and phone.sources.include(source):
                phone.emit(TlsHandshake, remote=remote, failed=failed)

    def _report_lookup(self, trouble: Trouble) -> None:
        """Report a lookup to the phones and legs that may wait for it; to all phones if none is
        known to.
        """
        legs = [leg for leg in self._legs if leg.waits_for(trouble.name)]
        phones: list[HostedPhone] = [
            phone for phone in self._accounts() if trouble.name in phone.next_hops
        ]
        facts = asdict(trouble)
        for phone in {*phones, *(leg.phone for leg in legs)} or self._accounts():
            phone.emit(NameLookup, **facts)
        for leg in legs:
            leg.emit(NameLookup, **facts)

    def _obey(self, command: Command) -> None:
        name, call, arguments = command
        parent = self._parent
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
        signal.signal(signal.SIGTERM, lambda *_: self._parent.gone.set())
        endpoint, parent = self._endpoint, self._parent
        parent.listen(endpoint.wake)
        self._loop.beat()
        parent.notify(
            "ready", pid=os.getpid(), most_calls=endpoint.most_calls, version=endpoint.version
        )
        self._watch.start()
        while not parent.gone.is_set():
            self._report(time.monotonic())
            self._turn(_IDLE_TURN)
            self._watch.look()  # the parent hears of a stall before the next answer
        self._farewell()

    def _stalled(self, stall: Stall) -> None:
        self._parent.notify("stall", began=stall.began, ended=stall.ended)

    def _report(self, now: float) -> None:
        """Send the parent the legs' statistics and what was refused, if it is time."""
        if now < self._next_report:
            return
        self._next_report = now + _REPORTS_EVERY_S
        with self._parent.together():  # to wake the parent once
            for leg in self._legs:
                if leg.check_alive():
                    leg.emit_statistics()
            self._admission.tick(now)

    def _turn(self, longest: float) -> None:
        """One turn of the main loop: commands, the stack's events, and due actions."""
        while (command := self._parent.next_command(self._waits)) is not None:
            with contextlib.suppress(OSError):
                self._obey(command)
        is_idle = not (self._endpoint.media_threads.are_running or self._names.are_sought)
        self._watch.be_idle(is_idle)
        due = list(self._incoming.due())
        due += [leg.media.player_done for leg in self._legs if leg.media.player_done is not None]
        due += [phone.refresh_at for phone in self._accounts() if phone.refresh_at is not None]
        if not is_idle or self._admission.has_more_to_report:
            due.append(self._next_report)
        longest = min([longest, *(at - time.monotonic() for at in due)])
        if self._is_alert(is_idle):
            longest = min(longest, _ALERT_TURN)
        if self._legs.ending or self._departures or self._parent.waiting:
            longest = min(longest, _BUSY_TURN)
        self._loop.handle_events(longest, is_idle=is_idle)
        self._do_what_is_due(time.monotonic())

    def _is_alert(self, is_idle: bool) -> bool:
        """Whether something is to be done at a time that is not among those that are due."""
        are_over = not self._legs and not is_idle  # the media threads are about to be stopped
        return (
            are_over
            or self._names.are_sought
            or self._connection_limit.is_shut
            or any(leg.media.digits.are_open for leg in self._legs)
        )

    def _waits(self, command: str) -> bool:
        """Whether a command must wait for socket slots of pjlib, or for the call slot of an ending
        call.
        """
        if command == "add":
            return not self._connection_limit.have_room
        if command != "dial":
            return False
        return not self._socket_slots.may_dial or (
            self._legs.free_slots() < 1 and self._legs.may_free_a_slot
        )

    def _do_what_is_due(self, now: float) -> None:
        self._names.tick(now)
        self._connection_limit.look()
        self._attribution.give_up_unbound()
        self._endpoint.run_afterwards()
        self._incoming.tick(now)
        for leg in self._legs:
            leg.media.tick(now)
        for phone in self._accounts():
            phone.refresh(now)
        self._legs.tick(now)
        self._departures.tick(now)

    def _farewell(self) -> NoReturn:
        """End all calls and registrations, wait briefly for the answers, and exit."""
        began = time.monotonic()
        for leg in self._legs:
            with contextlib.suppress(pj.Error):
                leg.hang_up()
        while (waited := time.monotonic() - began) < 2 * FAREWELL_SECONDS:
            registered = [phone for phone in self._accounts() if phone.registered]
            if not registered and (not self._legs or waited >= FAREWELL_SECONDS):
                break
            for phone in registered:
                phone.unregister(began + waited)
            self._turn(0.02)
        # Not libDestroy: it takes a second, and aborts on leftovers.
        os._exit(0)
