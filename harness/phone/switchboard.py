"""Phones that several workers share: agents, and a stand-in with its one address.

The platform sees one registration, and one phone at one address. Each worker connects to a socket
here and receives the calls of its case (:mod:`harness.phone.child.incoming`). Its commands are
passed on to the phone's process (:mod:`harness.phone.protocol`), with the keys of phones replaced.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import queue
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from harness.case.events import AskedByOptions, from_plain, from_values, to_plain
from harness.deployment import CALLS_A_PHONE
from harness.errors import HarnessError, PhoneLostError, ResourceError
from harness.phone.config import PhoneConfig
from harness.phone.options_seen import OptionsSeen
from harness.phone.process import ERRORS, Owner, PhoneProcess, redacted
from harness.phone.protocol import Questions, Wire
from harness.support.files.own_directories import Scratch
from harness.support.stalls import Stall

#: How long to wait for another deployment's phone to leave an address.
_VACANT_WITHIN_S: Final = 50.0
#: The longest command: a request and its answer (RFC 3261 section 17.1.2.2, timer F).
_DONE_WITHIN_S: Final = 40.0
_ANSWERED_WITHIN_S: Final = 0.8
#: How long after a case a call of its caller may still come: set-up that takes 3 s is on record.
_LATE_WITHIN_S: Final = 10.0

Place = tuple[object, ...]


class Address(NamedTuple):
    """Where a phone takes calls."""

    transport: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.transport}"


class _SharedPhone:
    """One shared phone: its process, and the workers that share it."""

    def __init__(
        self, config: PhoneConfig, process: PhoneProcess, key: int, options: OptionsSeen
    ) -> None:
        self.config = config
        self.process = process
        self.key = key
        self.options = options
        self.is_there = False
        #: Key in the process → the worker, and the worker's key.
        self.guests: dict[int, tuple[_Guest, int]] = {}
        self.legs: dict[int, _Guest] = {}
        self.place: Place = _place(config)

    def appear(self, directory: Path) -> None:
        """Create the phone at its address; ``directory`` is for the process's files."""
        config = self.config.to_plain()
        config["max_calls"] = CALLS_A_PHONE  # further calls are refused as busy
        self.process.call(
            "add",
            phone=self.key,
            config=config,
            directory=str(directory),
            networks=self.config.accepted_networks(),
        )
        self.process.call("park", phone=self.key)  # it takes no calls until a worker joins
        self.is_there = True

    def leave(self) -> None:
        """Remove the phone from its address."""
        self.is_there = False
        with contextlib.suppress(HarnessError):
            self.process.call("remove", phone=self.key)


def _place(config: PhoneConfig) -> Place:
    """The resource that two phones cannot share: an address, or else a registration."""
    if config.bind_port:
        return Address(config.transport, config.bind_address, config.bind_port)
    return config.address_of_record, config.registrar


def _identity(config: PhoneConfig) -> str:
    return json.dumps(config.to_plain() | {"max_calls": 0}, sort_keys=True)


