"""The connection to the parent: its commands by name, and notifications and questions to it.

``call`` is the id that the answer to a command carries.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.phone.child.account import AccountHolder, LeasedPhone, PhoneShare
from harness.phone.child.bindings import Headers, Refusal, misuse
from harness.phone.child.incoming import CallFilter
from harness.phone.child.leg import CallLeg
from harness.phone.child.media import playable
from harness.phone.child.stack import is_sip_address
from harness.phone.config import PhoneConfig
from harness.phone.protocol import FAREWELL_SECONDS, LogRing, Questions, Wire, choice_from_plain

if TYPE_CHECKING:
    from harness.phone.child.service import Service

_ANSWER_S: Final = 1.0  # all calls of the process wait for the answer

#: A command: its name, the number that its answer carries, and its arguments.
Command = tuple[str, int, dict[str, Any]]


class Parent:
    """The parent at the other end of ``wire``. Sending is thread-safe; one thread takes commands."""

    def __init__(self, wire: Wire, ring: LogRing) -> None:
        self._wire, self._ring = wire, ring
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self.waiting: Command | None = None  #: the oldest command, if it has to wait
        self._questions = Questions(wire)
        self.gone = threading.Event()  #: the parent's end is closed, or this process is to end

    def listen(self, wake: Callable[[], None]) -> None:
        """Read the parent's messages in a new thread, which calls ``wake`` for each command."""
        threading.Thread(target=self._read, args=(wake,), name="commands", daemon=True).start()

    def _read(self, wake: Callable[[], None]) -> None:
        for message in self._wire:
            if message[0] == "answer":
                self._questions.take(message[1:])
            else:
                _, call, name, arguments = message
                self._commands.put((name, call, arguments))
                wake()
        self.gone.set()
        wake()
        # If the main thread hangs, this thread ends the process.
        time.sleep(3 * FAREWELL_SECONDS)
        os._exit(2)

    # Commands.

    def next_command(self, waits: Callable[[str], bool]) -> Command | None:
        """The oldest command, or None if it ``waits``; later commands then wait too."""
        if self.waiting is None and not self._commands.empty():
            self.waiting = self._commands.get()
        command = self.waiting
        if command is None or waits(command[0]):
            return None
        self.waiting = None
        return command

    def done(self, call: int, value: Any) -> None:
        """Send a command's result. Raises ``OSError`` when the parent is gone."""
        self._wire.send("done", call, value)

    def failed(self, call: int, kind: str, text: str) -> None:
        """Send why a command failed; ``kind`` names the error that the parent raises. Raises
        ``OSError``.
        """
        self._wire.send("failed", call, kind, text)

    # Notifications and questions.

    def tell(self, what: str, /, **arguments: Any) -> None:
        """Send a notification."""
        with contextlib.suppress(OSError):  # the reader thread notices that the parent is gone
            self._wire.send("tell", what, arguments)

    def together(self) -> AbstractContextManager[None]:
        """See :meth:`Wire.together`."""
        return self._wire.together()

    def ask(self, name: str, arguments: dict[str, Any]) -> Any:
        """The parent's answer to a question. Without an answer in time this process counts as lost,
        a fault of the harness.
        """
        with contextlib.suppress(OSError, queue.Empty):
            return self._questions.ask(name, arguments, _ANSWER_S)
        self.tell("lost", reason=f"the harness took more than {_ANSWER_S:g} s to answer {name!r}")
        return None

    def fault(self, text: str) -> None:
        """Report a defect of this process; the parent then kills it."""
        for line in text.splitlines():
            self._ring.write(line)
        print(text, file=sys.stderr, flush=True)
        self.tell("fault", text=text)


#: Commands that are methods of the leg with the key ``leg``.
_OF_A_LEG: Final = frozenset(
    ["hold", "play", "reinvite", "respond", "resume", "send_digits", "tell_statistics", "transfer"]
)
#: Commands that get the id of their answer, which is sent later.
_ANSWERED_LATER: Final = frozenset(["remove", "request"])
LATER: Final = object()


