"""Facts on an established call: audio, who calls, headers, digits."""

from __future__ import annotations

import re

from harness.audio.marks import VOICES, reply_to
from harness.checks import identity, manners
from harness.diagnosis.derive import Scene, listed, same_number
from harness.diagnosis.messages import Seen
from harness.events import LegStarted, MarkHeard, MediaState, RtpStatistics, SipMessage
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Request
from harness.verdict import Finding, Strength, Verdict

#: RTP lost: what codecs' concealment no longer hides (ITU-T G.113 appendix I: G.711 with PLC, some 4 % for Ie,eff of 20).
HEAVY_LOSS = 0.05
#: Packets that overtook others; a jitter buffer has to drop those that are overtaken by more than it holds back.
MUCH_DISORDER = 0.2
#: Fewer packets than this (half a second of 20 ms each) are no evidence of what the others held.
FEW_PACKETS = 25
_PACKET_S = 0.02
#: One way; beyond it a conversation does not work for any task (ITU-T G.114 section 5: "400 ms should not be exceeded").
HIGH_DELAY_MS = 400.0
#: Between the last of a voice and the re-INVITE that cut it off: its answer, the jitter buffer, the detector.
_AT_A_CHANGE_S = 1.0


def tell(scene: Scene) -> None:
    """Make all of them known that can be."""
    _audio(scene)
    for finding in scene.of("dtmf"):
        scene.facts.record("digits", _digits(scene, finding), *finding.evidence)
    _quality(scene)
    _codecs(scene)
    _caller_id(scene)
    _headers(scene)
    _cut(scene)
    _acknowledged(scene)
    _refreshed(scene)
    _spoke(scene)
    for finding in scene.of("phone.wait"):
        if is_unsent_digit(finding):
            scene.facts.record("digits", "could not be sent", finding.actual.splitlines()[0])
    _pressed(scene)
    for finding in scene.of(*manners.WHAT):
        in_time = "late" if scene.failed(finding) else "in time"
        never = scene.failed(finding) and finding.facts.get("seconds") is None
        scene.facts.record(finding.check, "never" if never else in_time, finding.actual)


# -- audio


def _audio(scene: Scene) -> None:
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
            facts.record(name, AT_FIRST_NOTHING if late else what, *_shown(worst))
            if worst.facts.get("kind") == "other-codec":  # whatever was agreed on
                facts.record("codec.sides", "different", worst.actual)
            if name == "audio.to_ai" and scene.failed(worst) and worst.facts.get("kind") == "unheard":
                facts.record("words.to_ai", "none", *_shown(worst))
            last = told[name][-1]
            stopped = scene.failed(last) and (not scene.failed(told[name][0]) or _was_heard(scene, last))
            facts.record("audio.stopped", True if stopped else None, *_shown(last))
            if stopped:
                _stopped_at(scene, last)
    facts.record("audio.stopped", False if told["audio.to_ai"] or told["audio.to_caller"] else None)
    failing = [f for f in told["audio.agent"] if scene.failed(f)]
    if failing:
        both = len(failing) >= 2
        kinds = {_heard(scene, f) for f in failing}
        value = "crossed" if "crossed" in kinds else "none either way" if both else "one way"
        facts.record("audio.agent", value, *(s for f in failing for s in _shown(f)))
    elif told["audio.agent"]:
        facts.record("audio.agent", "both ways", *_shown(told["audio.agent"][0]))
    ai_failed = any(scene.failed(f) for n in ("audio.to_ai", "audio.to_caller") for f in told[n])
    if failing or ai_failed:
        facts.record("audio.phase", "with the AI" if ai_failed else "with the agent only")
    for finding in scene.of("audio.echo"):
        facts.record("echo", True if scene.failed(finding) else None, finding.subject)


def _stopped_at(scene: Scene, failed: Finding) -> None:
    """Whether the last mark its listener heard came when the call was changed; in a call that nobody changed it stopped by itself.

    Nobody can tell of a listener that does not say when it heard what.
    """
    call = scene.call
    if call is None:
        return
    speaker, listener = failed.speaker, failed.listener
    changes = [
        e
        for e in scene.events
        if isinstance(e, SipMessage) and e.leg == call.leg and e.text.startswith("INVITE ") and _in_dialog(e)
        if call.at < e.at < failed.at
    ]
    heard = [e.at for e in scene.events if isinstance(e, MarkHeard) and e.leg == listener and e.at < failed.at]
    for change in changes:
        if heard and abs(change.at - heard[-1]) < _AT_A_CHANGE_S:
            scene.facts.record("audio.stopped_at", "a re-INVITE", scene.number_of(change))
    if heard or not changes:
        where = (
            f"{heard[-1] - call.at:.1f} s into the call"
            if heard
            else f"{speaker} was heard, and nobody changed the call"
        )
        scene.facts.record("audio.stopped_at", "nothing in particular", where)


