"""The network of a tenant: a firewall, late messages, strangers who try phones and numbers, and a
process that stands still.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import socket
import time
from collections.abc import Callable, Collection, Coroutine, Iterable
from typing import Any, Final

from harness.sip.digest import Credentials
from harness.sip.grammar import SipSyntaxError
from harness.sip.uri import NameAddr, Uri
from harness.world.media import sound
from harness.world.media.leg import LegMedia
from harness.world.media.rtp import Address
from harness.world.media.sound import Player
from harness.world.settings import NoiseSettings, TenantContext
from harness.world.wire.agent import UserAgent
from harness.world.wire.dialog import CallFailedError, sdp_of
from harness.world.wire.transport import REJECT, Delayed, Endpoint, Passage, Passed

#: Faults that drop a transport's messages; with ``-rejected`` behind it, a fault's name means that
#: they are rejected.
_DROPS = {"udp": "firewall-udp-32681", "tcp": "firewall-tcp-32681", "tls": "firewall-tls-32682"}


class Firewall:
    """Filters what goes to and from the trunks' addresses and Synthflow's.

    A dropped message is lost without a word, as behind a real firewall; a rejected one gives its
    sender an ICMP error or a TCP reset. A change closes connections that are up
    (`Tenant._security_changed`): through those, nothing would be asked here again.
    """

    def __init__(self, context: TenantContext) -> None:
        self._context = context
        self._faults = context.faults

    @property
    def blocked(self) -> frozenset[str]:
        """The transports that it blocks."""
        is_set = self._faults.is_set
        blocked = set()
        for transport, drops in _DROPS.items():
            if is_set(drops) or is_set(f"{drops}-rejected"):
                blocked.add(transport)
        return frozenset(blocked)

    def judge(self, passage: Passage) -> Passed:
        """Drop or reject what a fault blocks; delay the rest."""
        if self._faults:
            drops = _DROPS[passage.transport]
            if self._faults.on(drops):
                return None
            if self._faults.on(f"{drops}-rejected"):
                return REJECT
        return self.delay(passage)

    def delay(self, passage: Passage) -> Passed:
        """Delay a message as the settings say; a connection that begins is no message."""
        seconds = self._context.settings.noise.sip_delay_s
        if seconds and passage.data:
            return Delayed(seconds, passage.data)
        return passage.data


_METHODS: Final = ("INVITE", "REGISTER", "OPTIONS")
_SCAN: Final = (
    "{method} sip:100@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK-{number};rport\r\nMax-Forwards: 70\r\n"
    "From: <sip:100@{here}>;tag={number}\r\nTo: <sip:100@{to}>\r\nCall-ID: scan-{number}@{here}\r\nCSeq: 1 {method}\r\n"
    "Contact: <sip:100@{here}>\r\nUser-Agent: friendly-scanner\r\nContent-Type: application/sdp\r\n"
    "Content-Length: {length}\r\n\r\n{body}"
)
_RINGS_S, _STAYS_S = 20.0, 3.0


def stranger(numbers: Collection[str]) -> Credentials:
    """A stranger's account at the carrier, whose number is not one of the deployment's."""
    digits = 13035550177
    while f"+{digits}" in numbers:
        digits += 1
    return Credentials(f"+{digits}", secrets.token_urlsafe(12))


class Noise:
    """The noise of one tenant. ``phones`` returns the UDP ports of the harness's phones.

    Phones on the open internet get all of this. No case may fail because of it: traffic from
    strangers has to be told from what the platform sends.
    """

    def __init__(
        self,
        context: TenantContext,
        ua: UserAgent,
        carrier: Endpoint,
        phones: Callable[[], Iterable[Address]],
        stranger: Credentials,
    ) -> None:
        self._audit = context.audit
        self._ticker = context.ticker
        self._ua = ua
        self._address = ua.listening[0].address
        self._carrier = carrier
        self._phones = phones
        self._stranger = stranger
        self._numbers = itertools.cycle([number for _, _, number in context.deployment.all_dids()])
        self._tasks: list[asyncio.Task[Any]] = []

    def make(self, asked: NoiseSettings) -> None:
        """Replace the noise; strangers' calls that are up go on."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        if asked.scans_per_s:
            self._begin(self._scan(asked.scans_per_s), "scans")
        if asked.strangers_every_s:
            self._begin(self._call_in_turn(asked.strangers_every_s), "strangers")
        if asked.stands_still_s:
            pauses = _stand_still(asked.stands_still_s, asked.stands_still_every_s)
            self._begin(pauses, "stands still")

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.append(self._audit.spawn(work, f"noise: {name}"))

    async def _scan(self, per_s: float) -> None:
        """Send the methods to the phones in turn, from one socket; answers are not read."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
            sock.bind((self._address, 0))
            for number in itertools.count():
                await asyncio.sleep(1 / per_s)
                phones = list(self._phones())
                if not phones:
                    continue
                turn, at = divmod(number, len(_METHODS))
                phone = phones[turn % len(phones)]
                message = _scan_message(sock.getsockname(), _METHODS[at], phone, number)
                with contextlib.suppress(OSError):  # a full buffer loses the datagram
                    sock.sendto(message, phone)

    async def _call_in_turn(self, every_s: float) -> None:
        while True:
            number = next(self._numbers)
            self._audit.spawn(self._call(number), f"a stranger calls {number}")
            await asyncio.sleep(every_s)

    async def _call(self, number: str) -> None:
        """Call it, and talk for a while if somebody answers."""
        hop = self._carrier
        media = LegMedia(self._address)
        call = self._ua.invite(
            hop.uri(number),
            from_=NameAddr(Uri("sip", self._stranger.username, hop.address)),
            hop=hop,
            sdp=media.offer(),
            credentials=self._stranger,
        )
        try:
            media.learn(sdp_of(await call.wait_answered(_RINGS_S)) or b"")
            player = Player(self._ticker, media, sound.somebody)
            with contextlib.suppress(TimeoutError):
                await call.wait_ended(_STAYS_S)
            player.stop()
        except (CallFailedError, TimeoutError, SipSyntaxError):
            pass
        finally:
            call.hangup()
            media.close()


def _scan_message(source: Address, method: str, phone: Address, number: int) -> bytes:
    host, port = source
    body = f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
    message = _SCAN.format(
        method=method,
        to=f"{phone[0]}:{phone[1]}",
        here=f"{host}:{port}",
        number=number,
        length=len(body),
        body=body,
    )
    return message.encode()


async def _stand_still(seconds: float, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        time.sleep(seconds)  # noqa: ASYNC251  # the whole process, as on a machine that is too busy
