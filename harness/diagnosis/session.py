"""Facts on an established call as such: how it was kept up, who ended it, whether the AI said anything in it."""

from __future__ import annotations

from collections.abc import Iterable

from harness.calls.events import SipMessage
from harness.diagnosis.audio import direction_of
from harness.diagnosis.derive import Scene
from harness.diagnosis.messages import Seen, begins_dialog, is_within, parse
from harness.diagnosis.refusals import THE_CODEC, of_hangup
from harness.sip import why
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message
from harness.witness.transcript import as_text, said

#: Who ended a call, where the AI's record alone tells: the field's values are the AI and whoever it talks to.
PLATFORM, BY_RECORD = "the platform", "the platform, as the AI's record has it"
NOT_THE_AI = "not the AI"
_HUNG_UP = {"agent": "the AI", "caller": BY_RECORD}
#: Where the RTP of a far end comes from whose SDP names another host.
ANOTHER_HOST = "another host than the SDP names"


def tell(scene: Scene) -> None:
    """Make all of them known that can be."""
    _from_elsewhere(scene)
    _cut(scene)
    _acknowledged(scene)
    _refreshed(scene)
    _spoke(scene)


def _from_elsewhere(scene: Scene) -> None:
    for event in scene.last_statistics:
        if event.rx_elsewhere and (role := scene.vantage.role(event.phone)) in ("ai", "caller"):
            scene.facts.record(f"rtp.from.{role}", ANOTHER_HOST, f"RTP to {event.leg} comes from {event.rx_elsewhere}")


def _cut(scene: Scene) -> None:
    """Whether a BYE came before something failed that needs a call, to which leg, and from whom."""
    failed = [f for f in scene.of("audio", "call.up") if scene.failed(f)]
    failed += [f for f in scene.of("phone.wait", role="caller") if str(f.facts.get("why")) == "the call has ended"]
    for finding in failed:
        legs = {finding.subject, finding.speaker, finding.listener}
        with_agent = finding.check == "audio" and direction_of(scene, finding) == "audio.agent"
        byes = [e for e in _byes(scene) if e.leg in legs and e.at <= finding.at]
        bye = next((e for e in byes if with_agent or scene.vantage.role(e.phone) == "caller"), None)
        if bye is not None:
            cut = "agent.cut" if with_agent else "call.cut"
            message = parse(bye.text)
            scene.facts.record(cut, True, f"{bye.leg}", scene.number_of(bye), *why.told(message))
            if with_agent:
                _agent_ended_for(scene, byes)
                _agent_cut_by(scene)
            else:
                if message is not None:
                    _ended_for(scene, message, scene.number_of(bye))
                _cut_by(scene, bye)


def _agent_ended_for(scene: Scene, byes: Iterable[SipMessage]) -> None:
    """What the Reason of the first says that has one."""
    for bye in byes:
        if (message := parse(bye.text)) is not None:
            scene.facts.record("agent.reason", of_hangup(message), scene.number_of(bye), *why.told(message))


def _agent_cut_by(scene: Scene) -> None:
    """Whether an AI that had called the agent itself, and stayed between the two, hung up before any BYE came to it."""
    sent = [s for s in scene.at_ai if not s.received]
    if any(begins_dialog(s.message) for s in sent) and not any(s.is_request("REFER") for s in sent):
        first = next((s for s in scene.at_ai if s.is_request("BYE")), None)
        by_ai = first is not None and not first.received
        scene.facts.record("agent.cut_by", "the AI" if by_ai else NOT_THE_AI, first.where if first else "")


def _ended_for(scene: Scene, bye: Message, where: str) -> None:
    """What the Reason says; where both sides have the same codec, it was not for want of one."""
    reason = of_hangup(bye)
    refuted = reason == THE_CODEC and scene.facts.value("codec.sides") == "the same"
    scene.facts.record("call.reason", None if refuted else reason, where, *why.told(bye))


