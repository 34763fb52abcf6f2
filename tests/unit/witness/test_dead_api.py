"""An API that answers without end, or not at all: what it costs is limited."""

from __future__ import annotations

import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from harness.errors import FarEndError
from harness.witness.synthflow import SynthflowApi
from tests.unit.clock import Clock
from tests.unit.witness.conftest import Web, answer, in_json, listening

Make = Callable[..., Web]


@contextmanager
def endless(head: bytes, chunk: bytes, every_s: float = 0.0) -> Iterator[str]:
    """A server that begins with ``head`` and goes on with ``chunk`` as long as it is read."""

    def serve(connection: socket.socket, ended: threading.Event) -> None:
        connection.recv(65536)
        with suppress(OSError):
            connection.sendall(head)
            while not ended.wait(every_s):
                connection.sendall(chunk)

    with listening(serve) as base:
        yield base


def _refused(api: SynthflowApi, match: str) -> float:
    began = time.monotonic()
    with pytest.raises(FarEndError, match=match):
        api.call("c1")
    return time.monotonic() - began


def _grown_kb(before: int) -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before


def test_an_answer_of_any_size_is_not_kept() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with endless(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"[" * 1_000_000) as base:
        _refused(SynthflowApi(base, "token", timeout_s=60.0), "more than 8388608 bytes")
    assert _grown_kb(before) < 100_000


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "],
    ids=["body", "head"],
)
def test_an_answer_byte_by_byte_has_a_limited_time(head: bytes) -> None:
    """A limit of each read would be kept by every byte."""
    with endless(head, b"a", every_s=0.1) as base:
        assert _refused(SynthflowApi(base, "token", timeout_s=0.5), r"within 0\.5 s") < 30.0


FINE = in_json({"call_id": "c1", "status": "completed"})


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        ([answer("401 Unauthorized")], 1),
        ([answer("500 Internal Server Error")], 3),
        ([answer("503 Service Unavailable")], 3),
        (
            [answer("500 No"), answer("200 OK", "{}"), answer("502 No")],
            5,
        ),  # a success in between begins anew
    ],
    ids=["401", "500", "503", "not in a row"],
)
def test_a_dead_api_is_asked_once_a_minute(web: Make, answers: list[bytes], asked: int) -> None:
    clock = Clock()
    server = web(*answers)
    api = SynthflowApi(server.base, "token", clock=clock.monotonic)
    for _ in range(20):
        with pytest.raises(FarEndError):
            api.call("c1")
    assert len(server.requests) == asked
    assert api.is_down
    assert _refused(api, "not asked again before a minute is over") < 5.0
    for minute in (1, 2):
        clock.now += 61.0
        assert not api.is_down
        for _ in range(5):
            with pytest.raises(FarEndError):
                api.call("c1")
        assert api.is_down
        assert len(server.requests) == asked + minute
    server.answers = [FINE]
    clock.now += 61.0
    assert api.call("c1").id == "c1"
    assert api.call("c1").id == "c1"
    assert not api.is_down


def test_a_page_instead_of_json_is_no_api_and_is_asked_once(web: Make) -> None:
    """Each case of a run asked it again and waited for its record, 15 s in vain."""
    clock, server = Clock(), web(answer("200 OK", "<html>"))
    api = SynthflowApi(server.base, "token", clock=clock.monotonic)
    _refused(api, "200, but .* and not JSON")
    clock.now += 3600.0
    _refused(api, "not asked again in this run: GET /calls/c1: 200, but")
    assert len(server.requests) == 1


def test_an_api_that_shows_a_page_for_a_while_is_asked_again(web: Make) -> None:
    clock, server = Clock(), web(FINE, answer("200 OK", "<html>Maintenance</html>"))
    api = SynthflowApi(server.base, "token", clock=clock.monotonic)
    api.call("c1")
    _refused(api, "not JSON")
    server.answers = [FINE]
    clock.now += 61.0
    assert api.call("c1").id == "c1"


@pytest.mark.parametrize("status", ["400 Bad Request", "403 Forbidden", "404 Not Found"])
def test_a_question_refused_is_no_dead_api(web: Make, status: str) -> None:
    server = web(answer(status))
    api = SynthflowApi(server.base, "token")
    for _ in range(5):
        _refused(api, status[:3])
    assert len(server.requests) == 5
    assert not api.is_down


def test_a_token_read_from_a_file_is_sent_without_the_files_line_end(web: Make) -> None:
    server = web(FINE)
    SynthflowApi(server.base, " s3cr\r\n").ask("GET", "/calls")
    (request,) = server.requests
    assert b"\r\nauthorization: bearer s3cr\r\n" in request.lower()
