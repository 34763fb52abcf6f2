"""Messages that pjsip has read from the wire and can do nothing with, out of its log; its log of messages has none of them.

A header that it cannot parse makes two entries, the first of which says why. A message without a header that each has to have,
or over a connection one longer than its buffer, makes one.
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
        """The message of an entry; None where it holds none, or nothing that could be one."""
        if (dropping := _DROPPING.search(entry)) is not None:
            self._dropping = dropping  # entries of the media threads may come before what belongs to it
        elif self._dropping is not None and (match := _DROPPED.search(entry)) is not None:
            dropping, self._dropping = self._dropping, None
            return _message(match["text"], dropping["remote"], dropping["why"].strip(), dropping["transport"].lower())
        match = _UNPROCESSED.search(entry)
        # the transport is that of its Via: nothing else names it
        return _message(match["text"], match["remote"], match["why"].rstrip(" ")) if match else None


def _message(text: str, remote: str, why: str, transport: str = "") -> LoggedMessage | None:
    text = text.rpartition("\n-- end of packet.")[0] or text
    if "SIP/2.0" not in text.split("\n", 1)[0]:
        return None
    return read_text(text, direction="received", transport=transport, remote=remote, unread=why)