class Switchboard:
    """The phones that the workers of a run share. Thread-safe. Workers connect to the socket at
    :attr:`path`.

    A shared phone appears at its address with the first case that joins it, and stays there between
    cases. Only one phone can be at an address: where another one is wanted there, or a case has
    reserved the address for itself, the phone that is there leaves once no case uses it, and comes
    back when a reservation ends. Who wants an address waits for its turn.

    ``say`` shows a line to the user.
    """

    def __init__(
        self,
        *,
        patience: float = 5.0,
        fork_server: Path | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._patience = patience
        self._fork_server = fork_server
        self._say = say
        self._scratch = Scratch()
        self.path = self._scratch.path / "switchboard"  # a socket's path has to be short
        self._changed = threading.Condition()
        self._lines: dict[str, _SharedPhone] = {}
        #: By address and accepted sources.
        self._options: dict[tuple[Place, object], OptionsSeen] = {}
        #: The address, and the phones that left it for the worker.
        self._reserved: dict[_Guest, tuple[Place, list[_SharedPhone]]] = {}
        #: Who waits for an address, the first in front. A registration is not waited for in turn: a
        #: case takes several, and two cases could wait for each other.
        self._turns = defaultdict[Place, list[object]](list)
        self._guests: set[_Guest] = set()
        self._callers: dict[int, list[str]] = {}  #: of each case that shares a phone, by its key
        self._ended: dict[str, float] = {}  #: callers of ended cases, with the end of their time
        self._keys = itertools.count(1)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(self.path))
        self._socket.listen(64)
        threading.Thread(target=self._accept, name="switchboard", daemon=True).start()

    def close(self) -> None:
        """Hang up everything, un-register, and end the processes."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with self._changed:
            lines, self._lines = list(self._lines.values()), {}
            guests = list(self._guests)
        closers = [threading.Thread(target=line.process.close) for line in lines]
        for closer in closers:
            closer.start()
        for closer in closers:
            closer.join()
        for guest in guests:
            guest.wire.close()
        self._scratch.close()

    def _accept(self) -> None:
        """Take workers' connections until the socket is closed."""
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            guest = _Guest(self, Wire(connection))
            with self._changed:
                self._guests.add(guest)
            guest.start()

    # Called by workers' connections.

    def line(self, config: PhoneConfig) -> _SharedPhone:
        """The shared phone of this configuration; it is created if necessary."""
        identity = _identity(config)
        with self._changed:
            found = self._lines.get(identity)
            if found is None or found.process.lost is not None:
                process = PhoneProcess(
                    self, self._scratch.path, patience=self._patience, fork_server=self._fork_server
                )
                found = self._lines[identity] = _SharedPhone(
                    config, process, next(self._keys), self._options_seen(config)
                )
            return found

    def _options_seen(self, config: PhoneConfig) -> OptionsSeen:
        """OPTIONS history is kept per address, not per phone: the phones of several trunks may use
        an address in turn.
        """
        where = f"{config.bind_address}:{config.bind_port}/{config.transport}"
        fresh = OptionsSeen(config.name, where, strangers=config.accepts_from is None)
        return self._options.setdefault((_place(config), config.accepts_from), fresh)

    def keep(self, config: PhoneConfig) -> None:
        """Create the phone now, so that it answers OPTIONS before any case uses it."""
        with self._changed:
            self._let_appear(self.line(config))

    def wait_until_asked(self, config: PhoneConfig, every_s: float | None) -> AskedByOptions:
        """See :meth:`OptionsSeen.wait`."""
        self.keep(config)
        return self.line(config).options.wait(every_s, self._say)

    def _let_appear(self, line: _SharedPhone) -> None:
        before = self._vacate(line.place, but=line)
        if not line.is_there:
            line.appear(self._scratch.path)
            if all(other.options is not line.options for other in before):
                line.options.phone_came()

    def join(
        self, line: _SharedPhone, guest: _Guest, phone: int, arguments: dict[str, Any]
    ) -> tuple[int, Any]:
        """Share the phone with a case. Returns the case's key in the process, and the phone's
        address.
        """
        config = arguments.pop("config")
        arguments.pop("networks")
        callers = arguments.pop("callers")
        with self._changed:
            self._let_appear(line)
            if guest not in self._guests:  # the worker died while it waited
                raise PhoneLostError("the case is over")
            key = next(self._keys)
            line.guests[key] = guest, phone
            now = time.monotonic()
            self._ended = {n: until for n, until in self._ended.items() if now < until}
            # A late call of a case that is over must not be taken for one of this case, unless both
            # have the same caller.
            ended = {n: until for n, until in self._ended.items() if n not in callers}
            try:
                address = line.process.call(
                    "join", phone=key, account=line.key, config=config, ended=ended, **arguments
                )
            except BaseException:
                del line.guests[key]
                raise
            self._callers[key] = callers
            return key, address

    def part(self, line: _SharedPhone, key: int) -> None:
        """End a case's share of the phone."""
        try:
            line.process.call("remove", phone=key)
        finally:
            with self._changed:
                line.guests.pop(key, None)
                until = time.monotonic() + _LATE_WITHIN_S
                self._ended |= dict.fromkeys(self._callers.pop(key, ()), until)
                self._changed.notify_all()

    def reserve(self, guest: _Guest, config: PhoneConfig) -> None:
        """Keep shared phones away from the address until ``guest`` leaves."""
        with self._changed:
            place = _place(config)
            self._reserved[guest] = place, self._vacate(place)
            if guest not in self._guests:  # the worker died while it waited
                self._leave_reserved(guest)

    def _leave_reserved(self, guest: _Guest) -> None:
        """Bring back the phones that left an address for ``guest``. The caller holds the lock."""
        _, away = self._reserved.pop(guest, (None, []))
        for line in away:
            if line in self._lines.values():  # else the run is over, or the process died
                # The next case that uses the phone reports the error.
                with contextlib.suppress(HarnessError):
                    self._let_appear(line)
        self._changed.notify_all()

    def _vacate(self, place: Place, but: _SharedPhone | None = None) -> list[_SharedPhone]:
        """Wait until no other case uses the address. Returns the phones that left it. Raises
        :class:`ResourceError`.

        The caller holds the lock.
        """

        def others() -> list[_SharedPhone]:
            there = [line for line in self._lines.values() if line.is_there]
            at_place = [line for line in there if line.place == place]
            return [line for line in at_place if line is not but]

        turn = object()
        turns = self._turns[place]
        turns.append(turn)

        def is_free() -> bool:
            is_its_turn = turns[0] is turn or not isinstance(place, Address)
            is_reserved = any(place == reserved for reserved, _ in self._reserved.values())
            return is_its_turn and not is_reserved and not any(line.guests for line in others())

        try:
            if not self._changed.wait_for(is_free, _VACANT_WITHIN_S):
                raise ResourceError(f"{place}: other cases of this run use it")
        finally:
            turns.remove(turn)
            self._changed.notify_all()
        leaving = others()
        for line in leaving:
            line.leave()
        return leaving

    def left(self, guest: _Guest) -> None:
        """Clean up after a worker that disconnected."""
        with self._changed:
            self._guests.discard(guest)
            gone = []
            for line in self._lines.values():
                keys = [key for key, (sharer, _) in line.guests.items() if sharer is guest]
                gone += [(line, key) for key in keys]
            self._leave_reserved(guest)
        for line, key in gone:
            with contextlib.suppress(HarnessError):
                self.part(line, key)

    # Called by the phones' processes, in their reader threads.

    def _line_of(self, process: PhoneProcess) -> _SharedPhone | None:
        for line in list(self._lines.values()):
            if line.process is process:
                return line
        return None

    def _guests_of(self, process: PhoneProcess) -> set[_Guest]:
        """The workers that share the phone of that process, each once."""
        line = self._line_of(process)
        if line is None:
            return set()
        return {guest for guest, _ in list(line.guests.values())}

    def notified(self, process: PhoneProcess, name: str, arguments: dict[str, Any]) -> None:
        """Pass a notification on to the worker it is for; events of the phone itself go to all
        workers that share it.
        """
        line = self._line_of(process)
        if line is None:
            return
        if arguments["phone"] == line.key:
            if name == "events" and arguments["leg"] is None:
                for values in arguments["events"]:
                    line.options.take(from_values(values))
                for guest, phone in list(line.guests.values()):
                    guest.notify(name, {**arguments, "phone": phone})
            return
        found = line.guests.get(arguments["phone"])
        if found is None:
            return
        guest, phone = found
        if name == "leg_started":
            line.legs[arguments["leg"]] = guest
        elif name == "leg_closed":
            line.legs.pop(arguments["leg"], None)
        guest.notify(name, {**arguments, "phone": phone})

    def asked(self, process: PhoneProcess, name: str, arguments: dict[str, Any]) -> Any:
        """Pass a question on to the worker that has the call."""
        line = self._line_of(process)
        if line is None:
            return None
        guest = line.legs.get(arguments["leg"])
        return guest.ask(name, arguments) if guest is not None else None

    def stalled(self, process: PhoneProcess, stall: Stall) -> None:
        """Pass it on to all workers of the phone."""
        for guest in self._guests_of(process):
            guest.notify("stall", stall._asdict())

    def lost(self, process: PhoneProcess, reason: str, log: str) -> None:
        """Tell all workers of the phone that it is lost."""
        for guest in self._guests_of(process):
            guest.notify("lost", {"reason": reason, "log": log})


