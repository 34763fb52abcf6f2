"""RFC 4475's messages to the simulated world and to a listening softphone: proper answers, and nobody dies."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Iterator

import pytest

from harness.phone import Reject
from harness.phone.phone import Phone
from harness.simulation.addresses import Block
from harness.sip.message import Message, Response
from tests.interop.platform import TORTURER
from tests.interop.processes import PATIENCE, options, until
from tests.process.simulation.conftest import RunningWorld
from tests.unit.sip import test_torture

Lease = Callable[..., Phone]
#: Several of the RFC's messages share a branch, so they would be retransmissions of each other (RFC 3261 section 17.2.3).
MESSAGES = {
    name: (expectation, data.replace(b"z9hG4bKkdjuw", b"z9hG4bK" + name.encode()))
    for name, (expectation, data) in test_torture.MESSAGES.items()
}
#: What a message that is in order, but nobody's business, may be answered with.
_PROPER = {200, 401, 403, 404, 405, 406, 407, 415, 416, 420, 480, 481, 483, 486, 488, 501, 603}
#: No request, so no answer.
_RESPONSES = {name for name, (_, data) in MESSAGES.items() if data.startswith(b"SIP/2.0")}


@contextlib.contextmanager
def asking(host: str, port: int = 0) -> Iterator[socket.socket]:
    """A UDP socket on ``host``; a Via without rport gets its answers at the port it names (RFC 3261 section 18.2.2)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((host, port))
        udp.settimeout(PATIENCE)
        yield udp


def via_port(data: bytes) -> int:
    """The port in the topmost Via, as far as one can tell."""
    via = _header(data, rb"via|v")
    found = re.match(rb"SIP[ \t]*/[ \t]*2\.0[ \t]*/[ \t]*(\w+)[ \t]+([^;,]+)", via, re.I)
    if found is None:
        return 5060
    port = re.search(rb":[ \t]*(\d+)[ \t]*$", found[2].strip())
    return int(port[1]) if port else 5061 if found[1].upper() == b"TLS" else 5060


def _header(data: bytes, names: bytes) -> bytes:
    head = re.sub(rb"\r\n[ \t]+", b" ", data.partition(b"\r\n\r\n")[0])
    found = re.search(rb"^(?:" + names + rb")[ \t]*:[ \t]*([^\r\n]*)", head, re.I | re.M)
    return found[1].strip() if found else b""


def final(host: str, target: tuple[str, int], data: bytes, *, expected: bool) -> int | None:
    """The final status that comes back over UDP; None when there is none by the time a later OPTIONS is answered.

    What is ``expected`` is waited for beyond that: an INVITE takes longer to refuse than an OPTIONS to answer.
    """
    statuses: set[int] = set()
    asked, probed = _header(data, rb"call-id|i").decode("utf-8", "replace"), False
    with asking(host, via_port(data)) as udp:
        probe = options(*target, udp.getsockname())
        udp.sendto(data, target)
        udp.sendto(probe, target)
        while not (probed and (statuses or not expected)):
            received = udp.recv(65536)
            message = Message.parse(received)
            assert isinstance(message, Response), received
            if message.call_id == _header(probe, rb"call-id").decode():
                assert message.status == 200
                probed = True
            elif message.call_id == asked and message.status >= 200:  # not one that is sent again for an earlier case
                statuses.add(message.status)
    assert len(statuses) <= 1, statuses
    return statuses.pop() if statuses else None


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


@pytest.mark.parametrize("name", MESSAGES)
def test_world(talkdesk: RunningWorld, block: Block, name: str) -> None:
    expectation, data = MESSAGES[name]
    trunk = talkdesk.deployments[0].trunk("udp-ip")
    assert trunk.host
    target = (trunk.host, trunk.port)
    silent = expectation == "drop" or name in _RESPONSES
    status = final(block[TORTURER], target, data, expected=not silent)
    if silent:
        assert status is None
    elif name == "inv2543":
        assert (
            status == 400
        )  # RFC 4475 section 3.4.1 leaves it open; it has no Contact, which RFC 3261 8.1.1.8 asks for
    elif expectation == "ok":
        assert status in _PROPER
    else:
        assert status == int(expectation)
    survives_stream(target, data)
    assert talkdesk.process.poll() is None
    assert not talkdesk.books()["errors"]


@pytest.fixture(scope="module")
def softphone(module_lease: Lease, block: Block) -> Phone:
    phone = module_lease("tortured", user="vivekg", bind_address=block[TORTURER + 1])
    phone.policy = Reject(486)
    return phone


@pytest.mark.parametrize("name", MESSAGES)
def test_softphone(softphone: Phone, block: Block, name: str) -> None:
    _, data = MESSAGES[name]
    host, _, port = softphone.address.rpartition(":")
    status = final(block[TORTURER + 2], (host, int(port)), data, expected=False)
    assert status is None or status in _PROPER | {400, 505}
    assert softphone.error is None
    assert not [leg for leg in softphone.legs if leg.direction == "outgoing" or leg.state == "confirmed"]


def test_softphone_outlives_them_over_tcp(module_lease: Lease, block: Block) -> None:
    phone = module_lease("tortured-tcp", user="vivekg-tcp", transport="tcp", bind_address=block[TORTURER + 3])
    phone.policy = Reject(486)
    host, _, port = phone.address.rpartition(":")
    target = (host, int(port))
    for _, data in MESSAGES.values():
        with socket.create_connection(target, timeout=PATIENCE) as stream:
            stream.sendall(data)

    def alive() -> bool | None:  # pjsip resets connections while it has too many
        with contextlib.suppress(ConnectionResetError), socket.create_connection(target, timeout=PATIENCE) as stream:
            stream.sendall(options(*target, stream.getsockname(), "TCP"))
            return stream.recv(65536).startswith(b"SIP/2.0 200") or None
        return None

    until("the softphone answers OPTIONS", alive)
    assert phone.error is None
