"""Facts on transfers and handovers, on what remains after them, and on fallbacks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from harness.case.checks import identity, timing
from harness.case.checks.landing import ASKED
from harness.case.events import TransferProgress
from harness.case.model import CallMessage, notifies, read
from harness.case.verdict import Finding
from harness.deployment import TOPIC_HEADER, Deployment, Handover, is_address
from harness.diagnosis.passage import number_shown, shown_at_telephone
from harness.diagnosis.refusals import of_message, of_refusal
from harness.diagnosis.scene import Scene, listed, number_in, said_by
from harness.sip.grammar import SipSyntaxError, host_of
from harness.sip.message import Request, Response
from harness.witness.call_record import actions_of
from harness.witness.recorded_transfer import landed_by, recorded_target

#: Rows without an AI that could transfer anybody, whatever the AIs of other numbers do.
_UNTRANSFERRED = ("fallback", "limit", "unanswered")
#: How an AI transfers a call: it asks the platform to, or calls the target itself.
_WAYS = {"cold": "REFER", "warm": "INVITE"}
#: The platform accepted the transfer request, and had not decided on it when the case ended (RFC
#: 3261 sections 17.2.1, 21.1).
_PROVISIONAL = "a provisional response alone"


def derive(scene: Scene) -> None:
    """Where the call landed is asked first, then what the AI attempted: the handover is judged by
    both.
    """
    _landing(scene)
    _attempted(scene)
    _released(scene)
    for finding in scene.of("timing"):
        scene.record("fallback.time", _compared(finding), finding.actual)
        _given_up(scene, finding.facts.get("expected_s"))
    for finding in scene.failed("timing.within"):
        if finding.facts.get("what") == "the call":
            scene.record("fallback.time", "too late", finding.actual)
    outcome = scene.value("transfer.outcome")
    if outcome is not None:
        failed = isinstance(outcome, int) and outcome >= 300  # RFC 3515 section 2.4.5
        scene.record("transfer.failed", failed, *scene.shown_by("transfer.outcome"))
    _caller_id(scene)
    _handover(scene)


def _released(scene: Scene) -> None:
    """Whether the legs that a transfer leaves behind have ended."""
    for finding in scene.of("released"):
        role = scene.vantage.made_by(finding)
        if role not in ("ai", "caller", "agent"):
            continue
        if finding.facts.get("seconds") is None:
            left = "still up"
        elif finding.failed:
            left = "late"
        else:
            left = "ended"
        scene.record(f"release.{role}", left, finding.actual, leg=finding.subject)
    first = scene.call.leg if scene.call else None
    for finding in scene.failed("one_call", role="caller"):
        up = listed(finding.facts.get("up"))
        if len(up) > 1 and first in up:
            scene.record("release.caller", "still up", finding.actual, leg=first or "")


def _compared(finding: Finding) -> str | None:
    """A time against the configured one."""
    seconds, expected = finding.facts.get("seconds"), finding.facts.get("expected_s")
    if seconds is None or expected is None:
        return None
    if not finding.failed:
        return "as configured"
    return "longer" if seconds > expected else "shorter"


def _given_up(scene: Scene, expected_s: float | None) -> None:
    """When the platform cancelled its call to a stand-in, whose clock is the harness's, against the
    configured time.
    """
    if expected_s is None:
        return
    cancels = [m for m in scene.got_by_ai if m.is_request("CANCEL") and m.at is not None]
    invites = [m for m in scene.invites if m.at is not None]
    for cancel in cancels:
        for invite in invites:
            if invite.message.call_id != cancel.message.call_id:
                continue
            seconds = cancel.time - invite.time
            words = f"CANCEL came {seconds:.2f} s after the INVITE"
            scene.record("ai.let_go", _on_time(seconds, expected_s), words, cancel.where)


def _on_time(seconds: float, expected_s: float) -> str:
    if timing.is_too_soon(seconds, expected_s):
        return "too early"
    return "in time" if seconds <= expected_s + timing.TOLERANCE_S else "too late"


# -- where the call landed


def is_group(scene: Scene, name: object) -> bool:
    """Whether that is a ring group or a queue, and not, say, a customer's phone."""
    return scene.deployment is None or name in scene.deployment.groups


