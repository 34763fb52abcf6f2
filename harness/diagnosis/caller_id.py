"""Facts on who the call says is calling: caller IDs, and the headers agreed on."""

from __future__ import annotations

import contextlib
import re

from harness.calls.checks import identity
from harness.calls.events import phone_of
from harness.calls.verdict import Finding
from harness.diagnosis.derive import Scene, listed, same_number
from harness.diagnosis.messages import parse
from harness.sip.grammar import SipSyntaxError

#: What is shown that is no form of the caller's number, nor any of the platform's or the AI's own.
_OTHERS = ("another number", "no number")
#: Whose number an agent's telephone shows, where the deployment file does not say the caller's.
PLATFORMS_OWN = "the platform's own"


def tell(scene: Scene) -> None:
    """Make all of them known that can be."""
    if scene.deployment is not None and scene.deployment.expect.number_format == "national":
        scene.facts.record("caller_id.form", "national", "deployment file")
    _caller_id(scene)
    _headers(scene)


def _caller_id(scene: Scene) -> None:
    facts = scene.facts
    for finding in scene.of("caller_id"):
        role = scene.vantage.made_by(finding)
        name = "caller_id.agent" if role == "agent" else "caller_id.ai"
        name = "caller_id.customer" if role == "caller" and scene.moment == "campaign" else name
        value = shown_number(scene, finding)
        facts.record(name, value, finding.actual, *finding.evidence)
        if role == "agent" and _shows_the_platforms(scene, finding.subject):
            facts.record("caller_id.agreed", PLATFORMS_OWN, "deployment file")
        if role != "caller":
            _as_sent(scene, finding, value)
    for finding in scene.of("caller_id.withheld"):
        asserted = listed(finding.facts.get("asserted"))
        facts.record("caller_id.asserted", "present" if asserted else "absent", finding.actual, *finding.evidence)
        if not finding.facts.get("anonymous"):
            facts.record("caller_id.ai", "shown, though withheld", finding.actual)
    _from_at_the_ai(scene)


def _shows_the_platforms(scene: Scene, leg: str) -> bool:
    phone = scene.deployment.phones.get(phone_of(leg) or leg) if scene.deployment else None
    return phone is not None and phone.number is not None and phone.shows == "platform"


def _as_sent(scene: Scene, finding: Finding, shown: str | None) -> None:
    """Whether what is shown in the place of the caller's number is what the caller's own phone had sent."""
    same = shown in _OTHERS and finding.facts.get("from_user") in _own_users(scene)
    scene.facts.record("caller_id.own", same or None, finding.actual)


def _own_users(scene: Scene) -> set[str]:
    """The users in From of the INVITEs that callers' harness phones sent, where they are not the numbers of these phones."""
    phones = scene.deployment.phones if scene.deployment is not None else {}
    users: set[str] = set()
    for event in scene.messages_of("caller"):
        invite = parse(event.text) if event.direction == "sent" and event.text.startswith("INVITE ") else None
        number = phones[event.phone].number if event.phone in phones else None
        with contextlib.suppress(SipSyntaxError):
            user = invite.from_.uri.user if invite is not None else None
            if user and not same_number(user, number or ""):
                users.add(user)
    return users


def _from_at_the_ai(scene: Scene) -> None:
    """From the INVITEs themselves, where the case had no finding on it; of several callers, what none of them would show."""
    deployment = scene.deployment
    numbers = [deployment.phones[phone].number for phone in scene.callers] if deployment else []
    if deployment is None or not numbers or not all(numbers):
        return
    told: list[tuple[str, str, str]] = []
    for seen in reversed(scene.invites):
        findings = [
            identity.caller_id(seen.message, "the AI", str(number), deployment.expect.number_format, deployment.region)
            for number in numbers
        ]
        right = next((finding for finding in findings if not scene.failed(finding)), findings[0])
        shown = shown_number(scene, right)
        _as_sent(scene, right, shown)
        if shown:
            told.append((shown, right.actual, seen.where))
    for value, actual, where in sorted(told, key=lambda item: item[0] == "right"):  # the first is told
        scene.facts.record("caller_id.ai", value, actual, where)


def shown_number(scene: Scene, finding: Finding) -> str | None:
    """What a finding has of From; None where it cannot be read."""
    if not scene.failed(finding):
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
    if scene.deployment is not None and any(same_number(user, own) for own in _own_numbers(scene)):
        return "a number of the deployment's own"
    return "another number" if re.search(r"\d", user) else "no number"


def _own_numbers(scene: Scene) -> set[str]:
    assert scene.deployment is not None
    numbers = {number for _, _, number in scene.deployment.all_dids()}
    return numbers | {assistant.did for assistant in scene.deployment.assistants.values()}


def _headers(scene: Scene) -> None:
    for finding in scene.of("header", "header.absent"):
        name = str(finding.facts.get("header", "")).lower()
        fact = {"x-gladly-caller-id": "header.caller", "x-gladly-routing-selector": "header.selector"}.get(name)
        if fact is not None and scene.vantage.made_by(finding) == "ai":
            scene.facts.record(fact, _header(finding), finding.actual, *finding.evidence)


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
