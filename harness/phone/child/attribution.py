"""Assigns messages and connections to phones and their legs.

Messages come without their call, and both ends of a call may be in this process. The two copies of
a message differ in direction, and so in the tag of the local side (RFC 3261 section 12).
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from harness.phone.child.account import AccountHolder, HostedPhone
from harness.phone.child.leg import UNKNOWN, CallLeg
from harness.phone.child.messages import Connection, WireMessage
from harness.phone.child.socket_limits import SocketName

_MOST_OWNERS: Final = 500
_MOST_CONNECTIONS: Final = 8


class Attribution:
    """``phones`` returns the current phones; ``deliver`` receives each message with its phone and,
    within a call, its leg.

    - A message of a leg has the leg's Call-ID and local tag. While the tag is not known yet, the
      direction decides, and for an incoming call the branch of its INVITE.
    - An INVITE that comes is kept until pjsua announces its call, and so is what follows it. If
      pjsua refuses the call by itself, they are the phone's (`give_up_unbound`).
    - pjsua chooses the Call-ID of a call that a REFER asks for: its leg waits under `UNKNOWN` for
      the first INVITE that no other leg has.
    - Messages outside of calls belong to the phone that sent the first one, or that it is for. So
      do late messages of a leg that is forgotten.
    """

    def __init__(
        self,
        phones: Callable[[], Iterable[AccountHolder]],
        deliver: Callable[[float, WireMessage, HostedPhone, CallLeg | None], None],
    ) -> None:
        self._phones = phones
        self._deliver = deliver
        self.arrived: WireMessage | None = None  #: the received request that pjsip handles now
        self._dialogs: dict[str, list[CallLeg]] = {}
        # INVITEs that have no leg yet.
        self._unbound: dict[str, list[tuple[float, WireMessage]]] = {}
        # Phones of messages outside of calls, by Call-ID and ``ours`` (REGISTER, OPTIONS …) or the
        # local tag (ended calls).
        self._owners: dict[tuple[str, bool | str], weakref.ref[HostedPhone]] = {}
        # By transport and remote address.
        self._connections: dict[tuple[str, str], list[Connection]] = {}

    # Messages.

    def message(self, at: float, message: WireMessage) -> None:
        """Deliver a message, or keep it until its leg is known."""
        leg = None
        if message.call_id:
            leg = self._leg_of(message) or self._referred(message)
        if leg is not None:
            self._deliver(at, message, leg.phone, leg)
            leg.saw(message)
        elif message.direction == "received" and message.begins_call:
            self._unbound.setdefault(message.call_id, []).append((at, message))
        elif message.call_id in self._unbound and not message.ours:
            self._unbound[message.call_id].append((at, message))
        else:
            self._deliver_outside_calls(at, message)

    def begins(self, leg: CallLeg) -> list[tuple[float, WireMessage]]:
        """Note a new leg; returns its messages that came before pjsua announced it, for
        :meth:`catch_up`.
        """
        self._dialogs.setdefault(leg.call_id, []).append(leg)
        if leg.direction != "incoming":
            return []
        before = self._unbound.pop(leg.call_id, [])
        if before:
            _, invite = before[0]
            leg.branch = invite.branch
        return before

    def waiting_invite(self, call_id: str) -> WireMessage | None:
        """An INVITE that has no leg yet; None when none is known."""
        return next((message for _, message in self._unbound.get(call_id, [])), None)

    def catch_up(self, leg: CallLeg, before: list[tuple[float, WireMessage]]) -> None:
        """Deliver what :meth:`begins` returned."""
        for at, message in before:
            self._deliver(at, message, leg.phone, leg)
            leg.saw(message)

    def give_up_unbound(self) -> None:
        """Deliver INVITEs that pjsua refused by itself to their phones."""
        for call_id in list(self._unbound):
            for at, message in self._unbound.pop(call_id):
                self._deliver_outside_calls(at, message)

    def forget(self, leg: CallLeg) -> None:
        """Forget a leg; later messages of its dialog are delivered to its phone."""
        if leg.tag:
            self._own((leg.call_id, leg.tag), leg.phone)
        self._remove(leg)

    def has_ended(self, message: WireMessage) -> bool:
        """Whether the message belongs to a forgotten leg."""
        return (message.call_id, message.local_tag) in self._owners

    def _remove(self, leg: CallLeg) -> None:
        legs = self._dialogs[leg.call_id]
        legs.remove(leg)
        if not legs:
            del self._dialogs[leg.call_id]

    def _leg_of(self, message: WireMessage) -> CallLeg | None:
        """Find the leg by Call-ID and local tag; before there is a tag, by direction. The first
        message with a tag gives it to the leg.
        """
        legs = self._dialogs.get(message.call_id)
        if not legs:
            return None
        tag = message.local_tag
        if tag:
            for leg in legs:
                if leg.tag == tag:
                    return leg
        direction = "outgoing" if message.ours else "incoming"
        for leg in legs:
            if leg.direction != direction or (leg.tag and tag):
                continue
            # Of another fork's INVITE: its responses and its CANCEL have its branch (RFC 3261
            # sections 8.2.6.2 and 9.1).
            if direction == "incoming" and leg.branch not in ("", message.branch):
                continue
            leg.tag = leg.tag or tag
            return leg
        return None

    def leg_of_tag(self, tag: str) -> CallLeg | None:
        """The leg with this local tag, regardless of its Call-ID; None for an empty tag."""
        if not tag:
            return None
        for legs in self._dialogs.values():
            for leg in legs:
                if leg.tag == tag:
                    return leg
        return None

    def _referred(self, message: WireMessage) -> CallLeg | None:
        """The leg placed on a REFER, if this is its first INVITE: pjsua chooses its Call-ID."""
        waiting = self._dialogs.get(UNKNOWN)
        if not waiting or not message.ours or not message.begins_call:
            return None
        leg = waiting[0]
        self._remove(leg)
        leg.call_id = message.call_id
        self._dialogs.setdefault(leg.call_id, []).append(leg)
        return self._leg_of(message)

    def _deliver_outside_calls(self, at: float, message: WireMessage) -> None:
        """Deliver a message of no leg: to the phone that its first message belongs to (its
        transaction, or an ended call's dialog), so that answers and retransmissions stay with it.
        """
        if not message.call_id:  # truncated or malformed: it belongs to no call
            called = None if message.ours else self.called(message)
            if called is not None:
                self._deliver(at, message, called, None)
            return
        key = (message.call_id, message.ours)  # a phone may ask another of the same process
        owner = self._owners.get((message.call_id, message.local_tag)) or self._owners.get(key)
        phone: HostedPhone | None
        if owner is not None:
            phone = owner()
        else:
            phone = self._new_owner(message)
            if phone is not None:
                self._own(key, phone)
        if phone is not None and not phone.gone:  # pjsip may retransmit answers of a removed phone
            self._deliver(at, message, phone, None)

    def _new_owner(self, message: WireMessage) -> HostedPhone | None:
        """The phone of the first message of a transaction outside of calls."""
        if not message.ours:
            return self.called(message)
        if message.direction == "received":
            return None  # an answer without a request (RFC 3261 section 18.1.2): anyone can send it
        sender = self._sender(message)
        return sender.asker(message) if sender is not None else None

    def asker_of(self, response: WireMessage) -> HostedPhone | None:
        """The phone whose request a received response answers; None when no phone sent such a
        request.
        """
        leg = self.leg_of_tag(response.local_tag)
        if leg is not None:
            return leg.phone
        owner = self._owners.get((response.call_id, True))
        return owner() if owner is not None else None

    def _sender(self, message: WireMessage) -> AccountHolder | None:
        """The phone named in the Via; a TLS phone without a certificate names its connection
        instead.
        """
        for phone in self._phones():
            if phone.sent_by == message.sent_by:
                return phone
        host = message.sent_by.rpartition(":")[0]
        found = []
        for phone in self._phones():
            is_there = host in (phone.host, phone.sent_by.rpartition(":")[0])
            is_its_user = phone.user == message.from_user
            if is_there and is_its_user and phone.transport_name == message.transport:
                found.append(phone)
        return found[0] if len(found) == 1 else None

    def _own(self, key: tuple[str, bool | str], phone: HostedPhone) -> None:
        while len(self._owners) >= _MOST_OWNERS:
            self._owners.pop(next(iter(self._owners)))
        self._owners[key] = weakref.ref(phone)

    def called(self, message: WireMessage) -> AccountHolder | None:
        """The phone a request is for: by address, else by user, else the only one on its transport."""
        phones = [
            phone for phone in self._phones() if message.transport in ("", phone.transport_name)
        ]
        users = {user for user, _ in message.targets()}
        places = {place for _, place in message.targets()}
        for found in (
            [phone for phone in phones if phone.address in places],
            [phone for phone in phones if phone.user in users],
            [phone for phone in phones if phone.host in places],
        ):
            if len(found) == 1:
                return found[0]
        return phones[0] if len(phones) == 1 else None

    # Connections.

    def connected(self, connection: Connection) -> None:
        """A TCP or TLS connection was opened or accepted."""
        known = self._connections.setdefault((connection.transport, connection.remote), [])
        others = [other for other in known if other.local != connection.local]
        known[:] = [*others[1 - _MOST_CONNECTIONS :], connection]

    def local_address(self, phone: HostedPhone, message: WireMessage) -> str:
        """The local address of a message: of its connection, or of the phone's socket."""
        for connection in reversed(self._connections.get((message.transport, message.remote), [])):
            if _may_have(phone, connection):
                return connection.local
        return phone.address

    def opened_by(self, handle: int) -> Iterator[tuple[Connection, AccountHolder]]:
        """The connections known by ``handle``, each with the phones it may belong to."""
        for known in self._connections.values():
            for connection in known:
                if connection.handle != handle:
                    continue
                for phone in self._phones():
                    if _may_have(phone, connection):
                        yield connection, phone

    def take_connections(self, phone: HostedPhone) -> set[SocketName]:
        """Forget a phone that is removed; returns the addresses its connections are bound to.

        Connections that may belong to another phone are left out: they close by themselves after 33
        s without use.
        """
        others = [other for other in self._phones() if other is not phone]

        def is_only_its(connection: Connection) -> bool:
            if not _may_have(phone, connection):
                return False
            return not any(_may_have(other, connection) for other in others)

        taken: set[SocketName] = set()
        kept: dict[tuple[str, str], list[Connection]] = {}
        for key, known in self._connections.items():
            mine = list(filter(is_only_its, known))
            taken.update(connection.name for connection in mine)
            rest = [connection for connection in known if connection not in mine]
            if rest:
                kept[key] = rest
        self._connections = kept
        return taken


def _may_have(phone: HostedPhone, connection: Connection) -> bool:
    """Whether the phone may have opened or accepted the connection, according to the log."""
    if phone.transport_name != connection.transport:
        return False
    if connection.handle is None:
        return connection.local == phone.address
    return phone.bound.has_host(connection.name.host)
