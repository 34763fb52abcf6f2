"""A registrar for tests."""

from __future__ import annotations

import socket
import threading

from harness.sip.digest import DigestServer
from harness.sip.message import Message, Request, Response

PASSWORD = "correct-horse-battery"


class Registrar:
    """Answers REGISTER over UDP: 401 until alice's password is right, then 200 with the time that
    was asked for.
    """

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.address = "{}:{}".format(*self.socket.getsockname())
        self.digest = DigestServer("test", {"alice": PASSWORD}.get)
        self.requests: list[Request] = []  #: each once, however often a busy machine repeats it
        self.pings: list[tuple[str, int]] = []
        self._peer = ("", 0)
        self._came = threading.Condition()
        self._answered: dict[bytes, bytes] = {}
        self.refusal = 0
        self.grants = ""  #: seconds; else what was asked for
        self.more: list[tuple[str, str]] = []  #: headers of a 200
        self.mute = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        while data := self.socket.recvfrom(65536):
            raw, peer = data
            if raw == b"stop":
                return
            if not raw.strip():
                with self._came:
                    self.pings.append(peer)
                    self._came.notify_all()
                continue
            if raw not in self._answered:
                request = Message.parse(raw)
                assert isinstance(request, Request)
                self._answered[raw] = b"" if self.mute else self.answer(request).raw
                with self._came:
                    self._peer = peer
                    self.requests.append(request)
                    self._came.notify_all()
            if self._answered[raw]:
                self.socket.sendto(self._answered[raw], peer)

    def until(self, expires: str, since: int = 0) -> None:
        """Wait for a request with that Expires among those after the first ``since``."""
        with self._came:
            came = lambda: expires in {request.get("Expires") for request in self.requests[since:]}  # noqa: E731
            assert self._came.wait_for(came, 10), f"no REGISTER with Expires: {expires}"

    def until_pinged(self, times: int) -> None:
        """Wait for that many datagrams without a message, all from where the last request came
        from.
        """
        with self._came:
            assert self._came.wait_for(lambda: len(self.pings) >= times, 20), (
                "nothing kept the way open"
            )
            assert len({*self.pings, self._peer}) == 1

    def answer(self, request: Request) -> Response:
        if self.refusal:
            return Response.to_request(request, self.refusal, tag="r")
        if not self.digest.verify(request).accepted:
            return Response.to_request(request, 401, tag="r", headers=[self.digest.challenge()])
        expires = request.get("Expires", "0")
        assert request.contact is not None
        granted = self.grants or expires
        headers = [("Contact", f"{request.contact};expires={granted}")] if expires != "0" else []
        return Response.to_request(request, 200, tag="r", headers=headers + self.more)

    def close(self) -> None:
        self.socket.sendto(b"stop", self.socket.getsockname())
        self.thread.join()
        self.socket.close()
