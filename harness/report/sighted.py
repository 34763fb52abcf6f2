"""Which of a case's labels its messages and media bear out: what was on the wire at the AI's end, and in our own calls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from harness.calls.events import Event, FarEndRecord, LegStarted, MediaState, SipMessage
from harness.deployment import SIP_NUMBER, STAND_IN

#: The phones of ours in the AI's place: the one that is called there, and the one that registers there.
_AT_AI = (STAND_IN, SIP_NUMBER)
_CREDENTIALS = re.compile(r"^(?:proxy-)?authorization\s*:", re.IGNORECASE | re.MULTILINE)
_ACCEPTED = re.compile(
    r"SIP/2\.0 2\d\d\b.*?^cseq\s*:\s*\d+\s+(?:INVITE|REGISTER)\b", re.IGNORECASE | re.MULTILINE | re.DOTALL
)


def sighted(events: Iterable[Event]) -> dict[str, frozenset[str]]:
    """Axis → the values of it that our own phones saw. Of the AI's trunk they see nothing, unless one is in its place."""
    codecs, dialled, at_ai = set(), set(), []
    for event in events:
        if isinstance(event, SipMessage) and event.phone in _AT_AI:
            at_ai.append((event.transport, event.text))
        elif isinstance(event, MediaState) and event.codec and event.phone not in _AT_AI:
            codecs.add(event.codec.lower())
        elif isinstance(event, LegStarted) and event.direction == "outgoing" and event.phone not in _AT_AI:
            dialled.add(event.phone)
    return _of_trunk(at_ai) | {"codec": frozenset(codecs), "number": frozenset(dialled)}


def told(events: Iterable[Event]) -> dict[str, frozenset[str]]:
    """Axis → the values of it that messages in the far end's records show."""
    shown = []
    for event in events:
        if isinstance(event, FarEndRecord):
            for entry in event.messages:
                if isinstance(entry, Mapping) and isinstance(entry.get("text"), str):
                    shown.append((str(entry.get("transport", "")), entry["text"]))
    return _of_trunk(shown)


def _of_trunk(messages: Sequence[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """What messages at the AI's end show of its trunk: transports, and whether credentials were asked for and sent."""
    texts = [text for _, text in messages]
    by = set()
    if any(map(_CREDENTIALS.search, texts)):
        by.add("digest")
    elif any(map(_ACCEPTED.match, texts)):
        by.add("ip")  # taken without credentials
    return {"transport": frozenset(transport.lower() for transport, _ in messages), "authentication": frozenset(by)}
