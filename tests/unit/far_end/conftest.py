"""A web server of the tests' own, which answers what it is told to, and remembers what it was asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest


@dataclass
class Web:
    """Answers each connection's request with the next of ``answers`` (raw, the last for ever); None: silence."""

    answers: list[bytes | None]
    requests: list[bytes] = field(default_factory=list)
    base: str = ""

    def next(self) -> bytes | None:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def answer(status: str, body: str | bytes = "{}", *headers: str, length: int | None = None) -> bytes:
    """An HTTP response."""
    raw = body.encode() if isinstance(body, str) else body
    head = [
        f"HTTP/1.1 {status}",
        f"Content-Length: {len(raw) if length is None else length}",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join([*head, "", ""]).encode() + raw


@contextmanager
def serving(web: Web) -> Iterator[Web]:
    listening = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection:
            request = b""
            while b"\r\n\r\n" not in request:
                received = connection.recv(65536)
                if not received:
                    return
                request += received
            head, _, body = request.partition(b"\r\n\r\n")
            wanted = next(
                (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
            )
            while len(body) < wanted:
                body += connection.recv(65536)
            web.requests.append(head + b"\r\n\r\n" + body)
            found = web.next()
            if found is None:
                ended.wait(60)
            else:
                connection.sendall(found)

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    web.base = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        yield web
    finally:
        ended.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


@pytest.fixture
def web() -> Iterator[Callable[..., Web]]:
    """Makes servers: ``web(answer("200 OK"), …)``."""
    with ExitStack() as stack:
        yield lambda *answers: stack.enter_context(serving(Web(list(answers))))
