"""A web server of the tests' own, which answers what it is told to, and remembers what it was
asked.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest


@dataclass
class Web:
    """Answers each connection's request with the next of ``answers`` (raw, the last for ever);
    None: silence.
    """

    answers: list[bytes | None]
    requests: list[bytes] = field(default_factory=list)
    base: str = ""

    def asked(self) -> tuple[str, str]:
        """The head and the body of its first request."""
        head, _, body = self.requests[0].decode().partition("\r\n\r\n")
        return head, body

    def next(self) -> bytes | None:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def answer(
    status: str, body: str | bytes = "{}", *headers: str, length: int | None = None
) -> bytes:
    """An HTTP response."""
    raw = body.encode() if isinstance(body, str) else body
    head = [
        f"HTTP/1.1 {status}",
        f"Content-Length: {len(raw) if length is None else length}",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join([*head, "", ""]).encode() + raw


def in_json(plain: object) -> bytes:
    """A response in JSON."""
    return answer("200 OK", json.dumps(plain))


@contextmanager
def listening(serve: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """A server's address; each connection is given to ``serve`` in a thread of its own, and the
    event is the server's end.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve_and_close(connection: socket.socket) -> None:
        with connection:
            serve(connection, ended)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve_and_close, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@contextmanager
def serving(web: Web) -> Iterator[Web]:
    def serve(connection: socket.socket, ended: threading.Event) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            received = connection.recv(65536)
            if not received:
                return
            request += received
        head, _, body = request.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        wanted = next(
            (int(line[15:]) for line in lines if line.lower().startswith(b"content-length:")), 0
        )
        while len(body) < wanted:
            body += connection.recv(65536)
        web.requests.append(head + b"\r\n\r\n" + body)
        found = web.next()
        if found is None:
            ended.wait(60)
        else:
            connection.sendall(found)

    with listening(serve) as web.base:
        yield web


@pytest.fixture
def web() -> Iterator[Callable[..., Web]]:
    """Makes servers: ``web(answer("200 OK"), …)``."""
    with ExitStack() as stack:
        yield lambda *answers: stack.enter_context(serving(Web(list(answers))))


@pytest.fixture
def far_from_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine's time is that of India."""
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        yield
    time.tzset()