def _in_dialog(event: SipMessage) -> bool:
    return re.search(r"^(To|t)\s*:.*;\s*tag=", event.text, re.I | re.M) is not None


def _was_heard(scene: Scene, finding: Finding) -> bool:
    """Whether the listener, a phone of ours, had heard the speaker by then."""
    return any(at <= finding.at for at in _moments_heard(scene, finding))


def _came_later(scene: Scene, failed: Finding, told: list[Finding]) -> bool:
    """Whether the listener heard the speaker after all, when nothing had come while it was waited for."""
    found = any(other.at > failed.at and _heard(scene, other) == "heard" for other in told)
    return found or any(at > failed.at for at in _moments_heard(scene, failed))


def _moments_heard(scene: Scene, finding: Finding) -> list[float]:
    speaker, listener = finding.speaker, finding.listener
    voices: set[int | None] = {e.mark for e in scene.events if isinstance(e, LegStarted) and e.leg == speaker}
    own = {e.mark for e in scene.events if isinstance(e, LegStarted) and e.leg == listener}
    name = speaker.removeprefix("assistant ")
    if scene.deployment is not None and name in scene.deployment.assistants:
        voices |= {scene.deployment.assistants[name].voice} | {reply_to(mark) for mark in own}
    # Without the AI's side nobody knows its voice; that there was a sound is all there is to go by.
    anybody = not scene.vantage.sees("ai")
    heard = (e for e in scene.events if isinstance(e, MarkHeard) and e.leg == listener and e.mark not in own)
    return [e.at for e in heard if anybody or e.mark in voices]


def direction_of(scene: Scene, finding: Finding) -> str:
    """Which fact an audio finding is about."""
    speaker, listener = finding.speaker, finding.listener
    roles = {scene.vantage.role(speaker), scene.vantage.role(listener)}
    if "ai" not in roles:
        return "audio.agent"
    return "audio.to_ai" if scene.vantage.role(listener) == "ai" else "audio.to_caller"


#: What is heard where no RTP is, or hardly any; and where it is neither a voice nor any other sound that means something.
NO_RTP = ("nothing", "a few packets", "silence")
#: No RTP, and later in the same call what is said.
AT_FIRST_NOTHING = "nothing at first"
NO_VOICE = (*NO_RTP, AT_FIRST_NOTHING, "silent RTP", "RTP of another codec", "noise")
#: What a recording may hold that somebody made on purpose, and no broken channel does.
_SOUNDS = ("another party", "announcement", "voicemail", "speech", "tone", "music")


def _heard(scene: Scene, finding: Finding) -> str | None:
    """``heard``, or what came: ``nothing``, ``a few packets``, ``silence``, ``noise``, ``another sound``, ``crossed``, ``echo``.

    None where nobody can tell, and where one sign says so and another denies it. ``RTP of another codec`` is what no phone plays: of a
    payload type that was not agreed on.
    """
    if not scene.failed(finding):
        denied = bool(finding.facts.get("denied_by")) and finding.verdict is not Verdict.PASSED
        return None if denied or finding.strength is Strength.UNKNOWN else "heard"
    kind = finding.facts.get("kind")
    packets = finding.facts.get("rx_packets")
    if kind == "no-rtp" and 0 < _received(scene, finding.listener) < FEW_PACKETS:
        kind = "few"  # which came before anybody listened
    foreign = finding.facts.get("foreign")
    if foreign and not scene.vantage.sees("ai") and kind == "crossed":
        kind = "crossed" if all(isinstance(mark, int) and mark < VOICES.start for mark in listed(foreign)) else "other"
    if kind in ("silence", "other", "unmarked") and isinstance(packets, int) and packets < FEW_PACKETS:
        kind = "few" if packets else "no-rtp"
    if kind in ("silence", "other") and isinstance(packets, int):
        listened, came = finding.facts.get("listened_s"), (packets + _lost(scene, finding.listener)) * _PACKET_S
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
    # Without the AI's side nobody can tell what a sound is that is not a mark: it speaks, or it is noise.
    if kind == "other" and not scene.vantage.sees("ai"):
        return None
    if kind == "other" and finding.facts.get("instead") in _SOUNDS:
        return "another sound"
    return words.get(str(kind))


