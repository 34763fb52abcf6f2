"""A far end that speaks SIP message by message over UDP, as no stack would."""

from __future__ import annotations

import socket

from harness.sip.message import HeaderPairs, Message, Request, Response

PATIENCE_S = 10.0  #: for what should come at once, on a machine that may be busy


class SipPeer:
    """A socket, and what every far end of the tests does with it. ``tag`` is its tag in dialogs."""

    tag = "peer"

    def __init__(self, host: str) -> None:
        self.sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sip.bind((host, 0))
        self.sip.settimeout(PATIENCE_S)
        self.host, self.port = self.sip.getsockname()
        self.address = f"{self.host}:{self.port}"
        self.peer = ("", 0)  #: who sent last
        self._taken: set[tuple[str, str]] = set()

    def next(self, within: float = PATIENCE_S) -> Request | Response | None:
        """The next message; None when none comes. A keep-alive is none (RFC 5626 section 4.4.1)."""
        self.sip.settimeout(max(within, 0.001))
        while True:
            try:
                data, self.peer = self.sip.recvfrom(65536)
            except TimeoutError:
                return None
            if data.strip():
                return Message.parse(data)

    def request(self, method: str) -> Request:
        """The next request of that method; what a busy machine has repeated is none (RFC 3261
        section 17.2.3).
        """
        while (message := self.next(PATIENCE_S)) is not None:
            if isinstance(message, Request) and message.method == method and self._is_new(message):
                return message
        raise TimeoutError(f"no {method} came")

    def _is_new(self, request: Request) -> bool:
        transaction = (request.method, request.via.branch or "")
        known = transaction in self._taken
        self._taken.add(transaction)
        return not known

    def final_response(
        self, method: str, number: int | None = None, call_id: str | None = None
    ) -> Response:
        """The next final response to that method, and to the request of that number and that call
        if they are given.

        A refusal is repeated until its ACK is there (RFC 3261 section 17.2.1), which may be into
        the next call.
        """
        while (message := self.next(PATIENCE_S)) is not None:
            if (
                not isinstance(message, Response)
                or not message.is_final
                or message.cseq.method != method
            ):
                continue
            if number in (None, message.cseq.number) and call_id in (None, message.call_id):
                return message
        raise TimeoutError(f"no final response to {method} came")

    def respond(
        self,
        request: Request,
        status: int,
        headers: HeaderPairs = (),
        body: str = "",
        reason: str | None = None,
    ) -> None:
        """Answer whoever sent last."""
        answer = Response.to_request(
            request, status, reason, tag=self.tag, headers=headers, body=body
        )
        self.sip.sendto(answer.serialize(), self.peer)

    def close(self) -> None:
        self.sip.close()
