"""Facts on what each side hears of the other: whether, how well, with which codecs, and by which
SDP.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterator, Sequence

from harness.audio.marks import VOICES, reply_to
from harness.case.check_table import Role
from harness.case.events import (
    PACKET_S,
    FarEndReport,
    LegStarted,
    MarkHeard,
    MarkInFile,
    MediaState,
    RtpInFile,
    RtpStatistics,
)
from harness.case.model import CallMessage
from harness.case.verdict import Finding, Strength, Verdict
from harness.diagnosis import sdp
from harness.diagnosis.passage import digits_arrived
from harness.diagnosis.scene import Scene, listed, shown
from harness.sip.grammar import host_of

#: Fewer packets than this (half a second of 20 ms each) are no evidence of what the others held.
FEW_PACKETS = 25
#: Time between the last of a voice and the change of the call that cut it off: its answer, the
#: jitter buffer, the detector.
_AT_A_CHANGE_S = 1.0
#: What is heard when no RTP comes, or hardly any.
NO_RTP = ("nothing", "a few packets", "silence")
#: What is heard that is neither a voice nor another sound that means something.
NO_VOICE = (*NO_RTP, "nothing at first", "silent RTP", "RTP of another codec", "noise")
_ARRIVES, _NONE_CAME, _FLOWED = "it arrives", "none came", "it flowed, and stopped"
_UNDECIPHERED = "RTP that the SRTP key does not fit"
#: What may be heard in place of a voice when RTP comes; the most telling first.
_IN_ITS_PLACE = (
    "crossed",
    "echo",
    _UNDECIPHERED,
    "RTP of another codec",
    "noise",
    "another sound",
    "silent RTP",
)
#: What may be heard where a voice was at first.
_REPLACED = ("another sound", "no mark", "noise", "RTP of another codec")
#: Sounds that somebody makes on purpose, and no broken channel does.
_SOUNDS = ("another party", "announcement", "voicemail", "speech", "tone", "music")
#: The kind of a finding → what was heard.
_HEARD = {
    "no-rtp": "nothing",
    "few": "a few packets",
    "unmarked": "no mark",
    "silence": "silence",
    "other": "noise",
    "crossed": "crossed",
    "echo": "echo",
    "silent RTP": "silent RTP",
    "other-codec": "RTP of another codec",
    "undeciphered": _UNDECIPHERED,
}
#: A greater share of lost RTP is no longer hidden by codecs (ITU-T G.113 appendix I: G.711 with
#: PLC, some 4 % for Ie,eff of 20).
HEAVY_LOSS = 0.05
#: Level of a voice that is 25 dB below the marks; random payload of G.711 is far above it.
_VERY_QUIET_DBOV = -45.0
#: Share of packets that overtook others. A jitter buffer drops those that are late by more than it
#: holds back.
MUCH_DISORDER = 0.2
#: One way; a conversation does not work beyond it (ITU-T G.114 section 5: "400 ms should not be
#: exceeded").
HIGH_DELAY_MS = 400.0
#: With fewer packets, a share says little.
_FEWEST_PACKETS = 50
_UNCLEAR = {"distorted": "distorted", "other speed": "at another speed"}
_BY_LISTENER = {"caller": "audio.to_caller", "ai": "audio.to_ai", "agent": "audio.agent"}


def derive(scene: Scene) -> None:
    _heard_by_each(scene)
    _quality(scene)
    _codecs(scene)


def _heard_by_each(scene: Scene) -> None:
    """What each side heard of the other, and for a voice that was not heard, how far it came."""
    for finding in scene.failed("audio.crossed"):  # perhaps beneath the right voice
        role = scene.vantage.made_by(finding)
        if role in _BY_LISTENER:
            scene.record(_BY_LISTENER[role], "crossed", finding.actual, leg=scene.call_of(finding))
    for call, reported in _by_call(scene):
        _heard_in(scene, call, reported)
    for finding in scene.failed("audio"):
        heard = _heard(scene, finding)
        is_unclear = finding.facts.get("kind") == "other" and heard is None
        if is_unclear and scene.vantage.sees("ai"):
            scene.show("voice", _voice(finding), finding)
        if heard in NO_RTP:
            _own_side(scene, finding)
        elif heard == "silent RTP":
            _sent(scene, finding.speaker)
        _on_its_way(scene, finding)
    for finding in scene.failed("audio.echo", "audio"):
        if finding.check == "audio.echo" or _heard(scene, finding) == "echo":
            leg = finding.listener or finding.subject
            scene.record("echo", True, finding.subject, leg=leg)


def _by_call(scene: Scene) -> list[tuple[str, list[Finding]]]:
    """The findings of audio, call by call. The case has the facts of a call that failed, so that
    one comes first.
    """
    calls: dict[str, list[Finding]] = {}
    for finding in scene.of("audio"):
        calls.setdefault(scene.call_of(finding), []).append(finding)
    return sorted(calls.items(), key=lambda item: not any(f.failed for f in item[1]))


def _on_its_way(scene: Scene, finding: Finding) -> None:
    """Where a voice that was not heard is lost, by captures that others made of the call."""
    what = f"{finding.speaker}'s mark"
    captured = _mark_captured(scene, finding)
    if not captured and _heard(scene, finding) in NO_RTP:  # of an AI without a mark
        what = f"RTP to {finding.listener}"
        captured = _rtp_captured(scene, finding)
    passed = sorted({place for place, has_passed in captured if has_passed})
    missing = sorted({place for place, has_passed in captured if not has_passed})
    if passed and missing:
        value = "between two captures"
    elif passed:
        value = "behind a capture"
    elif missing:
        value = "ahead of a capture"
    else:
        return
    shown_by = [f"{what} is in {place}" for place in passed]
    shown_by += [f"{what} is not in {place}" for place in missing]
    way = direction_of(scene, finding).replace("audio.", "way.")
    scene.record(way, value, *shown_by, leg=scene.call_of(finding))


#: A place where somebody captured the call, and whether the voice had come so far.
_Captured = tuple[str, bool]


def _mark_captured(scene: Scene, finding: Finding) -> list[_Captured]:
    """Where the speaker's mark was captured since somebody listened for it, or its own RTP."""
    listened_s = finding.facts.get("listened_s")
    since = finding.at - listened_s if isinstance(listened_s, float) else -math.inf
    captured = []
    for mark in scene.events_of(MarkInFile, finding.speaker):
        is_rtp = "→" in mark.made_at  # and no recording
        until = mark.at + (mark.heard_s or mark.covered_s)
        if is_rtp and until > since:
            captured.append((f"{mark.file} ({mark.made_at})", mark.heard_s > 0))
    for rtp in scene.events_of(RtpInFile, finding.speaker):
        if rtp.is_own and rtp.packets >= FEW_PACKETS:
            captured.append((_packets_in(rtp), True))
    return captured


