"""Facts on transfers, what is left after them, and fallbacks."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.calls.checks.landing import ASKED
from harness.calls.events import TransferProgress
from harness.calls.verdict import Finding
from harness.deployment import is_address
from harness.diagnosis.derive import Scene, listed, number_in
from harness.diagnosis.messages import CHALLENGES, Seen, parse, said_by
from harness.diagnosis.refusals import TERMINATED, of_message, of_refusal
from harness.sip.grammar import decimal, host_of
from harness.sip.message import Request, Response
from harness.sip.referrals import Referrals
from harness.witness.call_record import actions_of
from harness.witness.recorded_transfer import landed_by, recorded_target

#: Rows whose AI cannot be had, so that nobody can be transferred, whatever other numbers' AIs transfer to.
_UNTRANSFERRED = ("fallback", "limit", "unanswered")
#: The platform took the transfer (RFC 3261 sections 17.2.1 and 21.1), and had not decided on it when the case gave up.
PROVISIONAL = "a provisional response alone"
#: The REFER's 487 says only that the call had ended (RFC 3261 section 15.1.2).
ENDED_FIRST = "none before the call ended"
#: What its NOTIFY left untold: when the case gave up, by the end of its subscription (RFC 6665 section 4.1.3), or for good (RFC 4488).
NOTHING, OVER, NOT_DUE = "nothing", "nothing, and the subscription is over", "nothing, as agreed"
#: Nor has it told an outcome, where it rings, and where the platform has ended the AI's call.
RINGS, HUNG_UP = "nothing, while it rings", "nothing, and the platform ended the AI's call"
#: Nobody allowed the REFER after all (RFC 3515 section 2.4.5).
NOT_ALLOWED = "nothing: the subscription was refused"
UNTOLD = (NOTHING, RINGS, HUNG_UP, OVER, NOT_ALLOWED)
#: What the AI's record tells of how its REFER ended.
LEFT_OPEN, A_STATUS = "nothing", "a status"
_DENIED = re.compile(r";\s*reason\s*=\s*(rejected|giveup)\b", re.I)


def tell(scene: Scene) -> None:
    """Make all of them known that can be."""
    _landing(scene)
    _tried(scene)
    _released(scene)
    _timing(scene)
    outcome = scene.facts.get("transfer.outcome")
    if outcome is not None:
        failed = isinstance(outcome.value, int) and outcome.value >= 300  # RFC 3515 section 2.4.5
        scene.facts.record("transfer.failed", failed, *outcome.evidence)


def is_group(scene: Scene, name: object) -> bool:
    """Whether that is a ring group or a queue, and not a customer's phone, say."""
    return scene.deployment is None or name in scene.deployment.groups


def is_fallback(scene: Scene, wanted: object) -> bool:
    """Whether landing at that group is a fallback, and no transfer."""
    if scene.moment in _UNTRANSFERRED:
        return True
    if scene.moment == "people":  # the group is where the number leads, whatever else it is there for
        return False
    if scene.deployment is None:
        return scene.moment != "transfer"
    handovers = (scene.deployment.handovers(name).values() for name in scene.deployment.assistants)
    targets = {handover.transfer_to for each in handovers for handover in each}
    return wanted in {line.fallback for line in scene.deployment.lines.values()} and wanted not in targets


def is_unasked(finding: Finding) -> bool:
    """Whether it is about people who ring before the caller asks for one."""
    return finding.check == "landing.turn" and finding.expected.endswith(ASKED)


def _landing(scene: Scene) -> None:
    others = [f for f in scene.of("landing.others") if scene.failed(f) and f.facts.get("rang")]
    # What is recorded first stands. Of a fallback that is that others rang, even where one of the right people took the call,
    # who is in the group that rang as well; of a transfer, where it landed.
    if scene.moment == "fallback":
        _landed_elsewhere(scene, "fallback.landed", others)
    for finding in scene.of("landing"):
        wanted = finding.facts.get("wanted")
        if not is_group(scene, wanted):
            continue
        fact = "fallback.landed" if is_fallback(scene, wanted) else "transfer.landed"
        rang = listed(finding.facts.get("rang"))
        where = "the right group" if not scene.failed(finding) else "another group" if rang else "nowhere"
        scene.facts.record(fact, where, finding.actual)
    if scene.moment == "transfer":
        _landed_elsewhere(scene, "transfer.landed", others)
    unasked = [f for f in scene.of("landing.turn") if scene.failed(f) and is_unasked(f)]
    scene.facts.record("transfer.unasked", bool(unasked) or None, *(f"{f.subject}: {f.actual}" for f in unasked))
    if scene.moment in ("transfer", "people"):
        scene.facts.record("transfer.others", bool(others) or None, *(f"{f.subject}: {f.actual}" for f in others))
    if scene.moment == "people":
        _dialled(scene)
    for finding in scene.of("transfer.refer"):
        how = "not as declared" if scene.failed(finding) else "as declared"
        scene.facts.record("transfer.mode", how, finding.actual)
    if scene.of("transfer.fails"):
        scene.facts.record("transfer.landed", "nowhere", "nobody rang")


