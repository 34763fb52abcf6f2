"""The commands of the parent, by name; ``call`` is the id that the answer to a command carries."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from harness.phone.child.account import (
    AccountHolder,
    CallFilter,
    LeasedPhone,
    PhoneHost,
    PhoneShare,
    account_holders,
)
from harness.phone.child.admission import Admission
from harness.phone.child.bindings import Headers, Refusal, misuse
from harness.phone.child.connection_limit import ConnectionLimit
from harness.phone.child.leg import CallLeg
from harness.phone.child.legs import Legs
from harness.phone.child.media import playable
from harness.phone.child.parent import Parent
from harness.phone.child.stack import is_sip_address
from harness.phone.config import PhoneConfig
from harness.phone.protocol import FAREWELL_SECONDS, choice_from_plain


class Departures:
    """Removes phones: they hang up, un-REGISTER and close; then the parent's command is answered. A
    phone whose far end does not answer is closed at its deadline.
    """

    def __init__(
        self,
        phones: dict[int, LeasedPhone],
        legs: Legs,
        connection_limit: ConnectionLimit,
        parent: Parent,
    ) -> None:
        self._phones = phones
        self._legs = legs
        self._connection_limit = connection_limit
        self._parent = parent
        # With the command's id and the deadline.
        self._under_way: list[tuple[LeasedPhone, int, float]] = []

    def __bool__(self) -> bool:
        return bool(self._under_way)

    def begin(self, phone: LeasedPhone, call: int) -> None:
        """Start to remove a phone; the parent's ``call`` is answered when that is done."""
        for leg in self._legs.of(phone):
            leg.hang_up()
        now = time.monotonic()
        self._under_way.append((phone, call, now + 2 * FAREWELL_SECONDS))
        self.tick(now)

    def tick(self, now: float) -> None:
        """Continue all removals."""
        for departure in list(self._under_way):
            phone, call, deadline = departure
            if now < deadline:
                if self._legs.of(phone):
                    continue
                if isinstance(phone, AccountHolder) and phone.registered:
                    phone.unregister(now)
                    continue
            self._under_way.remove(departure)
            self._phones.pop(phone.key, None)
            self._connection_limit.reopen()  # before the phone's socket is closed
            phone.close()
            with contextlib.suppress(OSError):
                self._parent.done(call, None)


#: Commands that are methods of the leg with the key ``leg``.
_OF_A_LEG: Final = frozenset(
    [
        "await_mark",
        "emit_statistics",
        "hold",
        "play",
        "reinvite",
        "respond",
        "resume",
        "send_digits",
        "transfer",
    ]
)
#: Commands that get the id of their answer, which is sent later.
_ANSWERED_LATER: Final = frozenset(["remove", "request"])
LATER: Final = object()


class Commands:
    """Runs the commands. Each public method is one.

    The parent names phones and legs by keys. A phone that was released, or a leg that has ended, is
    a misuse; a leg that may have ended meanwhile (`arm`, `hang_up`) is not.
    """

    def __init__(
        self,
        phones: dict[int, LeasedPhone],
        process: PhoneHost,
        legs: Legs,
        admission: Admission,
        departures: Departures,
    ) -> None:
        self._phones = phones
        self._process = process
        self._legs = legs
        self._admission = admission
        self._departures = departures

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
        found = self._phones.get(key)
        if found is None:
            raise misuse("this phone was released")
        return found

    def _leg(self, key: int) -> CallLeg:
        found = self._legs.find(key)
        if found is None:
            raise misuse("this leg has ended")
        return found

    # Phones.

    def free_slots(self) -> int:
        return self._legs.free_slots()

    def unpromised_slots(self) -> int:
        return self._legs.unpromised_slots(account_holders(self._phones))

    def add(
        self, phone: int, config: dict[str, Any], directory: str, networks: list[str] | None
    ) -> str:
        """Create a phone that accepts requests from ``networks`` (None: all); returns its address."""
        made = PhoneConfig.from_plain(config)
        self._process.endpoint.check_codecs(made.codecs)
        hosted = AccountHolder(self._process, phone, made, Path(directory), networks)
        self._phones[phone] = hosted
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
        region: str,
        ended: dict[str, float],
    ) -> str:
        """Create a case's share of the phone ``account``; returns the phone's address."""
        claim = CallFilter(tuple(numbers), lands, withheld, region, ended)
        holder = self._phone(account)
        assert isinstance(holder, AccountHolder)
        made = PhoneShare(holder, phone, PhoneConfig.from_plain(config), Path(directory), claim)
        self._phones[phone] = made
        return made.address

    def adopt(self, phone: int, directory: str) -> tuple[str, bool]:
        """Lease a parked phone again; returns its address and whether it is registered."""
        kept = self._phone(phone)
        assert isinstance(kept, AccountHolder)
        kept.adopt(Path(directory))
        self._admission.begins_anew(kept)
        return kept.address, kept.registered

    def park(self, phone: int) -> None:
        """Keep the phone and its registration, but refuse calls."""
        self._phone(phone).parked = True

    def remove(self, call: int, phone: int) -> None:
        """Remove the phone: hang up, un-REGISTER, close."""
        self._departures.begin(self._phone(phone), call)

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
        if self._legs.free_slots() < 1:
            most = self._process.endpoint.most_calls
            raise Refusal("resource", f"all {most} call slots of the phone process are taken")
        if not is_sip_address(uri) and not uri.startswith("tel:"):
            raise misuse(f"{caller.config.name} cannot dial {uri!r}: not a URI")
        playing = playable(source)
        leg = CallLeg(self._legs, caller, uuid.uuid4().hex, "outgoing", uri, mark=mark)
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
        begun = self._legs.find(leg)
        if begun is not None:
            begun.media.name_mark(mark)

    def hang_up(self, leg: int, code: int, reason: str, headers: Headers) -> None:
        """End a call; does nothing if it is over."""
        up = self._legs.find(leg)
        if up is not None:
            up.hang_up(code, reason, headers)

    def bridge(self, leg: int, other: int) -> None:
        self._leg(leg).bridge(self._leg(other))


_PRIVATE: Final = ("_", "obey")
_COMMANDS: Final[dict[str, Callable[..., Any]]] = {
    name: method for name, method in vars(Commands).items() if not name.startswith(_PRIVATE)
}
