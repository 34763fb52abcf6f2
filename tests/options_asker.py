"""A platform that asks by OPTIONS whether a trunk's far end is there, and does no more."""

from __future__ import annotations

import itertools
import time

from harness.sip.message import Request, Response
from tests.sip_peer import PATIENCE_S, SipPeer

_T1_S = 0.5  # RFC 3261 section 17.1.2.2


class OptionsAsker(SipPeer):
    """Asks over UDP, from one address."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self._numbers = itertools.count(1)

    def asks(self, host: str, port: int, within: float = PATIENCE_S) -> int:
        """The final response's status; 0 where none comes."""
        number, own = next(self._numbers), f"<sip:sbc@{self.address}>"
        call_id = f"{number}-{self.address}"
        headers = [
            ("Via", f"SIP/2.0/UDP {self.address};branch=z9hG4bK-{call_id}"),
            ("Max-Forwards", "70"),
            ("From", f"{own};tag={number}"),
            ("To", f"<sip:{host}:{port}>"),
            ("Call-ID", call_id),
            ("CSeq", f"{number} OPTIONS"),
            ("Contact", own),
            ("Content-Length", "0"),
        ]
        request = Request.build("OPTIONS", f"sip:{host}:{port}", headers).serialize()
        deadline = time.monotonic() + within
        while (left := deadline - time.monotonic()) > 0:
            self.sip.sendto(request, (host, port))
            answer = self.next(min(_T1_S, left))
            if isinstance(answer, Response) and answer.call_id == call_id and answer.is_final:
                return answer.status
        return 0