def _rtp_captured(scene: Scene, finding: Finding) -> list[_Captured]:
    """Where RTP to the listener was captured."""
    captured = []
    for rtp in scene.events_of(RtpInFile, finding.listener):
        if not rtp.is_own:
            captured.append((_packets_in(rtp), rtp.packets >= FEW_PACKETS))
    return captured


def _packets_in(rtp: RtpInFile) -> str:
    return f"{rtp.file} ({rtp.made_at}; packets: {rtp.packets})"


def _heard_in(scene: Scene, call: str, findings: Sequence[Finding]) -> None:
    """The same of one call: first between caller and AI, then between caller and agent, who talk
    after a transfer.
    """
    by_fact: dict[str, list[Finding]] = {
        "audio.to_ai": [],
        "audio.to_caller": [],
        "audio.agent": [],
    }
    for finding in findings:
        by_fact[direction_of(scene, finding)].append(finding)
    for fact in ("audio.to_ai", "audio.to_caller"):
        if by_fact[fact]:
            _with_the_ai(scene, fact, by_fact[fact])
    with_ai = by_fact["audio.to_ai"] + by_fact["audio.to_caller"]
    with_agent = by_fact["audio.agent"]
    if with_ai:
        scene.record("audio.stopped", False, leg=call)
    failing = [f for f in with_agent if f.failed]
    if failing:
        heard = _between_caller_and_agent(scene, failing)
        evidence = [line for finding in failing for line in shown(finding)]
        scene.record("audio.agent", heard, *evidence, leg=call)
        _stopped_with_agent(scene, with_agent)
        _rtp_with_agent(scene, failing)
    elif with_agent:
        scene.show("audio.agent", "both ways", with_agent[0])
    if any(f.failed for f in with_ai):
        scene.record("audio.phase", "with the AI", leg=call)
    elif failing:
        scene.record("audio.phase", "with the agent only", leg=call)