class _Guest:
    """A worker's connection to one shared phone. To the worker it looks like a phone's process; the
    keys of its phones are replaced by those in the process, both ways.
    """

    def __init__(self, board: Switchboard, wire: Wire) -> None:
        self._board, self.wire = board, wire
        self._line: _SharedPhone | None = None
        self._phones: dict[int, int] = {}  #: the worker's key → the key in the phone's process
        self._commands: queue.SimpleQueue[list[Any] | None] = queue.SimpleQueue()
        self._questions = Questions(wire)

    def start(self) -> None:
        threading.Thread(target=self._read, name="guest", daemon=True).start()
        threading.Thread(target=self._obey, name="guest's commands", daemon=True).start()

    def notify(self, name: str, arguments: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self.wire.send("notify", name, arguments)

    def ask(self, name: str, arguments: dict[str, Any]) -> Any:
        """The worker's answer to a question; None when it does not arrive in time."""
        with contextlib.suppress(OSError, queue.Empty):
            return self._questions.ask(name, arguments, _ANSWERED_WITHIN_S)
        return None

    def _read(self) -> None:
        """Read the worker's messages; commands go on in order, in another thread."""
        for message in self.wire:
            if message[0] == "answer":
                self._questions.take(message[1:])
                continue
            _, _, name, _ = message
            if name == "request":  # its answer may take long, and must not delay a hang-up
                doing = threading.Thread(
                    target=self._do, args=(message,), name="guest's request", daemon=True
                )
                doing.start()
            else:
                self._commands.put(message)
        self._commands.put(None)
        self._board.left(self)
        self.wire.close()

    def _obey(self) -> None:
        while (message := self._commands.get()) is not None:
            self._do(message)

    def _do(self, message: list[Any]) -> None:
        """Run a command and send its result, if the worker waits for one."""
        _, number, name, arguments = message
        try:
            value = self._done(name, arguments)
        except HarnessError as error:
            kinds = [kind for kind, known in ERRORS.items() if type(error) is known]
            answer = ["failed", number, kinds[0] if kinds else "broken", str(error)]
        else:
            answer = ["done", number, value]
        if number:
            with contextlib.suppress(OSError):
                self.wire.send(*answer)

    def _done(self, name: str, arguments: dict[str, Any]) -> Any:
        """Run a command: those that concern sharing here, the others in the phone's process."""
        if name == "reserve":
            return self._board.reserve(self, PhoneConfig.from_plain(arguments["config"]))
        if name == "wait_until_asked":
            config = PhoneConfig.from_plain(arguments["config"])
            return to_plain(self._board.wait_until_asked(config, arguments["every_s"]))
        if name == "hello":
            self._line = self._board.line(PhoneConfig.from_plain(arguments["config"]))
            return self._line.process.pid
        line = self._line
        assert line is not None, "hello comes first"
        if name == "add":
            phone = arguments.pop("phone")
            self._phones[phone], address = self._board.join(line, self, phone, arguments)
            return address
        if name in ("remove", "park"):
            return self._board.part(line, self._phones.pop(arguments["phone"]))
        if name == "free_slots":
            return line.process.check()  # only this process sees the child's pulses
        if "phone" in arguments:
            arguments = {**arguments, "phone": self._phones[arguments["phone"]]}
        return line.process.call(name, _DONE_WITHIN_S, **arguments)


#: Long, because another deployment's phone may have to leave the address first.
_JOINED_WITHIN_S: Final = 60.0


@dataclass(frozen=True)
class Sharing:
    """How the calls of a case are recognised at a shared phone."""

    switchboard: Path
    #: E.164 caller numbers; a call that shows one of them belongs to the case.
    numbers: tuple[str, ...] = ()
    #: Whether the case expects a call here; then a call with another number may belong to it too.
    lands: bool = False
    withheld: bool = False  #: whether the case's caller withholds its number
    region: str = ""  #: in which the phone reads national numbers (ISO 3166)
    shows: str | None = None  #: another number than its callers' that the case's calls may show


class SharedProcess(PhoneProcess):
    """A shared phone at the switchboard. Raises :class:`PhoneLostError` when the switchboard cannot
    be reached.

    It stands for the phone's process in the worker's pool: the same commands, notifications and
    questions go through the switchboard.
    """

    def __init__(self, owner: Owner, sharing: Sharing, config: PhoneConfig) -> None:
        self.config = config
        self._sharing = sharing
        self._prepare(owner, _connected(sharing.switchboard))
        self.most_calls = config.max_calls
        self._reader = threading.Thread(
            target=self._read, name=f"shared {config.name}", daemon=True
        )
        self._reader.start()
        self.pid = self.call("hello", _JOINED_WITHIN_S, config=config.to_plain())

    def share(self, sharing: Sharing) -> None:
        """Set how the next case's calls are recognised."""
        self._sharing = sharing

    def call(self, name: str, within: float = 10.0, /, **arguments: Any) -> Any:
        """As for any phone process; ``add`` also sends how the case's calls are recognised."""
        if name == "add":
            mine = self._sharing
            shown = [mine.shows] if mine.shows else []
            arguments |= {
                "callers": list(mine.numbers),
                "numbers": [*mine.numbers, *shown],
                "lands": mine.lands,
                "withheld": mine.withheld,
                "region": mine.region,
            }
            within = _JOINED_WITHIN_S
        return super().call(name, within, **arguments)

    def log(self) -> str:
        """The process's last log lines, as the switchboard sent them."""
        return self._last_log

    def _how(self) -> str:
        return ": the switchboard has closed"

    def _kill(self) -> None:
        self._wire.close()

    def close(self) -> None:
        """Disconnect; the switchboard hangs up the remaining calls."""
        self._closing = True
        self._wire.close()
        self._reader.join(1.0)


class Reservation:
    """Keeps the address of ``config`` free of shared phones, for a case that uses the address
    itself.
    """

    def __init__(self, switchboard: Path, config: PhoneConfig) -> None:
        plain = config.to_plain()
        self._wire, answer = _asked(switchboard, _JOINED_WITHIN_S, "reserve", config=plain)
        if answer[0] != "done":
            self._wire.close()
            raise PhoneLostError("the shared phones did not leave their address")

    def release(self) -> None:
        """Allow shared phones at the address again."""
        with contextlib.suppress(OSError):
            self._wire.close()


def wait_until_asked(
    switchboard: Path, config: PhoneConfig, every_s: float | None
) -> AskedByOptions | None:
    """Wait until the platform has sent OPTIONS to the shared phone of ``config``; the result says
    whether it did.

    ``every_s`` is the platform's interval from the deployment file. None when the phone is not
    available.
    """
    plain = config.to_plain()
    wire, answer = _asked(switchboard, None, "wait_until_asked", config=plain, every_s=every_s)
    wire.close()
    if answer[0] != "done":
        return None
    event = from_plain(answer[2])
    assert isinstance(event, AskedByOptions)
    return event


def _asked(
    switchboard: Path, within: float | None, name: str, **arguments: Any
) -> tuple[Wire, list[Any]]:
    """Connect to the switchboard and send a first command. Raises :class:`PhoneLostError` without
    an answer.
    """
    wire = _connected(switchboard)
    answer = None
    try:
        with contextlib.suppress(OSError, ValueError):
            wire.send("call", 1, name, arguments)
            answer = wire.receive(within)
    finally:
        if answer is None:  # or the run is interrupted
            wire.close()
    if answer is None:
        raise PhoneLostError("the switchboard of shared phones has closed")
    return wire, answer


def _connected(switchboard: Path) -> Wire:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(switchboard))
    except OSError as error:
        connection.close()
        what = "the switchboard of shared phones cannot be reached"
        raise PhoneLostError(f"{what}: {error.strerror}") from error
    return Wire(connection, redacted)
