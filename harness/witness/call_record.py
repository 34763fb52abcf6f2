"""One call as Synthflow's API reports it (https://docs.synthflow.ai/api-reference: Get a call, List
calls).
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, FiniteFloat, NonNegativeInt, StringConstraints, ValidationError

from harness.sip.identity import normalise, without_separators
from harness.witness.clock import since_epoch, to_monotonic
from harness.witness.transcript import as_text

#: Status of a call id that was prepared but not called yet (Prepare inbound).
REGISTERED = "registered"
#: The statuses of Synthflow's documentation, without spam and paused, for which it does not say how
#: the call ended. A record with any other status cannot be read.
_BEFORE_ANSWER = (REGISTERED, "pending", "queue", "ringing")
_VOICEMAIL = ("hangup_on_voicemail", "left_voicemail")  # of calls that the AI places
_ANSWERED = ("in-progress", "completed", *_VOICEMAIL)
_UNANSWERED = ("no-answer", "busy", "failed", "canceled", "user-canceled")
_STATUSES = frozenset(_BEFORE_ANSWER + _ANSWERED + _UNANSWERED)
_OVER = frozenset((*_UNANSWERED, *_VOICEMAIL, "completed"))
_MILLISECOND_S = 0.001
_VARIABLES = "prompt_variables"
#: Where real records have X- headers: the first field has all, as documented; the second some, so a
#: missing one says nothing.
_HEADERS = (_VARIABLES, "telephony_sip_headers")
#: Some accounts hide digits of numbers for privacy, or put a word in their place.
_MASKED = re.compile(
    r"[*•#…]|redacted|^[-+() .\dx]*xx[-() .\dx]*$|^[<\[{]+(?!anonymous)[a-z][\w. -]*[>\]}]*$",
    re.IGNORECASE,
)
_E164 = re.compile(r"\+\d+", re.ASCII)
#: The host, and the parameters of a telephone number (RFC 3966 section 3), are not part of it.
_USER = re.compile(r"(?:(?:sips?|tel):)?([^@;>]*)", re.IGNORECASE)


def user_of(address: str) -> str:
    """The user of a URI or of an address without a scheme; a number alone is returned as it is."""
    found = _USER.match(address.strip())
    return found[1] if found else ""


def is_masked(user: str) -> bool:
    """Whether digits of a number are hidden, or a word stands in its place: it may be any caller's."""
    return _MASKED.search(user) is not None


def actions_of(plain: Mapping[str, Any]) -> list[Any]:
    """What the assistant did by the ``plain`` record: a table, or a list."""
    found = plain.get("executed_actions")
    if isinstance(found, dict):
        return list(found.values())
    return found if isinstance(found, list) else []


# -- what a far end may tell beyond the documented record (docs/simulation.md lists it)

_Address = Annotated[
    str, StringConstraints(pattern=r"^(\[[^\]\s]+\]|[^:\s]+):\d{1,5}$")
]  # host:port


class _Mark(BaseModel):
    mark: NonNegativeInt
    at: FiniteFloat
    until: FiniteFloat | None = None
    level_dbov: FiniteFloat | None = None


class _Digit(BaseModel):
    digit: str
    method: str
    duration_ms: FiniteFloat | None = None


class _Sip(BaseModel):
    direction: Literal["sent", "received"]
    text: str
    transport: str = ""
    local: _Address | None = None
    remote: _Address | None = None


class _Witness(BaseModel):
    marks: list[_Mark] | None = None
    digits: list[_Digit] | None = None
    messages: list[_Sip] | None = None
    codec: str | None = None
    assistant: str | None = None
    rx_packets: NonNegativeInt | None = None
    answered_at: FiniteFloat | None = None
    released_at: FiniteFloat | None = None


