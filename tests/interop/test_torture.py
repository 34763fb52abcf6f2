"""RFC 4475's messages to the simulated world and to a listening softphone: proper answers, and
nobody dies.
"""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Iterator

import pytest

from harness.phone import Reject
from harness.phone.phone import Phone
from harness.sip.message import Message, Response
from harness.world.addresses import Block
from tests.interop.platform import TORTURER
from tests.interop.world_calls import listener
from tests.process.world.conftest import RunningWorld
from tests.unit.sip.torture import MESSAGES
from tools.interop.processes import PATIENCE, options, until

Lease = Callable[..., Phone]
#: Several of the RFC's messages share a branch, so they would be retransmissions of each other (RFC
#: 3261 section 17.2.3).
MESSAGES = {
    name: (expectation, data.replace(b"z9hG4bKkdjuw", b"z9hG4bK" + name.encode()))
    for name, (expectation, data) in MESSAGES.items()
}
#: No request, so no answer.
_RESPONSES = {name for name, (_, data) in MESSAGES.items() if data.startswith(b"SIP/2.0")}


@contextlib.contextmanager
def asking(host: str, port: int = 0) -> Iterator[socket.socket]:
    """A UDP socket on ``host``; a Via without rport gets its answers at the port it names (RFC 3261
    section 18.2.2).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((host, port))
        udp.settimeout(PATIENCE)
        yield udp


def via_port(data: bytes) -> int:
    """Where the answer to a request over UDP is owed: at the topmost Via's port, 5060 where it
    names none, whatever transport it names (RFC 3261 section 18.2.2).
    """
    via = _header(data, rb"via|v")
    found = re.match(
        rb"SIP[ \t]*/[ \t]*2\.0[ \t]*/[ \t]*\w+[ \t]+[^;,]+?:[ \t]*(\d+)[ \t]*(?:[;,]|$)", via, re.I
    )
    return int(found[1]) if found else 5060


def _header(data: bytes, names: bytes) -> bytes:
    head = re.sub(rb"\r\n[ \t]+", b" ", data.partition(b"\r\n\r\n")[0])
    found = re.search(rb"^(?:" + names + rb")[ \t]*:[ \t]*([^\r\n]*)", head, re.I | re.M)
    return found[1].strip() if found else b""


def answer(host: str, target: tuple[str, int], data: bytes, *, expected: bool) -> Response | None:
    """The final response that comes back over UDP; None when there is none by the time a later
    OPTIONS is answered.

    What is ``expected`` is waited for beyond that: an INVITE takes longer to refuse than an OPTIONS
    to answer.
    """
    found: dict[int, Response] = {}
    asked, probed = _header(data, rb"call-id|i").decode("utf-8", "replace"), False
    with asking(host, via_port(data)) as udp:
        probe = options(*target, udp.getsockname())
        udp.sendto(data, target)
        udp.sendto(probe, target)
        while not (probed and (found or not expected)):
            received = udp.recv(65536)
            message = Message.parse(received)
            assert isinstance(message, Response), received
            if message.call_id == _header(probe, rb"call-id").decode():
                assert message.status == 200
                probed = True
            elif (
                message.call_id == asked and message.status >= 200
            ):  # not one that is sent again for an earlier case
                found[message.status] = message
    assert len(found) <= 1, found
    return next(iter(found.values()), None)


def survives_stream(target: tuple[str, int], data: bytes) -> None:
    """The same over TCP, where a wrong Content-Length may cost the connection; a new one is served."""
    with socket.create_connection(target, timeout=PATIENCE) as stream:
        stream.sendall(data)
        stream.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while stream.recv(65536):
                pass
    with socket.create_connection(target, timeout=PATIENCE) as stream:
        stream.sendall(options(*target, stream.getsockname(), "TCP"))
        assert stream.recv(65536).startswith(b"SIP/2.0 200")


#: How the world's two kinds of servers answer what is in order: by method, at Synthflow's end of a
#: trunk and at a registrar.
_IN_ORDER = {
    "synthflow udp-ip": {"INVITE": 401, "OPTIONS": 200, "REGISTER": 405},
    "carrier": {"INVITE": 407, "OPTIONS": 200, "REGISTER": 401},
}
#: What each refusal has to say besides (RFC 3261 sections 21.4.2, 21.4.6, 21.4.8, 21.4.13,
#: 21.4.15).
_OWED = {
    401: "WWW-Authenticate",
    405: "Allow",
    407: "Proxy-Authenticate",
    415: "Accept",
    420: "Unsupported",
}


@pytest.mark.parametrize("node", _IN_ORDER)
@pytest.mark.parametrize("name", MESSAGES)
def test_world(talkdesk: RunningWorld, block: Block, name: str, node: str) -> None:
    expectation, data = MESSAGES[name]
    host, port, _ = listener(talkdesk.deployments[0], node)
    silent = expectation == "drop" or name in _RESPONSES
    answered = answer(block[TORTURER], (host, port), data, expected=not silent)
    if silent:
        assert answered is None
    else:
        assert answered is not None
        # RFC 4475 section 3.4.1 leaves it open; it has no Contact, which RFC 3261 8.1.1.8 asks for.
        if name == "inv2543":
            expectation = "400"
        method = data.split(maxsplit=1)[0].decode()
        assert answered.status == (
            _IN_ORDER[node][method] if expectation == "ok" else int(expectation)
        )
        owed = _OWED.get(answered.status)
        assert owed is None or answered.get(owed), answered
    survives_stream((host, port), data)
    assert talkdesk.process.poll() is None
    assert not talkdesk.state()["errors"]


@pytest.fixture(scope="module")
def softphone(module_lease: Lease, block: Block) -> Phone:
    phone = module_lease("tortured", user="vivekg", bind_address=block[TORTURER + 1])
    phone.policy = Reject(486)
    return phone


#: What pjsua2 2.15.1 says. What is not here, it is silent to.
_SOFTPHONE = {
    # as RFC 4475 has it
    **dict.fromkeys(("lwsdisp", "semiuri", "transports", "badaspec", "badbranch", "zeromf"), 200),
    **dict.fromkeys(("esc01", "longreq", "baddate"), 486),
    **{"wsinv": 481, "invut": 415, "inv2543": 400},
    # a method that a softphone does not serve, or does not know (RFC 3261 section 8.2.1)
    **dict.fromkeys(
        ("intmeth", "esc02", "escnull", "dblreq", "unksm2", "cparam01", "cparam02", "regescrt"), 405
    ),
    "mpart01": 200,  # it takes messages
    # malformed, and answered as what they were meant to be, which RFC 4475 allows, except where it
    # asks for 400 (3.3.9)
    **dict.fromkeys(("trws", "baddn", "mcl01"), 200),
    **dict.fromkeys(
        ("mismatch01", "mismatch02"), 400
    ),  # the method of CSeq is another (RFC 3261 section 8.1.1.5)
    "multi01": 400,  # From, To, Call-ID and CSeq twice (section 3.3.8)
    **dict.fromkeys(("clerr", "lwsstart", "escruri"), 486),
    "bext01": 200,  # 420 is owed for its Require (RFC 3261 section 8.2.2.3)
    "sdp01": 486,  # refused before its Accept matters
}


@pytest.mark.parametrize("name", MESSAGES)
def test_softphone(softphone: Phone, block: Block, name: str) -> None:
    _, data = MESSAGES[name]
    host, _, port = softphone.address.rpartition(":")
    said = _SOFTPHONE.get(name)
    answered = answer(block[TORTURER + 2], (host, int(port)), data, expected=said is not None)
    assert (answered and answered.status) == said
    if answered is not None and answered.status == 405:
        assert answered.get(_OWED[405]), answered
    assert softphone.error is None
    assert not [
        leg for leg in softphone.legs if leg.direction == "outgoing" or leg.state == "confirmed"
    ]


def test_softphone_outlives_them_over_tcp(module_lease: Lease, block: Block) -> None:
    phone = module_lease(
        "tortured-tcp", user="vivekg-tcp", transport="tcp", bind_address=block[TORTURER + 3]
    )
    phone.policy = Reject(486)
    host, _, port = phone.address.rpartition(":")
    target = (host, int(port))
    for _, data in MESSAGES.values():
        with socket.create_connection(target, timeout=PATIENCE) as stream:
            stream.sendall(data)

    def alive() -> bool | None:  # pjsip resets connections while it has too many
        with (
            contextlib.suppress(ConnectionResetError),
            socket.create_connection(target, timeout=PATIENCE) as stream,
        ):
            stream.sendall(options(*target, stream.getsockname(), "TCP"))
            return stream.recv(65536).startswith(b"SIP/2.0 200") or None
        return None

    until("the softphone answers OPTIONS", alive)
    assert phone.error is None
