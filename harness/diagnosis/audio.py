"""Facts on what each side hears of the other."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from harness.audio.marks import VOICES, reply_to
from harness.calls.events import PACKET_S, FarEndReport, LegStarted, MarkHeard, MediaState, RtpStatistics
from harness.calls.verdict import Finding, Strength, Verdict
from harness.diagnosis import sdp
from harness.diagnosis.derive import Scene, listed, shown
from harness.diagnosis.messages import Seen, changes_media, of_records, parse
from harness.sip.grammar import host_of

#: Fewer packets than this (half a second of 20 ms each) are no evidence of what the others held.
FEW_PACKETS = 25
#: When the audio of a call that was up came to an end.
CHANGED = "a re-INVITE or UPDATE"
#: Between the last of a voice and the change of the call that cut it off: its answer, the jitter buffer, the detector.
_AT_A_CHANGE_S = 1.0
#: What is heard where no RTP is, or hardly any; and where it is neither a voice nor any other sound that means something.
NO_RTP = ("nothing", "a few packets", "silence")
#: No RTP, and later in the same call what is said.
AT_FIRST_NOTHING = "nothing at first"
UNDECIPHERED = "RTP that the SRTP key does not fit"
NO_VOICE = (*NO_RTP, AT_FIRST_NOTHING, "silent RTP", "RTP of another codec", "noise")
#: What became of RTP, or of the RTCP beside it, on its last way to a harness phone.
ARRIVES, NONE_CAME = "it arrives", "none came"
#: RTP between caller and agent that flowed and then stopped, though no voice was heard in it.
FLOWED = "it flowed, and stopped"
#: What may be heard in the place of a voice, where RTP comes: what says most of its reason first.
_IN_ITS_PLACE = ("crossed", "echo", UNDECIPHERED, "RTP of another codec", "noise", "another sound", "silent RTP")
#: What a recording may hold that somebody made on purpose, and no broken channel does.
_SOUNDS = ("another party", "announcement", "voicemail", "speech", "tone", "music")


def tell(scene: Scene) -> None:
    """Make all of them known that can be."""
    facts = scene.facts
    at = {"caller": "audio.to_caller", "ai": "audio.to_ai", "agent": "audio.agent"}
    for finding in scene.of("audio.crossed"):  # which may be heard beneath the right voice
        if scene.failed(finding) and (role := scene.vantage.made_by(finding)) in at:
            facts.record(at[role], "crossed", finding.actual)
    told: dict[str, list[Finding]] = {"audio.to_ai": [], "audio.to_caller": [], "audio.agent": []}
    for finding in scene.of("audio"):
        told[direction_of(scene, finding)].append(finding)
    for name in ("audio.to_ai", "audio.to_caller"):
        if told[name]:
            worst = next((f for f in told[name] if scene.failed(f)), told[name][0])
            what = _heard(scene, worst)
            late = what in NO_RTP and _came_later(scene, worst, told[name])
            facts.record(name, AT_FIRST_NOTHING if late else what, *shown(worst))
            if worst.facts.get("kind") == "other-codec":  # whatever was agreed on
                facts.record("codec.sides", "different", worst.actual)
            if name == "audio.to_ai" and scene.failed(worst) and worst.facts.get("kind") == "unheard":
                facts.record("words.to_ai", "none", *shown(worst))
            last = told[name][-1]
            stopped = scene.failed(last) and (not scene.failed(told[name][0]) or _was_heard(scene, last))
            facts.record("audio.stopped", True if stopped else None, *shown(last))
            if stopped:
                _stopped_at(scene, last, "audio.stopped_at")
    facts.record("audio.stopped", False if told["audio.to_ai"] or told["audio.to_caller"] else None)
    failing = [f for f in told["audio.agent"] if scene.failed(f)]
    if failing:
        facts.record("audio.agent", _with_the_agent(scene, failing), *(s for f in failing for s in shown(f)))
        _stopped_with_agent(scene, told["audio.agent"])
        _rtp_with_agent(scene, failing)
    elif told["audio.agent"]:
        facts.record("audio.agent", "both ways", *shown(told["audio.agent"][0]))
    ai_failed = any(scene.failed(f) for n in ("audio.to_ai", "audio.to_caller") for f in told[n])
    if failing or ai_failed:
        facts.record("audio.phase", "with the AI" if ai_failed else "with the agent only")
    for finding in scene.of("audio"):
        heard = _heard(scene, finding)
        if scene.failed(finding) and heard in NO_RTP:
            _own_side(scene, finding)
        elif heard == "silent RTP":
            _sent(scene, finding.speaker)
    for finding in scene.of("audio.echo"):
        facts.record("echo", True if scene.failed(finding) else None, finding.subject)
    for finding in scene.of("audio"):
        facts.record(
            "echo", True if scene.failed(finding) and finding.facts.get("kind") == "echo" else None, finding.subject
        )


def _own_side(scene: Scene, finding: Finding) -> None:
    """Whether anything of the harness's own may keep RTP from a phone that hears nothing: what has come to it shows otherwise."""
    role = scene.vantage.role(finding.listener)
    fact = f"rtp.{role}"
    if _heard(scene, finding) == "a few packets":
        scene.facts.record(fact, ARRIVES, finding.subject)
    for other in scene.of("audio"):
        if other.verdict is Verdict.PASSED and scene.vantage.role(other.listener) == role:
            scene.facts.record(fact, ARRIVES, other.subject)
    for event in scene.events:
        if scene.vantage.role(event.phone) != role:
            continue
        if isinstance(event, RtpStatistics) and event.rx_packets:
            scene.facts.record(fact, ARRIVES, f"{event.leg} got RTP")
        elif isinstance(event, FarEndReport):
            scene.facts.record(fact, ARRIVES, f"{event.leg} got RTCP")
        elif isinstance(event, MediaState) and _is_of_this_machine(event.remote_rtp):
            scene.facts.record(fact, ARRIVES, f"{event.leg}: {event.remote_rtp} is on this machine")
    is_ours = role != "ai" or scene.axes.get("ai") == "stand-in"
    scene.facts.record(fact, NONE_CAME if is_ours else None, finding.subject)


