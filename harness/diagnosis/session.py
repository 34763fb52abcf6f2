"""Facts on an established call: how it was kept up, who ended it, whether the AI spoke in it and
how fast it responded.
"""

from __future__ import annotations

from harness.case.check_table import RESPONSIVENESS
from harness.case.events import VoiceInFile
from harness.case.model import CallMessage
from harness.diagnosis.audio import direction_of
from harness.diagnosis.refusals import NO_RTP_CAME, is_for_want_of_rtp
from harness.diagnosis.scene import Scene
from harness.sip import why
from harness.witness.transcript import as_text, said

#: Who ended a call, by ``telephony_hangup`` in the AI's record.
_HUNG_UP = {"agent": "the AI", "caller": "the platform, as the AI's record has it"}


def derive(scene: Scene) -> None:
    for event in scene.last_statistics:
        if event.rx_elsewhere and (role := scene.vantage.role(event.phone)) in ("ai", "caller"):
            words = f"RTP to {event.leg} comes from {event.rx_elsewhere}"
            scene.record(f"rtp.from.{role}", "another host than the SDP names", words)
    _cut(scene)
    _acknowledged(scene)
    _refreshed(scene)
    _spoke(scene)
    for finding in scene.of(*RESPONSIVENESS):
        never = finding.failed and finding.facts.get("seconds") is None
        scene.record(
            finding.check,
            "never" if never else "late" if finding.failed else "in time",
            finding.actual,
        )
    for finding in scene.of("transfer.told"):
        scene.record("caller.told", not finding.failed, finding.actual)
    for finding in sorted(scene.of("announcement"), key=lambda found: not found.failed):
        scene.record("announcement", not finding.failed, finding.subject, finding.actual)
    for finding in scene.of("landing.accepted"):
        scene.record("accept.asked", not finding.failed, finding.subject, finding.actual)


# -- who ended the call


def _cut(scene: Scene) -> None:
    """Whether a BYE came before something failed that needs a call, to which leg, and from whom."""
    failed = scene.failed("audio", "call.up")
    failed += [
        f
        for f in scene.failed("phone.wait", role="caller")
        if f.facts.get("why") == "the call has ended"
    ]
    for finding in failed:
        legs = {finding.subject, finding.speaker, finding.listener}
        with_agent = finding.check == "audio" and direction_of(scene, finding) == "audio.agent"
        received = (
            m for m in scene.messages if m.received and m.is_request("BYE") and m.leg in legs
        )
        byes = [m for m in received if m.time <= finding.at]
        bye = next((m for m in byes if with_agent or scene.vantage.role(m.phone) == "caller"), None)
        if bye is None:
            continue
        reported, call = (f"{bye.leg}", bye.where, *why.stated(bye.message)), scene.call_of(finding)
        scene.record("agent.cut" if with_agent else "call.cut", True, *reported, leg=call)
        if with_agent:
            for each in byes:
                _reason(scene, "agent.reason", each)
            _agent_cut_by(scene)
        else:
            _reason(scene, "call.reason", bye)
            _cut_by(scene, bye)


def _agent_cut_by(scene: Scene) -> None:
    """Whether an AI that called the agent itself, and stayed between the two, hung up before any
    BYE came to it.
    """
    if any(m.begins_dialog for m in scene.sent_by_ai) and not any(
        m.is_request("REFER") for m in scene.sent_by_ai
    ):
        first = next((m for m in scene.at_ai if m.is_request("BYE")), None)
        by_ai = first is not None and not first.received
        scene.record(
            "agent.cut_by", "the AI" if by_ai else "not the AI", first.where if first else ""
        )


def _reason(scene: Scene, fact: str, bye: CallMessage) -> None:
    if is_for_want_of_rtp(bye):
        scene.record(fact, NO_RTP_CAME, bye.where, *why.stated(bye.message))


def _cut_by(scene: Scene, bye: CallMessage) -> None:
    """Who ended the call: the sender of the first BYE at the AI's side. If a stand-in's phone saw
    none, the platform did.

    Calls that the AI placed do not count. If several calls came to it and ended differently, it is
    unknown which is the caller's.
    """
    came = {invite.message.call_id for invite in scene.invites}
    first: dict[str, CallMessage] = {}
    for seen in scene.at_ai:
        if seen.is_request("BYE") and (seen.message.call_id in came or not came):
            first.setdefault(seen.message.call_id, seen)
    if len({seen.received for seen in first.values()}) == 1:
        for seen in first.values():
            by = "the platform" if seen.received else "the AI"
            scene.record("call.cut_by", by, seen.where, *why.stated(seen.message))
            _reason(scene, "call.reason", seen)
    if not first and scene.has_stand_in and scene.at_ai:
        words = f"{bye.leg} got a BYE, and the AI's phone neither sent nor got one for it"
        scene.record("call.cut_by", "the platform", words, bye.where)
    ends = [record for record in scene.records if record.record.get("telephony_hangup")]
    if len(ends) == 1:  # of several, it is unknown which call was cut
        ended, reason = (
            str(ends[0].record["telephony_hangup"]),
            ends[0].record.get("end_call_reason"),
        )
        words = f"telephony_hangup {ended}" + (f", end_call_reason {reason}" if reason else "")
        scene.record("call.cut_by", _HUNG_UP.get(ended), ends[0].source, words)


# -- how it was kept up


def _acknowledged(scene: Scene) -> None:
    """Whether the AI's 200 got an ACK. Without one it is repeated, and after 64 × T1 the call ends
    (RFC 3261 section 13.3.1.4).
    """
    answers = [m for m in scene.sent_by_ai if m.accepts("INVITE")]
    for answer in answers:
        acks = [m for m in scene.got_by_ai if m.acknowledges(answer)]
        again = [m for m in answers if m.is_of(answer)]
        if acks or len(again) > 1:
            scene.record("ai.ack", "arrived" if acks else "none", (acks or again)[-1].where)


def _refreshed(scene: Scene) -> None:
    """How the AI's last session refresh was answered. If it fails, the AI ends the call (RFC 4028
    section 10).
    """
    refreshes = (m for m in scene.sent_by_ai if m.is_within and m.method in ("INVITE", "UPDATE"))
    for request in [m for m in refreshes if m.message.has("Session-Expires")][-1:]:
        finals = [m for m in scene.got_by_ai if m.is_final and m.is_of(request)]
        taken = any(m.status < 300 for m in finals)
        value = "none" if not finals else "accepted" if taken else "refused"
        scene.record("ai.refresh", value, request.where, *(m.where for m in finals[-1:]))


def _spoke(scene: Scene) -> None:
    """Whether the AI sent sound: a stand-in counts its packets, and the record of a finished call
    quotes it.
    """
    counted = [event for event in scene.last_statistics if scene.vantage.role(event.phone) == "ai"]
    for event in counted:
        scene.record(
            "ai.spoke",
            bool(event.tx_packets) or None,
            f"{event.leg} sent {event.tx_packets} packets",
        )
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
    # A transcript without a word of the AI leaves it open, also an empty one: some interfaces never
    # have one. If silence arrived, so does a record without a transcript.
    silent = scene.value("audio.to_caller") == "silent RTP"
    reported = [record.record for record in scene.records]
    if not any("transcript" in record or (silent and "status" in record) for record in reported):
        scene.record("ai.spoke", "nobody says otherwise")