class Commands:
    """Runs the commands. Each public method is one."""

    def __init__(self, host: Service) -> None:
        self._host = host

    def obey(self, name: str, call: int, arguments: dict[str, Any]) -> Any:
        """Run a command. Returns the answer or :data:`LATER`. Raises :class:`Refusal` and
        ``pj.Error``.
        """
        if name in _OF_A_LEG:
            leg = self._leg(arguments.pop("leg"))
            return getattr(leg, name)(**arguments)
        if name in _ANSWERED_LATER:
            _COMMANDS[name](self, call, **arguments)
            return LATER
        return _COMMANDS[name](self, **arguments)

    def _phone(self, key: int) -> LeasedPhone:
        found = self._host.phones.get(key)
        if found is None:
            raise misuse("this phone was released")
        return found

    def _leg(self, key: int) -> CallLeg:
        found = self._host.legs.find(key)
        if found is None:
            raise misuse("this leg has ended")
        return found

    # Phones.

    def free_slots(self) -> int:
        return self._host.free_slots()

    def unpromised_slots(self) -> int:
        return self._host.unpromised_slots()

    def add(
        self, phone: int, config: dict[str, Any], directory: str, networks: list[str] | None
    ) -> str:
        """Create a phone that accepts requests from ``networks`` (None: all); returns its address."""
        made = PhoneConfig.from_plain(config)
        self._host.endpoint.check_codecs(made.codecs)
        hosted = self._host.phones[phone] = AccountHolder(
            self._host, phone, made, Path(directory), networks
        )
        return hosted.address

    def join(
        self,
        phone: int,
        account: int,
        config: dict[str, Any],
        directory: str,
        numbers: list[str],
        lands: bool,
        withheld: bool,
    ) -> str:
        """Create a case's share of the phone ``account``; returns the phone's address."""
        claim = CallFilter(tuple(numbers), lands, withheld)
        holder = self._phone(account)
        assert isinstance(holder, AccountHolder)
        made = PhoneShare(holder, phone, PhoneConfig.from_plain(config), Path(directory), claim)
        self._host.phones[phone] = made
        return made.address

    def adopt(self, phone: int, directory: str) -> tuple[str, bool]:
        """Lease a parked phone again; returns its address and whether it is registered."""
        kept = self._phone(phone)
        assert isinstance(kept, AccountHolder)
        kept.adopt(Path(directory))
        self._host.admission.begins_anew(kept)
        return kept.address, kept.registered

    def park(self, phone: int) -> None:
        """Keep the phone and its registration, but refuse calls."""
        self._phone(phone).parked = True

    def remove(self, call: int, phone: int) -> None:
        """Remove the phone: hang up, un-REGISTER, close."""
        self._host.departures.begin(self._phone(phone), call)

    def set_policy(self, phone: int, policy: list[Any]) -> None:
        """Set what to do with incoming calls."""
        self._phone(phone).policy = choice_from_plain(policy)

    def register(self, phone: int) -> None:
        asked = self._phone(phone)
        if not (asked.config.registrar or asked.config.proxy):
            raise misuse(f"phone {asked.config.name} has no registrar")
        asked.register(True)

    def request(
        self,
        call: int,
        phone: int,
        method: str,
        uri: str,
        headers: Headers,
        body: str,
        content_type: str,
    ) -> None:
        """Send a request outside any dialog; the answer is ``[code, reason]``."""
        self._phone(phone).send_request(call, method, uri, headers, body, content_type)

    # Calls.

    def dial(
        self, phone: int, uri: str, headers: Headers, mark: int, source: list[Any], local_uri: str
    ) -> int:
        """Place a call; returns its leg's key."""
        caller = self._phone(phone)
        if self._host.free_slots() < 1:
            most = self._host.endpoint.most_calls
            raise Refusal("resource", f"all {most} call slots of the phone process are taken")
        if not is_sip_address(uri) and not uri.startswith("tel:"):
            raise misuse(f"{caller.config.name} cannot dial {uri!r}: not a URI")
        playing = playable(source)
        leg = CallLeg(self._host, caller, uuid.uuid4().hex, "outgoing", uri, mark=mark)
        leg.media.source = playing
        try:
            leg.media.prepare()  # before the INVITE, because the main thread may wait for the disk
            leg.dial(headers, local_uri)
        except BaseException:
            if not leg.disconnected:
                leg.end()
            raise
        return leg.key

    def arm(self, leg: int, mark: int) -> None:
        """Set the mark of a leg that the child created; the leg may be over already."""
        if begun := self._host.legs.find(leg):
            begun.media.name_mark(mark)

    def hang_up(self, leg: int, code: int, reason: str, headers: Headers) -> None:
        """End a call; does nothing if it is over."""
        if up := self._host.legs.find(leg):
            up.hang_up(code, reason, headers)

    def bridge(self, leg: int, other: int) -> None:
        self._leg(leg).bridge(self._leg(other))


_COMMANDS: Final[dict[str, Callable[..., Any]]] = {
    name: method
    for name, method in vars(Commands).items()
    if not name.startswith("_") and name != "obey"
}
