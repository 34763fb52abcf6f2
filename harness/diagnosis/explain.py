"""The whole reasoning for one case as text: what was expected and seen, which rules fired, which did not and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from harness.calls.events import SipMessage
from harness.calls.verdict import Finding, Verdict
from harness.diagnosis.result import Cause, Diagnosis


def explain(
    case: Mapping[str, object],
    verdict: Verdict,
    findings: Sequence[Finding],
    messages: Sequence[tuple[str, SipMessage]],
    diagnosis: Diagnosis | None,
    began: float,
    message: str = "",
) -> str:
    """Plain text. ``messages`` are numbered as in every report; ``began`` is the case's first moment, monotonic.

    ``message`` says why it did not pass; where a diagnosis does, that is told instead.
    """
    lines = [f"{case.get('id', '')}", f"{case.get('title', '')}", f"verdict: {verdict}"]
    if diagnosis is not None and diagnosis.headline:
        lines.append(f"diagnosis: {diagnosis.headline}")
        lines += [f"{name}: {text}" for cause in diagnosis.causes[:1] for name, text in _first(cause) if text]
    elif verdict is not Verdict.PASSED and message:
        lines.append(f"because: {message}")
    lines += ["", "What was expected, and what was seen", *_findings(findings, began)]
    if messages:
        lines += ["", "The SIP messages of the harness's own phones", *_messages(messages, began)]
    if diagnosis is None:
        lines += ["", "There is no diagnosis: only a case that failed has one."]
        return "\n".join(lines)
    lines += ["", "What is known", *(f"  {fact}" for fact in diagnosis.facts)]
    lines += [
        "",
        "Rules that fired" if not _listed(diagnosis) else "Rules that cannot be excluded",
        *_causes(diagnosis),
    ]
    if diagnosis.unexplained:
        lines += ["", "No documented cause fits", *(f"  {line}" for line in diagnosis.unexplained)]
        lines += ["  nearest facts:", *(f"    {fact}" for fact in diagnosis.nearest_facts)]
        lines += [f"  would settle it: {diagnosis.next_look}"] if diagnosis.next_look else []
    lines += ["", "Rules that were ruled out, and why", *_ruled_out(diagnosis)]
    return "\n".join(lines)


def _first(cause: Cause) -> tuple[tuple[str, str], ...]:
    """What a reader acts on; the reasoning follows below."""
    return ("fix", cause.fix), ("owner", cause.owner), ("guide", cause.link)


def _listed(diagnosis: Diagnosis) -> bool:
    return bool(diagnosis.causes) and all(cause.candidate for cause in diagnosis.causes)


def _findings(findings: Sequence[Finding], began: float) -> Iterator[str]:
    for finding in findings:
        sign = {Verdict.PASSED: "✓", Verdict.FAILED: "✗", Verdict.NOT_OBSERVABLE: "?"}.get(finding.verdict, "!")
        shown = f"  [{', '.join(finding.evidence)}]" if finding.evidence else ""
        actual = finding.actual.splitlines()[0] if finding.actual else ""
        yield f"  {sign} {finding.at - began:7.3f} s  {finding.check} of {finding.subject}"
        yield f"               expected {finding.expected}"
        yield f"               seen: {actual}{shown}"


def _messages(messages: Sequence[tuple[str, SipMessage]], began: float) -> Iterator[str]:
    for number, event in messages:
        arrow = "→" if event.direction == "sent" else "←"
        first = event.text.splitlines()[0] if event.text else ""
        yield f"  {number:>5} {event.at - began:7.3f} s  {event.leg or event.phone} {arrow} {event.remote}  {first}"


def _causes(diagnosis: Diagnosis) -> Iterator[str]:
    if not diagnosis.causes:
        yield "  none"
    for number, cause in enumerate(diagnosis.causes, start=1):
        yield f"  {number}. {cause.guide_issue}: {cause.title}"
        yield from (f"     {line}" for line in _detail(cause))


def _detail(cause: Cause) -> Iterator[str]:
    yield f"rule {cause.rule}: {cause.because}"
    yield f"cause {cause.id}, {cause.confidence}{', a candidate' if cause.candidate else ''}"
    yield f"owner: {cause.owner}"
    yield f"fix: {cause.fix}"
    if cause.link:
        yield f"guide: {cause.link}"
    for line in cause.evidence:
        yield f"shown by: {line}"
    if cause.separating_observation:
        yield f"would settle it: {cause.separating_observation}"


def _ruled_out(diagnosis: Diagnosis) -> Iterator[str]:
    ordered = sorted(diagnosis.ruled_out, key=lambda rule: rule.cause)
    for cause, rules in groupby(ordered, key=lambda rule: rule.cause):
        yield f"  {cause}"
        yield from (f"    {rule.rule}: {rule.why}" for rule in rules)
    if not ordered:
        yield "  none"
