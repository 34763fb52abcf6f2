"""Facts that every leg of a case can show: what our own phone refused, who hung up, and what was lost on the way to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.calls.events import CallState, LegStarted, SipMessage
from harness.diagnosis.caller_end import DROPPED, answers_itself
from harness.diagnosis.derive import Scene, number_in
from harness.diagnosis.messages import NO_SUCH_DIALOG, Seen, begins_dialog, bye_outcome, formats, parse
from harness.diagnosis.sdp import offered
from harness.diagnosis.vantage import Role
from harness.sip import why
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message, Request, Response

#: What a SIP stack answers by itself, before any scenario is asked, and what that is about (RFC 3261 section 21.4).
EXTENSION = "an extension"
_OWN: dict[int, str] = {415: "its media", 488: "its media", 606: "its media", 406: "its media", 420: EXTENSION}
#: Whose offers are told where their phones refuse them.
_OFFERS = {"agent": "offer.agent", "caller": "offer.customer"}
#: It has as many calls as it takes (section 21.4.24), or cannot read the request or its SDP (section 21.4.1). A scenario that
#: refuses so has a leg for it.
MALFORMED = "a malformed request"
_WITHOUT_LEG: dict[int, str] = {486: "another call", 400: MALFORMED}
_ANSWERED_AND_OVER_S = 1.0
_AFTER_HANGUP_S = 0.9  #: what was asked for a shorter time than this before the case was over may still be under way


@dataclass(frozen=True)
class Sent:
    """A message of one of our phones, parsed."""

    event: SipMessage
    message: Request | Response

    @property
    def received(self) -> bool:
        """Whether our phone got it."""
        return self.event.direction == "received"


def tell(scene: Scene) -> None:
    """Make all of them known that can be."""
    by_role = {role: list(_messages(scene, role)) for role in ("caller", "agent", "ai")}
    for role, messages in by_role.items():
        _refused(scene, role, messages)
        _hung_up(scene, role, messages)
        _unknown_dialog(scene, messages)
    _dialled(scene)
    _answered_elsewhere(scene)
    _limit(scene)
    _campaign(scene)


def _messages(scene: Scene, role: Role | str) -> Iterator[Sent]:
    for event in scene.events:
        if isinstance(event, SipMessage) and scene.vantage.role(event.phone) == role and event.at <= scene.over:
            parsed = parse(event.text)
            if parsed is not None:
                yield Sent(event, parsed)


# -- what our own phones refuse


def _refused(scene: Scene, role: str, messages: list[Sent]) -> None:
    """An INVITE that the phone's own stack refused, for which no scenario was asked."""
    for invite in (m for m in messages if m.received and begins_dialog(m.message)):
        for answer in messages:
            response = None if answer.received else _response(answer, invite.message)
            if response is None:
                continue
            what = _OWN.get(response.status) or (
                _WITHOUT_LEG.get(response.status) if answer.event.leg is None else None
            )
            if role == "ai" and what != MALFORMED:
                continue  # what else the AI refuses is told with the rest of its answer
            if what is not None:
                about = f"{answer.event.phone} refused it by itself with {response.status}"
                told = (scene.number_of(answer.event), *why.told(response))
                scene.facts.record(f"refusal.{role}", what, about, *told)
                offer = offered(invite.message.body.decode("utf-8", "replace"))
                if role in _OFFERS:
                    scene.facts.record(_OFFERS[role], offer, scene.number_of(invite.event), formats(invite.message))


def _unknown_dialog(scene: Scene, messages: list[Sent]) -> None:
    """A request within a call that our phone knew nothing of, and no BYE had ended before (RFC 3261 section 15.1.2)."""
    ended: set[str] = set()
    for sent in messages:
        request = sent.message
        if not isinstance(request, Request):
            continue
        if sent.received and _call_id(request) not in ended:
            answers = ((m, _response(m, request)) for m in messages if not m.received)
            for answer in (m for m, response in answers if response is not None and response.status == NO_SUCH_DIALOG):
                named = f"{sent.event.phone} answered {request.method} with 481"
                scene.facts.record("dialog.unknown", True, named, *map(scene.number_of, (sent.event, answer.event)))
        if request.method == "BYE":
            ended.add(_call_id(request))


