"""Requests outside of any dialog: incoming ones, and the headers of ours."""

from __future__ import annotations

from harness.sip.message import HeaderPairs, Request, Response
from harness.sip.uri import NameAddr, Uri
from harness.world.wire.content import content_header
from harness.world.wire.transaction import ServerTransaction
from harness.world.wire.transactions import new_token
from harness.world.wire.transport import Address, Flow


class IncomingRequest:
    """A request outside of any dialog, to be answered once."""

    def __init__(self, transaction: ServerTransaction) -> None:
        self.request: Request = transaction.request
        self.flow: Flow = transaction.flow
        self._transaction = transaction
        self._tag = new_token()

    @property
    def source(self) -> Address:
        """Where it came from, as the socket saw it."""
        return self.flow.remote

    @property
    def is_answered(self) -> bool:
        """Whether a final response was given."""
        return self._transaction.is_answered

    def respond(
        self,
        status: int,
        reason: str | None = None,
        headers: HeaderPairs = (),
        body: bytes | str = b"",
        content_type: str | None = None,
    ) -> None:
        """Answer it."""
        lines = [*headers, *content_header(body, content_type)]
        response = Response.to_request(self.request, status, reason, tag=self._tag, headers=lines, body=body)
        self._transaction.respond(response)


def outside_dialog(
    method: str,
    uri: Uri | str,
    from_: NameAddr | str,
    to: NameAddr | str | None,
    headers: HeaderPairs,
    body: bytes | str,
    *,
    call_id: str | None = None,
    cseq: int = 1,
    software: str | None,
) -> Request:
    """A request of ours (RFC 3261 section 8.1.1), without Via; ``software`` is its User-Agent."""
    source = from_ if isinstance(from_, NameAddr) else NameAddr.parse(from_)
    lines = [
        ("Max-Forwards", "70"),
        ("From", str(source if source.tag else source.with_tag(new_token()))),
        ("To", str(to) if to is not None else f"<{uri}>"),
        ("Call-ID", call_id or new_token()),
        ("CSeq", f"{cseq} {method}"),
        *headers,
    ]
    if software:
        lines.append(("User-Agent", software))
    return Request.build(method, uri, lines, body)