def is_fallback(scene: Scene, wanted: object) -> bool:
    """Whether landing at that group is a fallback, and not a transfer."""
    if scene.moment in _UNTRANSFERRED:
        return True
    if scene.moment == "people":  # the number leads to the group, whatever else the group is for
        return scene.line is not None and scene.line.fallback == wanted
    deployment = scene.deployment
    if deployment is None:
        return scene.moment != "transfer"
    if wanted not in {line.fallback for line in deployment.lines.values()}:
        return False
    targets = _transfer_targets(deployment)
    called = [deployment.groups[name] for name in targets if name in deployment.groups]
    overflows = {group.overflow for group in called}
    closed = {group.closed for group in called}
    return wanted not in targets | overflows | closed


def _transfer_targets(deployment: Deployment) -> set[str | None]:
    """Where the handovers of all assistants lead."""
    targets: set[str | None] = set()
    for name in deployment.assistants:
        handovers = deployment.handovers(name).values()
        targets |= {handover.transfer_to for handover in handovers}
    return targets


def is_unasked(finding: Finding) -> bool:
    """Whether it is about people who ring before the caller asks for one."""
    return finding.check == "landing.turn" and finding.expected.endswith(ASKED)


def _landing(scene: Scene) -> None:
    """Where the call landed, and whether people rang who should not have."""
    others = [f for f in scene.failed("landing.others") if f.facts.get("rang")]
    reported = [f"{f.subject}: {f.actual}" for f in others]
    # The first value recorded stands. Of a fallback, that is that others rang, even if one of the
    # right people took the call, who is in the group that rang as well. Of a transfer, it is where
    # the call landed.
    if scene.moment == "fallback" and others:
        scene.record("fallback.landed", "another group", reported[0])
    for finding in scene.of("landing"):
        _landed(scene, finding)
    if scene.moment == "transfer" and others:
        scene.record("transfer.landed", "another group", reported[0])
    unasked = [f"{f.subject}: {f.actual}" for f in scene.failed("landing.turn") if is_unasked(f)]
    if unasked:
        scene.record("transfer.unasked", True, *unasked)
    _order(scene)
    if scene.moment in ("transfer", "people") and others:
        scene.record("transfer.others", True, *reported)
    if scene.moment == "people":
        _dialled(scene)
    for finding in scene.of("transfer.refer"):
        mode = "not as declared" if finding.failed else "as declared"
        scene.record("transfer.mode", mode, finding.actual)
    if scene.of("transfer.fails"):
        scene.record("transfer.landed", "nowhere", "nobody rang")


def _landed(scene: Scene, finding: Finding) -> None:
    """Where the call landed, as the check of one group found it."""
    wanted = finding.facts.get("wanted")
    if not is_group(scene, wanted):
        return
    if not finding.failed:
        where = "the right group"
    elif listed(finding.facts.get("rang")):
        where = "another group"
    else:
        where = "nowhere"
    fact = "fallback.landed" if is_fallback(scene, wanted) else "transfer.landed"
    scene.record(fact, where, finding.actual)


def _order(scene: Scene) -> None:
    """Whether agents rang in another order than their group's, and another group has the same."""
    turns = [finding for finding in scene.of("landing.turn") if not is_unasked(finding)]
    wrong = [f"{finding.subject}: {finding.actual}" for finding in turns if finding.failed]
    if not wrong or scene.deployment is None:
        return
    phones = {finding.subject for finding in turns}
    groups = scene.deployment.groups.values()
    alike = [group for group in groups if phones == set(group.agents)]
    two = "another group has the same people" if len(alike) > 1 else "no other group has them"
    scene.record("group.order", two, *wrong)


def _dialled(scene: Scene) -> None:
    """A number that leads to people: the caller dials it, and no AI takes part."""
    if scene.call is None or scene.line is None:
        return
    words = f"{scene.call.leg} dialled it"
    scene.record("transfer.target", "the group's number", words)
    scene.record("transfer.way", "dialled", words)
    scene.record("transfer.asked", True, words)
    if scene.value("caller.end") == "refused":
        end = scene.shown_by("caller.end")
        scene.record("transfer.answer", scene.value("final.code"), *end)
        scene.record("transfer.refusal", scene.value("final.refusal"), *end)
    # If voicemail was to answer, a phone that rang is of another group.
    if scene.people_rang_instead and not scene.of("landing"):
        scene.record("transfer.landed", "another group", *scene.shown_by("instead"))


# -- what the AI attempted


