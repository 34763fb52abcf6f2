"""Handles pjsua's log: SIP messages and connections are read from it, and all entries are kept in the ring."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from harness.phone.child.account import HostedPhone
from harness.phone.child.admission import Admission
from harness.phone.child.attribution import Attribution
from harness.phone.child.dropped import DroppedMessages
from harness.phone.child.leg import CallLeg
from harness.phone.child.sip_log import read_connection, read_handshake, read_message
from harness.phone.child.tcp_limits import ConnectionLimit
from harness.phone.log_ring import LogRing

_NO_SLOT: Final = "Unable to accept incoming call (too many calls)"


class StackLog:
    """Reads each entry and passes its content on."""

    def __init__(
        self,
        ring: LogRing,
        attribution: Attribution[HostedPhone, CallLeg],
        connection_limit: ConnectionLimit,
        admission: Admission,
        tell_handshake: Callable[[str, str, bool], None],
    ) -> None:
        self._ring, self._attribution, self._connection_limit, self._admission = (
            ring,
            attribution,
            connection_limit,
            admission,
        )
        self._tell_handshake = tell_handshake
        self._dropped = DroppedMessages()

    def take(self, level: int, entry: str) -> None:
        """An entry of the log."""
        now = time.monotonic()
        message = read_message(entry)
        if message is not None:
            start = message.text.split("\r\n", 1)[0]
            self._ring.write(f"{now:.3f} {message.direction} {message.transport} {message.remote} {start}")
            self._attribution.message(now, message)
            return
        self._ring.write(f"{now:.3f} {level} {entry.strip()}")
        self._connection_limit.heard(entry)
        if _NO_SLOT in entry:
            self._admission.found_no_slot()
        if (dropped := self._dropped.read(entry)) is not None:
            if not self._admission.refuses_unread(self._attribution.called(dropped), dropped):
                self._attribution.message(now, dropped)
            return
        if (handshake := read_handshake(entry)) is not None:
            self._tell_handshake(*handshake)
        connection = read_connection(entry)
        if connection is not None:
            self._attribution.connected(connection)