def _landed_elsewhere(scene: Scene, fact: str, others: Sequence[Finding]) -> None:
    for finding in others:
        scene.facts.record(fact, "another group", f"{finding.subject}: {finding.actual}")


def _dialled(scene: Scene) -> None:
    """A number of people: the caller dials what leads to them, and no AI has a part in it."""
    if scene.call is None or scene.line is None:
        return
    for fact, value in (("target", "the group's number"), ("way", "dialled"), ("asked", True)):
        scene.facts.record(f"transfer.{fact}", value, f"{scene.call.leg} dialled it")
    if scene.facts.value("caller.end") == "refused":
        scene.facts.record("transfer.answer", scene.facts.value("final.code"), *scene.facts["caller.end"].evidence)
        scene.facts.record("transfer.refusal", scene.facts.value("final.refusal"), *scene.facts["caller.end"].evidence)
    rang = scene.facts["instead"].evidence if scene.facts.value("instead") not in (None, "nobody") else ()
    if rang and not scene.of("landing"):  # whoever is there is of another group, where voicemail was to answer
        scene.facts.record("transfer.landed", "another group", *rang)


# -- what the AI tried


def _tried(scene: Scene) -> None:
    facts = scene.facts
    sent = [s for s in scene.at_ai if not s.received]
    refers = [s for s in sent if s.is_request("REFER")]
    onward = [s for s in sent if s.is_request("INVITE") and s.message.to.tag is None]
    for seen in refers[-1:]:
        assert isinstance(seen.message, Request)
        facts.record("transfer.asked", True, seen.where)
        facts.record("transfer.way", "REFER", seen.where)
        facts.record("transfer.target", _target(scene, seen.message.get("Refer-To") or ""), seen.where)
        facts.record("transfer.host", "the trunk's", seen.where)
        facts.record("transfer.credentials", _shows_credentials(refers), seen.where)
        _answer(scene, seen, "REFER")
        _outcome(scene, seen)
    for seen in onward[-1:]:
        assert isinstance(seen.message, Request)
        facts.record("transfer.asked", True, seen.where)
        facts.record("transfer.way", "INVITE", seen.where)
        facts.record("transfer.target", _target(scene, str(seen.message.uri)), seen.where)
        facts.record("transfer.host", _host(scene, seen), seen.where)
        facts.record("transfer.credentials", _shows_credentials(onward), seen.where)
        _answer(scene, seen, "INVITE")
    _by_phone(scene)
    _by_record(scene)
    if scene.at_ai:
        facts.record("transfer.asked", False)
    for finding in scene.of("transfer.fails"):
        code = finding.facts.get("code")
        facts.record("transfer.outcome", NOTHING if code == 0 else code, finding.actual)


def _shows_credentials(requests: Sequence[Seen]) -> bool:
    return any(s.message.get("Proxy-Authorization") or s.message.get("Authorization") for s in requests)


def _target(scene: Scene, text: str) -> str | None:
    number = number_in(text)
    if scene.deployment is None or number is None:
        return None
    region = scene.deployment.region
    named = [name for name, group in scene.deployment.groups.items() if group.is_at(number, region)]
    if not named:
        return "nobody's number"
    wanted = _wanted(scene)
    return "the group's number" if wanted is None or wanted in named else "another group's number"


def _wanted(scene: Scene) -> str | None:
    """The group whose number a transfer should name: that of the case's handover, else the one the case waited for."""
    assert scene.deployment is not None
    handover = scene.deployment.handover(scene.line[0], scene.axes.get("handover", "")) if scene.line else None
    if handover is not None:
        return handover.transfer_to
    waited = [str(finding.facts.get("wanted")) for finding in scene.of("landing")]
    return next((name for name in waited if name in scene.deployment.groups), None)