def _attempted(scene: Scene) -> None:
    """What the AI attempted: by its messages, by a REFER that reached the caller's phone, and by
    its record. Messages count before the record.
    """
    refers = [m for m in scene.sent_by_ai if m.is_request("REFER")]
    onward = [m for m in scene.sent_by_ai if m.begins_dialog]
    named: list[tuple[str | None, str]] = []
    if refers:
        named.append(_by_refer(scene, refers))
    if onward:
        named.append(_by_invite(scene, onward))
    _by_phone(scene)
    named += _by_record(scene)
    for number, where in named:
        scene.record("transfer.named", number, where)
        scene.record("transfer.target", number, where)
    if scene.at_ai:
        scene.record("transfer.asked", False)
    for finding in scene.of("transfer.fails"):
        code = finding.facts.get("code")
        scene.record("transfer.outcome", "nothing" if code == 0 else code, finding.actual)


def _by_refer(scene: Scene, sent: Sequence[CallMessage]) -> tuple[str | None, str]:
    """What the AI's last REFER shows, and its answer; returns whose number it named."""
    refer = sent[-1]
    target = refer.message.get("Refer-To") or ""
    scene.record("transfer.asked", True, refer.where)
    scene.record("transfer.way", "REFER", refer.where)
    scene.record("transfer.host", "the trunk's", refer.where)
    scene.record("transfer.credentials", _has_credentials(sent), refer.where)
    _answer(scene, refer, "REFER")
    _outcome(scene, refer)
    return target_of(scene, target), refer.where


def _by_invite(scene: Scene, sent: Sequence[CallMessage]) -> tuple[str | None, str]:
    """The same of the last call that the AI placed itself."""
    invite = sent[-1]
    assert isinstance(invite.message, Request)
    target = str(invite.message.uri)
    scene.record("transfer.asked", True, invite.where)
    scene.record("transfer.way", "INVITE", invite.where)
    scene.record("transfer.host", _host(scene, invite), invite.where)
    scene.record("transfer.credentials", _has_credentials(sent), invite.where)
    _answer(scene, invite, "INVITE")
    return target_of(scene, target), invite.where


def _has_credentials(sent: Sequence[CallMessage]) -> bool:
    """Whether any of these requests has credentials."""
    headers = ("Proxy-Authorization", "Authorization")
    return any(seen.message.has(header) for seen in sent for header in headers)


def target_of(scene: Scene, text: str) -> str | None:
    """Whose number a transfer names."""
    number = number_in(text)
    if scene.deployment is None or number is None:
        return None
    groups, region = scene.deployment.groups, scene.deployment.region
    named = [name for name, group in groups.items() if group.is_at(number, region)]
    if not named:
        return "nobody's number"
    wanted = _wanted_group(scene)
    return "the group's number" if wanted is None or wanted in named else "another group's number"


def _wanted_group(scene: Scene) -> str | None:
    """The group of the case's handover, else the one that the case waited for."""
    if scene.handover is not None:
        return scene.handover.transfer_to
    for finding in scene.of("landing"):
        wanted = str(finding.facts.get("wanted"))
        if is_group(scene, wanted):
            return wanted
    return None


def _host(scene: Scene, seen: CallMessage) -> str | None:
    same = _is_to_the_trunk(scene, seen)
    if same is None:
        return None
    return "the trunk's" if same else "another host"


def _is_to_the_trunk(scene: Scene, seen: CallMessage) -> bool | None:
    """By the address that it was sent to, or by the host it names. The address of a name at that
    time is not known.
    """
    trunk = scene.trunk
    assert isinstance(seen.message, Request)
    if trunk is None or trunk.termination_host is None:
        return None
    uri, host = seen.message.uri, trunk.termination_host
    is_named = uri.host.lower() == host and uri.port in (None, trunk.termination_port)
    if not is_address(host):
        return None if is_address(uri.host) else is_named
    if not seen.remote:
        return None
    # Behind a proxy, the Request-URI is for the next hop.
    by_proxy = is_named and host_of(seen.remote) != host
    return trunk.is_termination(seen.remote) or by_proxy


def _answer(scene: Scene, request: CallMessage, method: str) -> None:
    """How the platform answered a REFER or INVITE of the AI. Of several responses the last final
    one counts; a challenge is answered by a new request (RFC 3261 section 22.3).
    """
    answers = [m for m in scene.got_by_ai if m.answers(method) and m.is_of(request)]
    finals = [m for m in answers if m.is_final and not m.is_challenge]
    if finals:
        response = finals[-1].response_to(method)
        assert response is not None
        where = (finals[-1].where, *said_by(response))
        if response.status < 300:
            scene.record("transfer.answer", "accepted", *where)
        else:
            scene.record("transfer.answer", response.status, *where)
            scene.record("transfer.refusal", of_refusal(response), *where)
    elif answers:  # the request had arrived
        last = answers[-1]
        scene.record("transfer.answer", "challenged" if last.is_final else _PROVISIONAL, last.where)
    else:
        scene.record("transfer.answer", "none", request.where)


