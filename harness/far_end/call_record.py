"""One call as Synthflow's API tells it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness.sip.identity import normalise

#: What Synthflow's documentation lists. A record with another status cannot be read, whatever it may mean.
_BEFORE_ANSWER = ("pending", "queue", "ringing")
_ANSWERED = ("in-progress", "completed")
_UNANSWERED = ("no-answer", "busy", "failed", "canceled")
_STATUSES = frozenset(_BEFORE_ANSWER + _ANSWERED + _UNANSWERED)


@dataclass(frozen=True)
class CallRecord:
    """One call as the API tells it; ``plain`` is the whole answer. Fields an API of another version lacks are None.

    Numbers are E.164, however the record spells them (``region`` is whose national form it may be); what is none stays.
    """

    id: str
    plain: dict[str, Any] = field(repr=False)
    region: str = "US"

    @property
    def status(self) -> str | None:
        """pending, ringing, in-progress, completed, no-answer, busy, failed, canceled …"""
        return self._text("status")

    @property
    def number_from(self) -> str | None:
        """The caller, as Synthflow understood it."""
        return self._number("phone_number_from")

    @property
    def number_to(self) -> str | None:
        """The number that was called."""
        return self._number("phone_number_to")

    @property
    def transcript(self) -> str:
        """What was said, as far as it was understood."""
        return self._text("transcript") or ""

    @property
    def answered(self) -> bool:
        """Whether the AI has taken the call."""
        return self.status in _ANSWERED

    @property
    def over(self) -> bool:
        """Whether the call has ended."""
        return self.status in _UNANSWERED or self.status == "completed"

    @property
    def actions(self) -> list[Any]:
        """What the assistant did (transfers and the like)."""
        found = self.plain.get("executed_actions")
        return list(found.values()) if isinstance(found, dict) else found if isinstance(found, list) else []

    def variable(self, name: str) -> str | None:
        """What the assistant was given under that name, e.g. an X- header's value; None when it does not say."""
        found = self.plain.get("prompt_variables")
        pairs = found.items() if isinstance(found, dict) else ()
        return next((v for k, v in pairs if str(k).lower() == name.lower() and isinstance(v, str)), None)

    @property
    def takes_headers(self) -> bool:
        """Whether X- headers reach its variables, so that one that is missing there was not sent."""
        found = self.plain.get("prompt_variables")
        return isinstance(found, dict) and any(str(name).lower().startswith("x-") for name in found)

    @property
    def readable(self) -> bool:
        """Whether it says what a call is told by: its status, and the number called."""
        return self.status in _STATUSES and (self.number_to or "").startswith("+")

    def witness(self, what: str) -> Any:
        """What the far end witnessed beyond the documented record, None when it does not say."""
        witness = self.plain.get("witness")
        return witness.get(what) if isinstance(witness, dict) else None

    def _number(self, key: str) -> str | None:
        text = self._text(key)
        return text and (normalise(text, self.region) or text)

    def _text(self, key: str) -> str | None:
        value = self.plain.get(key)
        return value if isinstance(value, str) else None