def _host(scene: Scene, seen: Seen) -> str | None:
    """By the address it was sent to, or by the name it asked for: what a name's address was, nobody looks up afterwards."""
    trunk = scene.trunk
    assert isinstance(seen.message, Request)
    if trunk is None or trunk.termination_host is None:
        return None
    uri = seen.message.uri
    named = uri.host.lower() == trunk.termination_host and uri.port in (None, trunk.termination_port)
    if is_address(trunk.termination_host):
        by_proxy = named and host_of(seen.remote) != trunk.termination_host  # the Request-URI is the next hop's affair
        same = trunk.is_termination(seen.remote) or by_proxy if seen.remote else None
    else:
        same = None if is_address(uri.host) else named
    return None if same is None else "the trunk's" if same else "another host"


def _answer(scene: Scene, request: Seen, method: str) -> None:
    answers = [s for s in scene.at_ai if s.received and s.answers(method) and s.is_of(request)]
    # 487 to what the AI itself gave up, or to what a BYE overtook, says that nothing else was answered.
    undecided = _given_up(scene, request)
    told = [s for s in answers if undecided is None or s.answers(method) != TERMINATED]
    finals = [s for s in told if s.answers(method) >= 200 and s.answers(method) not in CHALLENGES]
    if finals:
        code = finals[-1].answers(method)
        response = finals[-1].response_to(method)
        said = said_by(response)
        scene.facts.record("transfer.answer", "accepted" if code < 300 else code, finals[-1].where, *said)
        refusal = of_refusal(response) if response is not None and code >= 300 else None
        scene.facts.record("transfer.refusal", refusal, finals[-1].where, *said)
    elif told and told[-1].answers(method) < 200:  # by then it had arrived
        scene.facts.record("transfer.answer", PROVISIONAL, told[-1].where)
    elif told:
        scene.facts.record("transfer.answer", "challenged", answers[-1].where)
    elif answers and undecided is not None:
        value = ENDED_FIRST if undecided.is_request("BYE") else PROVISIONAL
        scene.facts.record("transfer.answer", value, answers[-1].where, undecided.where)
    else:
        scene.facts.record("transfer.answer", "none", request.where)


def _given_up(scene: Scene, request: Seen) -> Seen | None:
    """What ended the request before its 487: the AI's own CANCEL of an INVITE, a BYE of either side that overtook a REFER.

    RFC 3261 sections 9.1 and 15.1.2.
    """
    is_refer = request.is_request("REFER")
    number = request.message.cseq.number
    for seen in (s for s in scene.at_ai if s.message.call_id == request.message.call_id):
        if TERMINATED in (seen.answers("REFER"), seen.answers("INVITE")) and seen.is_of(request):
            break
        if is_refer and seen.is_request("BYE"):
            return seen
        if not is_refer and not seen.received and seen.is_request("CANCEL") and seen.message.cseq.number == number:
            return seen
    return None


def _outcome(scene: Scene, refer: Seen) -> None:
    """The sipfrag of the last NOTIFY of that REFER (RFC 3515 sections 2.4.5 and 2.4.6), or that it had none with an outcome."""
    code, untold, refusal = 0, NOTHING, None
    timed = scene.axes.get("ai") == "stand-in"  # a record has the BYE of the harness's own hanging up as well
    where: tuple[str, ...] = (refer.where,)
    referrals = Referrals()
    for seen in scene.at_ai:
        if seen.message.call_id != refer.message.call_id:
            continue
        if not seen.received and seen.is_request("REFER"):
            referrals.sent(seen.message.cseq.number)
        elif seen.received and seen.answers("REFER") >= 300:
            referrals.refused(seen.message.cseq.number)
        elif seen.received and seen.answers("REFER") >= 200 and seen.is_of(refer):
            if _makes_no_subscription(refer, seen):
                untold, where = NOT_DUE, (seen.where,)
        elif seen.received and seen.is_request("NOTIFY"):
            body = seen.message.body.decode("utf-8", "replace")
            said = body.split()
            known = len(said) >= 2 and said[0].startswith("SIP/2")
            status = (decimal(said[1], most=699) if known else None) or 0
            if referrals.of(seen.message, status) not in (None, refer.message.cseq.number):
                continue
            state = (seen.message.get("Subscription-State") or "").strip()
            if status:
                fragment = _fragment(body)
                code, where = status, (seen.where, *said_by(fragment))
                refusal = of_message(fragment) if fragment is not None and status >= 300 else None
            if 180 <= code < 190:
                untold = RINGS
            if code < 200 and state.lower().startswith("terminated"):
                untold = NOT_ALLOWED if _DENIED.search(state) else OVER
                where = (seen.where, f"Subscription-State: {state}")
        elif timed and seen.received and seen.is_request("BYE") and untold == NOTHING and code < 200:
            untold, where = HUNG_UP, (seen.where,)
    scene.facts.record("transfer.outcome", code if code >= 200 else untold, *where)
    scene.facts.record("transfer.refusal", refusal, *where)


