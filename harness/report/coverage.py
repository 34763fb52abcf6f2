"""How much of what a case looks at could be seen: what each check claims, and what nobody could make of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.calls.events import phone_of
from harness.calls.measurement import Direction
from harness.calls.verdict import Finding, Verdict
from harness.deployment import SIP_NUMBER, STAND_IN

#: What a finding of each check claims when it passed; ``{}`` is the one thing of its kind that it is about.
CLAIMS: Mapping[str, str] = {
    "registration": "the SIP number is registered",
    "registration.refused": "a wrong registration is refused",
    "ringing": "it rings in time",
    "answered": "the call is answered in time",
    "answered.once": "one party answers",
    "answered.acknowledged": "the ACK of the answer arrives",
    "call.up": "the call stays up",
    "landing.answered_by": "who answered",
    "landing": "where it rang",
    "landing.others": "nobody else's phone rang",
    "transfer.refer": "what the platform does with the AI's REFER",
    "landing.stops": "the other agents' phones stop ringing",
    "landing.turn": "agents ring in their turn",
    "audio": "audio to {}",
    "audio.early": "audio before the answer",
    "audio.silent": "who must not be heard is not",
    "audio.crossed": "no voice of another call",
    "audio.echo": "no echo",
    "audio.level": "loudness",
    "audio.loss": "RTP loss",
    "audio.delay": "time until somebody is heard",
    "audio.one_way_delay": "one-way delay",
    "caller_id": "the caller's number",
    "caller_id.withheld": "a withheld number stays withheld",
    "route.tried": "the AI was asked to take the call",
    "route.not_answered": "no call was set up",
    "route.not_reached": "the AI was sent no INVITE",
    "route.request_uri": "the number called",
    "route.transport": "transport",
    "route.trunk": "trunk",
    "codec": "codec",
    "media.encrypted": "SRTP",
    "header": "{}",
    "header.absent": "no {}",
    "one_call": "each party has one call",
    "transfer.fails": "a transfer that cannot succeed is refused",
    "transfer.told": "a caller whom nobody can take is told",
    "released": "the leg ends in time",
    "timing": "a configured time",
    "timing.within": "what has to follow in time",
    "final_response": "the final response",
    "dtmf": "digits",
    "dtmf.duration": "the digits' length",
    "session.interval": "session timer",
    "voicemail": "voicemail where nobody is there",
    "prack": "reliable provisional responses",
    "campaign": "the campaign starts",
    "manners.dead_air": "dead air within its limit",
    "manners.answer": "the AI's answers within their limit",
    "manners.transfer": "silence in the transfer within its limit",
    "manners.interruption": "the AI stops within its limit when interrupted",
}
_ROLES = {"ai": "the AI", "caller": "the caller", "agent": "the agent"}


@dataclass(frozen=True)
class Coverage:
    """Of so many things, those that nobody could see, in words; each thing once."""

    of: int
    unseen: tuple[str, ...]

    @property
    def seen(self) -> int:
        """How many of them could be seen."""
        return self.of - len(self.unseen)

    def __str__(self) -> str:
        seen = f"seen {self.seen} of {self.of}"
        return f"{seen}; nobody could see: {', '.join(self.unseen)}" if self.unseen else seen


def coverage(findings: Iterable[Finding], ours: Collection[str] = ()) -> Coverage:
    """Of the findings of one case, or of several of one row: what one of them could not see was not seen.

    ``ours`` are the harness's own phones and legs, by names that may be anything.
    """
    seen: dict[str, bool] = {}
    for finding in findings:
        words = _at(finding, ours)
        seen[words] = seen.get(words, True) and finding.verdict is not Verdict.NOT_OBSERVABLE
    return Coverage(len(seen), tuple(words for words, was_seen in seen.items() if not was_seen))


def by_row(cases: Sequence[tuple[str, Sequence[Finding], Collection[str]]]) -> dict[str, Coverage]:
    """The coverage of each row, of the findings of all its cases, each with the phones and legs that are ours."""
    found: dict[str, tuple[list[Finding], set[str]]] = {}
    for row, findings, ours in cases:
        listed, names = found.setdefault(row, ([], set()))
        listed.extend(findings)
        names.update(ours)
    return {row: coverage(findings, ours) for row, (findings, ours) in sorted(found.items())}


def _at(finding: Finding, ours: Collection[str]) -> str:
    """What is claimed, and at which end where that is the AI's: a codec has two."""
    words, subject = words_of(finding), finding.subject
    is_at_ai = subject.startswith(("assistant ", "the AI", STAND_IN)) and not any(
        subject == name or subject.startswith((f"{name}'s ", f"{name} → "))
        for name in ours
        if phone_of(name) not in (STAND_IN, SIP_NUMBER)
    )
    return f"{words} at the AI" if is_at_ai and not words.endswith("the AI") else words


def words_of(finding: Finding) -> str:
    """What the finding claims, in the words of the document."""
    words = CLAIMS.get(finding.check, finding.check)
    if finding.check == "audio":
        measured = finding.measured
        towards = measured.towards if isinstance(measured, Direction) else ""
        again = isinstance(measured, Direction) and measured.again
        return words.format(_ROLES.get(towards, towards or "the other end")) + (", after the change" if again else "")
    if finding.check in ("timing", "timing.within") and finding.facts.get("what"):
        return f"{finding.facts['what']}, in time"
    return words.format(finding.facts.get("header") or "a header") if "{}" in words else words
