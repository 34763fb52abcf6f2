"""The process: its phones and legs, the line to its parent, and the loop that serves both."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from harness.events import (
    CallsRefused,
    Event,
    NameLookup,
    PasswordWithheld,
    Recorded,
    SipMessage,
    StrangerRefused,
    TransportFailed,
    to_plain,
)
from harness.memory import FreedMemory
from harness.phone.child.account import HostedPhone, Lodger
from harness.phone.child.attribution import Attribution
from harness.phone.child.bindings import Refusal, pj
from harness.phone.child.challenges import ChallengeFilter, Withheld
from harness.phone.child.commands import LATER, Commands
from harness.phone.child.doors import Doors
from harness.phone.child.ear import Ear
from harness.phone.child.gate import RequestGate
from harness.phone.child.leg import CallLeg
from harness.phone.child.media import PlayerFactory
from harness.phone.child.names import Names, Trouble
from harness.phone.child.places import LONGEST_TRANSACTION, Places
from harness.phone.child.policy import take_call
from harness.phone.child.sip_log import (
    Dropping,
    LoggedMessage,
    read_connection,
    read_dropped,
    read_dropping,
    read_message,
    read_text,
)
from harness.phone.child.stack import Endpoint
from harness.phone.log_ring import LogRing
from harness.phone.protocol import FAREWELL_SECONDS, PULSE_INTERVAL, Answer, Wire

_STATISTICS_INTERVAL: Final = 1.0
_ANSWER_S: Final = 1.0  # all calls of the process wait meanwhile
_BUSY_TURN: Final = 0.005  # while something is about to end
_TOO_MANY_CALLS: Final = 70010  # PJ_ETOOMANY


@dataclass
class _Departure:
    """A phone that is being given up, and the parent's call that waits for it."""

    phone: HostedPhone
    call: int
    deadline: float
    unregistering: bool = False


