"""Facts on an established call: how it was kept up, who ended it, whether the AI spoke in it and
how fast it responded.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.case.check_table import RESPONSIVENESS
from harness.case.events import VoiceInFile
from harness.case.model import CallMessage
from harness.case.verdict import Finding
from harness.diagnosis.audio import direction_of
from harness.diagnosis.refusals import NO_RTP_CAME, is_for_want_of_rtp
from harness.diagnosis.scene import Scene
from harness.sip import why
from harness.witness.transcript import as_text, said

#: Who ended a call, by ``telephony_hangup`` in the AI's record.
_HUNG_UP = {"agent": "the AI", "caller": "the platform, as the AI's record has it"}


def derive(scene: Scene) -> None:
    _other_source(scene)
    _cut(scene)
    _acknowledged(scene)
    _refreshed(scene)
    _spoke(scene)
    _responsiveness(scene)
    for finding in scene.of("transfer.told"):
        scene.record("caller.told", not finding.failed, finding.actual)
    # One announcement that was not heard counts, whatever was heard of the others.
    for finding in sorted(scene.of("announcement"), key=lambda found: not found.failed):
        scene.record("announcement", not finding.failed, finding.subject, finding.actual)
    for finding in scene.of("landing.accepted"):
        scene.record("accept.asked", not finding.failed, finding.subject, finding.actual)


def _other_source(scene: Scene) -> None:
    """Whether RTP comes from another host than the one to which the SDP has it sent."""
    for event in scene.last_statistics:
        role = scene.vantage.role(event.phone)
        if event.rx_elsewhere and role in ("ai", "caller"):
            words = f"RTP to {event.leg} comes from {event.rx_elsewhere}"
            scene.record(f"rtp.from.{role}", "another host than the SDP names", words)


def _responsiveness(scene: Scene) -> None:
    """How fast the AI responded, by each of the checks that time it."""
    for finding in scene.of(*RESPONSIVENESS):
        if not finding.failed:
            value = "in time"
        elif finding.facts.get("seconds") is None:
            value = "never"
        else:
            value = "late"
        scene.record(finding.check, value, finding.actual)


# -- who ended the call


def _cut(scene: Scene) -> None:
    """Whether a BYE came before something failed that needs a call, to which leg, and from whom."""
    failed = scene.failed("audio", "call.up")
    for finding in scene.failed("phone.wait", role="caller"):
        if finding.facts.get("why") == "the call has ended":
            failed.append(finding)
    for finding in failed:
        byes = _byes_before(scene, finding)
        with_agent = finding.check == "audio" and direction_of(scene, finding) == "audio.agent"
        if not with_agent:
            byes = [bye for bye in byes if scene.vantage.role(bye.phone) == "caller"]
        if not byes:
            continue
        bye, call = byes[0], scene.call_of(finding)
        reported = (f"{bye.leg}", bye.where, *why.stated(bye.message))
        if with_agent:
            scene.record("agent.cut", True, *reported, leg=call)
            for each in byes:
                _reason(scene, "agent.reason", each)
            _agent_cut_by(scene)
        else:
            scene.record("call.cut", True, *reported, leg=call)
            _reason(scene, "call.reason", bye)
            _cut_by(scene, bye)


def _byes_before(scene: Scene, finding: Finding) -> list[CallMessage]:
    """The BYEs that had come to the legs of the finding."""
    legs = {finding.subject, finding.speaker, finding.listener}
    received = [m for m in scene.messages if m.received and m.is_request("BYE")]
    return [bye for bye in received if bye.leg in legs and bye.time <= finding.at]


def _agent_cut_by(scene: Scene) -> None:
    """Whether an AI that called the agent itself, and stayed between the two, hung up before any
    BYE came to it.
    """
    has_called = any(m.begins_dialog for m in scene.sent_by_ai)
    has_left = any(m.is_request("REFER") for m in scene.sent_by_ai)
    if not has_called or has_left:
        return
    first = next((m for m in scene.at_ai if m.is_request("BYE")), None)
    if first is None:
        scene.record("agent.cut_by", "not the AI")
    else:
        scene.record("agent.cut_by", "not the AI" if first.received else "the AI", first.where)


def _reason(scene: Scene, fact: str, bye: CallMessage) -> None:
    if is_for_want_of_rtp(bye):
        scene.record(fact, NO_RTP_CAME, bye.where, *why.stated(bye.message))


def _cut_by(scene: Scene, bye: CallMessage) -> None:
    """Who ended the call: the sender of the first BYE at the AI's side. If a stand-in's phone saw
    none, the platform did.

    Calls that the AI placed do not count. If several calls came to it and ended differently, it is
    unknown which is the caller's.
    """
    first = _first_byes(scene)
    if len({seen.received for seen in first}) == 1:
        for seen in first:
            by = "the platform" if seen.received else "the AI"
            scene.record("call.cut_by", by, seen.where, *why.stated(seen.message))
            _reason(scene, "call.reason", seen)
    if not first and scene.has_stand_in and scene.at_ai:
        words = f"{bye.leg} got a BYE, and the AI's phone neither sent nor got one for it"
        scene.record("call.cut_by", "the platform", words, bye.where)
    _cut_by_record(scene)


def _first_byes(scene: Scene) -> list[CallMessage]:
    """The first BYE of each call that came to the AI; of each call, if no INVITE was seen."""
    came = {invite.message.call_id for invite in scene.invites}
    first: dict[str, CallMessage] = {}
    for seen in scene.at_ai:
        call = seen.message.call_id
        if seen.is_request("BYE") and (call in came or not came):
            first.setdefault(call, seen)
    return list(first.values())


def _cut_by_record(scene: Scene) -> None:
    """The same by the AI's record."""
    ends = [record for record in scene.records if record.record.get("telephony_hangup")]
    if len(ends) != 1:  # of several, it is unknown which call was cut
        return
    content = ends[0].record
    ended, reason = str(content["telephony_hangup"]), content.get("end_call_reason")
    words = f"telephony_hangup {ended}"
    if reason:
        words += f", end_call_reason {reason}"
    scene.record("call.cut_by", _HUNG_UP.get(ended), ends[0].source, words)


