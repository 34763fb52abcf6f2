"""The kinds of findings that a row asks for: a check, who was listening, and whether that was after
a change of the call.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from harness.case.measurement import Direction
from harness.case.verdict import Finding

_TEXT: Final = re.compile(r"(?P<check>[\w.]+)(?: to (?P<towards>\w+))?(?P<again> again)?")


@dataclass(frozen=True, slots=True)
class FindingKind:
    """What findings are of, for counting. ``HEADER | HEADER_ABSENT`` stands for either of them."""

    check: str
    towards: str = (
        ""  #: the listener's role, as in :class:`Direction`; empty for checks that have none
    )
    again: bool = False  #: after a change of the call
    others: tuple[FindingKind, ...] = ()  #: that count as well

    @classmethod
    def of(cls, finding: Finding) -> FindingKind:
        """The kind of one finding."""
        measured = finding.measured
        if not isinstance(measured, Direction):
            return cls(finding.check)
        return cls(finding.check, measured.towards, measured.again)

    @classmethod
    def read(cls, text: str) -> FindingKind:
        """The inverse of ``str``. Raises ValueError."""
        first, *others = (_read(one) for one in text.split("|"))
        return cls(first.check, first.towards, first.again, tuple(others))

    def __or__(self, other: FindingKind) -> FindingKind:
        return FindingKind(self.check, self.towards, self.again, (*self.others, *other.each()))

    def __str__(self) -> str:
        own = (
            self.check
            + (f" to {self.towards}" if self.towards else "")
            + (" again" if self.again else "")
        )
        return "|".join([own, *map(str, self.others)])

    def each(self) -> tuple[FindingKind, ...]:
        """The kinds it stands for, one by one."""
        return (FindingKind(self.check, self.towards, self.again), *self.others)

    def count(self, kinds: Mapping[FindingKind, int]) -> int:
        """How many findings are of this kind, of so many of each (:func:`kinds_of`)."""
        return sum(kinds.get(kind, 0) for kind in set(self.each()))


def kinds_of(findings: Iterable[Finding]) -> Mapping[FindingKind, int]:
    """How many findings there are of each kind."""
    return Counter(map(FindingKind.of, findings))


#: How many findings of each kind a case has to make, at least.
RequiredFindings = Mapping[FindingKind, int]


def _read(text: str) -> FindingKind:
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no kind of finding")
    return FindingKind(match["check"], match["towards"] or "", match["again"] is not None)


REGISTRATION = FindingKind("registration")
REGISTRATION_REFUSED = FindingKind("registration.refused")
RINGING = FindingKind("ringing")
ANSWERED = FindingKind("answered")
CALL_UP = FindingKind("call.up")
ANSWERED_ONCE = FindingKind("answered.once")
ANSWERED_ACKNOWLEDGED = FindingKind("answered.acknowledged")
LANDING_ANSWERED_BY = FindingKind("landing.answered_by")
ROUTE_TRIED = FindingKind("route.tried")
ROUTE_NOT_ANSWERED = FindingKind("route.not_answered")
ROUTE_NOT_REACHED = FindingKind("route.not_reached")
ROUTE_REQUEST_URI = FindingKind("route.request_uri")
ROUTE_TRANSPORT = FindingKind("route.transport")
ROUTE_TRUNK = FindingKind("route.trunk")
CODEC = FindingKind("codec")
MEDIA_ENCRYPTED = FindingKind("media.encrypted")
AUDIO = FindingKind("audio")
AUDIO_TO_AI = FindingKind("audio", "ai")
AUDIO_TO_AI_AGAIN = FindingKind("audio", "ai", again=True)
AUDIO_TO_CALLER = FindingKind("audio", "caller")
AUDIO_TO_CALLER_AGAIN = FindingKind("audio", "caller", again=True)
AUDIO_TO_AGENT = FindingKind("audio", "agent")
AUDIO_TO_AGENT_AGAIN = FindingKind("audio", "agent", again=True)
AUDIO_EARLY = FindingKind("audio.early")
AUDIO_SILENT = FindingKind("audio.silent")
AUDIO_CROSSED = FindingKind("audio.crossed")
AUDIO_ECHO = FindingKind("audio.echo")
AUDIO_LEVEL = FindingKind("audio.level")
AUDIO_LOSS = FindingKind("audio.loss")
AUDIO_DELAY = FindingKind("audio.delay")
AUDIO_ONE_WAY_DELAY = FindingKind("audio.one_way_delay")
CALLER_ID = FindingKind("caller_id")
CALLER_ID_WITHHELD = FindingKind("caller_id.withheld")
HEADER = FindingKind("header")
HEADER_ABSENT = FindingKind("header.absent")
LANDING = FindingKind("landing")
LANDING_TURN = FindingKind("landing.turn")
LANDING_STOPS = FindingKind("landing.stops")
LANDING_OTHERS = FindingKind("landing.others")
ONE_CALL = FindingKind("one_call")
TRANSFER_REFER = FindingKind("transfer.refer")
TRANSFER_FAILS = FindingKind("transfer.fails")
TRANSFER_TOLD = FindingKind("transfer.told")
RELEASED = FindingKind("released")
TIMING = FindingKind("timing")
TIMING_WITHIN = FindingKind("timing.within")
FINAL_RESPONSE = FindingKind("final_response")
DTMF = FindingKind("dtmf")
DTMF_DURATION = FindingKind("dtmf.duration")
SESSION_INTERVAL = FindingKind("session.interval")
PRACK = FindingKind("prack")
VOICEMAIL = FindingKind("voicemail")
CAMPAIGN = FindingKind("campaign")
RESPONSIVENESS_DEAD_AIR = FindingKind("responsiveness.dead_air")
RESPONSIVENESS_ANSWER = FindingKind("responsiveness.answer")
RESPONSIVENESS_TRANSFER = FindingKind("responsiveness.transfer")
RESPONSIVENESS_INTERRUPTION = FindingKind("responsiveness.interruption")
