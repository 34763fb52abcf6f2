"""Removes the transport from the next hop's URI, because a phone has one transport and pjsip (2.15.1) cannot use another.

If a URI asks for another transport, pjsip aborts over an answer whose ACK it cannot send, and ends a call without a BYE. Without the
parameter, requests go to the URI's host and port over the phone's transport. The evidence has the message as received.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Final

from harness.phone.child.sip_log import LoggedMessage

NAMES: Final = (b"Contact", b"Record-Route")

#: Quoted strings are skipped; an unclosed one extends to the end.
_ADDRESS: Final = re.compile(r'"(?:[^"\\]|\\.)*(?:"|$)|<(sips?):([^>]*)>', re.IGNORECASE | re.DOTALL)
_TRANSPORT: Final = re.compile(r";[ \t]*transport[ \t]*=[ \t]*(udp|tcp|tls|sctp)[ \t]*(?=[;?]|$)", re.IGNORECASE)
_MOST_REMEMBERED: Final = 1000


class Targets:
    """Rewrites the messages of one process."""

    def __init__(self) -> None:
        self._routed: OrderedDict[tuple[str, str], bool] = OrderedDict()  # by Call-ID and the other end's tag

    def of(self, message: LoggedMessage, headers: Sequence[str]) -> list[str]:
        """The ``Contact`` and ``Record-Route`` headers of a received message, as pjsip may see them."""
        if message.method == "REGISTER" or message.status >= 300:
            return list(headers)
        routes = [header for header in headers if header.startswith("Record-Route")]
        if self._has_routes(message, has_some=bool(routes)):
            hops = routes[-1:] if message.status else routes[:1]  # RFC 3261 sections 12.1.1 and 12.1.2
        else:
            hops = [header for header in headers if header not in routes]
        return [_ADDRESS.sub(partial(_bare, message.transport, header in hops), header) for header in headers]

    def _has_routes(self, message: LoggedMessage, *, has_some: bool) -> bool:
        """Whether the dialog has a route set, which does not change once the dialog is confirmed (section 12.2)."""
        dialog = (message.call_id, message.remote_tag)
        is_early = 0 < message.status < 200 and not has_some
        if message.method != "INVITE" or is_early or not (message.status or message.begins_call):
            return self._routed.get(dialog, has_some)
        has_routes = self._routed[dialog] = self._routed.pop(dialog, has_some)
        while len(self._routed) > _MOST_REMEMBERED:
            self._routed.popitem(last=False)
        return has_routes


def _bare(transport: str, is_next: bool, address: re.Match[str]) -> str:
    scheme, rest = address.groups()
    if scheme is None:
        return address[0]
    if scheme.lower() == "sips" and transport != "tls":
        scheme = "sip"  # pjsip would require TLS even behind a route
    if is_next:
        rest = _TRANSPORT.sub(lambda asked: asked[0] if asked[1].lower() == transport else "", rest)
    return f"<{scheme}:{rest}>"