def _call_id(message: Message) -> str:
    try:
        return message.call_id
    except SipSyntaxError:
        return ""


def _response(sent: Sent, request: Message) -> Response | None:
    """The response that it is to this request; None when it is none."""
    message = sent.message
    try:
        same = (message.call_id, message.cseq) == (request.call_id, request.cseq)
    except SipSyntaxError:
        return None
    return message if isinstance(message, Response) and same else None


# -- who ended a call, and whether that was taken


def _hung_up(scene: Scene, role: str, messages: list[Sent]) -> None:
    """What became of a BYE of the AI's or an agent's; the caller's is told where its other requests are."""
    if role == "caller":
        return
    requests = ((m, m.message) for m in messages if not m.received and isinstance(m.message, Request))
    byes = [sent for sent, request in requests if request.method == "BYE"]
    received = [m.message for m in messages if m.received]
    for number, bye in enumerate(byes, start=1):
        answers = ((s, _response(s, bye.message)) for s in messages if s.received)
        final = next(((s, response) for s, response in answers if response is not None and response.is_final), None)
        if final is not None:
            answer, response = final
            again = any(_call_id(later.message) == _call_id(bye.message) for later in byes[number:])
            if response.is_challenge and again:
                continue  # the one that answers the challenge tells
            outcome = bye_outcome(response, received)
            scene.facts.record(f"hangup.{role}", outcome, scene.number_of(bye.event), scene.number_of(answer.event))
        elif scene.over - bye.event.at > _AFTER_HANGUP_S:
            scene.facts.record(f"hangup.{role}", "none", scene.number_of(bye.event))
    if role == "ai":
        _by_record(scene)


def _by_record(scene: Scene) -> None:
    """The same of an AI that is no harness phone, from its own messages."""
    for seen in scene.at_ai:
        if not seen.received and seen.is_request("BYE"):
            answers = [s for s in scene.at_ai if s.received and s.message.call_id == seen.message.call_id]
            responses = [s.response_to("BYE") for s in answers]
            finals = [response for response in responses if response is not None and response.is_final]
            if finals:
                outcome = bye_outcome(finals[-1], [s.message for s in answers])
                scene.facts.record("hangup.ai", outcome, seen.where)


# -- the number dialled


def _dialled(scene: Scene) -> None:
    if scene.call is None or scene.call.direction != "outgoing":
        return
    number = number_in(scene.call.remote_uri) or ""
    if re.search(r"\d", number):
        form = "E.164" if number.startswith("+") else "another form"
        scene.facts.record("dialled.form", form, f"{scene.call.leg} dialled {scene.call.remote_uri.partition('@')[0]}")


# -- who answered, where none of our phones rang


def _ended_at_once(scene: Scene) -> str | None:
    """The BYE that the caller got within a second of the AI's REFER: nobody can have answered, and have hung up, in that time."""
    referred: float | None = None
    for event in scene.events:
        if not isinstance(event, SipMessage) or event.at > scene.over:
            continue
        role = scene.vantage.role(event.phone)
        if role == "ai" and event.direction == "sent" and event.text.startswith("REFER "):
            referred = event.at
        elif (
            role == "caller"
            and event.direction == "received"
            and event.text.startswith("BYE ")
            and referred is not None
        ):
            return scene.number_of(event) if event.at - referred < _ANSWERED_AND_OVER_S else None
    return None


def _waits(scene: Scene) -> bool:
    """Whether the group that was to get the call has a queue, or a machine, which answers by itself where nobody is there."""
    wanted = {finding.facts.get("wanted") for finding in scene.of("landing") if scene.failed(finding)}
    groups = scene.deployment.groups if scene.deployment else {}
    return any(group.answers_itself for name, group in groups.items() if name in wanted)


