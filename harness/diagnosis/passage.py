"""Facts on what is lost or changed on the way between the caller, the AI and the agent: numbers,
headers, digits, encryption, early media, reliable responses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import groupby, pairwise

from harness.case.checks import identity
from harness.case.events import phone_of
from harness.case.model import CallMessage
from harness.case.verdict import Finding
from harness.deployment import Deployment
from harness.diagnosis.scene import Scene, listed, number_in, same_number
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message, Request

#: What is shown that is no form of the caller's number, and no number of the deployment.
_OTHERS = ("another number", "no number", "an account's name")
#: What carriers write where there is no number.
_UNNAMED = ("", "anonymous", "private", "restricted", "unavailable", "unknown", "withheld")
#: A telephone number or an extension, with or without visual separators.
_NUMBER = re.compile(r"\+?\d[\d().\-]*")
_GLADLY = {"x-gladly-caller-id": "header.caller", "x-gladly-routing-selector": "header.selector"}


def derive(scene: Scene) -> None:
    """Each of these compares what one side sent with what arrived at the other."""
    _numbers(scene)
    _numbers_at_the_ai(scene)
    _headers(scene)
    offer = _first(scene.own, lambda m: not m.received and m.begins_dialog)
    reached = _first(scene.at_ai, lambda m: m.received and m.begins_dialog)
    _digits(scene, offer, reached)
    _reliability(scene, offer, reached)
    for finding in scene.failed("media.encrypted"):
        lost = _lost(offer, reached, lambda m: b"a=crypto:" in m.body)
        scene.record("lost.encryption", lost, finding.actual)
    _ringing(scene)
    _early_media(scene)


def _reliability(scene: Scene, offer: Message | None, reached: Message | None) -> None:
    """Whether the request for reliable provisional responses (RFC 3262) was lost. A platform that
    acknowledged reliably itself need not ask the AI for it, unless an agent rang meanwhile.
    """
    found = scene.of("prack")
    if not scene.people_rang_instead and found and not any(finding.failed for finding in found):
        return
    if offer is None or "100rel" not in (offer.get("Require") or ""):
        return
    if _made_unreliable(scene):
        scene.record("lost.reliability", True)
    else:
        scene.record("lost.reliability", _lost(offer, reached, _allows_reliability))


def _allows_reliability(invite: Message) -> bool:
    return "100rel" in f"{invite.get('Require')},{invite.get('Supported')}"


def _ringing(scene: Scene) -> None:
    """Whether the AI said that it rings, and the caller got no provisional response but 100."""
    rang = any(180 <= m.answers("INVITE") < 200 for m in scene.sent_by_ai)
    if not rang or any(m.received and _is_provisional(m) for m in scene.own):
        return
    for finding in scene.failed("ringing", role="caller"):
        scene.record("lost.ringing", True, finding.actual, leg=finding.subject)


def _early_media(scene: Scene) -> None:
    """Whether the AI described early media, and no such description reached the caller."""
    is_sent = any(_is_early(m) and not m.received for m in scene.at_ai)
    if not is_sent or not scene.vantage.sees("caller"):
        return
    has_arrived = any(_is_early(m) and m.received for m in scene.own)
    for finding in scene.failed("audio.early"):
        scene.record("lost.early", not has_arrived, finding.actual)


def _first(messages: Iterable[CallMessage], which: Callable[[CallMessage], bool]) -> Message | None:
    return next((m.message for m in messages if which(m)), None)


def _made_unreliable(scene: Scene) -> bool:
    """The AI sent reliable provisional responses, and not all that the caller got are reliable (RFC
    3262 section 3).
    """
    got = [m.message for m in scene.own if m.received and _is_provisional(m)]
    sent = [m.message for m in scene.sent_by_ai if _is_provisional(m)]
    if not got or all(message.has("RSeq") for message in got):
        return False
    return any(message.has("RSeq") for message in sent)


def _is_provisional(seen: CallMessage) -> bool:
    """Whether it is a provisional response other than 100, which is never reliable."""
    return 100 < seen.answers("INVITE") < 200


def _is_early(seen: CallMessage) -> bool:
    return 180 <= seen.answers("INVITE") <= 189 and b"m=audio" in seen.message.body


def _lost(sent: Message | None, got: Message | None, has: Callable[[Message], bool]) -> bool | None:
    """Whether the message that was sent had it and the one that arrived has not; None if one of
    them was not seen.
    """
    if sent is None or got is None:
        return None
    return has(sent) and not has(got)


# -- the number that the call shows


def _numbers(scene: Scene) -> None:
    """Which number the call shows at each end, as checks of From and P-Asserted-Identity found it."""
    for seen in scene.foreign_calls:
        shown = number_in(seen.message.get("From") or "")
        scene.record("calls.foreign", True, f"another call at the AI shows {shown}", seen.where)
    if scene.deployment and _number_format(scene, scene.deployment) == "national":
        scene.record("caller_id.form", "national", "deployment file")
    for finding in scene.of("caller_id"):
        _number_found(scene, finding)
    for finding in scene.failed("caller_id.asserted"):
        evidence = (finding.actual, *finding.evidence)
        scene.record("caller_id.asserted", "somebody else", *evidence, leg=finding.subject)
    for finding in scene.of("caller_id.withheld"):
        asserted = "present" if finding.facts.get("asserted") else "absent"
        evidence = (finding.actual, *finding.evidence)
        scene.record("caller_id.asserted", asserted, *evidence, leg=finding.subject)
        if not finding.facts.get("anonymous"):
            shown = "shown, though withheld"
            scene.record("caller_id.ai", shown, finding.actual, leg=finding.subject)


def _number_format(scene: Scene, deployment: Deployment) -> str:
    """How calls over the case's trunk show numbers."""
    return deployment.number_format_at(None, scene.trunk.name if scene.trunk else "")