def _sent(scene: Scene, speaker: str) -> None:
    """Whether RTCP says that what a harness phone sends arrives at the far end (RFC 3550 section 6.4)."""
    role = scene.vantage.role(speaker)
    for event in scene.events:
        if isinstance(event, FarEndReport) and scene.vantage.role(event.phone) == role:
            got = event.names_us and event.received >= FEW_PACKETS
            told = f"the far end of {event.leg} reports {event.received} packets of {event.sent}"
            scene.facts.record(f"sent.{role}", ARRIVES if got else None, told)


def _is_of_this_machine(place: str) -> bool:
    try:
        return ipaddress.ip_address(host_of(place)).is_loopback
    except ValueError:
        return False


def in_force(scene: Scene, heard: str, descriptions: Sequence[Seen]) -> Seen | None:
    """The newest of these when what is sent there, the audio of the fact ``heard``, had failed; or at the end.

    None where none had come, and where nobody can tell: one of a record, which knows no times, may have come later.
    """
    failed = [f.at for f in scene.of("audio") if scene.failed(f) and direction_of(scene, f) == heard]
    until = min(failed, default=scene.over)
    came = [s for s in descriptions if s.describes_audio and (s.at is None or s.at <= until)]
    if any(s.at is None for s in came) and len({sdp.reach(s.sdp, s.remote) for s in came}) > 1:
        return None
    return came[-1] if came else None


def stays_held(descriptions: Sequence[Seen]) -> bool:
    """Whether the first of these holds the media, and the newest: who connects two calls lifts that later (RFC 3725 section 4)."""
    return all(sdp.holds(s.sdp) for s in (descriptions[0], descriptions[-1]))


def tell_beside(scene: Scene, seen: Seen) -> None:
    """Whether an SDP of the platform's names another address than it came from, where somebody who was to be heard was not."""
    unheard = any(scene.failed(finding) for finding in scene.of("audio"))
    named = f"c={sdp.address(seen.sdp)}, from {seen.remote}"
    scene.facts.record("sdp.beside", sdp.is_beside(seen.sdp, seen.remote) if unheard else None, seen.where, named)


