"""A pool of phones. Cases lease them by configuration; as few processes as possible host them, and
stay between cases.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from harness.case.events import RegistrationState
from harness.errors import (
    BrokenError,
    PhoneLostError,
    RefusedError,
    ResourceError,
    WrongTargetError,
)
from harness.phone.config import PhoneConfig
from harness.phone.leg import Leg
from harness.phone.phone import Phone, Sink
from harness.phone.process import PhoneProcess
from harness.phone.rules import DeadlineScheduler, Rules
from harness.phone.switchboard import SharedProcess, Sharing
from harness.support.files.own_directories import Scratch
from harness.support.stalls import Stall

#: pjsua has eight transports per process; one of them wakes its main loop (pjsua_internal.h,
#: ``tpdata``).
_MOST_PHONES: Final = 7


@dataclass
class _Parked:
    """A phone between two leases: still registered, refusing calls."""

    key: int
    config: PhoneConfig
    registration: RegistrationState | None


class _Host:
    """A phone process and its phones.

    It takes phones as long as it has transports, users and call slots for them (`fits`). A shared
    phone has a host of its own, without others.
    """

    def __init__(self, process: PhoneProcess) -> None:
        self.process = process
        self.phones: dict[int, Phone] = {}
        self.parked: dict[int, _Parked] = {}

    @property
    def is_over(self) -> bool:
        """Whether the process is lost and no case has one of its phones any more."""
        return self.process.lost is not None and not self.phones

    def configs(self) -> list[PhoneConfig]:
        return [
            *(phone.config for phone in self.phones.values()),
            *(parked.config for parked in self.parked.values()),
        ]

    def fits(self, config: PhoneConfig) -> bool:
        """Whether the process can host another phone."""
        if self.process.lost is not None or isinstance(self.process, SharedProcess):
            return False
        others = self.configs()
        if len(others) >= _MOST_PHONES:
            return False
        calls = config.max_calls + sum(other.max_calls for other in others)
        if calls > self.process.most_calls:
            return False
        # The STUN server is set per endpoint; the user part tells which phone a request is for.
        return all(
            other.stun_server == config.stun_server and other.user != config.user
            for other in others
        )

    def has_room(self, config: PhoneConfig) -> bool:
        """Whether the phone fits and pjsua has a free call slot for each of its calls."""
        return self.fits(config) and self.unpromised_slots() >= config.max_calls

    def unpromised_slots(self) -> int:
        """Free call slots beyond the phones' limits; negative while an ended call keeps its slot,
        waiting for the answer to its BYE.
        """
        return int(self.process.call("unpromised_slots"))


_NO_RULES = Rules()
MakePhone = Callable[[PhoneProcess, int], Phone]  # of a process and the phone's key


class PhonePool:
    """The phones of one worker. Thread-safe.

    A process that is silent for ``patience`` seconds counts as hung. Processes are forked from
    ``fork_server`` if given. Sinks are called one at a time, in a thread of the pool; they must not
    call phones.
    """

    def __init__(
        self, directory: Path, *, patience: float = 5.0, fork_server: Path | None = None
    ) -> None:
        #: Notified at each event; held while events are handled.
        self.changed = threading.Condition()
        self.deadlines = DeadlineScheduler()
        self.fatal_error: BaseException | None = None  #: why no wait can succeed any more
        self._patience, self._fork_server = patience, fork_server
        directory.mkdir(parents=True, exist_ok=True)
        self._scratch = Scratch(directory)
        self._hosts: list[_Host] = []
        self._keys = itertools.count(1)
        self._leasing = threading.Lock()
        self._closed = False

    def __enter__(self) -> PhonePool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def prepare(self) -> None:
        """Start the first process beside what the caller does next. If it does not start, the first
        lease says why.
        """
        threading.Thread(target=self._prepare, name="first phones", daemon=True).start()

    def _prepare(self) -> None:
        with self._leasing, contextlib.suppress(BrokenError, OSError):
            if not self._closed and not self._hosts:
                self._hosts.append(self._start())

    @property
    def pids(self) -> list[int]:
        """The ids of the running processes."""
        return [host.process.pid for host in self._hosts if host.process.lost is None]

    def stalls(self, begin: float, end: float) -> list[list[Stall]]:
        """For each process, its stalls between two times: see :meth:`PhoneProcess.stalls`."""
        return [host.process.stalls(begin, end) for host in self._hosts]

    def have_pulsed(self, since: float) -> bool:
        """Whether every process has shown since then that it runs."""
        return all(host.process.has_pulsed(since) for host in self._hosts)

    def lease(
        self,
        config: PhoneConfig,
        *,
        sink: Sink,
        marks: Iterator[int],
        directory: Path,
        rules: Rules = _NO_RULES,
        sharing: Sharing | None = None,
    ) -> Phone:
        """A phone for a case; recordings go to ``directory``, marks of its legs are drawn from
        ``marks``.

        ``rules`` are checked before each call, transfer and REFER. With ``sharing``, other
        processes use the same phone for the calls of their cases.

        Raises :class:`ResourceError` when this machine or build lacks something (ports, codecs,
        calls), and :class:`PhoneLostError` when no phone process starts.
        """
        directory.mkdir(parents=True, exist_ok=True)

        def make(process: PhoneProcess, key: int) -> Phone:
            return Phone(
                self, process, key, config, sink=sink, marks=marks, directory=directory, rules=rules
            )

        with self._leasing:
            if self._closed:
                raise BrokenError("the phones are closed")
            if sharing is not None:
                return self._put(self._shared(config, sharing), make)
            return self._of_a_living_process(config, make)

    def _of_a_living_process(self, config: PhoneConfig, make: MakePhone) -> Phone:
        """A parked phone, or a new one. Tries again if an idle process turns out to be dead."""
        while True:
            alive = [host for host in self._hosts if host.process.lost is None]
            idle = [host for host in alive if not host.phones]
            try:
                return self._readopt(config, make) or self._add(config, make)
            except PhoneLostError:
                if all(host.process.lost is None for host in idle):
                    raise

    def _shared(self, config: PhoneConfig, sharing: Sharing) -> _Host:
        """The host of a shared phone: a connection to the switchboard."""
        for host in self._hosts:
            process = host.process
            if not isinstance(process, SharedProcess) or process.lost is not None:
                continue
            if process.config == config:
                process.share(sharing)
                return host
        host = _Host(SharedProcess(self, sharing, config))
        self._hosts.append(host)
        return host

    def _give_up(self, config: PhoneConfig) -> None:
        """Remove parked phones with the same address of record: calls would go to the one that
        registered last.
        """
        for host in self._hosts:
            for parked in list(host.parked.values()):
                same_address = parked.config.address_of_record == config.address_of_record
                same_registrar = parked.config.registrar == config.registrar
                if same_address and same_registrar and host.process.lost is None:
                    del host.parked[parked.key]
                    host.process.call("remove", phone=parked.key)

    def _readopt(self, config: PhoneConfig, make: MakePhone) -> Phone | None:
        """A parked phone of the same configuration, if there is one in a process with room for
        calls.
        """
        for host in self._hosts:
            for parked in list(host.parked.values()):
                if parked.config != config or host.process.lost is not None:
                    continue
                if host.unpromised_slots() < 0:
                    continue
                del host.parked[parked.key]
                phone = make(host.process, parked.key)
                with self._moving_in(host, phone):
                    address, registered = host.process.call(
                        "adopt", phone=phone.key, directory=str(phone.directory)
                    )
                phone.address = address
                phone.adopt(parked.registration if registered else None)
                return phone
        return None

    def _add(self, config: PhoneConfig, make: MakePhone) -> Phone:
        self._give_up(config)
        stun = config.stun_server
        if stun and not stun_answers(stun, config.bind_address):
            raise ResourceError(f"phone {config.name}: the STUN server {stun} does not answer")
        return self._put(self._host_for(config), make)

    def _put(self, host: _Host, make: MakePhone) -> Phone:
        """Add a new phone to a process."""
        phone = make(host.process, next(self._keys))
        config = phone.config
        with self._moving_in(host, phone):
            phone.address = host.process.call(
                "add",
                phone=phone.key,
                config=config.to_plain(),
                directory=str(phone.directory),
                networks=config.accepted_networks(),
            )
        return phone

    @contextlib.contextmanager
    def _moving_in(self, host: _Host, phone: Phone) -> Iterator[None]:
        """Add the phone to the host before its first event; remove it again if its process refuses
        it or dies.
        """
        with self.changed:
            host.phones[phone.key] = phone
        try:
            yield
        except BaseException:
            with self.changed:
                host.phones.pop(phone.key, None)
            raise

    def _host_for(self, config: PhoneConfig) -> _Host:
        """A process with room for the phone, else a new one. Raises :class:`ResourceError` if none
        can have enough calls.
        """
        self._hosts = [host for host in self._hosts if not host.is_over]
        for host in self._hosts:
            if host.has_room(config):
                return host
        for host in self._hosts:  # remove parked phones before starting another process
            if not host.phones and host.parked:
                for key in list(host.parked):
                    host.process.call("remove", phone=key)
                    del host.parked[key]
                if host.has_room(config):
                    return host
        host = self._start()
        if not host.fits(config):
            process = host.process
            process.close()
            has = f"a process of this pjsua2 build ({process.version}) has {process.most_calls}"
            raise ResourceError(
                f"phone {config.name} needs {config.max_calls} calls at once; {has}"
            )
        self._hosts.append(host)
        return host

    def _start(self) -> _Host:
        process = PhoneProcess(
            self, self._scratch.path, patience=self._patience, fork_server=self._fork_server
        )
        return _Host(process)

    def give_back(self, phone: Phone, keep_registration: bool) -> None:
        """Park or remove a phone: the last step of :meth:`Phone.release`."""
        with self._leasing:
            host = next((host for host in self._hosts if phone.key in host.phones), None)
            if host is None:
                return
            registered = phone.registration is not None and phone.registration.active
            try:
                if host.process.lost is not None:
                    return
                # The switchboard keeps a shared phone registered by itself.
                if keep_registration and registered and not isinstance(host.process, SharedProcess):
                    host.process.call("park", phone=phone.key)
                    host.parked[phone.key] = _Parked(phone.key, phone.config, phone.registration)
                else:
                    host.process.call("remove", phone=phone.key)
            except BrokenError:
                if host.process.lost is None:
                    raise
            finally:
                with self.changed:
                    host.phones.pop(phone.key, None)

    @property
    def loss(self) -> PhoneLostError | None:
        """The error of a leased phone that was lost: its case's findings then prove nothing."""
        with self.changed:
            for host in self._hosts:
                for phone in host.phones.values():
                    if phone.loss is not None:
                        return phone.loss
        return None

    def lose(self, error: BaseException) -> None:
        """End every wait, now and later, with ``error``: the simulated world died."""
        with self.changed:
            self.fatal_error = error
            self.changed.notify_all()

    def close(self) -> None:
        """Hang up everything and end the processes. Leased phones can no longer be used."""
        self.deadlines.close()
        with self._leasing:
            self._closed = True
            hosts, self._hosts = self._hosts, []
            closers = [threading.Thread(target=host.process.close) for host in hosts]
            for closer in closers:
                closer.start()
            for closer in closers:
                closer.join()
            self._scratch.close()

    # Called by the processes, in their reader threads.

    def notified(self, process: PhoneProcess, name: str, arguments: dict[str, Any]) -> None:
        """Handle an event, or the start or end of a leg."""
        with self.changed:
            phone = self._phone(process, arguments["phone"])
            if phone is not None:
                mark = phone.notified(name, arguments)
                self.changed.notify_all()
                if mark is not None:
                    process.post("arm", leg=arguments["leg"], mark=mark)

    def asked(self, process: PhoneProcess, name: str, arguments: dict[str, Any]) -> Any:
        """Decide whether a REFER may be followed."""
        if name != "may_follow":
            return None
        with self.changed:
            leg = self._leg(process, arguments["leg"])
        if leg is None:
            return False
        try:
            leg.phone.follow(leg, arguments["uri"], has_room=arguments["has_room"])
        except WrongTargetError:
            # A fault of the system under test, so it is not noted as declined by the harness.
            return False
        except (RefusedError, BrokenError) as error:
            leg.phone.declines(error)
            return False
        return True

    def stalled(self, process: PhoneProcess, stall: Stall) -> None:
        """The process keeps it: see :meth:`stalls`."""

    def lost(self, process: PhoneProcess, reason: str, log: str) -> None:
        """Mark all phones of the process as lost; their waits end now."""
        with self.changed:
            for host in self._hosts:
                if host.process is process:
                    for phone in host.phones.values():
                        phone.lose(reason, log)
            self.changed.notify_all()

    def _phone(self, process: PhoneProcess, key: int) -> Phone | None:
        for host in self._hosts:
            if host.process is process:
                return host.phones.get(key)
        return None

    def _leg(self, process: PhoneProcess, key: int) -> Leg | None:
        for host in self._hosts:
            if host.process is not process:
                continue
            for phone in host.phones.values():
                leg = phone.leg(key)
                if leg is not None:
                    return leg
        return None


_HEADER: Final = struct.Struct("!HHI12s")
_BINDING: Final = 0x0001
_SUCCESS: Final = b"\x01\x01"
_COOKIE: Final = 0x2112A442
_TRIES: Final = 4
_INTERVAL: Final = 0.5  # RFC 5389 section 7.2.1: its first retransmission time


def stun_answers(server: str, bind_address: str) -> bool:
    """Whether ``server`` (``host:port``) answers a Binding request with an address (RFC 5389)
    within two seconds.

    pjsua would block for ten seconds if it does not.
    """
    host, _, port = server.partition(":")
    transaction = secrets.token_bytes(12)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.bind((bind_address, 0))
            line.settimeout(_INTERVAL)
            line.connect((host, int(port or 3478)))
            for _ in range(_TRIES):
                line.send(_HEADER.pack(_BINDING, 0, _COOKIE, transaction))
                try:
                    answer = line.recv(2048)
                    if answer[:2] == _SUCCESS and answer[8:20] == transaction:
                        return True
                except TimeoutError:
                    continue
    except (OSError, ValueError):
        return False
    return False
