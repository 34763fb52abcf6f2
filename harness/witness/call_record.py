"""One call as Synthflow's API tells it (https://docs.synthflow.ai/api-reference: Get a call, List calls)."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import chain
from typing import Any
from unicodedata import normalize
from urllib.parse import unquote

from harness.deployment import plain_signs
from harness.sip.identity import normalise, without_separators
from harness.witness import testimony
from harness.witness.clock import since_epoch, told_to_monotonic
from harness.witness.transcript import as_text, has_turn

#: Status of a call id that was prepared but not called yet (Prepare inbound).
REGISTERED = "registered"
#: What Synthflow's documentation lists, but for spam and paused, of which it does not say what became of the call. A record with
#: another status cannot be read, whatever it may mean.
_BEFORE_ANSWER = (REGISTERED, "pending", "queue", "ringing")
_VOICEMAIL = ("hangup_on_voicemail", "left_voicemail")  # of calls that the AI places
_ANSWERED = ("in-progress", "completed", *_VOICEMAIL)
_UNANSWERED = ("no-answer", "busy", "failed", "canceled", "user-canceled")
_STATUSES = frozenset(_BEFORE_ANSWER + _ANSWERED + _UNANSWERED)
_OVER = frozenset((*_UNANSWERED, *_VOICEMAIL, "completed"))
#: No clock that its Date shows is further off; what began later than it was told has its moment by another zone's.
_YET_TO_COME_S = 60.0
MILLISECOND_S = 0.001
_VARIABLES = "prompt_variables"
#: Where real records have X- headers: all of them, as documented, and some, of which one that is missing says nothing.
_HEADERS = (_VARIABLES, "telephony_sip_headers")
#: Some accounts hide digits of numbers for privacy.
_MASKED = re.compile(
    r"[*•●#…]|\.\.|redacted|^[-+() .\dx]*xx[-() .\dx]*$|^[<\[{]+(?!anonymous)[a-z][\w -]*[>\]}]+$", re.IGNORECASE
)
_E164 = re.compile(r"\+\d+", re.ASCII)
#: Of a date and time (ISO 8601, both of its formats). Without seconds it may be of any moment of a minute, or an hour.
_WITH_SECONDS = re.compile(r"[T ]\d\d:?\d\d:?\d\d", re.IGNORECASE)
_URI = re.compile(r"(?:sips?|tel):([^@;>]+)", re.IGNORECASE)


def user_told(text: str) -> str:
    """The user of a URI where there is one in it, as in a whole address, else all of it."""
    found = _URI.search(text)
    return found[1] if found else text


def plain_user(user: str) -> str:
    """The same in ASCII's signs and without escapes (RFC 3261 section 19.1.2): some programs set digits apart by no-break spaces or
    hyphens, or mark where left-to-right begins.
    """
    return plain_signs(normalize("NFKC", unquote(user)))


def is_masked(user: str) -> bool:
    """Whether digits of a number are hidden in it, or a word stands in its place: it may be anybody's."""
    return _MASKED.search(user) is not None


def actions_of(plain: Mapping[str, Any]) -> list[Any]:
    """What the assistant did by the ``plain`` record: a table, or a list."""
    found = plain.get("executed_actions")
    return list(found.values()) if isinstance(found, dict) else found if isinstance(found, list) else []


