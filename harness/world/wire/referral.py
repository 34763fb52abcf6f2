"""The implicit subscription of a REFER, from both ends (RFC 3515, RFC 6665)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.sip.message import REASONS, Request, Response
from harness.world.wire.dialog import Waitable

if TYPE_CHECKING:
    from harness.world.wire.call import Call

_FRAGMENT = re.compile(rb"SIP/2\.0 (\d{3})(?: ([^\r\n]*))?", re.IGNORECASE)
LIFETIME = 300.0
"""Seconds the subscription lives (its Expires): longer than a phone may ring."""


class Referral:
    """Our REFER: its answer, and the progress of the new call as its NOTIFYs report it.

    It is over with a NOTIFY that reports a final status or ends the subscription, with a refusal of
    the REFER, or when the subscription has lasted too long (RFC 3515 section 2.4.7).
    """

    def __init__(self, call: Call, request_cseq: int) -> None:
        self._call = call
        self.cseq = request_cseq
        self.progress: list[tuple[int, str]] = []
        """Status and reason of each NOTIFY so far."""
        self.on_progress: Callable[[int, str], None] | None = None
        self._accepted: Waitable[Response] = Waitable()
        self._final: Waitable[tuple[int, str]] = Waitable()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(LIFETIME, self._end, 408, "the subscription expired")

    @property
    def final(self) -> tuple[int, str] | None:
        """Status and reason of the new call as the last NOTIFY has it; None so far."""
        return self._final.value

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come."""
        return self._final.is_set

    async def wait_accepted(self, within: float | None = None) -> Response:
        """The answer to the REFER, whatever it is. Raises TimeoutError."""
        return await self._accepted.wait(within)

    async def wait_final(self, within: float | None = None) -> tuple[int, str]:
        """The outcome of the new call. A refused REFER gives its own status. Raises TimeoutError."""
        return await self._final.wait(within)

    def answered(self, response: Response) -> None:
        """The REFER's final response."""
        self._accepted.set(response)
        if not response.is_success:
            self._end(response.status, response.reason)

    def notified(self, request: Request) -> None:
        """A NOTIFY of this subscription."""
        match = _FRAGMENT.match(request.body.lstrip())
        if match is not None:
            status = int(match[1])
            reason = (match[2] or b"").decode("utf-8", "replace").strip()
            self.progress.append((status, reason))
            if self.on_progress is not None:
                self.on_progress(status, reason)
        written = request.get("Subscription-State") or ""
        state = written.partition(";")[0].strip().lower()
        status, reason = self.progress[-1] if self.progress else (0, "")
        if state == "terminated" or status >= 200:
            self._end(status, reason)

    def _end(self, status: int, reason: str) -> None:
        self._timer.cancel()
        self.on_progress = None  # it refers to the call, which owns this object
        if not self._final.is_set:
            self._final.set((status, reason))
            self._call.usage_ended()

    def close(self) -> None:
        """The node stops."""
        self._end(481, "the dialog is gone")


class Notifier:
    """The receiving end of a REFER: reports the progress of the new call by NOTIFY.

    The first NOTIFY, 100, goes out at once (RFC 3515 section 2.4.4).
    """

    def __init__(self, call: Call, event: str) -> None:
        self._call = call
        self._event = event
        self._last: asyncio.Task[Response] | None = None
        self.is_over = False
        self._send(100, REASONS[100], ends=False)

    async def notify(self, status: int, reason: str | None = None) -> Response | None:
        """Send one NOTIFY; a status from 200 up ends the subscription.

        Returns the answer (a local 408 or 503 when none came), None when there is nothing to tell
        any more.
        """
        if self.is_over:
            return None
        ends = status >= 200
        if reason is None:
            reason = REASONS.get(status, "")
        sending = self._send(status, reason, ends=ends)
        if ends:
            self.close()
        return await sending

    def _send(self, status: int, reason: str, *, ends: bool) -> asyncio.Task[Response]:
        """Queue a NOTIFY behind the last one: a 180 must not overtake the 100."""
        last = self._last
        # Bound, it keeps the call, which may be over, and go with its last subscription.
        send = self._call.send
        state = "terminated;reason=noresource" if ends else f"active;expires={int(LIFETIME)}"
        headers = [("Event", self._event), ("Subscription-State", state)]
        fragment = f"SIP/2.0 {status} {reason}\r\n"

        async def in_turn() -> Response:
            if last is not None:
                await asyncio.wait([last])
            response = await send("NOTIFY", headers, fragment, "message/sipfrag;version=2.0")
            if response.status in (408, 481, 503):
                self.close()
            return response

        self._last = self._call.ua.spawn(in_turn(), "NOTIFY")
        return self._last

    def close(self) -> None:
        """End it without a further word."""
        if not self.is_over:
            self.is_over = True
            self._call.usage_ended()