class Service:
    """Serves the parent at the other end of ``wire``; files of its own go to ``directory``."""

    def __init__(self, wire: Wire, directory: Path) -> None:
        self._wire = wire
        self._ring = LogRing(directory / f"child-{os.getpid()}.ring")
        self.phones: dict[int, HostedPhone] = {}
        self.lodgers: dict[int, Lodger] = {}  #: who share one of them
        self.legs: dict[int, CallLeg] = {}
        self.requests: dict[int, tuple[int, Any]] = {}  #: by token: the parent's call, and what the token points to
        self._ending: list[CallLeg] = []  # over, but not finished
        self._lingering: list[tuple[float, CallLeg]] = []  # finished for us, but their call slot may still be taken
        self._departures: list[_Departure] = []
        self._afterwards: list[Callable[[], None]] = []
        self._answers_due: list[tuple[float, CallLeg, Answer]] = []
        self._keys = 0
        self._queue: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
        self._waiting_command: list[Any] | None = None
        self._answers: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
        self._orphaned = threading.Event()
        self._dropping: Dropping | None = None
        self.attribution: Attribution[HostedPhone, CallLeg] = Attribution(
            self.phones.values, lambda leg: leg.phone, self._tell_message
        )
        self._commands = Commands(self)
        self._places = Places()
        self.gate = RequestGate(
            self.phones.values, self.attribution.leg_of_tag, self._tell_stranger, self._places.admits, self._tell_full
        )
        self._doors = Doors(self.phones.values)
        self.endpoint = Endpoint(self)
        self._doors.needed = self._places.needed = self.endpoint.native.asserts
        self._freed = FreedMemory()
        self._names = Names(self.endpoint.native.has_ipv6(), self.endpoint.wake, self._tell_name, self.fault)
        self._named_media = self.endpoint.native.look_up_with(self._names)
        challenges = ChallengeFilter(self.phones.values, self._tell_withheld)
        self.endpoint.native.filter_messages(
            self.gate.by_source, self.gate.by_dialog, challenges.unanswered, self.fault
        )
        self.players = PlayerFactory(directory, self.endpoint.native, Ear(wire.together, self.fault))

    # What the stack says.

    def logged(self, level: int, entry: str) -> None:
        """A line of pjsua's log: SIP messages and new connections are in it, the rest is kept in the ring."""
        now = time.monotonic()
        message = read_message(entry)
        if message is not None:
            start = message.text.split("\r\n", 1)[0]
            self._ring.write(f"{now:.3f} {message.direction} {message.transport} {message.remote} {start}")
            self.attribution.message(now, message)
            return
        self._ring.write(f"{now:.3f} {level} {entry.strip()}")
        self._doors.heard(entry)
        dropping, self._dropping = self._dropping, read_dropping(entry)
        if dropping is not None and (dropped := read_dropped(entry, dropping)) is not None:
            if not self.gate.refuses_unread(self.attribution.called(dropped), dropped):
                self.attribution.message(now, dropped)
            return
        connection = read_connection(entry)
        if connection is not None:
            self.attribution.connected(connection)
            self._doors.look()

    def select_account(self, prm: Any, invite: str) -> None:
        """Choose the phone of an incoming call, and prepare its answer's SDP, which pjsua makes right after this."""
        phone = self.attribution.called(read_text(invite, direction="received"))
        if phone is None:
            phone = next((p for p in self.phones.values() if p.account.getId() == prm.accountIndex), None)
        if phone is not None:
            prm.accountIndex = phone.account.getId()
            self.endpoint.prefer(phone.config.codecs, phone.config.telephone_event)

    def transport_failed(self, handle: int, error: int, tls: Any) -> None:
        """A connection failed or broke: tell the phones it may belong to."""
        reason = self.endpoint.error_text(error)
        if not tls.isEmpty() and tls.verifyStatus:
            reason = f"{reason}: {'; '.join(list(tls.verifyMsgs))}"
        for connection, phone in self.attribution.opened_by(handle):
            failed = TransportFailed(
                at=time.monotonic(),
                phone=phone.config.name,
                transport=connection.transport,
                remote=connection.remote,
                reason=reason,
            )
            self.emit(failed, phone)

    def called(self, phone: HostedPhone, call_id: int) -> None:
        """A call came in for a phone."""
        take_call(self, phone, call_id)

    def invite_of(self, call_id: str) -> str:
        """The text of the INVITE of a call that has no leg yet."""
        return self.attribution.waiting_invite(call_id)

    def take_connections(self, phone: HostedPhone) -> set[str]:
        """The local addresses of the connections that were a phone's; they are nobody's any more."""
        return self.attribution.take_connections(phone)

    def request_answered(self, token: int, code: int, reason: str) -> None:
        """A request outside dialogs was answered."""
        if code >= 200 and token in self.requests:
            call, _ = self.requests.pop(token)
            self._wire.send("done", call, [code, reason])

    # Legs.

    def new_key(self) -> int:
        """A number for a leg, unique in this process."""
        self._keys += 1
        return self._keys

    def begins(self, leg: CallLeg) -> None:
        """Announce a leg, then the messages that came before pjsua said whose they are."""
        self.legs[leg.key] = leg
        before = self.attribution.begins(leg)
        self._tell(
            "leg_started",
            at=before[0][0] if before else time.monotonic(),
            phone=leg.phone.key,
            leg=leg.key,
            name=leg.name,
            direction=leg.direction,
            remote_uri=leg.remote,
            mark=leg.media.mark,
            replaces=leg.replaces.key if leg.replaces else None,
        )
        self.attribution.catch_up(leg, before)

    def ends(self, leg: CallLeg) -> None:
        """A leg is over for pjsua."""
        self._ending.append(leg)
        self._places.closed()

    def legs_of(self, phone: HostedPhone) -> list[CallLeg]:
        """The legs of a phone that are not finished."""
        return [leg for leg in self.legs.values() if leg.phone is phone]

    def free_slots(self) -> int:
        """Calls this process can still make or take."""
        taken = sum(1 for leg in self.legs.values() if not (leg.disconnected and leg.settled))
        return self.endpoint.most_calls - taken - sum(1 for _, leg in self._lingering if not leg.settled)

    def afterwards(self, do: Callable[[], None]) -> None:
        """Do something when pjsua's callback is over.

        pjsua frees the INVITE that it keeps for ``onIncomingCall`` when that returns, and asserts where an answer has
        done so before: any final one to an INVITE without SDP does.
        """
        self._afterwards.append(do)

    def answer_later(self, leg: CallLeg, policy: Answer) -> None:
        """Answer a leg in a while."""
        self._answers_due.append((time.monotonic() + policy.after, leg, policy))

    def guessed(self, phone: HostedPhone) -> None:
        """Tell that a call may have been meant for another who shares the account."""
        self._tell("guessed", phone=phone.key)

    def departs(self, phone: HostedPhone, call: int) -> None:
        """Give a phone up: hang up, un-REGISTER, close, and answer ``call``."""
        for leg in self.legs_of(phone):
            leg.hang_up()
        departure = _Departure(phone, call, time.monotonic() + 2 * FAREWELL_SECONDS)
        self._departures.append(departure)
        self._depart(departure, time.monotonic())

    # The line to the parent.

    def emit(self, event: Event, phone: HostedPhone, leg: CallLeg | None = None) -> None:
        """Tell an event; ``leg`` says in which call. Thread-safe."""
        self._tell("event", phone=phone.key, leg=leg.key if leg else None, event=to_plain(event))

    def _tell_message(self, at: float, message: LoggedMessage, phone: HostedPhone, leg: CallLeg | None) -> None:
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
        self.emit(event, phone if leg else phone.asker(message), leg)
        if message.direction == "sent" and not message.status:
            phone.sources.add(message.remote.rpartition(":")[0].strip("[]"))

    def _tell_stranger(self, event: StrangerRefused, phone: HostedPhone, leg: str | None) -> None:
        self.emit(event, phone, next((aimed for aimed in self.legs_of(phone) if aimed.name == leg), None))

    def _tell_full(self, phone: HostedPhone, source: str) -> None:
        phone.emit(CallsRefused, source=source)

    def _tell_withheld(self, phone: HostedPhone, message: LoggedMessage, withheld: Withheld) -> None:
        (self.attribution.leg_of_tag(message.local_tag) or phone).emit(PasswordWithheld, **asdict(withheld))

    def _tell_name(self, trouble: Trouble) -> None:
        """Tell those whose requests may wait for it: all, where none names it."""
        legs = [leg for leg in self.legs.values() if leg.waits_for(trouble.name)]
        phones = [phone for phone in self.phones.values() if trouble.name in phone.next_hops]
        if trouble.media:
            legs, phones = self.attribution.of(self._named_media.waiting_for(trouble.name))
        for concerned in (*({*phones, *(leg.phone for leg in legs)} or self.phones.values()), *legs):
            concerned.emit(NameLookup, **asdict(trouble))

    def _tell(self, what: str, /, **arguments: Any) -> None:
        with contextlib.suppress(OSError):  # the reader sees the end of the line, and acts on it
            self._wire.send("tell", what, arguments)

    def ask(self, name: str, arguments: dict[str, Any]) -> Any:
        """Ask the parent and wait for its answer. Without one in time this process is lost: nobody else is to blame."""
        question = self.new_key()
        with contextlib.suppress(OSError, queue.Empty):
            self._wire.send("ask", question, name, arguments)
            while (answer := self._answers.get(timeout=_ANSWER_S))[0] != question:
                pass  # of an earlier one
            return answer[1]
        self._tell("lost", reason=f"the harness took more than {_ANSWER_S:g} s to answer {name!r}")
        return None

    def fault(self, text: str) -> None:
        """A defect of this process: say so; the parent gives it up."""
        for line in text.splitlines():
            self._ring.write(line)
        print(text, file=sys.stderr, flush=True)
        self._tell("fault", text=text)

    def _read(self) -> None:
        """The reader thread."""
        for message in self._wire:
            if message[0] == "answer":
                self._answers.put(message[1:])
            else:
                self._queue.put(message)
                self.endpoint.wake()
        self._orphaned.set()
        self.endpoint.wake()
        # Should the main thread hang, nobody is left to end this process.
        time.sleep(3 * FAREWELL_SECONDS)
        os._exit(2)

    def _obey(self, message: list[Any]) -> None:
        _, call, name, arguments = message
        try:
            value = self._commands.obey(name, call, arguments)
        except Refusal as refusal:
            self._wire.send("failed", call, refusal.kind, str(refusal))
        except pj.Error as error:
            kind = "resource" if error.status == _TOO_MANY_CALLS else "misuse"
            self._wire.send("failed", call, kind, f"{name}: {error.reason} ({error.title})")
        except Exception:
            self._wire.send("failed", call, "broken", traceback.format_exc())
        else:
            if value is not LATER:
                self._wire.send("done", call, value)

    # The loop.

    def run(self) -> NoReturn:
        """Serve until the parent's end closes; then say goodbye to every call and registration, and exit."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
        signal.signal(signal.SIGTERM, lambda *_: self._orphaned.set())
        threading.Thread(target=self._read, name="commands", daemon=True).start()
        endpoint = self.endpoint
        build = {"most_calls": endpoint.most_calls, "codecs": endpoint.codecs, "version": endpoint.version}
        self._tell("ready", pid=os.getpid(), **build, has_ipv6=endpoint.native.has_ipv6())
        next_pulse = next_statistics = 0.0
        while not self._orphaned.is_set():
            now = time.monotonic()
            if now >= next_pulse:
                self._tell("pulse")
                next_pulse = now + PULSE_INTERVAL
            if now >= next_statistics:
                with self._wire.together():
                    for leg in list(self.legs.values()):
                        if leg.check_alive():
                            leg.tell_statistics()
                self.gate.tick(now)
                next_statistics = now + _STATISTICS_INTERVAL
            self._turn(min(next_pulse, next_statistics) - now)
        self._farewell()

    def _turn(self, longest: float) -> None:
        """One round: commands, the stack's events, and what is due."""
        while (command := self._next_command()) is not None:
            with contextlib.suppress(OSError):
                self._obey(command)
        due = [at for at, _, _ in self._answers_due]
        due += [leg.media.player_done for leg in self.legs.values() if leg.media.player_done is not None]
        due += [phone.refresh_at for phone in self.phones.values() if phone.refresh_at is not None]
        longest = min([longest, *(at - time.monotonic() for at in due)])
        if self._ending or self._departures or self._waiting_command is not None:
            longest = min(longest, _BUSY_TURN)
        self.endpoint.handle_events(longest)
        self._do_what_is_due(time.monotonic())

    def _next_command(self) -> list[Any] | None:
        """The oldest command, unless it is a call and pjlib has no sockets for it yet; what comes after it waits as well."""
        if self._waiting_command is None and not self._queue.empty():
            self._waiting_command = self._queue.get()
        command = self._waiting_command
        if command is None or (command[2] == "dial" and not self._places.may_dial):
            return None
        self._waiting_command = None
        return command

    def _do_what_is_due(self, now: float) -> None:
        self._names.tick(now)
        self._doors.look()
        self.attribution.give_up_unbound(self._named_media.calls)
        todo, self._afterwards = self._afterwards, []
        for do in todo:
            with contextlib.suppress(Refusal, pj.Error):  # the far end may have ended the call already
                do()
        for entry in [entry for entry in self._answers_due if now >= entry[0] or entry[1].call is None]:
            self._answers_due.remove(entry)
            with contextlib.suppress(Refusal):
                entry[1].respond(200, headers=entry[2].headers)
        for leg in list(self.legs.values()):
            leg.media.tick(now)
        for phone in self.phones.values():
            if phone.refresh_at is not None and now >= phone.refresh_at:
                phone.register(True)
        for leg in [leg for leg in self._ending if leg.finished(now)]:
            self._finish(leg, now)
        for over in [entry for entry in self._lingering if entry[1].settled or now >= entry[0]]:
            self._lingering.remove(over)
            self.attribution.forget(over[1])
        for departure in list(self._departures):
            self._depart(departure, now)

    def _finish(self, leg: CallLeg, now: float) -> None:
        self._ending.remove(leg)
        del self.legs[leg.key]
        if leg.settled:
            self.attribution.forget(leg)
        else:
            self._lingering.append((now + LONGEST_TRANSACTION, leg))
        if leg.media.recordings:
            received, sent = leg.media.recordings
            leg.emit(Recorded, path=str(received), sent_path=str(sent))
        self._tell("leg_closed", phone=leg.phone.key, leg=leg.key)
        if not self.legs:
            self._freed.give_back()

    def _depart(self, departure: _Departure, now: float) -> None:
        phone = departure.phone
        if now < departure.deadline:
            if self.legs_of(phone):
                return
            if phone.registered and not isinstance(phone, Lodger):
                if not departure.unregistering:
                    departure.unregistering = True
                    phone.register(False)
                return
        self._departures.remove(departure)
        self.phones.pop(phone.key, None)
        self.lodgers.pop(phone.key, None)
        self._doors.open()
        phone.close()
        with contextlib.suppress(OSError):
            self._wire.send("done", departure.call, None)

    def _farewell(self) -> NoReturn:
        """BYE or CANCEL every call, give registrations back, wait a moment for the answers, and be gone."""
        deadline = time.monotonic() + FAREWELL_SECONDS
        for leg in list(self.legs.values()):
            with contextlib.suppress(pj.Error):
                leg.hang_up()
        for phone in [phone for phone in self.phones.values() if phone.registered]:
            with contextlib.suppress(pj.Error):
                phone.register(False)
        while time.monotonic() < deadline and (self.legs or any(phone.registered for phone in self.phones.values())):
            self._turn(0.02)
        # Not libDestroy: it takes a second, and aborts on whatever it finds left over.
        os._exit(0)