@dataclass(frozen=True)
class CallRecord:
    """One call as the API tells it; ``plain`` is the whole answer. Fields an API of another version
    lacks are None.

    Numbers are E.164, however the record spells them (``region`` is whose national form it may be);
    other text stays, and a number that is masked is None. Digits may be a national number of the
    region's and another country's without its plus: those that are ``known``
    (:func:`harness.sip.identity.known_spellings`) are the latter. A user that is known is no
    number.
    """

    id: str
    plain: dict[str, Any] = field(repr=False)
    region: str = "US"
    clock_ahead_s: float = 0.0  #: how far the API's clock is ahead of this machine's
    clock_differs_s: float = 0.0  #: the same, at least
    read_at: float = math.inf  #: epoch seconds of this machine
    known_since: float = math.inf  #: when a record of this call was first read, likewise
    known: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def status(self) -> str | None:
        """pending, ringing, in-progress, completed, no-answer, busy, failed, canceled …; a list
        calls it ``call_status``.
        """
        return self._text("call_status") or self._text("status")

    @property
    def is_outbound(self) -> bool:
        """Whether the AI placed the call, so that it answers no test caller."""
        return self._text("type_of_call") == "outbound"

    @property
    def number_from(self) -> str | None:
        """The caller, as Synthflow understood it."""
        return self._number(
            "phone_number_from", "agent_phone_number" if self.is_outbound else "lead_phone_number"
        )

    @property
    def number_to(self) -> str | None:
        """The number that was called."""
        return self._number(
            "phone_number_to", "lead_phone_number" if self.is_outbound else "agent_phone_number"
        )

    def is_since(self, wall: float) -> bool | None:
        """Whether it began at or after that moment (epoch seconds of this machine); None if it does
        not say when.

        A call whose record was read before the moment began before it, by this machine's clock: the
        API's may have been set meanwhile.
        """
        if self.known_since < wall:
            return False
        began = self._began
        if began is None or self.is_in_doubt(wall):
            return None
        return began + _MILLISECOND_S - self.clock_ahead_s > wall

    def is_in_doubt(self, wall: float) -> bool:
        """Whether it began after that moment only by this machine's clock, and not by the API's
        Date, which is ahead.
        """
        began = self._began
        if began is None or self.clock_ahead_s <= 0.0 or began > self.read_at:
            return False
        latest = began + _MILLISECOND_S
        return latest - self.clock_ahead_s <= wall < latest

    @property
    def _began(self) -> float | None:
        """In seconds since the epoch; the record has milliseconds, as a number or in digits."""
        reported = self.plain.get("start_time")
        try:
            return since_epoch(float(reported)) if isinstance(reported, int | float | str) else None
        except (ValueError, OverflowError):
            return None

    def moment(self, reported: float) -> float:
        """A moment that its witness tells, in epoch seconds by the API's clock, on this machine's
        monotonic clock.
        """
        return to_monotonic(reported - self.clock_differs_s)

    @property
    def evidence(self) -> dict[str, Any]:
        """The whole record, with what a list names otherwise under the names of a single call."""
        known = {
            "status": self.status,
            "phone_number_from": self.number_from,
            "phone_number_to": self.number_to,
        }
        return {**{name: value for name, value in known.items() if value is not None}, **self.plain}

    @property
    def transcript(self) -> str:
        """What was said, as far as it was understood."""
        return as_text(self.plain.get("transcript"))

    @property
    def answered(self) -> bool:
        """Whether the AI has taken the call."""
        return self.status in _ANSWERED

    @property
    def over(self) -> bool:
        """Whether the call has ended."""
        return self.status in _OVER

    @property
    def actions(self) -> list[Any]:
        """What the assistant did (transfers and the like)."""
        return actions_of(self.plain)

    def variable(self, name: str) -> str | None:
        """What the assistant was given under that name, e.g. an X- header's value; None when it
        does not say.

        Digits that it has as a number have lost their spelling, and say nothing either.
        """
        found = self._variable(name)
        return found if isinstance(found, str) else None

    def _variable(self, name: str) -> object:
        for key in _HEADERS:
            value = self._given(key).get(name.lower())
            if value is not None:
                return value
        return None

    def _given(self, field: str) -> dict[str, Any]:
        found = self.plain.get(field)
        if not isinstance(found, dict):
            return {}
        return {str(name).lower(): value for name, value in found.items()}

    @property
    def tells_variables(self) -> bool:
        """Whether it lists what the assistant was given: a list of calls leaves that out."""
        return isinstance(self.plain.get(_VARIABLES), dict)

    def lacks(self, header: str, sent_with: Collection[str] = ()) -> bool:
        """Whether that X- header was not passed on: others reached its variables, of those it was
        ``sent_with`` where these are known. X-EI it reads itself, and need not keep.
        """
        if self._variable(header) is not None or header.lower() == "x-ei":
            return False
        given = self._given(_VARIABLES)
        if sent_with:
            return any(given.get(name.lower()) is not None for name in sent_with)
        return any(name.startswith("x-") for name in given)

    @property
    def readable(self) -> bool:
        """Whether it has the status and the number called, by which calls are distinguished."""
        return not self.lacking

    @property
    def lacking(self) -> tuple[str, ...]:
        """The fields of these that it lacks, in words."""
        lacking = []
        if self.status not in _STATUSES:
            lacking.append("a status that is known")
        if self.number_to not in self.known and not _E164.fullmatch(self.number_to or ""):
            lacking.append("a number that was called")
        return tuple(lacking)

    @cached_property
    def _testimony(self) -> dict[str, Any] | str:
        """The ``witness``; why it cannot be read if any of it is malformed, since what is left may
        lack any fact.
        """
        try:
            return _Witness.model_validate(self.plain.get("witness") or {}).model_dump()
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, ("witness", *first["loc"])))
            return f"{where}: {first['msg']}"

    def witness(self, what: str) -> Any:
        """What the far end witnessed beyond the documented record; None when it does not say, or
        its witness cannot be read.
        """
        return self._testimony.get(what) if isinstance(self._testimony, dict) else None

    @property
    def unread(self) -> str:
        """Why its witness cannot be read; empty when it can."""
        return self._testimony if isinstance(self._testimony, str) else ""

    def _number(self, *keys: str) -> str | None:
        text = next(filter(None, map(self._text, keys)), None)
        if text is None:
            return None
        user = user_of(text)
        if user in self.known:
            return self.known[user]
        if is_masked(user):
            return None
        return self.known.get(without_separators(user)) or normalise(user, self.region) or text

    def _text(self, key: str) -> str | None:
        value = self.plain.get(key)
        return value if isinstance(value, str) else None
