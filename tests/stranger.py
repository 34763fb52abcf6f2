"""A far end that speaks SIP and RTP message by message, as no harness phone would."""

from __future__ import annotations

import itertools
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from harness.audio import g711, marks
from harness.phone import Leg, Phone, TlsConfig
from harness.sip.framing import StreamFramer
from harness.sip.message import Message, Request, Response
from tests.sip_peer import PATIENCE_S, SipPeer

VOICE = 240
SESSION = "v=0\no=- 1 1 IN IP4 {host}\ns=-\nc=IN IP4 {host}\nt=0 0\n"
VIDEO = "m=video 5000 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
AUDIO = "m=audio {port} RTP/AVP 0\n"
#: What a scanner may ask.
METHODS = (
    "INVITE",
    "OPTIONS",
    "SUBSCRIBE",
    "REFER",
    "NOTIFY",
    "MESSAGE",
    "BYE",
    "REGISTER",
    "PUBLISH",
    "INFO",
)


class Stranger(SipPeer):
    """Calls a phone, message by message."""

    tag = "stranger"

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind((host, 0))
        self._ended = threading.Event()
        self.call_id = f"{self.host}-{self.port}"
        self._speaker: threading.Thread | None = None
        self.line_end = "\r\n"  #: of its bodies
        self.writes: Callable[[str], str] = (
            str  #: each request's headers, as they would be, as it writes them
        )

    def calls(self, phone: Phone, offer: str, content: str = "application/sdp") -> Response:
        """The final response to an INVITE with that offer, acknowledged; ``{host}`` and ``{port}``
        are filled in.
        """
        body = offer.format(host=self.host, port=self.rtp.getsockname()[1])
        headers = (f"Content-Type: {content}",) if body else ()
        answer = self._asks(phone, "INVITE", 1, body, headers=headers)
        self._send(phone, "ACK", 1, to=answer)
        return answer

    def is_referred(self, phone: Phone, call: Response, steps: Sequence[str]) -> None:
        """Accept a REFER; then BYE, or a NOTIFY with that status line, ``…`` at its end while the
        subscription goes on.
        """
        self.respond(self.request("REFER"), 202)
        for number, step in enumerate(steps, start=2):
            if step == "BYE":
                self._asks(phone, "BYE", number, to=call)
                continue
            state = "active" if step.endswith("…") else "terminated;reason=noresource"
            headers = (
                "Event: refer",
                f"Subscription-State: {state}",
                "Content-Type: message/sipfrag",
            )
            status = step.strip("…")
            line = status if status.startswith("sip/") else f"SIP/2.0 {status}"
            self._asks(phone, "NOTIFY", number, f"{line}\n", call, headers)

    def within(
        self,
        phone: Phone,
        method: str,
        number: int,
        call: Response,
        body: str = "",
        headers: Sequence[str] = (),
    ) -> Response:
        """The final response to a request within the call that ``call`` has answered."""
        return self._asks(phone, method, number, body, call, headers)

    def says(
        self,
        phone: Phone,
        method: str,
        number: int,
        call: Response | None,
        headers: Sequence[str] = (),
        body: str = "",
    ) -> None:
        """A request within the call, whatever comes of it."""
        self._send(phone, method, number, body, call, headers)

    def hangs_up(self, phone: Phone, answer: Response, number: int = 99, status: int = 200) -> None:
        """End the call, which the phone answers with that status."""
        assert self._asks(phone, "BYE", number, to=answer).status == status

    def refuses(self, line: str, *headers: tuple[str, str], method: str = "INVITE") -> None:
        """Refuse the next request of that method."""
        status, _, reason = line.partition(" ")
        self.respond(self.request(method), int(status), headers, reason=reason)

    def speaks_to(
        self, port: int, phone: Phone, by: socket.socket | None = None, every_s: float = 0.02
    ) -> None:
        """Its mark, from now on, from the port its SDP names or from another; 20 ms of it
        ``every_s``.
        """
        host = phone.address.rpartition(":")[0]
        target = ((host, port), by or self.rtp, every_s)
        self._speaker = threading.Thread(target=self._speak, args=target, name="stranger speaks")
        self._speaker.start()

    def _speak(self, to: tuple[str, int], by: socket.socket, every_s: float) -> None:
        for packet in rtp_of(VOICE, itertools.count()):
            by.sendto(packet, to)
            if self._ended.wait(every_s):
                return

    def _asks(
        self,
        phone: Phone,
        method: str,
        number: int,
        body: str = "",
        to: Response | None = None,
        headers: Sequence[str] = (),
    ) -> Response:
        self._send(phone, method, number, body, to, headers)
        return self.final_response(method, number, self.call_id)

    def _send(
        self,
        phone: Phone,
        method: str,
        number: int,
        body: str = "",
        to: Response | None = None,
        headers: Sequence[str] = (),
    ) -> None:
        uri = f"sip:{phone.config.user}@{phone.address}"
        # what acknowledges a refusal belongs to the INVITE's transaction (RFC 3261 section
        # 17.1.1.3)
        of_invite = method == "CANCEL" or (
            method == "ACK" and to is not None and to.status >= 300
        )  # section 9.1
        transaction = "INVITE" if of_invite else method
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK-{transaction}-{number}-{self.call_id}",
            "Max-Forwards: 70",
            f"From: <sip:stranger@{self.host}:{self.port}>;tag=1",
            f"To: {to.get('To') if to else f'<{uri}>'}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:stranger@{self.host}:{self.port}>",
            *headers,
        ]
        text = body.replace("\n", self.line_end)
        head = self.writes("\r\n".join([*lines, f"Content-Length: {len(text)}"]))
        self.sends(phone, f"{head}\r\n\r\n{text}")

    def sends(self, phone: Phone, text: str) -> None:
        """Send any text to the phone."""
        host, _, port = phone.address.rpartition(":")
        self.sip.sendto(text.encode(), (host, int(port)))

    def falls_silent(self) -> None:
        self._ended.set()
        if self._speaker is not None:
            self._speaker.join()

    def close(self) -> None:
        self.falls_silent()
        super().close()
        self.rtp.close()


