"""How checks word their findings, and the names that findings may go by."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from harness.calls.checks.registry import adjustment
from harness.calls.measurement import BY_CHECK, Duration, Measurement
from harness.calls.verdict import Finding, Strength, Verdict

#: Every check there is, by the stable id its findings go by, with what a failed one says.
CHECKS: Mapping[str, str] = {
    "registration": "the SIP number is not registered in time",
    "registration.refused": "a registration that must be refused is not",
    "ringing": "the caller is not told that it rings",
    "answered": "the call is not answered in time",
    "call.up": "the call ends before anyone has hung up",
    "answered.once": "more than one party answers the call",
    "answered.acknowledged": "the answer is repeated although it was acknowledged: the ACK does not arrive",
    "landing.answered_by": "not the AI, or not it alone, answered",
    "route.tried": "the AI was not asked to take the call",
    "route.not_answered": "a call was set up that must not be",
    "route.not_reached": "an INVITE was sent that must not be",
    "route.request_uri": "the Request-URI names another number",
    "route.transport": "the call came over another transport, or to another port",
    "route.trunk": "the call came over another trunk",
    "codec": "another codec, or none, was negotiated",
    "media.encrypted": "the media is not SRTP",
    "audio": "one end does not hear the other",
    "audio.early": "nothing is heard before the answer",
    "audio.silent": "somebody is heard who must not be",
    "audio.crossed": "another call's voice is heard",
    "audio.echo": "an end hears itself",
    "audio.level": "a voice arrives much too quiet, or too loud",
    "audio.loss": "too much RTP is lost",
    "audio.delay": "a voice arrives too late",
    "audio.one_way_delay": "what one end says is under way too long",
    "caller_id": "From does not name the caller as agreed",
    "caller_id.withheld": "a withheld number is shown, or is not asserted",
    "header": "a header is missing, wrong, or there twice",
    "header.absent": "a header is there that must not be",
    "landing": "the call does not ring where it should",
    "landing.turn": "agents ring in another order than their group is set up with, or before anybody asks for them",
    "landing.stops": "an agent's phone goes on ringing after another agent has answered",
    "landing.others": "somebody rings who must not",
    "one_call": "a party has another call up, or none",
    "transfer.refer": "the platform treats the AI's REFER in another way than the file declares",
    "transfer.fails": "a transfer that cannot succeed is not refused",
    "transfer.told": "a caller whose transfer reaches no one is released without a word",
    "released": "a leg does not end in time",
    "timing": "something does not take the time that is configured",
    "timing.within": "something comes too late, or never",
    "final_response": "the call ends with another final response",
    "dtmf": "the digits do not arrive as sent",
    "dtmf.duration": "a digit is too short or too long",
    "session.interval": "no session interval, or a forbidden one, is agreed",
    "prack": "no provisional response is sent reliably",
    "voicemail": "no machine takes a message in an empty group",
    "campaign": "nothing can start the campaign",
    "manners.dead_air": "the AI says nothing for too long after its answer",
    "manners.answer": "the AI takes too long to answer the caller",
    "manners.transfer": "silence lasts too long while the AI hands over",
    "manners.interruption": "the AI does not stop in time when it is interrupted",
    "case": "the case looked at nothing",
}


#: Checks that need a call to arrive. If a harness phone refused a call for lack of room, its absence proves nothing.
WANTS_A_CALL = frozenset(
    {
        "answered",
        "ringing",
        "landing",
        "landing.answered_by",
        "landing.turn",
        "phone.wait",
        "timing.within",
        "final_response",
    }
)


#: Checks that need a request within a call. If a harness phone did not act on such a request, its absence proves nothing.
WANTS_A_REQUEST = frozenset(
    {
        "released",
        "call.up",
        "landing.stops",
        "one_call",
        "phone.wait",
        "transfer.fails",
        "audio",
        "audio.silent",
        "dtmf",
    }
)


def heard_at(speaker: str, listener: str) -> str:
    """The subject of a finding about audio from ``speaker`` to ``listener``."""
    return f"{speaker} → {listener}"


def judged(
    check: str,
    subject: str,
    right: bool,
    *,
    expected: str,
    actual: str,
    strength: Strength | None = None,
    evidence: Iterable[str] = (),
    measured: Measurement | None = None,
) -> Finding:
    """A finding that passed or failed. Raises ``KeyError`` for a check that is not among :data:`CHECKS`."""
    verdict = Verdict.PASSED if right else Verdict.FAILED
    return _finding(check, subject, verdict, expected, actual, strength, evidence, measured)


def not_observable(
    check: str,
    subject: str,
    *,
    expected: str,
    why: str,
    strength: Strength = Strength.UNKNOWN,
    evidence: Iterable[str] = (),
    measured: Measurement | None = None,
) -> Finding:
    """A finding that says that the check could not observe its subject. Raises ``KeyError`` as :func:`judged` does."""
    actual = f"not observable: {why}"
    return _finding(check, subject, Verdict.NOT_OBSERVABLE, expected, actual, strength, evidence, measured)


def _finding(
    check: str,
    subject: str,
    verdict: Verdict,
    expected: str,
    actual: str,
    strength: Strength | None,
    evidence: Iterable[str],
    measured: Measurement | None,
) -> Finding:
    if check not in CHECKS:
        raise KeyError(f"{check} is no known check")
    if measured is not None and type(measured) is not BY_CHECK.get(check):
        raise TypeError(f"{check} does not measure {type(measured).__name__}")
    return Finding(
        check=check,
        subject=subject,
        verdict=verdict,
        expected=expected,
        actual=actual,
        at=time.monotonic(),
        strength=strength,
        evidence=tuple(evidence),
        measured=measured,
    )


def missed_by(finding: Finding) -> float | None:
    """The delay beyond the limit, in seconds. None if the event came in time, or never."""
    measured = finding.measured
    if not isinstance(measured, Duration) or measured.seconds is None or measured.limit_s is None:
        return None
    return measured.seconds - measured.limit_s if measured.seconds > measured.limit_s else None


@adjustment("late")
def excused(finding: Finding, starved_s: float) -> Finding:
    """Broken, not failed: the event came late, but the harness itself was kept waiting at least as long."""
    return _starved(finding, "in the time it was too late", starved_s)


@adjustment("starved")
def hindered(finding: Finding, starved_s: float) -> Finding:
    """Broken, not failed: a party was not heard, while the harness was kept from sending or listening."""
    return _starved(finding, "meanwhile", starved_s)


@adjustment("mute")
def mute(finding: Finding, phone: str, mute_s: float) -> Finding:
    """Broken, not failed: a party was not heard, while the process of a harness phone stood still."""
    return _broken(finding, f"{phone}, a phone of the harness, sent no RTP packet for {mute_s:.1f} s")


@adjustment("stranger")
def unclear(finding: Finding, shown: Sequence[str]) -> Finding:
    """Not observable, not failed: the finding rests on calls that may be strangers' calls. They show the numbers ``shown``."""
    what = f"shows {', '.join(shown)}, which may be a stranger's" if shown else "shows no number"
    actual = f"not observable: {finding.actual}; but strangers call there too, and the call {what}"
    return replace(finding, verdict=Verdict.NOT_OBSERVABLE, actual=actual, strength=Strength.UNKNOWN)


@adjustment("broken")
def unproven(finding: Finding, why: str) -> Finding:
    """Broken, not failed: a part of the harness that the finding needs had broken. Only the first line of ``why`` is shown."""
    return _broken(finding, f"the harness itself had broken: {why.splitlines()[0]}")


def _starved(finding: Finding, when: str, starved_s: float) -> Finding:
    broken = _broken(finding, f"{when} this machine kept the harness waiting for {starved_s:.2f} s")
    return replace(broken, starved_s=starved_s)


def _broken(finding: Finding, why: str) -> Finding:
    """The finding as broken. The reason goes into the first line, which most views show; a log may follow it."""
    first, *log = finding.actual.split("\n", 1)
    return replace(finding, verdict=Verdict.BROKEN, actual="\n".join([f"{first}; but {why}", *log]))