def _with_the_agent(scene: Scene, failing: Sequence[Finding]) -> str | None:
    """What is wrong between caller and agent: another call's voice, or where all that fails has RTP what is in it; else which ways.

    None where something is heard, and nobody can tell what.
    """
    kinds = {_heard(scene, f) for f in failing}
    if None in kinds and kinds.isdisjoint(NO_RTP):
        return None
    if "crossed" in kinds or kinds <= {*_IN_ITS_PLACE}:
        return next(kind for kind in _IN_ITS_PLACE if kind in kinds)
    return "none either way" if len({f.subject for f in failing}) >= 2 else "one way"


def _stopped_with_agent(scene: Scene, told: Sequence[Finding]) -> None:
    """Whether of what caller and agent hear of each other something was heard at first, and later not, be it on another leg."""
    listens = scene.vantage.role
    for failed in (f for f in told if scene.failed(f)):
        same = (f for f in told if listens(f.listener) == listens(failed.listener))
        if any(f.at < failed.at and f.verdict is Verdict.PASSED for f in same):
            scene.facts.record("agent.stopped", True, *shown(failed))
            _stopped_at(scene, failed, "agent.stopped_at")


def _rtp_with_agent(scene: Scene, failing: Sequence[Finding]) -> None:
    """Record whether RTP between caller and agent never flowed one way, or reached the agent at first and then stopped.

    Not known where packets came to the caller, which may be the last of the call with the AI, or where they held a sound.
    """
    looks = {finding.listener: finding for finding in reversed(failing)}  # the first at each end
    unheard = [finding for finding in looks.values() if _heard(scene, finding) in NO_RTP]
    for finding in unheard:
        packets = finding.facts.get("rx_packets")
        if finding.facts.get("kind") == "no-rtp" or (isinstance(packets, int) and packets < FEW_PACKETS):
            scene.facts.record("agent.rtp", NONE_CAME, *shown(finding))
    for finding in unheard:
        if scene.vantage.role(finding.listener) == "agent" and finding.facts.get("kind") == "silence":
            scene.facts.record("agent.rtp", FLOWED, *shown(finding))


def _stopped_at(scene: Scene, failed: Finding, fact: str) -> None:
    """Whether the last mark its listener heard came when either leg was changed; in a call that nobody changed it stopped by itself.

    Nobody can tell of a listener that does not say when it heard what, nor of a change that the AI's record shows.
    """
    call = scene.call
    if call is None:
        return
    speaker, listener = failed.speaker, failed.listener
    proved = (f.at for f in scene.of("audio") if f.subject == failed.subject and f.verdict is Verdict.PASSED)
    # a change before they heard each other is what connected them
    since = min((*proved, *(e.began for e in _marks_heard(scene, failed))), default=call.at)
    changes = [
        e
        for leg in (call.leg, speaker, listener)
        for e in scene.messages(leg)
        if call.at < e.at and since <= e.at < failed.at and changes_media(parse(e.text))
    ]
    heard = [e.at for e in scene.events if isinstance(e, MarkHeard) and e.leg == listener and e.at < failed.at]
    for change in changes:
        if heard and abs(change.at - heard[-1]) < _AT_A_CHANGE_S:
            scene.facts.record(fact, CHANGED, scene.number_of(change))
    if any(changes_media(seen.message) for seen in of_records(scene.events)):
        return
    if heard or not changes:
        where = (
            f"{heard[-1] - call.at:.1f} s into the call"
            if heard
            else f"{speaker} was heard, and nobody changed the call"
        )
        scene.facts.record(fact, "nothing in particular", where)


def _was_heard(scene: Scene, finding: Finding) -> bool:
    """Whether the listener, a harness phone, had heard the speaker by then."""
    return any(e.at <= finding.at for e in _marks_heard(scene, finding))


def _came_later(scene: Scene, failed: Finding, told: list[Finding]) -> bool:
    """Whether the listener heard the speaker after all, when nothing had come while it was waited for."""
    found = any(other.at > failed.at and _heard(scene, other) == "heard" for other in told)
    return found or any(e.at > failed.at for e in _marks_heard(scene, failed))


