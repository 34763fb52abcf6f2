"""Finds messages that pjsip received but could not process, in its log; they are missing from its log of SIP messages.

A header that pjsip cannot parse makes two log entries; the first one says why. A message without a mandatory header, or one on a
connection that is longer than the buffer, makes one entry.
"""

from __future__ import annotations

import re
from typing import Final

from harness.phone.child.sip_log import LoggedMessage, read_text

_DROPPING: Final = re.compile(
    r"Dropping \d+ bytes packet from (?P<transport>UDP|TCP|TLS) (?P<remote>\S+) : (?P<why>.*)"
)
_DROPPED: Final = re.compile(r"Dropped packet:(?P<text>.*)", re.DOTALL)
_UNPROCESSED: Final = re.compile(
    r"Error processing packet from (?P<remote>\S+): (?P<why>.*?)\[code \d+\]:\n(?P<text>.*)", re.DOTALL
)


class DroppedMessages:
    """Finds them among log entries."""

    def __init__(self) -> None:
        self._dropping: re.Match[str] | None = None

    def read(self, entry: str) -> LoggedMessage | None:
        """The message of a log entry, or None."""
        if (dropping := _DROPPING.search(entry)) is not None:
            self._dropping = dropping  # entries of media threads may come in between
        elif self._dropping is not None and (match := _DROPPED.search(entry)) is not None:
            dropping, self._dropping = self._dropping, None
            return _message(match["text"], dropping["remote"], dropping["why"].strip(), dropping["transport"].lower())
        match = _UNPROCESSED.search(entry)
        # Only the Via names the transport.
        return _message(match["text"], match["remote"], match["why"].rstrip(" ")) if match else None


def _message(text: str, remote: str, why: str, transport: str = "") -> LoggedMessage | None:
    text = text.rpartition("\n-- end of packet.")[0] or text
    if "SIP/2.0" not in text.split("\n", 1)[0]:
        return None
    return read_text(text, direction="received", transport=transport, remote=remote, unread=why)
