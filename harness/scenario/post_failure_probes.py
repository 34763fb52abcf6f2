"""Closer looks after a failure, for the diagnosis. They add evidence and change no verdict."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from harness.case.events import CallState
from harness.case.verdict import ExpectationError
from harness.diagnosis import diagnose
from harness.errors import FarEndError, HarnessError, ResourceError
from harness.phone.phone import Phone
from harness.scenario.call import Call
from harness.scenario.context import CaseContext
from harness.witness.clock import to_wall

#: Failures after which it matters whether the trunk's ports answer at all.
_OF_REACH = (
    "landing",
    "landing.answered_by",
    "route.tried",
    "registration",
    "answered",
    "final_response",
    "phone.wait",
)


def look_closer(context: CaseContext, began: float) -> None:
    """Keep what the AI's interface says of every call since ``began``, and ask the trunk's ports
    where nothing got through.
    """
    _records(context, began)
    if any(found.failed and found.check in _OF_REACH for found in context.evidence.findings):
        _ask_ports(context)
    if context.deployment.expect.second_call:
        _make_second_call(context)


def _records(context: CaseContext, began: float) -> None:
    try:
        listed = context.far_end.api.calls(since=to_wall(began), models=context.deployment.models())
    except FarEndError as error:
        context.far_end.trouble(error)
        return
    for record in reversed(listed):
        if not record.is_since(to_wall(began)):
            continue
        if record.is_outbound:  # a call that the AI placed did not come to it
            continue
        caller = record.number_from
        if context.far_end.is_shared and caller not in context.calls.numbers:
            continue  # a third party's
        if caller in context.concurrent.others:  # no evidence of this case
            continue
        context.evidence.record("synthflow", f"GET /v2/calls/{record.id}", record.evidence)


def _ask_ports(context: CaseContext) -> None:
    """Ask the ports that calls should have got through whether they answer at all, and keep what
    each says as evidence.
    """
    # DNS and TLS libraries come with these, which a worker without such a failure has no use for.
    from harness.witness.ports.probes import ai_end, termination
    from harness.witness.ports.wire import ask_port

    trunk, deployment = context.trunk, context.deployment
    ends = {
        "ai": ai_end(deployment, trunk) if trunk.ai == "synthflow" else None,
        "termination": termination(deployment, trunk),
    }
    with ThreadPoolExecutor(max_workers=2) as threads:
        asked = [
            (of, end, threads.submit(ask_port, deployment, end))
            for of, end in ends.items()
            if end is not None
        ]
        for of, end, answer in asked:
            try:
                record = {"of": of, **answer.result()}
            except ResourceError as error:  # of this machine: it does not affect the verdict
                context.evidence.note_once(f"{end} was not asked: {error}")
                continue
            context.evidence.record("probe", f"OPTIONS to {end}", record)


# -- a second call, which may settle an unsure cause
#
# It calls the same number in E.164 or with only the other codec, or the group's own number,
# whichever decides most. If the number is then taken, it is called once more as before: only what
# is refused again was refused for its form or its codec. Each call counts against every limit. Only
# the diagnosis reads its outcome.

_OTHER_LAW = {"pcmu": "PCMA", "pcma": "PCMU"}
#: How soon an agent's phone rings after a machine has answered first.
_RINGS_WITHIN_S = 0.5


@dataclass(frozen=True)
class _Wanted:
    """The number to call, and the question that it answers."""

    asks: str  #: ``form``, ``codec`` or ``group``
    number: str
    words: str
    codecs: tuple[str, ...] = ()


def _make_second_call(context: CaseContext) -> None:
    """Place the call if the cause is unsure, and record its outcome."""
    call = next((own for own in context.calls.own if own.leg.direction == "outgoing"), None)
    if call is None or not _is_unsure(context):
        return
    wanted = next(_worth_asking(context, call), None)
    if wanted is None:
        return
    with context.evidence.step(f"second call, for the diagnosis alone: {wanted.words}"):
        _record(context, wanted, {"begins": True})
        context.phones.hang_up()
        try:
            outcome = _second_call(context, call, wanted)
        except (HarnessError, ExpectationError) as error:
            outcome = {"not_made": str(error)}  # for a limit, or a phone
        _record(context, wanted, outcome)


def _second_call(context: CaseContext, first: Call, wanted: _Wanted) -> dict[str, Any]:
    """What became of the call to the wanted number, and of one more as before, if that decides."""
    first.leg.wait_state("disconnected", within=context.patience)
    phone = context.phones.by_name[first.first_leg.phone.name]
    before = phone.config
    if wanted.codecs:
        phone = context.phones.lease(replace(before, codecs=wanted.codecs))
    outcome = _outcome(context, phone, wanted.number)
    if wanted.asks != "group" and "refused" not in outcome:
        phone = context.phones.lease(before)
        as_before = _outcome(context, phone, first.first_leg.remote_uri)
        outcome["again_as_before"] = "refused" if "refused" in as_before else "not refused"
    return outcome


def _record(context: CaseContext, wanted: _Wanted, what: dict[str, Any]) -> None:
    plain = {"of": "second call", "asks": wanted.asks, "dialled": wanted.number, **what}
    context.evidence.record("probe", f"second call: {wanted.words}", plain)


def _is_unsure(context: CaseContext) -> bool:
    evidence = context.evidence
    found = diagnose(context.case.plain(), evidence.findings, evidence.events, context.deployment)
    if found.is_unknown:
        return True
    first = found.causes[:1]
    return any(cause.candidate or cause.confidence != "certain" for cause in first)


def _worth_asking(context: CaseContext, call: Call) -> Iterator[_Wanted]:
    axes, line = context.case.axes, context.case.line
    states = [event.state for event in call.first_leg.facts.of(CallState)]
    is_refused = "disconnected" in states and "confirmed" not in states
    if line is not None and is_refused:
        did = context.deployment.did(line, context.trunk.name)
        if axes.get("form", "e164") != "e164":
            yield _Wanted("form", did, f"{did} in E.164")
        elif (codec := _OTHER_LAW.get(axes.get("codec", ""))) is not None:
            yield _Wanted("codec", did, f"{did} with {codec} alone", codecs=(codec,))
    for finding in context.evidence.found("landing"):
        group = context.deployment.groups.get(str(finding.facts.get("wanted")))
        if finding.failed and group and group.did and group.agents:
            yield _Wanted("group", group.did, f"the group's number {group.did} itself")


def _outcome(context: CaseContext, phone: Phone, number: str) -> dict[str, Any]:
    """Who took the call, or its refusal; empty if neither came within the deployment's patience."""
    began = time.monotonic()
    leg = phone.dial(number if ":" in number else f"sip:{number}@{phone.config.domain}")

    def rang() -> list[str]:
        return context.phones.called(since=began)

    def is_decided() -> bool:
        return bool(rang()) or leg.state in ("confirmed", "disconnected")

    try:
        context.wait_for(is_decided, context.patience)
        if leg.state == "confirmed":
            context.wait_for(rang, _RINGS_WITHIN_S)
        if came := rang():
            return {"rang": came}
        if leg.state == "disconnected":
            return {"refused": max(event.code for event in leg.facts.of(CallState))}
        return {"answered": True} if leg.state == "confirmed" else {}
    finally:
        if leg.state != "disconnected":
            leg.hangup()
            leg.wait_state("disconnected", within=context.patience)