def _marks_heard(scene: Scene, finding: Finding) -> list[MarkHeard]:
    """The speaker's, at the listener."""
    speaker, listener = finding.speaker, finding.listener
    voices: set[int | None] = {e.mark for e in scene.events if isinstance(e, LegStarted) and e.leg == speaker}
    own = {e.mark for e in scene.events if isinstance(e, LegStarted) and e.leg == listener}
    name = speaker.removeprefix("assistant ")
    if scene.deployment is not None and name in scene.deployment.assistants:
        voices |= {scene.deployment.assistants[name].voice} | {reply_to(mark) for mark in own}
    # Without the AI's side nobody knows its voice; that there was a sound is all there is to go by.
    anybody = not scene.vantage.sees("ai")
    heard = (e for e in scene.events if isinstance(e, MarkHeard) and e.leg == listener and e.mark not in own)
    return [e for e in heard if anybody or e.mark in voices]


def direction_of(scene: Scene, finding: Finding) -> str:
    """Which fact an audio finding is about."""
    speaker, listener = finding.speaker, finding.listener
    roles = {scene.vantage.role(speaker), scene.vantage.role(listener)}
    if "ai" not in roles:
        return "audio.agent"
    return "audio.to_ai" if scene.vantage.role(listener) == "ai" else "audio.to_caller"


def _heard(scene: Scene, finding: Finding) -> str | None:
    """``heard``, or what came: ``nothing``, ``a few packets``, ``silence``, ``noise``, ``another sound``, ``crossed``, ``echo``.

    None where nobody can tell, and where one sign says so and another denies it. ``RTP of another codec`` is what no phone plays: of a
    payload type that was not agreed on; nor what the SRTP key does not fit.
    """
    if not scene.failed(finding):
        denied = bool(finding.facts.get("denied_by")) and finding.verdict is not Verdict.PASSED
        return None if denied or finding.strength is Strength.UNKNOWN else "heard"
    kind = finding.facts.get("kind")
    packets = finding.facts.get("rx_packets")
    if kind == "no-rtp" and 0 < received(scene, finding.listener) < FEW_PACKETS:
        kind = "few"  # which came before anybody listened
    foreign = finding.facts.get("foreign")
    if foreign and not scene.vantage.sees("ai") and kind == "crossed":
        kind = "crossed" if all(isinstance(mark, int) and mark < VOICES.start for mark in listed(foreign)) else "other"
    if kind in ("silence", "other", "unmarked") and isinstance(packets, int) and packets < FEW_PACKETS:
        kind = "few" if packets else "no-rtp"
    if kind in ("silence", "other") and isinstance(packets, int):
        listened = finding.facts.get("listened_s")
        came = (packets + _lost(scene, finding.listener)) * _packet_s(scene, finding.listener)
        if isinstance(listened, float) and came <= listened / 2:  # the end of an announcement, say, and nothing since
            kind = "few"
        kind = "silent RTP" if kind == "silence" else kind
    words = {
        "no-rtp": "nothing",
        "few": "a few packets",
        "unmarked": "no mark",
        "silence": "silence",
        "other": "noise",
        "crossed": "crossed",
    }
    words |= {"echo": "echo", "silent RTP": "silent RTP", "other-codec": "RTP of another codec"}
    words |= {"undeciphered": UNDECIPHERED}
    # Without the AI's side nobody can tell what a sound is that is not a mark: it speaks, or it is noise.
    if kind == "other" and not scene.vantage.sees("ai"):
        return None
    if kind == "other" and finding.facts.get("instead") in _SOUNDS:
        return "another sound"
    return words.get(str(kind))


def _lost(scene: Scene, leg: str) -> int:
    """RTP packets that a leg of ours missed in all."""
    return max((e.rx_lost for e in scene.events if isinstance(e, RtpStatistics) and e.leg == leg), default=0)


def _packet_s(scene: Scene, leg: str) -> float:
    """How much audio each RTP packet held that a leg of ours got; 20 ms where nobody counted any."""
    return max((e.packet_s for e in scene.last_statistics if e.leg == leg), default=PACKET_S)


def received(scene: Scene, leg: str) -> int:
    """RTP packets that a leg of ours got in all."""
    return max((e.rx_packets for e in scene.events if isinstance(e, RtpStatistics) and e.leg == leg), default=0)