def _cut_by(scene: Scene, bye: SipMessage) -> None:
    """Who ended the call: whose BYE is the first at the AI's side; a stand-in's phone that has seen none leaves the platform.

    Calls that the AI places itself are others. Of several that came to it, and did not end alike, nobody knows which is the caller's.
    """
    came = {invite.message.call_id for invite in scene.invites}
    first: dict[str, Seen] = {}
    for seen in scene.at_ai:
        if seen.is_request("BYE") and (seen.message.call_id in came or not came):
            first.setdefault(seen.message.call_id, seen)
    for seen in first.values() if len({bye.received for bye in first.values()}) == 1 else ():
        by = PLATFORM if seen.received else "the AI"
        scene.facts.record("call.cut_by", by, seen.where, *why.told(seen.message))
        _ended_for(scene, seen.message, seen.where)
    if not first and scene.axes.get("ai") == "stand-in" and scene.at_ai:
        told = f"{bye.leg} got a BYE, and the AI's phone neither sent nor got one for it"
        scene.facts.record("call.cut_by", PLATFORM, told, scene.number_of(bye))
    ends = [record for record in scene.records if record.record.get("telephony_hangup")]
    for record in ends if len(ends) == 1 else ():  # of several nobody knows which call was cut
        said, why_ended = str(record.record["telephony_hangup"]), record.record.get("end_call_reason")
        told = f"telephony_hangup {said}" + (f", end_call_reason {why_ended}" if why_ended else "")
        scene.facts.record("call.cut_by", _HUNG_UP.get(said), record.source, told)


def _acknowledged(scene: Scene) -> None:
    """Whether the AI's 200 got an ACK. Without one it is repeated, and after 64 times T1 the call ends (RFC 3261 section 13.3.1.4)."""
    answers = [s for s in scene.at_ai if not s.received and 200 <= s.answers("INVITE") < 300]
    for answer in answers:
        call = answer.message.call_id
        same = [s for s in scene.at_ai if s.received and s.message.call_id == call and s.is_request("ACK")]
        again = [s for s in answers if s.message.call_id == call and s.message.cseq == answer.message.cseq]
        if same or len(again) > 1:
            scene.facts.record("ai.ack", "arrived" if same else "none", (same or again)[-1].where)


def _refreshed(scene: Scene) -> None:
    """What became of the AI's last session refresh. One that fails has it end the call (RFC 4028 section 10)."""
    asked = [s for s in scene.at_ai if not s.received and _refreshes(s)]
    for request in asked[-1:]:
        message = request.message
        same = [s for s in scene.at_ai if s.received and s.message.call_id == message.call_id]
        finals = [s for s in same if s.answers(message.cseq.method) >= 200 and s.message.cseq == message.cseq]
        taken = any(s.answers(message.cseq.method) < 300 for s in finals)
        value = "none" if not finals else "accepted" if taken else "refused"
        scene.facts.record("ai.refresh", value, request.where, *(s.where for s in finals[-1:]))


def _refreshes(seen: Seen) -> bool:
    try:
        asks = seen.message.cseq.method in ("INVITE", "UPDATE") and seen.message.has("Session-Expires")
    except SipSyntaxError:
        return False
    return asks and is_within(seen.message)


def _byes(scene: Scene) -> list[SipMessage]:
    """Those that a harness phone got."""
    received = (e for e in scene.events if isinstance(e, SipMessage) and e.direction == "received")
    return [e for e in received if e.text.startswith("BYE ")]


def _spoke(scene: Scene) -> None:
    """Whether the AI sent any sound: a stand-in counts its packets, Synthflow's record of a call that is over quotes it."""
    for event in scene.last_statistics:
        if scene.vantage.role(event.phone) == "ai" and event.tx_packets:
            scene.facts.record("ai.spoke", True, f"{event.leg} sent {event.tx_packets} packets")
    for record in scene.records:
        if said(as_text(record.record.get("transcript")), "bot"):
            scene.facts.record("ai.spoke", True, record.source)
    for event in scene.last_statistics:
        if scene.vantage.role(event.phone) == "ai":
            scene.facts.record("ai.spoke", False, f"{event.leg} sent no packet")
    # A transcript without a word of the AI's leaves it open, be it empty or null: some interfaces never have one. Of silence that
    # arrives a record without any does, too.
    silent = scene.facts.value("audio.to_caller") == "silent RTP"
    told = [record.record for record in scene.records]
    if not any("transcript" in r or (silent and "status" in r) for r in told):
        scene.facts.record("ai.spoke", "nobody says otherwise")