def _lost(scene: Scene, leg: str) -> int:
    """RTP packets that a leg of ours missed in all."""
    return max((e.rx_lost for e in scene.events if isinstance(e, RtpStatistics) and e.leg == leg), default=0)


def _received(scene: Scene, leg: str) -> int:
    """RTP packets that a leg of ours got in all."""
    return max((e.rx_packets for e in scene.events if isinstance(e, RtpStatistics) and e.leg == leg), default=0)


def _shown(finding: Finding) -> tuple[str, ...]:
    return (*finding.evidence, f"{finding.subject}: {finding.actual}")


def _cut(scene: Scene) -> None:
    """Whether a BYE came before something failed that needs a call, to which leg, and from whom."""
    failed = [f for f in scene.of("audio", "call.up") if scene.failed(f)]
    failed += [f for f in scene.of("phone.wait", role="caller") if str(f.facts.get("why")) == "the call has ended"]
    for finding in failed:
        legs = {finding.subject, finding.speaker, finding.listener}
        with_agent = finding.check == "audio" and direction_of(scene, finding) == "audio.agent"
        bye = next((e for e in _byes(scene) if e.leg in legs and e.at <= finding.at), None)
        if bye is not None and (with_agent or scene.vantage.role(bye.phone) == "caller"):
            scene.facts.record("agent.cut" if with_agent else "call.cut", True, f"{bye.leg}", scene.number_of(bye))
            for seen in (seen for seen in scene.at_ai if seen.is_request("BYE")):  # the first is told
                scene.facts.record("call.cut_by", "the platform" if seen.received else "the AI", seen.where)


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
        within = isinstance(seen.message, Request) and seen.message.to.tag is not None
        asks = seen.message.cseq.method in ("INVITE", "UPDATE") and seen.message.has("Session-Expires")
    except SipSyntaxError:
        return False
    return within and asks


def _byes(scene: Scene) -> list[SipMessage]:
    """Those that a phone of ours got."""
    received = (e for e in scene.events if isinstance(e, SipMessage) and e.direction == "received")
    return [e for e in received if e.text.startswith("BYE ")]


def _spoke(scene: Scene) -> None:
    """Whether the AI sent any sound: a stand-in counts its packets, Synthflow's record of a call that is over quotes it."""
    for event in _last_statistics(scene):
        if scene.vantage.role(event.phone) == "ai" and event.tx_packets:
            scene.facts.record("ai.spoke", True, f"{event.leg} sent {event.tx_packets} packets")
    for record in scene.records:
        transcript = record.record.get("transcript")
        if isinstance(transcript, str) and "bot:" in transcript:
            scene.facts.record("ai.spoke", True, record.source)
    for event in _last_statistics(scene):
        if scene.vantage.role(event.phone) == "ai":
            scene.facts.record("ai.spoke", False, f"{event.leg} sent no packet")
    # A transcript that is empty leaves it open: some interfaces never have one. Of silence that arrives a record without any does, too.
    silent = scene.facts.value("audio.to_caller") == "silent RTP"
    told = [record.record for record in scene.records]
    if not any(r.get("transcript") == "" or (silent and "status" in r and not r.get("transcript")) for r in told):
        scene.facts.record("ai.spoke", "nobody says otherwise")


def is_unsent_digit(finding: Finding) -> bool:
    """Whether a phone of ours could not send a digit, as no telephone-event was negotiated."""
    return finding.check == "phone.wait" and "telephone-event" in str(finding.facts.get("why"))


def _pressed(scene: Scene) -> None:
    """Where the caller asks the AI for a person by a digit: whether one arrived there."""
    if scene.axes.get("ask") != "digit":
        return
    for record in scene.records:
        listed = record.witness("digits")
        if isinstance(listed, list):
            scene.facts.record("digits", "arrived" if listed else "none", record.source)


# -- quality


