"""The digits of a call: telephone-events of its RTP (RFC 4733), and the bodies of INFO requests.

pjmedia separates events by digit and duration: a late packet turns one press into two, and a digit
whose last packets are lost is missing. RFC 4733 section 2.5.1.2 separates events by timestamp. For
INFO, pjsua knows only one of the two bodies in use, and no digits written as event codes.
"""

from __future__ import annotations

import collections
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from harness.case.events import DigitMethod
from harness.sip.grammar import decimal
from harness.sip.message import Message

#: A sender updates an event at least every 50 ms (RFC 4733 section 2.6.1); after this silence its
#: last packets were lost.
_SILENT_S: Final = 0.5
_MOST_REPORTED: Final = 64  # reported events whose late packets are ignored

_OK: Final = 200
_BAD_REQUEST: Final = 400
_TOO_LATE: Final = 500  # RFC 3261 section 12.2.2
NOT_A_DIGIT: Final = 0
#: The INFO bodies that contain a digit.
DIGIT_TYPES: Final = ("application/dtmf", "application/dtmf-relay")

_KEYS: Final = "0123456789*#ABCD"  # by event code (RFC 4733 section 3.2)
_LONGEST_MS: Final = 60_000
_SIGNAL: Final = re.compile(r"^[ \t]*Signal[ \t]*=[ \t]*(\S+)[ \t]*$", re.IGNORECASE | re.MULTILINE)
_DURATION: Final = re.compile(
    r"^[ \t]*Duration[ \t]*=[ \t]*(\d+)[ \t]*$", re.IGNORECASE | re.MULTILINE | re.ASCII
)


@dataclass
class _Event:
    digit: str
    timestamp: int
    duration_ms: int = 0
    seen: float = 0.0


class Digits:
    """The digits of one call. ``emit`` receives each digit once, with its duration in ms and its
    method. Thread-safe.
    """

    def __init__(
        self,
        emit: Callable[[str, int, DigitMethod], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._emit = emit
        self._clock = clock
        self._lock = threading.Lock()
        self._event: _Event | None = None  # the current one
        self._reported: collections.deque[int] = collections.deque(maxlen=_MOST_REPORTED)
        self._infos = (0, _OK)  # CSeq and answer of the last INFO

    def event(self, digit: str, timestamp: int, duration_ms: int, *, ends: bool) -> None:
        """Note a received packet of an event; ``timestamp`` is the event's, in ms."""
        with self._lock:
            if timestamp in self._reported:
                return
            event = self._event
            if event is not None and timestamp != event.timestamp:
                self._end()
                event = None
            if event is None:
                event = self._event = _Event(digit, timestamp)
            event.duration_ms = max(duration_ms, event.duration_ms)
            event.seen = self._clock()
            if ends:
                self._end()

    @property
    def are_open(self) -> bool:
        """Whether a digit has not ended: :meth:`tick` ends it if its last packets are lost."""
        return self._event is not None

    def tick(self, now: float) -> None:
        """End an event that no longer gets packets."""
        with self._lock:
            if self._event is not None and now >= self._event.seen + _SILENT_S:
                self._end()

    def close(self) -> None:
        """End the current event with the call."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        event, self._event = self._event, None
        if event is not None:
            self._reported.append(event.timestamp)
            self._emit(event.digit, event.duration_ms, "rfc4733")

    def info(self, request: Message) -> int:
        """The status to answer an INFO with; :data:`NOT_A_DIGIT` if it does not carry a digit."""
        number = request.cseq.number
        if request.content_type not in DIGIT_TYPES:
            return NOT_A_DIGIT
        with self._lock:
            last, answer = self._infos
            if number < last:
                return _TOO_LATE
            if number > last:
                found = read_body(request.body.decode("ascii", "replace"))
                answer = _BAD_REQUEST if found is None else _OK
                self._infos = number, answer
                if found is not None:
                    self._emit(*found, "info")
        return answer


def read_body(body: str) -> tuple[str, int] | None:
    """The digit of an INFO's body and its duration in ms (0 if not given); None without a digit.

    The bodies are not standardised (RFC 6086 section 1). ``application/dtmf-relay`` is Cisco's,
    with lines ``Signal=`` and ``Duration=``; ``application/dtmf`` is just the digit. Some senders
    confuse the two types. Both may use the event code.
    """
    lines = body.replace("\r\n", "\n").replace("\r", "\n")
    signal = _SIGNAL.search(lines)
    key = signal[1] if signal else lines.strip()
    digit = key.upper() if len(key) == 1 else ""
    code = decimal(key, most=len(_KEYS) - 1)
    if code is not None:
        digit = _KEYS[code]
    if len(digit) != 1 or digit not in _KEYS:
        return None
    duration = _DURATION.search(lines)
    lasted = decimal(duration[1], most=_LONGEST_MS) if duration else 0
    if lasted is None:  # it exceeds the longest
        lasted = _LONGEST_MS
    return digit, lasted