def _outcome(scene: Scene, refer: CallMessage) -> None:
    """The status in the NOTIFYs of the REFER (RFC 3515 sections 2.4.5 and 2.4.6), or why they have
    none.
    """
    code, untold, refusal = 0, "nothing", None
    where: tuple[str, ...] = (refer.where,)
    waited_until = min((f.at for f in scene.failed("released", role="ai")), default=math.inf)
    accepted = next((m for m in scene.got_by_ai if m.accepts("REFER") and m.is_of(refer)), None)
    if accepted is not None and _makes_no_subscription(refer, accepted):
        untold, where = "nothing, as agreed", (accepted.where,)
    for seen, status in notifies(refer, scene.at_ai):
        if status >= 200 and (seen.at or 0.0) > waited_until:
            untold, where = "nothing in time", (seen.where,)
        elif status:
            response = _fragment(seen)
            code, where = status, (seen.where, *said_by(response))
            refusal = of_message(response) if response is not None and status >= 300 else None
        if 180 <= code < 190:
            untold = "nothing, while it rings"
    # A record also has the BYE of the harness itself, so only a stand-in's messages tell that the
    # platform hung up.
    if scene.has_stand_in and untold == "nothing" and code < 200:
        byes = [m for m in scene.got_by_ai if m.is_request("BYE") and _is_same_call(m, refer)]
        if byes:
            untold, where = "nothing, and the platform ended the AI's call", (byes[0].where,)
    scene.record("transfer.outcome", code if code >= 200 else untold, *where)
    scene.record("transfer.refusal", refusal, *where)


def _fragment(notify: CallMessage) -> Response | None:
    """The response that a NOTIFY quotes. Its empty line may be missing (RFC 3420 section 2)."""
    body = notify.message.body.decode("utf-8", "replace")
    fragment = read(body.rstrip() + "\r\n\r\n")
    return fragment if isinstance(fragment, Response) else None


def _is_same_call(one: CallMessage, other: CallMessage) -> bool:
    return one.message.call_id == other.message.call_id


def _makes_no_subscription(refer: CallMessage, accepted: CallMessage) -> bool:
    """Whether the platform says so (RFC 4488 section 4), or the REFER asks for no subscription of
    its own (RFC 7614).
    """
    if refer.message.tokens("Require") & {"nosub", "explicitsub"}:
        return True
    refer_sub = accepted.message.get("Refer-Sub") or ""
    return refer_sub.strip().lower().startswith("false")


def _by_phone(scene: Scene) -> None:
    """A REFER that the platform passed on to the caller's phone, and what a phone reports of its
    outcome.
    """
    for seen in _passed_on(scene):
        target = target_of(scene, seen.message.get("Refer-To") or "")
        scene.record("transfer.asked", True, seen.where)
        scene.record("transfer.way", "REFER", seen.where)
        scene.record("transfer.passed_on", True, seen.where)
        scene.record("transfer.target", target, seen.where)
    for notified in scene.reported(TransferProgress, "ai"):
        # Later ones are due to the harness hanging up.
        if notified.final and notified.at <= scene.over:
            words = f"{notified.leg}: {notified.code} {notified.reason}"
            scene.record("transfer.outcome", notified.code, words)


def _passed_on(scene: Scene) -> list[CallMessage]:
    """The REFERs that came to callers' phones."""
    return [m for m in scene.messages_of("caller") if m.received and m.is_request("REFER")]


def _by_record(scene: Scene) -> list[tuple[str | None, str]]:
    """What the AI's record tells of its transfers; returns whose number it named."""
    named: list[tuple[str | None, str]] = []
    for action, source in _recorded_transfers(scene):
        way = _WAYS.get(str(action.get("type")))
        scene.record("transfer.asked", True, source)
        scene.record("transfer.way", way, source)
        if way == "REFER" and not scene.at_ai:  # messages tell more
            code = action.get("status_code")
            status = code if isinstance(code, int) else action.get("status")
            scene.record("transfer.recorded", status, source)
            scene.record("transfer.record", _recorded(status), source)
        if scene.at_ai and scene.value("transfer.answer") is None:
            scene.record("transfer.answer", "never sent", source)
        to = action.get("to")
        target = target_of(scene, recorded_target(to)) if isinstance(to, str) else None
        named.append((target, source))
    return named


def _recorded_transfers(scene: Scene) -> Iterator[tuple[Mapping[str, Any], str]]:
    """The transfers in the AI's records, each with the record's source."""
    for record in scene.records:
        for action in landed_by(actions_of(record.record)):
            yield action, record.source


