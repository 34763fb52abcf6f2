"""UDP sockets that report ICMP errors (RFC 3261 section 18.4)."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
from collections.abc import Callable

from harness.world.wire.transport import Address, Flow, Listen, ListenError, Passage, TracedFilter

_IP_RECVERR = 11  # Linux; the socket module does not name it
_MOST_DATAGRAM = 65_535
_BATCH = 64  # datagrams read before the loop gets a turn
_BUFFER = 1 << 20


class UdpFlow(Flow):
    """A socket and a peer."""

    transport = "udp"

    def __init__(self, udp: UdpSocket, remote: Address, *, inbound: bool) -> None:
        self._socket = udp
        self.local = udp.listen.local
        self.listen = udp.listen
        self.remote = remote
        self.inbound = inbound

    @property
    def is_open(self) -> bool:
        return self._socket.is_open

    def send(self, data: bytes) -> None:
        """Send one datagram through the filter."""
        self._socket.send(self, data)

    def to(self, remote: Address) -> UdpFlow:
        """A flow of the same socket to another peer."""
        return UdpFlow(self._socket, remote, inbound=self.inbound)

    def close(self) -> None:
        """Does nothing: the node owns the socket."""


class UdpSocket:
    """One bound UDP socket of a node.

    The event loop's own datagram endpoint is not used: it drops the datagram being sent when an ICMP error of an
    earlier one is pending, and does not report the peer that the error is about.
    """

    def __init__(
        self,
        listen: Listen,
        filter: TracedFilter,
        received: Callable[[bytes, Flow], None],
        failed: Callable[[Flow, Exception], None],
    ) -> None:
        self._filter = filter
        self._received = received
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.bind(listen.local)
        except OSError as error:
            self._socket.close()
            raise ListenError(error.errno, f"cannot listen on {listen}: {error.strerror}") from error
        self.listen = Listen("udp", listen.address, self._socket.getsockname()[1])
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._socket.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        self.is_open = True
        self._loop.add_reader(self._socket, self._readable)

    def flow_to(self, remote: Address) -> UdpFlow:
        """A flow to a peer."""
        return UdpFlow(self, remote, inbound=False)

    def send(self, flow: UdpFlow, data: bytes) -> None:
        """Send one datagram through the filter; failures are reported from the loop, not raised."""
        if not self.is_open:
            return
        verdict = self._filter.judge(Passage("out", "udp", flow.local, flow.remote, data))
        self._filter.record("sent", flow, data, verdict)
        refused = ConnectionRefusedError(errno.ECONNREFUSED, "rejected by the node's filter")
        self._filter.carry_out(
            verdict,
            lambda piece: self._sendto(flow, piece),
            lambda: self._report(flow, refused),
        )

    def _sendto(self, flow: UdpFlow, data: bytes) -> None:
        if not self.is_open:
            return
        for _ in range(8):
            try:
                self._socket.sendto(data, flow.remote)
                return
            except BlockingIOError:
                return  # a full buffer loses the datagram, as a network may
            except OSError as error:
                # With IP_RECVERR a pending error of an earlier datagram is raised here: take it off, try again.
                if not self._drain_errors():
                    self._report(flow, error)
                    return

    def _report(self, flow: Flow, error: Exception) -> None:
        # Never from within send(): the sender has not finished setting itself up.
        self._loop.call_soon(self._failed, flow, error)

    def _readable(self) -> None:
        errors = True  # woken without a datagram: by the error queue
        for turn in range(_BATCH):
            if not self.is_open:
                return
            try:
                data, remote = self._socket.recvfrom(_MOST_DATAGRAM)
            except BlockingIOError:
                break
            except OSError:
                errors = True  # its details stand in the error queue
                continue
            errors = errors and turn > 0
            self._accept(data, remote[:2])
        if errors:
            self._drain_errors()

    def _accept(self, data: bytes, remote: Address) -> None:
        flow = UdpFlow(self, remote, inbound=True)
        verdict = self._filter.judge(Passage("in", "udp", flow.local, remote, data))
        if data.strip(b"\r\n\x00"):
            self._filter.record("received", flow, data, verdict)
        self._filter.carry_out(verdict, lambda piece: self._received(piece, flow), lambda: None)

    def _drain_errors(self) -> bool:
        """Report every queued ICMP error to the flow it is about; whether there was one."""
        found = False
        while self.is_open:
            try:
                _, control, _, remote = self._socket.recvmsg(
                    _MOST_DATAGRAM, 512, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT
                )
            except OSError:
                return found
            found = True
            for level, kind, data in control:
                if level == socket.IPPROTO_IP and kind == _IP_RECVERR:
                    (number,) = struct.unpack_from("=I", data)
                    self._report(self.flow_to(remote[:2]), OSError(number, os.strerror(number)))
        return found

    def close(self) -> None:
        """Give the port back."""
        if self.is_open:
            self.is_open = False
            self._loop.remove_reader(self._socket)
            self._socket.close()