@dataclass(frozen=True)
class CallRecord:
    """One call as the API tells it; ``plain`` is the whole answer. Fields an API of another version lacks are None.

    Numbers are E.164, however the record spells them (``region`` is whose national form it may be); what is none stays, and one
    that is masked is not told. Digits may be a national number of the region's and another country's without its plus: those
    that are ``known`` (:func:`harness.sip.identity.written_without_plus`) are the latter.
    """

    id: str
    plain: dict[str, Any] = field(repr=False)
    region: str = "US"
    clock_ahead_s: float = 0.0  #: how far the API's clock is ahead of this machine's
    clock_differs_s: float = 0.0  #: the same, as little as may be
    cut_off_s: float = 1.0  #: how much of a moment the API may leave out, where it tells a whole second
    read_at: float = math.inf  #: epoch seconds of this machine
    known_since: float = math.inf  #: the same, of when a record of this call was first read
    known: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def status(self) -> str | None:
        """pending, ringing, in-progress, completed, no-answer, busy, failed, canceled …; a list calls it ``call_status``."""
        return self._text("call_status") or self._text("status")

    @property
    def is_outbound(self) -> bool:
        """Whether the AI placed the call, so that it answers no test caller."""
        return self._text("type_of_call") == "outbound"

    @property
    def number_from(self) -> str | None:
        """The caller, as Synthflow understood it."""
        return self._number("phone_number_from", "agent_phone_number" if self.is_outbound else "lead_phone_number")

    @property
    def number_to(self) -> str | None:
        """The number that was called."""
        return self._number("phone_number_to", "lead_phone_number" if self.is_outbound else "agent_phone_number")

    def is_since(self, wall: float) -> bool | None:
        """Whether it began at or after that moment (epoch seconds of this machine); None where it does not say when.

        What is yet to begin was told in the time of another zone: then an earlier call would be a later one as well. A call whose
        record was read before the moment began before it, by this machine's clock: the API's may have been set meanwhile.
        """
        if self.known_since < wall:
            return False
        began = _moment(self.plain.get("start_time"))
        if began is None or began - self.clock_ahead_s > self.read_at + _YET_TO_COME_S or self.is_in_doubt(wall):
            return None
        return began + self._left_out_s - self.clock_ahead_s > wall

    def is_in_doubt(self, wall: float) -> bool:
        """Whether it began after that moment only if it is by this machine's clock: the API's Date is ahead, but it need not be."""
        began = _moment(self.plain.get("start_time"))
        if began is None or self.clock_ahead_s <= 0.0 or began > self.read_at:
            return False
        latest = began + self._left_out_s
        return latest - self.clock_ahead_s <= wall < latest

    @property
    def _left_out_s(self) -> float:
        return MILLISECOND_S if is_told_in_milliseconds(self.plain) else self.cut_off_s

    def moment(self, told: object) -> float:
        """A moment that its witness tells, in epoch seconds by the API's clock, on this machine's monotonic clock."""
        return told_to_monotonic(told, self.clock_differs_s)

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
    def contradicts_itself(self) -> bool:
        """Whether it says that the AI had the call, and that it was connected for no time: some call it completed however it ended.

        Or that the AI did not have it, and what was said then: one may fail when it has been answered.
        """
        if self.status in _UNANSWERED:
            return has_turn(self.transcript, "bot") or has_turn(self.transcript, "human")
        told = self.plain.get("telephony_duration")
        return self.answered and self.over and not isinstance(told, bool) and told in (0, "0")

    @property
    def over(self) -> bool:
        """Whether the call has ended."""
        return self.status in _OVER

    @property
    def actions(self) -> list[Any]:
        """What the assistant did (transfers and the like)."""
        return actions_of(self.plain)

    def variable(self, name: str) -> str | None:
        """What the assistant was given under that name, e.g. an X- header's value; None when it does not say."""
        found = self._given(name)
        return found if isinstance(found, str) else None

    def _given(self, name: str, where: Sequence[str] = _HEADERS) -> object:
        told = (self.plain.get(field) for field in where)
        pairs = chain.from_iterable(found.items() for found in told if isinstance(found, dict))
        return next((value for key, value in pairs if str(key).lower() == name.lower() and value is not None), None)

    @property
    def tells_variables(self) -> bool:
        """Whether it says at all what the assistant was given: a list of calls leaves that out."""
        return isinstance(self.plain.get(_VARIABLES), dict)

    @property
    def takes_headers(self) -> bool:
        """Whether X- headers reach its variables, so that one that is missing there was not sent."""
        found = self.plain.get(_VARIABLES)
        return isinstance(found, dict) and any(str(name).lower().startswith("x-") for name in found)

    def lacks(self, header: str, sent_with: Collection[str] = ()) -> bool:
        """Whether that X- header was not passed on: others reached its variables, of those it was ``sent_with`` where these are
        known. X-EI it reads itself, and need not keep.
        """
        if self._given(header) is not None or header.lower() == "x-ei":
            return False
        others = (self._given(name, [_VARIABLES]) for name in sent_with)
        return any(other is not None for other in others) if sent_with else self.takes_headers

    def reshapes(self, header: str) -> bool:
        """Whether the record has that X- header as another type than text (digits as a number), so its spelling is lost."""
        return self._given(header) is not None and self.variable(header) is None

    @property
    def readable(self) -> bool:
        """Whether it says what a call is told by: its status, and the number called."""
        return not self.lacking

    @property
    def lacking(self) -> tuple[str, ...]:
        """What of that it does not say, in words."""
        said = {
            "a status that is known": self.status in _STATUSES,
            "a number that was called": _E164.fullmatch(self.number_to or "") is not None,
        }
        return tuple(what for what, is_said in said.items() if not is_said)

    @cached_property
    def _testimony(self) -> testimony.Testimony:
        return testimony.read(self.plain.get("witness"))

    def witness(self, what: str) -> Any:
        """What the far end witnessed beyond the documented record, None when it does not say, or not so that it can be read."""
        return self._testimony.told.get(what)

    @property
    def unread(self) -> tuple[str, ...]:
        """What of its witness cannot be read, in words."""
        return self._testimony.unread

    def _number(self, *keys: str) -> str | None:
        text = next(filter(None, map(self._text, keys)), None)
        if text is None:
            return None
        # a host, and parameters of a telephone number (RFC 3966 section 3), are none of its digits
        user = plain_user(re.split("[;@]", user_told(text), maxsplit=1)[0])
        if is_masked(user):
            return None
        return self.known.get(without_separators(user)) or normalise(user, self.region) or text

    def _text(self, key: str) -> str | None:
        value = self.plain.get(key)
        return value if isinstance(value, str) else None


def is_told_in_milliseconds(plain: Mapping[str, Any]) -> bool:
    """Whether the record's beginning shows that its API tells moments in milliseconds; one in a thousand does not show it."""
    began = _moment(plain.get("start_time"))
    return began is not None and not began.is_integer()


def is_oldest_first(listed: Sequence[Any]) -> bool:
    """Whether the calls of a list, as they came, begin later and later; documented is that the newest come first."""
    told = [_moment(plain.get("start_time")) for plain in listed if isinstance(plain, dict)]
    began = [moment for moment in told if moment is not None]
    return len(began) > 1 and began[0] < began[-1]


def _moment(told: object) -> float | None:
    """Seconds since the epoch, which are told as a number, or as a date and time to the second with its offset."""
    if isinstance(told, bool) or not isinstance(told, int | float | str):
        return None
    try:
        seconds = float(told)
    except ValueError:
        try:
            moment = datetime.fromisoformat(str(told))
        except ValueError:
            return None
        return moment.timestamp() if moment.tzinfo is not None and _WITH_SECONDS.search(str(told)) else None
    except OverflowError:
        return None
    return since_epoch(seconds)