def _with_the_ai(scene: Scene, fact: str, findings: Sequence[Finding]) -> None:
    """What one of caller and AI hears of the other, and whether that stopped. ``findings``: the
    findings in order.
    """
    first, last = findings[0], findings[-1]
    worst = next((f for f in findings if f.failed), first)
    heard, kind = _heard(scene, worst), worst.facts.get("kind")
    if heard in NO_RTP and _heard_after(scene, worst, findings):
        heard = "nothing at first"
    scene.show(fact, heard, worst)
    if kind == "other-codec":  # whatever was negotiated
        scene.record("codec.sides", "different", worst.actual, leg=scene.call_of(first))
    if fact == "audio.to_ai" and worst.failed and kind == "unheard":
        scene.show("words.to_ai", "none", worst)
    was_heard = not first.failed or any(e.at <= last.at for e in _marks_heard(scene, last))
    if last.failed and was_heard:
        scene.show("audio.stopped", True, last)
        instead = _heard(scene, last)
        scene.show("audio.later", instead if instead in _REPLACED else None, last)
        _stopped_at(scene, last, "audio.stopped_at")


def _heard_after(scene: Scene, unheard: Finding, findings: Sequence[Finding]) -> bool:
    """Whether the speaker was heard later than that."""
    for finding in findings:
        if finding.at > unheard.at and _heard(scene, finding) == "heard":
            return True
    return any(mark.at > unheard.at for mark in _marks_heard(scene, unheard))


def direction_of(scene: Scene, finding: Finding) -> str:
    """The fact that an audio finding is about."""
    speaker = scene.vantage.role(finding.speaker)
    listener = scene.vantage.role(finding.listener)
    if "ai" not in (speaker, listener):
        return "audio.agent"
    return "audio.to_ai" if listener == "ai" else "audio.to_caller"


def _heard(scene: Scene, finding: Finding) -> str | None:
    """``heard``, or what arrived instead. None if that cannot be known, or if one sign says so and
    another denies it.
    """
    facts = finding.facts
    if not finding.failed and facts.get("observation") == "other_sound":
        return "some sound"  # which shows that RTP came
    if not finding.failed:
        denied = bool(facts.get("denied_by")) and finding.verdict is not Verdict.PASSED
        return None if denied or finding.strength is Strength.UNKNOWN else "heard"
    kind, packets = facts.get("kind"), facts.get("rx_packets")
    if kind == "no-rtp" and 0 < received(scene, finding.listener) < FEW_PACKETS:
        return "a few packets"  # before anybody listened
    if kind == "crossed" and _is_perhaps_the_ai(scene, finding):
        kind = "other"
    if kind in ("silence", "other", "unmarked") and isinstance(packets, int):
        if packets < FEW_PACKETS:
            return "a few packets" if packets else "nothing"
        if kind != "unmarked" and _has_gaps(scene, finding, packets):
            return "a few packets"  # such as the end of an announcement, and nothing since
        if kind == "silence":
            return "silent RTP"
    if kind == "other":
        return _sound(scene, finding)
    return _HEARD.get(str(kind))


def _is_perhaps_the_ai(scene: Scene, finding: Finding) -> bool:
    """Whether the foreign marks may be the voice of an AI whose side is not seen: one of them is
    none that legs send.
    """
    foreign = listed(finding.facts.get("foreign"))
    if not foreign or scene.vantage.sees("ai"):
        return False
    return not all(isinstance(mark, int) and mark < VOICES.start for mark in foreign)