def rtp_of(mark: int, numbers: Iterable[int]) -> Iterator[bytes]:
    """The packets of a mark with these numbers, 20 ms each, as PCMU."""
    voice = g711.encode_ulaw(np.rint(marks.waveform(mark, 8000) * 32767).astype(np.int16))
    for number in numbers:
        begin = number * 160 % len(voice)
        yield (
            struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, number * 160, 1)
            + voice[begin : begin + 160]
        )


def answered(
    phone: Phone, stranger: Stranger, offer: str, content: str = "application/sdp"
) -> tuple[Leg, Response]:
    """The stranger's call, once the phone has answered it."""
    # Longer than the stranger waits for each of its answers: a test may hold the call up, and the
    # first is a 100.
    ring = threading.Thread(
        target=phone.expect_call, args=(3 * PATIENCE_S,), kwargs={"answer": True}
    )
    ring.start()
    answer = stranger.calls(phone, offer, content)
    ring.join()
    (leg,) = phone.incoming
    return leg, answer


def talking(phone: Phone, stranger: Stranger) -> tuple[Leg, Response]:
    """The stranger's call, once it is up."""
    leg, answer = answered(phone, stranger, SESSION + AUDIO)
    leg.wait_state("confirmed", 10)
    return leg, answer


def port_of(answer: Response) -> int:
    """Where an answer with one audio section wants RTP."""
    (port,) = (
        int(line.split()[1]) for line in answer.body.decode().splitlines() if line.startswith("m=")
    )
    return port


def invite_over_tcp(
    phone: Phone, place: tuple[str, int], *headers: tuple[str, str]
) -> socket.socket:
    """A connection to a phone at ``place``, over which an INVITE was sent."""
    connection = socket.create_connection(place, timeout=10)
    here, uri = (
        "{}:{}".format(*connection.getsockname()),
        f"sip:{phone.config.user}@{phone.address}",
    )
    own = [
        ("Via", f"SIP/2.0/TCP {here};branch=z9hG4bK{here}"),
        ("Max-Forwards", "70"),
        ("From", f"<sip:stranger@{here}>;tag=1"),
        ("To", f"<{uri}>"),
        ("Call-ID", here),
        ("CSeq", "1 INVITE"),
        ("Contact", f"<sip:stranger@{here};transport=tcp>"),
    ]
    connection.sendall(Request.build("INVITE", uri, [*own, *headers]).raw)
    return connection


def answer_over_tls(
    plain: socket.socket, tls: TlsConfig, answer: Callable[[Request], Response]
) -> None:
    """Answer each request that comes over the connection, until the other side ends it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(tls.certificate), tls.private_key)
    framer = StreamFramer()
    with context.wrap_socket(plain, server_side=True) as connection:
        while data := connection.recv(65536):
            for request in map(Message.parse, framer.feed(data)):
                assert isinstance(request, Request)
                connection.sendall(answer(request).serialize())
