"""RTP packets, RTCP reports (RFC 3550), and a leg's pair of sockets for both."""

from __future__ import annotations

import asyncio
import errno
import itertools
import random
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, ParamSpec
from weakref import WeakKeyDictionary

from harness.errors import ResourceError

P = ParamSpec("P")
Address = tuple[str, int]
Take = Callable[[bytes, Address], None]
"""Receives a packet and its source address."""


class LocalNetwork:
    """The open ports of one event loop."""

    def __init__(self) -> None:
        #: Receivers by address.
        self.ports: dict[Address, Take] = {}
        #: Captures of RTP on its way, by an address that it comes from or goes to.
        self.taps: dict[str, Callable[[Address, Address, bytes], None]] = {}
        self._under_way: deque[tuple[Address, bytes, Address]] = deque()
        self._awaited = False

    def carry(self, to: Address, data: bytes, source: Address) -> None:
        """Deliver a packet later, so that a receiver never runs inside the sender's call: at the end
        of :meth:`run`, or in the next turn of the loop.
        """
        self._under_way.append((to, data, source))
        if not self._awaited:
            self._await()

    def run(self, work: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Do work that sends packets, and deliver them right after it: a turn of the loop costs more
        than a packet.
        """
        self._awaited = True
        try:
            work(*args, **kwargs)
        finally:
            self._deliver()

    def show(self, source: Address, target: Address, data: bytes) -> None:
        """Show a packet to the captures of its way."""
        for address in (source[0], target[0]):
            if (tap := self.taps.get(address)) is not None:
                tap(source, target, data)

    def _await(self) -> None:
        self._awaited = True
        asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        self._awaited = False
        try:
            # Packets sent meanwhile wait for the next turn: two ports that echo each other must not
            # block the loop.
            for _ in range(len(self._under_way)):
                to, data, source = self._under_way.popleft()
                take = self.ports.get(to)
                if take is not None:
                    take(data, source)
        finally:
            if self._under_way and not self._awaited:
                self._await()


_networks: WeakKeyDictionary[asyncio.AbstractEventLoop, LocalNetwork] = WeakKeyDictionary()


def local_network() -> LocalNetwork:
    """The network of the running loop."""
    return _networks.setdefault(asyncio.get_running_loop(), LocalNetwork())


FIRST_PORT, LAST_PORT = 10000, 59998  #: Synthflow's documented range of media ports
_HEADER = struct.Struct("!BBHII")
_LOOPBACK = "127."
_dice = random.Random()

# Ports are not reused soon: late packets of an ended call must not reach the next call.
_next_port = itertools.count(random.SystemRandom().randrange(0, LAST_PORT - FIRST_PORT, 2), 2)


class Packet(NamedTuple):
    """One RTP packet."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    @classmethod
    def parse(cls, data: bytes) -> Packet | None:
        """The packet; None when ``data`` is no RTP (RFC 3550 section 5.1 and appendix A.1)."""
        if len(data) < _HEADER.size:
            return None
        first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
        if first >> 6 != 2:
            return None
        begin = _HEADER.size + 4 * (first & 15)
        if first & 0x10:
            if len(data) < begin + 4:
                return None
            begin += 4 + 4 * int.from_bytes(data[begin + 2 : begin + 4], "big")
        end = len(data)
        if first & 0x20:
            end -= data[-1]
        if begin > end:
            return None
        return cls(second & 0x7F, sequence, timestamp, ssrc, data[begin:end], bool(second & 0x80))

    def __bytes__(self) -> bytes:
        second = self.payload_type | (0x80 if self.marker else 0)
        return _HEADER.pack(0x80, second, self.sequence, self.timestamp, self.ssrc) + self.payload


class RtpStream:
    """What one source sends: its numbers go on from packet to packet."""

    def __init__(self) -> None:
        self._sequence = _dice.getrandbits(16)
        self.timestamp = _dice.getrandbits(31)
        self._ssrc = _dice.getrandbits(32)

    def packet(
        self, payload_type: int, payload: bytes, timestamp: int | None = None, *, marker: bool
    ) -> bytes:
        """The next packet; ``timestamp`` defaults to the present one."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        at = (self.timestamp if timestamp is None else timestamp) & 0xFFFFFFFF
        return bytes(Packet(payload_type, self._sequence, at, self._ssrc, payload, marker))


def with_payload_type(data: bytes, payload_type: int) -> bytes:
    """The packet with another payload type, everything else untouched."""
    return b"".join((data[:1], bytes((data[1] & 0x80 | payload_type,)), data[2:]))


class _Continuity:
    """Shifts the sequence numbers and timestamps of every source after the first, so that each
    follows on the last.
    """

    def __init__(self) -> None:
        self._source: bytes | None = None
        self._shift: tuple[int, int] | None = None
        self._last = b""  # the packet that went out last, and when that was
        self._last_at = 0.0

    def carry_on(self, data: bytes, now: float) -> bytes:
        source = data[8:12]
        if source != self._source:
            if len(data) < _HEADER.size:
                return data
            self._begin(data, source, now)
            data = self._shifted(data, marker=0x80)  # a new talkspurt
        elif self._shift is not None:
            data = self._shifted(data)
        self._last, self._last_at = data, now
        return data

    def _begin(self, data: bytes, source: bytes, now: float) -> None:
        self._source = source
        if self._last:
            _, _, sequence, timestamp, _ = _HEADER.unpack_from(data)
            _, _, before, then, _ = _HEADER.unpack_from(self._last)
            self._shift = (
                before + 1 - sequence,
                then + round((now - self._last_at) * 8000) - timestamp,
            )

    def _shifted(self, data: bytes, marker: int = 0) -> bytes:
        if self._shift is None:
            return data
        first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
        sequence, timestamp = (
            (sequence + self._shift[0]) & 0xFFFF,
            (timestamp + self._shift[1]) & 0xFFFFFFFF,
        )
        return (
            _HEADER.pack(first, second | marker, sequence, timestamp, ssrc) + data[_HEADER.size :]
        )


# --- RTCP: what a leg has sent, and what it received and lost (section 6) ------------------------------

CLOCK: Final = 8000  #: RTP timestamps a second, of G.711
_SR, _RR, _SDES = 200, 201, 202
_BLOCK = struct.Struct("!IIIIII")
_SENDER = struct.Struct("!QIII")
_EPOCH = 2_208_988_800  # seconds from 1900, where NTP begins, to 1970
_AT_ONCE = 64  # packets counted together: in one go they cost a third
_MOST_MISORDER = 1000  # packets; what is further off has begun anew (appendix A.1)


class _Source:
    """The reception of one source, counted as in appendices A.1, A.3 and A.8."""

    def __init__(self, ssrc: int, sequence: int) -> None:
        self.ssrc = ssrc
        self._base = self._highest = sequence
        self._received = self._jitter = 0
        self._transit: int | None = None
        self._before = (0, 0)  # expected and received, at the last report
        self.last_sr = 0
        self.last_sr_at = 0.0

    def packet(self, sequence: int, timestamp: int, now: float) -> None:
        ahead = (sequence - self._highest) & 0xFFFF
        if _MOST_MISORDER < ahead < 0x10000 - _MOST_MISORDER:
            self._base = self._highest = sequence
            self._received, self._before, self._transit = 0, (0, 0), None
        elif ahead < 0x8000:
            self._highest += ahead
        self._received += 1
        transit = (round(now * CLOCK) - timestamp) & 0xFFFFFFFF
        if self._transit is not None:
            change = (transit - self._transit) & 0xFFFFFFFF
            self._jitter += min(change, 0x100000000 - change) - (self._jitter + 8 >> 4)
        self._transit = transit

    def block(self, now: float) -> bytes:
        """What a receiver says of one source (section 6.4.1)."""
        expected = self._highest - self._base + 1
        new_expected, new_received = expected - self._before[0], self._received - self._before[1]
        self._before = (expected, self._received)
        lost = new_expected - new_received
        fraction = min(255, (lost << 8) // new_expected) if new_expected > 0 and lost > 0 else 0
        delay = round((now - self.last_sr_at) * 65536) & 0xFFFFFFFF if self.last_sr else 0
        lost_in_all = max(-0x800000, min(0x7FFFFF, expected - self._received)) & 0xFFFFFF
        highest = self._highest & 0xFFFFFFFF
        return _BLOCK.pack(
            self.ssrc, fraction << 24 | lost_in_all, highest, self._jitter >> 4, self.last_sr, delay
        )


class Reporter:
    """One leg's reports, made from the packets that it sends and receives."""

    def __init__(self, name: str) -> None:
        self._name = name.encode()[:255]
        self._own_ssrc = random.getrandbits(32)  # until it sends, and so has one
        self._source: _Source | None = None
        self._arrived: list[tuple[bytes, float]] = []  # and not counted yet
        self._sent = self._octets = self._sent_before = 0
        self._last, self._last_at = b"", 0.0  # packet sent
        self._heard = False  # since the last report

    @property
    def _ssrc(self) -> int:
        return int.from_bytes(self._last[8:12], "big") if self._last else self._own_ssrc

    def sent(self, data: bytes, now: float) -> None:
        """Count an RTP packet that was sent."""
        if len(data) < _HEADER.size:
            return
        self._last, self._last_at = data, now
        self._sent += 1
        self._octets += len(data) - _HEADER.size

    def received(self, data: bytes, now: float) -> None:
        """Count an RTP packet that was received. Of several sources, the latest is reported."""
        self._arrived.append((data, now))
        if len(self._arrived) >= _AT_ONCE:
            self._count()

    def _count(self) -> None:
        for data, now in self._arrived:
            if len(data) < _HEADER.size:
                continue
            _, _, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
            if self._source is None or self._source.ssrc != ssrc:
                self._source = _Source(ssrc, sequence)
            self._source.packet(sequence, timestamp, now)
            self._heard = True
        self._arrived.clear()

    def control(self, data: bytes, now: float) -> None:
        """Take an RTCP packet that was received: its sender report tells when the source sent it."""
        self._count()
        for kind, body in _parts(data):
            if kind == _SR and len(body) >= 4 + _SENDER.size and self._source is not None:
                ssrc, ntp = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:12], "big")
                if ssrc == self._source.ssrc:
                    self._source.last_sr, self._source.last_sr_at = ntp >> 16 & 0xFFFFFFFF, now

    def report(self, now: float) -> bytes:
        """A compound packet: a sender report, or a receiver report where nothing was sent lately,
        and the CNAME.
        """
        self._count()
        block = self._source.block(now) if self._source is not None and self._heard else b""
        self._heard = False
        ssrc = self._ssrc.to_bytes(4, "big")
        if self._sent > self._sent_before:
            sent = int.from_bytes(self._last[4:8], "big")
            timestamp = (sent + round((now - self._last_at) * CLOCK)) & 0xFFFFFFFF
            own = _SENDER.pack(
                _ntp(), timestamp, self._sent & 0xFFFFFFFF, self._octets & 0xFFFFFFFF
            )
            first = _packet(_SR, bool(block), ssrc + own + block)
        else:
            first = _packet(_RR, bool(block), ssrc + block)
        self._sent_before = self._sent
        item = b"\x01" + bytes((len(self._name),)) + self._name + b"\x00"
        chunk = ssrc + item + b"\x00" * (-len(item) % 4)
        return first + _packet(_SDES, 1, chunk)