def _has_gaps(scene: Scene, finding: Finding, packets: int) -> bool:
    """Whether RTP came for no more than half of the time in which somebody listened."""
    listened = finding.facts.get("listened_s")
    if not isinstance(listened, float):
        return False
    counted = scene.events_of(RtpStatistics, finding.listener)
    lost = max((e.rx_lost for e in counted), default=0)
    packet_s = counted[-1].packet_s if counted else PACKET_S
    return (packets + lost) * packet_s <= listened / 2


def _sound(scene: Scene, finding: Finding) -> str | None:
    """What a sound is that has no mark; None if it may be the voice."""
    instead = finding.facts.get("instead")
    if not scene.vantage.sees("ai"):
        return None  # it may be the AI speaking
    if instead == "echo":
        return "echo"  # beside the other's voice
    if instead in _SOUNDS:
        return "another sound"
    return _HEARD["other"] if _voice(finding) is None else None


def _voice(finding: Finding) -> str | None:
    """What a sound that is no clear mark is, where it is no noise of a wrong payload: that has the
    level of speech.
    """
    level = finding.facts.get("level_dbov")
    if isinstance(level, float) and level < _VERY_QUIET_DBOV:  # which G.711 distorts
        return "very quiet"
    return _UNCLEAR.get(str(finding.facts.get("instead")))


def received(scene: Scene, leg: str) -> int:
    """RTP packets received by a harness phone's leg in all."""
    return max((e.rx_packets for e in scene.events_of(RtpStatistics, leg)), default=0)


# -- whose side the audio is missing on


def _own_side(scene: Scene, finding: Finding) -> None:
    """Whether anything reached the phone that hears nothing. If so, its own network is not at
    fault.
    """
    role, leg = scene.vantage.role(finding.listener), finding.listener
    for shown_by in _signs_of_arrival(scene, finding, role):
        scene.record(f"rtp.{role}", _ARRIVES, shown_by, leg=leg)
    is_harness_phone = role != "ai" or scene.has_stand_in
    if is_harness_phone:
        scene.record(f"rtp.{role}", _NONE_CAME, finding.subject, leg=leg)


def _signs_of_arrival(scene: Scene, finding: Finding, role: Role) -> Iterator[str]:
    """What shows that RTP arrives at phones of that role."""
    if _heard(scene, finding) == "a few packets":
        yield finding.subject
    for other in scene.of("audio"):
        if other.verdict is Verdict.PASSED and scene.vantage.role(other.listener) == role:
            yield other.subject
    for counters in scene.reported(RtpStatistics, role):
        if counters.rx_packets:
            yield f"{counters.leg} got RTP"
    for report in scene.reported(FarEndReport, role):
        yield f"{report.leg} got RTCP"
    for media in scene.reported(MediaState, role):
        if _is_loopback(media.remote_rtp):
            yield f"{media.leg}: {media.remote_rtp} is on this machine"


def _is_loopback(place: str) -> bool:
    try:
        return ipaddress.ip_address(host_of(place)).is_loopback
    except ValueError:
        return False


def _sent(scene: Scene, speaker: str) -> None:
    """Whether RTCP says that the speaker's RTP arrives at the far end (RFC 3550 section 6.4)."""
    role = scene.vantage.role(speaker)
    for report in scene.reported(FarEndReport, role):
        if report.names_us and report.received >= FEW_PACKETS:
            counts = f"{report.received} packets of {report.sent}"
            words = f"the far end of {report.leg} reports {counts}"
            scene.record(f"sent.{role}", _ARRIVES, words, leg=report.leg)


# -- what session descriptions say of it


