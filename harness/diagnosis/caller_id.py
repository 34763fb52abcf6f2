"""Facts on the number that the call shows: caller IDs, and the headers agreed on."""

from __future__ import annotations

import contextlib
import re

from harness.calls.checks import identity
from harness.calls.events import phone_of
from harness.calls.verdict import Finding
from harness.diagnosis.scene import Scene, listed, same_number
from harness.sip.grammar import SipSyntaxError

#: What is shown that is no form of the caller's number, and no number of the deployment.
_OTHERS = ("another number", "no number")
_HEADERS = {"x-gladly-caller-id": "header.caller", "x-gladly-routing-selector": "header.selector"}


def tell(scene: Scene) -> None:
    if scene.deployment is not None and scene.deployment.expect.number_format == "national":
        scene.record("caller_id.form", "national", "deployment file")
    for finding in scene.of("caller_id"):
        role = scene.vantage.made_by(finding)
        name = "caller_id.agent" if role == "agent" else "caller_id.ai"
        name = "caller_id.customer" if role == "caller" and scene.moment == "campaign" else name
        value = number_shown(scene, finding)
        scene.record(name, value, finding.actual, *finding.evidence)
        if role == "agent" and shown_at_telephone(scene, finding.subject) == "platform":
            scene.record("caller_id.agreed", "the platform's own", "deployment file")
        if role != "caller":
            _as_sent(scene, finding, value)
    for finding in scene.of("caller_id.withheld"):
        asserted = "present" if finding.facts.get("asserted") else "absent"
        scene.record("caller_id.asserted", asserted, finding.actual, *finding.evidence)
        if not finding.facts.get("anonymous"):
            scene.record("caller_id.ai", "shown, though withheld", finding.actual)
    _from_at_the_ai(scene)
    for finding in scene.of("header", "header.absent"):
        fact = _HEADERS.get(str(finding.facts.get("header", "")).lower())
        if fact is not None and scene.vantage.made_by(finding) == "ai":
            scene.record(fact, _header(finding), finding.actual, *finding.evidence)


def shown_at_telephone(scene: Scene, leg: str) -> str | None:
    """Whose number the agent is shown, as declared: ``original``, ``platform``. None if it is not called at a telephone."""
    phone = scene.deployment.phones.get(phone_of(leg) or leg) if scene.deployment else None
    return phone.shows if phone is not None and phone.number is not None else None


def _as_sent(scene: Scene, finding: Finding, value: str | None) -> None:
    """Whether the caller's phone itself sent what is shown in place of the caller's number."""
    phones = scene.deployment.phones if scene.deployment is not None else {}
    sent: set[str | None] = set()
    for seen in scene.messages_of("caller") if value in _OTHERS else ():
        if not seen.received and seen.is_request("INVITE"):
            number = phones[seen.phone].number if seen.phone in phones else None
            with contextlib.suppress(SipSyntaxError):
                user = seen.message.from_.uri.user
                sent |= {user} if user and not same_number(user, number or "") else set()
    scene.record("caller_id.own", finding.facts.get("from_user") in sent or None, finding.actual)


def _from_at_the_ai(scene: Scene) -> None:
    """From in the INVITEs themselves, if no check looked at it. Of several callers, what none of them would show."""
    deployment = scene.deployment
    outgoing = {leg.phone for leg in scene.legs if leg.direction == "outgoing"}
    callers = [phone for phone in outgoing if scene.vantage.role(phone) == "caller"]
    numbers = [deployment.phones[phone].number for phone in callers] if deployment else []
    if deployment is None or not numbers or not all(numbers):
        return
    told: list[tuple[str, str, str]] = []
    for seen in reversed(scene.invites):
        findings = [
            identity.caller_id(seen.message, "the AI", str(number), deployment.expect.number_format, deployment.region)
            for number in numbers
        ]
        right = next((finding for finding in findings if not finding.failed), findings[0])
        value = number_shown(scene, right)
        _as_sent(scene, right, value)
        if value:
            told.append((value, right.actual, seen.where))
    for value, actual, where in sorted(told, key=lambda item: item[0] == "right"):  # a wrong one counts first
        scene.record("caller_id.ai", value, actual, where)


def number_shown(scene: Scene, finding: Finding) -> str | None:
    """What a finding says of From; None if From cannot be read."""
    if not finding.failed:
        return "right"
    facts = finding.facts
    if facts.get("unreadable"):
        return None
    user, number = str(facts.get("from_user") or ""), str(facts.get("number") or "")
    if not user and facts.get("from_host") not in (None, identity.ANONYMOUS_HOST):
        return "no number"
    if facts.get("anonymous"):
        return "anonymous"
    if facts.get("from_e164") == number or same_number(user, number):
        return "in another form"
    if scene.deployment is not None:
        numbers = {did for _, _, did in scene.deployment.all_dids()}
        numbers |= {assistant.did for assistant in scene.deployment.assistants.values()}
        if any(same_number(user, own) for own in numbers):
            return "a number of the deployment's own"
    return "another number" if re.search(r"\d", user) else "no number"


def _header(finding: Finding) -> str:
    values = [str(value) for value in listed(finding.facts.get("values"))]
    wanted = finding.facts.get("value")
    if not values:
        return "right" if wanted is None else "missing"
    if wanted is None:
        return "unexpected"
    if values == [wanted]:
        return "right"
    if len(values) > 1:
        return "there more than once"
    return "without its plus" if values == [str(wanted).lstrip("+")] else "another value"