def _makes_no_subscription(refer: Seen, accepted: Seen) -> bool:
    """Whether the platform says so (RFC 4488 section 4), or is asked for none of the REFER's own (RFC 7614)."""
    asked = refer.message.tokens("Require") & {"nosub", "explicitsub"}
    return bool(asked) or (accepted.message.get("Refer-Sub") or "").strip().lower().startswith("false")


def _fragment(body: str) -> Response | None:
    """A sipfrag as the response of which it tells; it may lack the empty line behind its headers (RFC 3420 section 2)."""
    parsed = parse(body.rstrip() + "\r\n\r\n")
    return parsed if isinstance(parsed, Response) else None


def _by_phone(scene: Scene) -> None:
    """A phone that got the REFER handed on says what came of it, seen from the caller."""
    for event, message in scene.received_by("caller"):
        if isinstance(message, Request) and message.method == "REFER":
            where = scene.number_of(event)
            scene.facts.record("transfer.asked", True, where)
            scene.facts.record("transfer.way", "REFER", where)
            scene.facts.record("transfer.passed_on", True, where)
            scene.facts.record("transfer.target", _target(scene, message.get("Refer-To") or ""), where)
    for told in scene.events:
        if not isinstance(told, TransferProgress) or told.at > scene.over:
            continue  # what the harness's own hanging up led to is no evidence
        if told.final and scene.vantage.role(told.phone) == "ai":
            scene.facts.record("transfer.outcome", told.code, f"{told.leg}: {told.code} {told.reason}")


def _by_record(scene: Scene) -> None:
    for record in scene.records:
        for action in landed_by(actions_of(record.record)):
            scene.facts.record("transfer.asked", True, record.source)
            way = {"cold": "REFER", "warm": "INVITE"}.get(str(action.get("type")))
            scene.facts.record("transfer.way", way, record.source)
            if way == "REFER" and not scene.at_ai:  # its messages would tell more
                code = action.get("status_code")
                status = code if isinstance(code, int) else action.get("status")
                scene.facts.record("transfer.recorded", status, record.source)
                scene.facts.record("transfer.record", _told_by(status), record.source)
            if scene.at_ai and scene.facts.value("transfer.answer") is None:
                scene.facts.record("transfer.answer", "never sent", record.source)
            to = action.get("to")
            target = _target(scene, recorded_target(to)) if isinstance(to, str) else None
            scene.facts.record("transfer.target", target, record.source)


def _told_by(status: object) -> str | None:
    """A record of 408 leaves open whether anything was ever answered, as one does of a transfer that is under way."""
    if status in ("started", 408):
        return LEFT_OPEN
    return A_STATUS if isinstance(status, int) and status >= 300 else None


# -- what is left, and when


def _released(scene: Scene) -> None:
    for finding in scene.of("released", role="ai"):
        if finding.facts.get("seconds") is None:
            scene.facts.record("release.ai", "still up", finding.actual)
        else:
            scene.facts.record("release.ai", "late" if scene.failed(finding) else "ended", finding.actual)
    for finding in scene.of("released", role="caller"):
        left = "still up" if finding.facts.get("seconds") is None else "late" if scene.failed(finding) else "ended"
        scene.facts.record("release.caller", left, finding.actual)


def _timing(scene: Scene) -> None:
    for finding in scene.of("timing"):
        scene.facts.record("fallback.time", _late(scene, finding), finding.actual)
    for finding in scene.of("timing.within"):
        if finding.facts.get("what") == "the call" and scene.failed(finding):
            scene.facts.record("fallback.time", "too late", finding.actual)


def _late(scene: Scene, finding: Finding) -> str | None:
    seconds, expected = finding.facts.get("seconds"), finding.facts.get("expected_s")
    if not isinstance(seconds, int | float) or not isinstance(expected, int | float):
        return None
    if not scene.failed(finding):
        return "as configured"
    return "longer" if seconds > expected else "shorter"