def in_force(scene: Scene, heard: str, descriptions: Sequence[CallMessage]) -> CallMessage | None:
    """The newest of the descriptions at the time when the audio of the fact ``heard`` had failed,
    or at the end.

    None without one, and if that cannot be known: messages in a record have no time, so that one of
    them may have come later.
    """
    failed = [f.at for f in scene.failed("audio") if direction_of(scene, f) == heard]
    until = min(failed, default=scene.over)
    came = [m for m in descriptions if m.describes_audio and (m.at is None or m.at <= until)]
    has_times = all(m.at is not None for m in came)
    if not has_times and len({sdp.reach(m.sdp, m.remote) for m in came}) > 1:
        return None
    return came[-1] if came else None


def stays_held(descriptions: Sequence[CallMessage]) -> bool:
    """Whether the first and the newest of these hold the media. Connecting two calls ends a hold
    later (RFC 3725 section 4).
    """
    return sdp.holds(descriptions[0].sdp) and sdp.holds(descriptions[-1].sdp)


def record_beside(scene: Scene, seen: CallMessage) -> None:
    """Record whether the platform's SDP names another address than it came from, if somebody was
    not heard.
    """
    if scene.failed("audio"):
        named = f"c={sdp.address(seen.sdp)}, from {seen.remote}"
        scene.record("sdp.beside", sdp.is_beside(seen.sdp, seen.remote), seen.where, named)


# -- caller and agent


def _between_caller_and_agent(scene: Scene, failing: Sequence[Finding]) -> str | None:
    """What is wrong between caller and agent: what is heard instead if RTP comes, else which ways
    fail.

    None if something is heard that cannot be identified.
    """
    kinds = {_heard(scene, finding) for finding in failing}
    if None in kinds and kinds.isdisjoint(NO_RTP):
        return None
    if "crossed" in kinds or kinds <= set(_IN_ITS_PLACE):
        return next(kind for kind in _IN_ITS_PLACE if kind in kinds)
    ways = {finding.subject for finding in failing}
    return "none either way" if len(ways) >= 2 else "one way"


def _stopped_with_agent(scene: Scene, findings: Sequence[Finding]) -> None:
    """Whether caller or agent heard the other at first and later not, perhaps on another leg."""
    role = scene.vantage.role
    for failed in findings:
        if not failed.failed:
            continue
        listener = role(failed.listener)
        before = [f for f in findings if f.at < failed.at and role(f.listener) == listener]
        if any(f.verdict is Verdict.PASSED for f in before):
            scene.show("agent.stopped", True, failed)
            _stopped_at(scene, failed, "agent.stopped_at")


def _rtp_with_agent(scene: Scene, failing: Sequence[Finding]) -> None:
    """Record whether RTP between caller and agent never flowed one way, or reached the agent at
    first and then stopped.

    Not known if packets came to the caller, which may be the last of the call with the AI, or if
    they held a sound.
    """
    first_looks = {finding.listener: finding for finding in reversed(failing)}
    unheard = [finding for finding in first_looks.values() if _heard(scene, finding) in NO_RTP]
    at_agent = [finding for finding in unheard if scene.vantage.role(finding.listener) == "agent"]
    for finding in at_agent:
        before = received(scene, finding.listener)  # before anybody listened
        if finding.facts.get("kind") == "no-rtp" and before >= FEW_PACKETS:
            scene.show("agent.rtp", _FLOWED, finding)
    for finding in unheard:
        packets = finding.facts.get("rx_packets")
        has_few = isinstance(packets, int) and packets < FEW_PACKETS
        if finding.facts.get("kind") == "no-rtp" or has_few:
            scene.show("agent.rtp", _NONE_CAME, finding)
    for finding in at_agent:
        if finding.facts.get("kind") == "silence":
            scene.show("agent.rtp", _FLOWED, finding)


# -- audio that stopped