def _quality(scene: Scene) -> None:
    facts = scene.facts
    heard = {facts.value("audio.to_ai"), facts.value("audio.to_caller")} == {"heard"}
    # What loses every digit, of many packets each, and no voice, takes out the events alone.
    heavy = "of digits alone" if facts.value("digits") == "none" and heard else "heavy"
    for finding in scene.of("audio.loss"):
        unsent = finding.facts.get("spanned_s") is not None  # no sequence number is missing
        value = "none, but packets that were never sent" if unsent else heavy
        facts.record("loss", value if scene.failed(finding) else None, *_shown(finding))
    for finding in scene.of("audio.level"):
        facts.record("level", "wrong" if scene.failed(finding) else None, *_shown(finding))
    for finding in (*scene.of("audio.delay"), *scene.of("audio.one_way_delay")):
        known = finding.facts.get("delay_ms") is not None  # a probe that was not heard had no delay
        facts.record("delay", "high" if known and scene.failed(finding) else None, *_shown(finding))
    for event in _last_statistics(scene):
        seen = event.rx_packets + event.rx_lost
        if seen >= 50 and event.rx_lost / seen > HEAVY_LOSS:
            facts.record("loss", heavy, f"{event.leg} lost {event.rx_lost} of {seen} packets")
        if seen >= 50 and event.rx_reordered / seen > MUCH_DISORDER:
            facts.record("order", "broken", f"{event.leg} got {event.rx_reordered} of {seen} packets after later ones")
        if event.rtt_ms > 2 * HIGH_DELAY_MS:
            facts.record("delay", "high", f"{event.leg}: round trip {event.rtt_ms:.0f} ms by RTCP")
    if any(True for _ in _last_statistics(scene)):
        facts.record("loss", "little")
        facts.record("delay", "low")


def _last_statistics(scene: Scene) -> list[RtpStatistics]:
    last = {e.leg: e for e in scene.events if isinstance(e, RtpStatistics)}
    return list(last.values())


def _codecs(scene: Scene) -> None:
    """What was agreed on first, as phones of ours say; a record tells of the newest alone, which a re-INVITE may have changed."""
    mine = [e for e in scene.events if isinstance(e, MediaState) and scene.call and e.leg == scene.call.leg and e.codec]
    theirs = [e for e in scene.events if isinstance(e, MediaState) and scene.vantage.role(e.phone) == "ai" and e.codec]
    told = [(e.codec, str(e.leg)) for e in theirs]
    for record in scene.records:
        named = record.witness("codec")
        told += [(named, record.source)] if isinstance(named, str) and named else []
    if mine and told:
        own, (codec, where) = mine[0] if theirs else mine[-1], told[0]
        value = "the same" if own.codec.upper() == codec.upper() else "different"
        scene.facts.record("codec.sides", value, f"{own.leg} has {own.codec}", f"{where} has {codec}")


# -- who calls


def _caller_id(scene: Scene) -> None:
    facts = scene.facts
    for finding in scene.of("caller_id"):
        role = scene.vantage.made_by(finding)
        name = "caller_id.agent" if role == "agent" else "caller_id.ai"
        name = "caller_id.customer" if role == "caller" and scene.moment == "campaign" else name
        facts.record(name, _shown_number(scene, finding), finding.actual, *finding.evidence)
    for finding in scene.of("caller_id.withheld"):
        asserted = listed(finding.facts.get("asserted"))
        facts.record("caller_id.asserted", "present" if asserted else "absent", finding.actual, *finding.evidence)
        if not finding.facts.get("anonymous"):
            facts.record("caller_id.ai", "shown, though withheld", finding.actual)
    _from_at_the_ai(scene)


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
        if shown := _shown_number(scene, right):
            told.append((shown, right.actual, seen.where))
    for value, actual, where in sorted(told, key=lambda item: item[0] == "right"):  # the first is told
        scene.facts.record("caller_id.ai", value, actual, where)


def _shown_number(scene: Scene, finding: Finding) -> str | None:
    """None where From cannot be read."""
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
    if scene.deployment is not None and user in _own_numbers(scene):
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


def _digits(scene: Scene, finding: Finding) -> str:
    sent, seen = finding.facts.get("sent"), finding.facts.get("seen")
    if not seen:
        return "none"
    if sent == seen and scene.failed(finding):
        return "by another method"
    return "right" if sent == seen else "wrong"