def _number_found(scene: Scene, finding: Finding) -> None:
    """What the check of the number at one leg found."""
    role, leg = scene.vantage.made_by(finding), finding.subject
    if role == "agent":
        fact = "caller_id.agent"
    elif role == "caller" and scene.moment == "campaign":
        fact = "caller_id.customer"
    else:
        fact = "caller_id.ai"
    value = number_shown(scene, finding)
    scene.record(fact, value, finding.actual, *finding.evidence, leg=leg)
    if role == "agent" and shown_at_telephone(scene, leg) == "platform":
        scene.record("caller_id.agreed", "the platform's own", "deployment file", leg=leg)
    if role != "caller":
        _as_sent(scene, finding, value)


def shown_at_telephone(scene: Scene, leg: str) -> str | None:
    """Whose number the agent is shown, as declared: ``original``, ``platform``. None if it is not
    called at a telephone.
    """
    if scene.deployment is None:
        return None
    phone = scene.deployment.phones.get(phone_of(leg) or leg)
    return phone.shows if phone is not None and phone.number is not None else None


def _as_sent(scene: Scene, finding: Finding, value: str | None) -> None:
    """Whether the caller's phone itself sent what is shown in place of the caller's number."""
    if value not in _OTHERS:
        return
    for seen in scene.messages_of("caller"):
        if seen.received or not seen.is_request("INVITE"):
            continue
        sent = _other_user(scene, seen)
        if sent is not None and sent == finding.facts.get("from_user"):
            scene.record("caller_id.own", True, finding.actual, leg=finding.subject)


def _other_user(scene: Scene, invite: CallMessage) -> str | None:
    """The user in From, unless it is the phone's own number."""
    phones = scene.deployment.phones if scene.deployment is not None else {}
    number = phones[invite.phone].number if invite.phone in phones else None
    try:
        user = invite.message.from_.uri.user
    except SipSyntaxError:
        return None
    if not user or same_number(user, number or ""):
        return None
    return user


def _numbers_at_the_ai(scene: Scene) -> None:
    """From in the INVITEs themselves, if no check looked at it. Of several callers, what none of
    them would show.
    """
    deployment = scene.deployment
    if deployment is None:
        return
    callers = {leg.phone for leg in scene.legs_of("caller") if leg.direction == "outgoing"}
    numbers = [deployment.phones[phone].number for phone in callers]
    if not numbers or not all(numbers):
        return
    number_format = _number_format(scene, deployment)
    reported: list[tuple[str, str, str]] = []
    for seen in reversed(scene.invites):
        findings = [
            identity.caller_id(
                seen.message, "the AI", str(number), number_format, deployment.region
            )
            for number in numbers
        ]
        right = next((finding for finding in findings if not finding.failed), findings[0])
        value = number_shown(scene, right)
        _as_sent(scene, right, value)
        if value:
            reported.append((value, right.actual, seen.where))
    reported.sort(key=lambda item: item[0] == "right")  # a wrong one counts first
    for value, actual, where in reported:
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
    if _is_of_the_deployment(scene, user):
        return "a number of the deployment's own"
    if _NUMBER.fullmatch(user):
        return "another number"
    return "no number" if user.lower() in _UNNAMED else "an account's name"


def _is_of_the_deployment(scene: Scene, user: str) -> bool:
    """Whether it is a number of one of the deployment's lines or assistants."""
    if scene.deployment is None:
        return False
    numbers = {did for _, _, did in scene.deployment.all_dids()}
    numbers |= {assistant.address for assistant in scene.deployment.assistants.values()}
    return any(same_number(user, own) for own in numbers)


# -- X-headers