def _stopped_at(scene: Scene, failed: Finding, fact: str) -> None:
    """Whether the last mark that the listener heard came when either leg was changed; without a
    change, audio stopped by itself.

    Not known of a listener that does not say when it heard what, nor after a change that only the
    AI's record shows.
    """
    leg = scene.call_of(failed)
    call = next((began for began in scene.legs if began.leg == leg), scene.call)
    if call is None:
        return
    changes = _changes_before(scene, call, failed)
    heard = [e.at for e in scene.events_of(MarkHeard, failed.listener) if e.at < failed.at]
    for change in changes:
        if heard and abs(change.time - heard[-1]) < _AT_A_CHANGE_S:
            scene.record(fact, "a re-INVITE or UPDATE", change.where, leg=leg)
    if any(seen.changes_media for seen in scene.in_records):
        return
    if heard:
        words = f"{heard[-1] - call.at:.1f} s into the call"
        scene.record(fact, "nothing in particular", words, leg=leg)
    elif not changes:
        words = f"{failed.speaker} was heard, and the call was not changed"
        scene.record(fact, "nothing in particular", words, leg=leg)


def _changes_before(scene: Scene, call: LegStarted, failed: Finding) -> list[CallMessage]:
    """The changes of media on the call's legs, since the two heard each other: one before that is
    what connected them.
    """
    heard = [event.began for event in _marks_heard(scene, failed)]
    for finding in scene.of("audio"):
        if finding.subject == failed.subject and finding.verdict is Verdict.PASSED:
            heard.append(finding.at)
    since = min(heard, default=call.at)
    changes: list[CallMessage] = []
    for leg in dict.fromkeys((call.leg, failed.speaker, failed.listener)):
        changes += [m for m in scene.messages_on(leg) if m.changes_media]
    return [m for m in changes if call.at < m.time and since <= m.time < failed.at]


def _marks_heard(scene: Scene, finding: Finding) -> list[MarkHeard]:
    """The speaker's marks at the listener. Without the AI's side its voice is unknown, and any mark
    counts.
    """
    own = {leg.mark for leg in scene.legs if leg.leg == finding.listener}
    heard = [e for e in scene.events_of(MarkHeard, finding.listener) if e.mark not in own]
    if not scene.vantage.sees("ai"):
        return heard
    voices: set[int | None] = {leg.mark for leg in scene.legs if leg.leg == finding.speaker}
    name = finding.speaker.removeprefix("assistant ")
    if scene.deployment is not None and name in scene.deployment.assistants:
        # The AI says its own mark, or answers the listener's.
        voices.add(scene.deployment.assistants[name].voice)
        voices |= {reply_to(mark) for mark in own}
    return [e for e in heard if e.mark in voices]


# -- quality and codecs


def _quality(scene: Scene) -> None:
    """What impairs a voice that is heard: first what checks found, then what the legs' own counters
    say.
    """
    heard = {scene.value("audio.to_ai"), scene.value("audio.to_caller")} == {"heard"}
    # A fault that loses every digit, of many packets each, and no voice affects telephone-events
    # alone.
    of_digits = digits_arrived(scene) == "none" and heard
    for finding in scene.failed("audio.loss"):
        _lost(scene, finding, of_digits=of_digits)
    for finding in scene.failed("audio.level"):
        scene.show("level", "wrong", finding)
    for finding in scene.failed("audio.first"):
        unseen = scene.vantage.role(finding.speaker) == "ai" and not scene.has_stand_in
        scene.show("audio.first", "late, or said late" if unseen else "late", finding)
    for finding in scene.failed("audio.words"):
        scene.show("words", "cut", finding)
    for finding in scene.failed("audio.beneath"):
        is_voice = finding.facts.get("kind") == "voice"
        scene.show("beneath", "the AI" if is_voice else "another sound", finding)
    for finding in scene.failed("audio.delay", "audio.one_way_delay"):
        if finding.facts.get("delay_ms") is not None:  # a probe that was not heard has no delay
            scene.show("delay", "high", finding)
    counted = [e for e in scene.last_statistics if _is_with_the_ai(scene, e.leg or e.phone)]
    for event in counted:
        _counted(scene, event, of_digits=of_digits)
    if counted:
        scene.record("loss", "little")
        scene.record("delay", "low")