def interval(least: float, dice: random.Random) -> float:
    """Seconds to the next report: randomised, so that legs do not speak at once (section 6.3.1)."""
    return least * dice.uniform(0.5, 1.5)


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of each packet of a compound; what is cut off ends it (appendix A.2)."""
    at = 0
    while at + 4 <= len(data) and data[at] >> 6 == 2:
        end = at + 4 + 4 * int.from_bytes(data[at + 2 : at + 4], "big")
        if end > len(data):
            return
        yield data[at + 1], data[at + 4 : end]
        at = end


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def _ntp() -> int:
    seconds, rest = divmod(time.time_ns(), 1_000_000_000)
    return (seconds + _EPOCH) << 32 | (rest << 32) // 1_000_000_000


class RtpPort:
    """A leg's end of its media: RTP on an even port, RTCP on the next (RFC 3550 section 11).

    It sends where SDP says, until packets come from elsewhere: then to their source (symmetric RTP,
    RFC 4961). The address of the SDP wins over any other source, so what is left of another call
    cannot capture the leg.
    """

    def __init__(self, address: str, reports_every: float | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._rtp, self._rtcp = _open_pair(address)
        self.address = address
        self.port = int(self._rtp.getsockname()[1])
        self._own = (address, self.port)
        self._network = local_network()
        self._network.ports[self._own] = self._take
        self.remote: Address | None = None
        self._control_remote: Address | None = None
        self._announced: Address | None = None
        self._settled = False
        #: Gets each RTP packet, and each RTCP packet, that arrives.
        self.on_packet: Callable[[bytes], None] | None = None
        self.on_control: Callable[[bytes], None] | None = None
        self.received = self.sent = 0
        self._outgoing = _Continuity()
        self._reporter = Reporter(f"{self.port}@{address}") if reports_every else None
        self._every = reports_every or 0.0
        self._report_due: asyncio.TimerHandle | None = None
        #: Whether RTCP is relayed to another leg, which answers it: then this port sends no
        #: reports.
        self.passes_reports_on = False
        self.last_received = time.monotonic()
        self._loop.add_reader(self._rtp.fileno(), self._read)
        self._loop.add_reader(self._rtcp.fileno(), self._read_control)

    def aim(self, address: str, port: int, control_port: int | None = None) -> None:
        """Send to the address that the peer's SDP names; nowhere at port 0, or an address outside
        this machine.
        """
        announced = (address, port) if port and address.startswith(_LOOPBACK) else None
        if announced == self._announced and announced is not None:
            return
        self._announced = self.remote = announced
        self._control_remote = (address, control_port or port + 1) if announced else None
        self._settled = False

    def send(self, data: bytes) -> None:
        """Send a packet if the remote address is known; a packet that the socket refuses is lost,
        as RTP is.

        The sequence continues when the source changes: an SBC's leg is one stream to its peer (RFC 3550 section
        7.1 has translators care for that), and a jump would count as loss with peers that do not look at the SSRC.
        """
        remote = self.remote
        if remote is None:
            return
        self.sent += 1
        now = time.monotonic()
        data = self._outgoing.carry_on(data, now)
        if self._reporter is not None:
            self._reporter.sent(data, now)
            if self._report_due is None:
                self._begin_to_report()
        network = self._network
        if network.taps:
            network.show(self._own, remote, data)
        if remote in network.ports:
            network.carry(remote, data, self._own)
        else:
            _send(self._rtp, data, remote)

    def send_control(self, data: bytes) -> None:
        if self._control_remote is not None:
            _send(self._rtcp, data, self._control_remote)

    def _begin_to_report(self) -> None:
        first = interval(self._every / 2, _dice)  # RFC 3550 section 6.2
        self._report_due = self._loop.call_later(first, self._report)

    def _report(self) -> None:
        if self._reporter is None or self.closed:
            return
        if not self.passes_reports_on:
            self.send_control(self._reporter.report(time.monotonic()))
        self._report_due = self._loop.call_later(interval(self._every, _dice), self._report)

    @property
    def closed(self) -> bool:
        return self._rtp.fileno() < 0

    def close(self) -> None:
        """Close the sockets."""
        self.on_packet = self.on_control = None
        self._network.ports.pop(self._own, None)
        if self._report_due is not None:
            self._report_due.cancel()
        for sock in (self._rtp, self._rtcp):
            if sock.fileno() >= 0:
                self._loop.remove_reader(sock.fileno())
                sock.close()

    def _read(self) -> None:
        # One packet per call: if more are waiting, the loop calls again after other readers.
        try:
            data, source = self._rtp.recvfrom(2048)
        except OSError:  # no packet, or an ICMP error of an earlier send
            return
        if self._network.taps:
            self._network.show(source, self._own, data)
        self._network.run(self._take, data, source)

    def _take(self, data: bytes, source: Address) -> None:
        if source != self.remote and not self._latch(source):
            return
        if not self._settled:
            self._settled = source == self._announced
        self.received += 1
        self.last_received = now = time.monotonic()
        if self._reporter is not None:
            self._reporter.received(data, now)
            if self._report_due is None:
                self._begin_to_report()
        if self.on_packet is not None:
            self.on_packet(data)

    def _latch(self, source: Address) -> bool:
        if self._settled:
            return False
        self.remote = source
        self._control_remote = (source[0], source[1] + 1)
        return True

    def _read_control(self) -> None:
        try:
            data, _ = self._rtcp.recvfrom(2048)
        except OSError:
            return
        if self._reporter is not None:
            self._reporter.control(data, time.monotonic())
        if self.on_control is not None:
            self.on_control(data)


def _send(sock: socket.socket, data: bytes, remote: Address) -> None:
    try:  # noqa: SIM105  # for each packet: `suppress` takes as long as all else here
        sock.sendto(data, remote)
    except OSError:
        pass


def _open_pair(address: str) -> tuple[socket.socket, socket.socket]:
    span: Final = LAST_PORT - FIRST_PORT
    for _ in range(0, span, 2):
        port = FIRST_PORT + next(_next_port) % span
        pair: list[socket.socket] = []
        try:
            for number in (port, port + 1):
                sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
                pair.append(sock)
                sock.bind((address, number))
        except OSError as error:
            for sock in pair:
                sock.close()
            if error.errno == errno.EADDRINUSE:
                continue
            raise ResourceError(f"no RTP socket on {address}: {error.strerror}") from error
        return pair[0], pair[1]
    raise ResourceError(f"no free pair of RTP ports on {address}")
