"""A machine that answers: it speaks, and then asks for a message with a tone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from harness.audio.classify import Span

#: A word; anything shorter may be a click.
_WORD_S: Final = 0.4


def asks_for_message(spans: Sequence[Span]) -> tuple[float, float] | None:
    """When the speech and the tone after it began, in seconds of what was classified; None where there is no such thing."""
    speech = next((span for span in spans if span.kind == "speech" and span.ended - span.began > _WORD_S), None)
    if speech is None:
        return None
    tone = next((span for span in spans if span.kind == "tone" and span.began > speech.began), None)
    return None if tone is None else (speech.began, tone.began)