def _lost(scene: Scene, finding: Finding, *, of_digits: bool) -> None:
    """What kind of loss the check of a leg's RTP found."""
    facts = finding.facts
    turns, still = facts.get("turns", 0), facts.get("still", 0)
    if turns or still:
        scene.show("order", "two sources" if turns >= still else "still timestamps", finding)
    elif facts.get("spanned_s") is not None:  # what was never sent has no sequence number
        scene.show("loss", "none, but packets that were never sent", finding)
    else:
        counts = [facts.get(name, 0) for name in ("lost", "late", "bursts", "events")]
        scene.show("loss", _loss(*counts, of_digits=of_digits), finding)


def _counted(scene: Scene, event: RtpStatistics, *, of_digits: bool) -> None:
    """What a leg's last counters show, whether or not a check looked at them."""
    if event.rtt_ms > 2 * HIGH_DELAY_MS:
        words = f"{event.leg}: round trip {event.rtt_ms:.0f} ms by RTCP"
        scene.record("delay", "high", words, leg=event.leg)
    expected = event.rx_expected
    if expected < _FEWEST_PACKETS:
        return
    if (event.rx_lost + event.rx_late) / expected > HEAVY_LOSS:
        words = f"{event.leg} lost {event.rx_lost} of {expected} packets"
        if event.rx_late:
            words += f", and {event.rx_late} came too late"
        counts = [event.rx_lost, event.rx_late, event.rx_bursts, event.rx_events_missing]
        scene.record("loss", _loss(*counts, of_digits=of_digits), words, leg=event.leg)
    if event.rx_reordered / expected > MUCH_DISORDER:
        words = f"{event.leg} got {event.rx_reordered} of {expected} packets after later ones"
        scene.record("order", "broken", words, leg=event.leg)


def _loss(lost: int, late: int, bursts: int, events: int, *, of_digits: bool) -> str:
    """What kind of loss it is, where too much is lost: ``events`` beside telephone-events."""
    if of_digits or 2 * events > lost:
        return "of digits alone"
    if late > lost:
        return "packets that came too late"
    return "one gap" if bursts == 1 else "heavy"


def _is_with_the_ai(scene: Scene, end: str) -> bool:
    """Whether a leg takes part in the conversation with the AI. RTP of another conversation is no
    reason for what is heard in it.

    Not an agent's leg, nor the one that the caller's phone placed on a REFER, unless audio with the
    AI failed there.
    """
    placed_later = {leg.leg for leg in scene.legs if leg.replaces is not None}
    if scene.vantage.role(end) != "agent" and end not in placed_later:
        return True
    failed = [f for f in scene.failed("audio") if direction_of(scene, f) != "audio.agent"]
    return any(end in (f.speaker, f.listener) for f in failed)


def _codecs(scene: Scene) -> None:
    """The codecs with which the call began. A record has only the newest, which a re-INVITE may
    have changed.
    """
    media = [e for e in scene.events.of(MediaState) if e.codec]
    own = [e for e in media if scene.call and e.leg == scene.call.leg]
    theirs = [(e.codec, str(e.leg)) for e in media if scene.vantage.role(e.phone) == "ai"]
    reported = theirs or _recorded_codecs(scene)
    if not own or not reported:
        return
    mine = _at_the_answer(scene, own) if theirs else own[-1]
    codec, where = reported[0]
    value = "the same" if mine.codec.upper() == codec.upper() else "different"
    scene.record("codec.sides", value, f"{mine.leg} has {mine.codec}", f"{where} has {codec}")


def _recorded_codecs(scene: Scene) -> list[tuple[str, str]]:
    """The codecs that the AI's records name, each with the record's source."""
    found = []
    for record in scene.records:
        codec = record.witness("codec")
        if isinstance(codec, str) and codec:
            found.append((codec, record.source))
    return found


def _at_the_answer(scene: Scene, media: list[MediaState]) -> MediaState:
    """What was negotiated when the call was answered. An announcement may have had another codec
    (RFC 3960 section 3.1).
    """
    answered = scene.state(media[0].leg, "confirmed")
    before = [each for each in media if answered is not None and each.at <= answered.at]
    return before[-1] if before else media[0]