def _recorded(status: object) -> str | None:
    """What the record tells of the outcome. 408 leaves open whether anything was answered, and so
    does a transfer under way.
    """
    if status in ("started", 408):
        return "nothing"
    return "a status" if isinstance(status, int) and status >= 300 else None


# -- which of its handovers the AI made, and the number that it showed


@dataclass(frozen=True)
class _Sent:
    """A transfer of the AI, as far as it was seen."""

    number: str | None
    topic: str | None
    shows_topic: bool
    where: str


def _handover(scene: Scene) -> None:
    """By the number and topic of the AI's transfer, unless these leave it open."""
    assistant = scene.line.assistant if scene.line else None
    name = scene.axes.get("handover", "")
    every: Mapping[str, Handover] = {}
    if scene.deployment is not None and assistant is not None and scene.moment == "transfer":
        every = scene.deployment.handovers(assistant)
    sent = next(_transfers(scene), None)
    if scene.value("transfer.landed") == "another group" or scene.value("transfer.others"):
        _topic(scene, every.get(name), sent)
    has_choice = name in every and len(every) > 1
    if has_choice and sent is not None and sent.number:
        _handover_made(scene, name, sent)


def _handover_made(scene: Scene, name: str, sent: _Sent) -> None:
    """Whether the AI made the handover of that name, among several of its assistant."""
    assert scene.deployment is not None
    assert scene.line is not None
    made = scene.deployment.handovers_made(
        str(scene.line.assistant),
        str(sent.number),
        sent.topic,
        shows_topic=sent.shows_topic,
    )
    if name not in made:
        scene.record("transfer.handover", "another one" if made else "none of them", sent.where)
    elif len(made) == 1:
        scene.record("transfer.handover", "the one asked for", sent.where)


def _caller_id(scene: Scene) -> None:
    """Whether the AI's own call shows the number that the agent should get. With a REFER, the
    platform decides on it.
    """
    way, reported = scene.value("transfer.way"), scene.shown_by("transfer.way")
    if "transfer.landed" not in scene.facts or way == "dialled":
        return
    if way is None and scene.line is not None:
        way = _WAYS[scene.handover.transfer] if scene.handover else None
        reported = ("deployment file",)
    onward = [seen for seen in reversed(scene.sent_by_ai) if seen.begins_dialog]
    region = scene.deployment.region if scene.deployment else ""
    for finding in scene.of("caller_id", role="agent"):
        leg, fact = finding.subject, "transfer.caller_id"
        if way == "REFER" or shown_at_telephone(scene, leg) not in (None, "original"):
            scene.record(fact, "none: the platform decides on it", *reported, leg=leg)
        for seen in onward:
            number = str(finding.facts.get("number"))
            found = identity.caller_id(seen.message, "the agent", number, "preserved", region)
            scene.record(fact, number_shown(scene, found), found.actual, seen.where, leg=leg)
        scene.record(fact, "not seen", *reported, leg=leg)


def _transfers(scene: Scene) -> Iterator[_Sent]:
    """The AI's transfers, the most telling first: in its messages, in a REFER that a phone got, in
    its record.
    """
    for seen in reversed(scene.sent_by_ai):
        if isinstance(seen.message, Request) and seen.begins_dialog:
            number = number_in(str(seen.message.uri))
            yield _Sent(number, seen.message.get(TOPIC_HEADER), True, seen.where)
        elif seen.is_request("REFER"):
            yield _referred(seen)
    yield from map(_referred, _passed_on(scene))
    for action, source in _recorded_transfers(scene):
        to = action.get("to")
        number = number_in(recorded_target(to)) if isinstance(to, str) else None
        yield _Sent(number, None, False, source)


def _referred(refer: CallMessage) -> _Sent:
    topic = None
    with suppress(SipSyntaxError):
        topic = refer.message.refer_to.uri.header(TOPIC_HEADER)
    return _Sent(number_in(refer.message.get("Refer-To") or ""), topic, True, refer.where)


def _topic(scene: Scene, asked: Handover | None, sent: _Sent | None) -> None:
    """Whether the AI named the topic by which the platform chooses the group."""
    wanted = asked.transfer_topic if asked else None
    if scene.deployment is None or not scene.deployment.groups_of_topic(wanted):
        scene.record("transfer.topic", "none needed")
    elif sent is not None and sent.shows_topic:
        named = "the right one" if sent.topic == wanted else "another"
        scene.record("transfer.topic", "none" if sent.topic is None else named, sent.where)