# -- how it was kept up


def _acknowledged(scene: Scene) -> None:
    """Whether the AI's 200 got an ACK. Without one it is repeated, and after 64 × T1 the call ends
    (RFC 3261 section 13.3.1.4).
    """
    answers = [m for m in scene.sent_by_ai if m.accepts("INVITE")]
    for answer in answers:
        acks = [m for m in scene.got_by_ai if m.acknowledges(answer)]
        copies = [m for m in answers if m.is_of(answer)]
        if acks:
            scene.record("ai.ack", "arrived", acks[-1].where)
        elif len(copies) > 1:
            scene.record("ai.ack", "none", copies[-1].where)


def _refreshed(scene: Scene) -> None:
    """How the AI's last session refresh was answered. If it fails, the AI ends the call (RFC 4028
    section 10).
    """
    within = [m for m in scene.sent_by_ai if m.is_within and m.method in ("INVITE", "UPDATE")]
    refreshes = [m for m in within if m.message.has("Session-Expires")]
    if not refreshes:
        return
    request = refreshes[-1]
    finals = [m for m in scene.got_by_ai if m.is_final and m.is_of(request)]
    if not finals:
        value = "none"
    elif any(m.status < 300 for m in finals):
        value = "accepted"
    else:
        value = "refused"
    scene.record("ai.refresh", value, request.where, *(m.where for m in finals[-1:]))


def _spoke(scene: Scene) -> None:
    """Whether the AI sent sound: a stand-in counts its packets, and the record of a finished call
    quotes it.
    """
    counted = [event for event in scene.last_statistics if scene.vantage.role(event.phone) == "ai"]
    for event in counted:
        if event.tx_packets:
            scene.record("ai.spoke", True, f"{event.leg} sent {event.tx_packets} packets")
    for record in scene.records:
        if said(as_text(record.record.get("transcript")), "bot"):
            scene.record("ai.spoke", True, record.source)
    recorded = scene.events.of(VoiceInFile)
    for voice in recorded:
        if voice.spoken_s is not None:
            speech = f"{voice.file} has {voice.spoken_s:.1f} s of speech that is not the caller's"
            scene.record("ai.spoke", voice.spoken_s > 0, speech, leg=voice.leg or "")
    for event in counted:
        scene.record("ai.spoke", False, f"{event.leg} sent no packet")
    if not any(_leaves_speech_open(scene, record.record) for record in scene.records):
        scene.record("ai.spoke", "nobody says otherwise")


def _leaves_speech_open(scene: Scene, record: Mapping[str, object]) -> bool:
    """Whether a record that quotes no word of the AI leaves open whether it spoke.

    A transcript does, also an empty one: some interfaces never have one. If silence arrived, so
    does a record without a transcript.
    """
    if "transcript" in record:
        return True
    return scene.value("audio.to_caller") == "silent RTP" and "status" in record