def _headers(scene: Scene) -> None:
    """What became of the headers that were agreed on, at the AI and at agents."""
    for finding in scene.of("header", "header.absent"):
        role, leg = scene.vantage.made_by(finding), finding.subject
        name = str(finding.facts.get("header", ""))
        value = _header(finding)
        gladly = _GLADLY.get(name.lower())
        if role == "ai" and gladly is not None:
            scene.record(gladly, value, finding.actual, *finding.evidence, leg=leg)
            continue
        if role not in ("ai", "agent") or not finding.failed:
            continue
        if value not in ("missing", "there more than once"):
            value = "another value"
        words = f"{name}: {finding.actual}"
        scene.record(f"header.{role}", value, words, *finding.evidence, leg=leg)
        if role == "agent":
            _sent_on(scene, name, finding.facts.get("value"))


def _header(finding: Finding) -> str:
    """What the check found of a header, against the value that it wants; without one, there should
    be none.
    """
    values = [str(value) for value in listed(finding.facts.get("values"))]
    wanted = finding.facts.get("value")
    if len(values) > 1:
        return "there more than once"
    if wanted is None:
        return "unexpected" if values else "right"
    if not values:
        return "missing"
    if values == [wanted]:
        return "right"
    return "without its plus" if values == [str(wanted).lstrip("+")] else "another value"


def _sent_on(scene: Scene, name: str, agreed: object) -> None:
    """Whether the AI's transfer has the header as agreed. A REFER asks for it in the target's URI."""
    for seen in reversed(scene.sent_by_ai):
        message = seen.message
        try:
            if seen.is_request("REFER"):
                value = message.refer_to.uri.header(name)
            elif isinstance(message, Request) and seen.begins_dialog:
                value = message.get(name)
            else:
                continue
        except SipSyntaxError:  # a Refer-To that cannot be read has no header
            continue
        if value is None:
            scene.record("header.sent", False, seen.where)
        else:
            right = agreed in (None, value)
            scene.record("header.sent", right or "another value", seen.where)


# -- digits


def _digits(scene: Scene, offer: Message | None, reached: Message | None) -> None:
    """Whether the digits that were pressed arrived, by the check of DTMF, else by the AI's record."""
    checked = scene.of("dtmf")
    if checked:
        scene.record("digits", digits_arrived(scene), *checked[0].evidence)
    for finding in scene.of("phone.wait"):
        if is_unsent_digit(finding):
            scene.record("digits", "could not be sent", finding.actual.splitlines()[0])
    if scene.axes.get("ask") == "digit":  # the caller asks the AI for a person by a digit
        for record in scene.records:
            pressed = record.witness("digits")
            if isinstance(pressed, list):
                scene.record("digits", "arrived" if pressed else "none", record.source)
    by_info = any(finding.facts.get("method") == "info" for finding in checked)
    if not by_info:  # INFO needs no negotiation (RFC 6086)
        _negotiated(scene, offer, reached)


def digits_arrived(scene: Scene) -> str | None:
    """What a check says of the digits that arrived."""
    for finding in scene.of("dtmf"):
        sent, seen = finding.facts.get("sent"), finding.facts.get("seen")
        if not seen:
            return "none"
        if "inband" in finding.facts.get("methods", ()):
            return "in-band"
        if sent != seen:
            return "repeated" if _is_repeated(str(sent), seen) else "wrong"
        return "by another method" if finding.failed else "right"
    return None


def _is_repeated(sent: str, seen: str) -> bool:
    """Whether each digit arrived more than once; no more is waited for once enough have come."""
    lengths = [len(list(same)) for _, same in groupby(seen)]
    once = "".join(digit for digit, _ in groupby(seen))
    return sent.startswith(once) and min(lengths) > 1


def is_unsent_digit(finding: Finding) -> bool:
    """Whether a harness phone could not send a digit, because no telephone-event was negotiated."""
    return finding.check == "phone.wait" and "telephone-event" in str(finding.facts.get("why"))


def _negotiated(scene: Scene, offer: Message | None, reached: Message | None) -> None:
    """Where telephone-event was lost between the caller's offer and the answer to it (RFC 4733
    section 2.4.1).
    """
    answer = _first(scene.own, lambda m: m.received and _is_answer(m))
    steps = (
        (offer, ""),
        (reached, "the platform took it out of the offer to the AI"),
        (_first(scene.sent_by_ai, _is_answer), "the AI did not take it"),
        (answer, "the platform took it out of the answer to the caller"),
    )
    seen: list[tuple[bool, str, Message]] = []
    for message, lost in steps:
        if message is not None and b"m=audio" in message.body:
            seen.append((_has_events(message), lost, message))
    for (had, _, _), (has, lost, message) in pairwise(seen):
        if had and not has:
            scene.record("digits.negotiated", lost, message.start_line)
    if answer is not None and seen and all(has for has, _, _ in seen):
        scene.record("digits.negotiated", "in all of them")


def _is_answer(seen: CallMessage) -> bool:
    return seen.accepts("INVITE") and b"m=audio" in seen.message.body


def _has_events(message: Message) -> bool:
    return re.search(rb"^a=rtpmap:\d+ telephone-event/", message.body, re.M | re.I) is not None