def _answered_elsewhere(scene: Scene) -> None:
    facts = scene.facts
    facts.record("group.waits", _waits(scene) or None, "deployment file")
    if facts.value("transfer.landed") == "nowhere":
        placed = [e for e in scene.events if isinstance(e, LegStarted) and e.replaces is not None]
        for leg in placed:
            up = [e for e in _states(scene, leg.leg) if e.state == "confirmed"]
            if up:
                facts.record("answered.elsewhere", True, f"{leg.leg}, the call placed on the REFER, was answered")
        if facts.value("transfer.way") == "INVITE" and facts.value("transfer.answer") == "accepted":
            facts.record("answered.elsewhere", True, *facts["transfer.answer"].evidence)
        if facts.value("transfer.passed_on") is True:
            facts.record(
                "answered.elsewhere", False, "nobody answered a call that the caller's phone placed on the REFER"
            )
        if facts.value("transfer.asked") is False or facts.value("transfer.answer") not in (None, "accepted"):
            facts.record("answered.elsewhere", False, "the transfer was not accepted")
        if facts.value("transfer.failed") is True:
            facts.record("answered.elsewhere", False, "the platform said that the transfer failed")
        if (ended := _ended_at_once(scene)) is not None:
            facts.record("answered.elsewhere", False, "the platform ended the caller's call at once", ended)
        # Of an answer to the call the AI is told (RFC 3515 section 2.4.4).
        if facts.value("transfer.recorded") not in (None, "done", 200):
            facts.record("answered.elsewhere", False, "the AI's record does not say that the transfer was done")
    taken = facts.value("ai.saw") in ("answered", "another assistant answered")
    if facts.value("fallback.landed") == "nowhere":
        end = facts.value("caller.end")
        if end not in (None, "answered", DROPPED) or taken:
            facts.record("answered.elsewhere", False, "nobody took the call in the AI's place")
        elif end is not None and not answers_itself(scene) and (facts.value("ai.saw") or facts.value("ai.lost")):
            # where neither is known, the AI may have answered
            facts.record("answered.elsewhere", True, *facts["caller.end"].evidence)


def _states(scene: Scene, leg: str | None) -> list[CallState]:
    return [e for e in scene.events if isinstance(e, CallState) and e.leg == leg and e.at <= scene.over]


# -- how many calls a trunk takes


def _limit(scene: Scene) -> None:
    """How many of the calls that were made at once reached the AI, against what the trunk is agreed to carry."""
    trunk = scene.trunk
    if scene.moment != "limit" or trunk is None:
        return
    legs = [e for e in scene.events if isinstance(e, LegStarted) and scene.vantage.role(e.phone) == "caller"]
    made = len({leg.leg for leg in legs if leg.direction == "outgoing" and leg.replaces is None})
    scene.facts.record("limit.tried", True, f"{made} calls")
    if not scene.vantage.sees("ai"):
        return
    reached = len({seen.message.call_id for seen in scene.invites})
    shown = f"{made} calls were made, {reached} reached the AI, {trunk.max_concurrent_calls} are agreed"
    if reached > trunk.max_concurrent_calls:
        most = _at_once(scene)
        more = "more than agreed" if most > trunk.max_concurrent_calls else "as agreed"
        scene.facts.record("limit", more, f"{shown}, at most {most} at once")
    elif 0 < reached < min(made, trunk.max_concurrent_calls):
        scene.facts.record("limit", "fewer than agreed", shown)
    else:
        scene.facts.record("limit", "as agreed" if reached else "none at all", shown)


def _at_once(scene: Scene) -> int:
    """The most calls that the AI's side had at a time: who is refused may be tried again. All that came, where nobody knows when."""
    if any(seen.at is None for seen in scene.at_ai):
        return len({seen.message.call_id for seen in scene.invites})
    most, up = 0, dict[str, Seen]()
    for seen in scene.at_ai:
        call = seen.message.call_id
        if seen.received and begins_dialog(seen.message):
            up[call] = seen
        elif call in up and (_is_over(seen) or (seen.answers("INVITE") >= 300 and seen.is_of(up[call]))):
            del up[call]
        most = max(most, len(up))
    return most


def _is_over(seen: Seen) -> bool:
    return seen.is_request("BYE") or seen.is_request("CANCEL")


def _campaign(scene: Scene) -> None:
    if scene.moment == "campaign" and scene.vantage.sees("caller"):
        rang = any(
            isinstance(e, LegStarted) and e.direction == "incoming" and scene.vantage.role(e.phone) == "caller"
            for e in scene.events
        )
        scene.facts.record("customer.rang", rang, "the customer's phone")
