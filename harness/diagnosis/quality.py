"""Facts on the quality of the audio: loss, order, level, delay, and the codecs of both sides."""

from __future__ import annotations

from harness.calls.events import MediaState
from harness.calls.verdict import Finding
from harness.diagnosis.audio import direction_of
from harness.diagnosis.passage import digits_arrived
from harness.diagnosis.scene import Scene, shown

#: A greater share of lost RTP is no longer hidden by codecs (ITU-T G.113 appendix I: G.711 with PLC, some 4 % for Ie,eff of 20).
HEAVY_LOSS = 0.05
#: Share of packets that overtook others. A jitter buffer drops those that are late by more than it holds back.
MUCH_DISORDER = 0.2
#: One way; a conversation does not work beyond it (ITU-T G.114 section 5: "400 ms should not be exceeded").
HIGH_DELAY_MS = 400.0
#: With fewer packets, a share says little.
_FEWEST_PACKETS = 50
#: The suffix of a fact about the conversation with the AI, and about the one with the agent.
_WITH_AI, _WITH_AGENT = "", ".agent"


def tell(scene: Scene) -> None:
    _quality(scene)
    _codecs(scene)


def _quality(scene: Scene) -> None:
    judged = scene.failed("audio", "audio.loss", "audio.level", "audio.delay", "audio.one_way_delay")
    unheard = {end for f in judged for end in (f.speaker, f.listener, f.subject)}
    heard = {scene.value("audio.to_ai"), scene.value("audio.to_caller")} == {"heard"}
    # A fault that loses every digit, of many packets each, and no voice affects telephone-events alone.
    digits_alone = digits_arrived(scene) == "none" and heard
    heavy = {_WITH_AI: "of digits alone" if digits_alone else "heavy", _WITH_AGENT: "heavy"}
    for finding in scene.failed("audio.loss"):
        unsent = finding.facts.get("spanned_s") is not None  # packets that were never sent have no sequence number
        part = _conversation(scene, judged, finding.subject)
        scene.record(
            f"loss{part}", "none, but packets that were never sent" if unsent else heavy[part], *shown(finding)
        )
    for finding in scene.failed("audio.level"):
        scene.record("level", "wrong", *shown(finding))
    for finding in scene.failed("audio.delay", "audio.one_way_delay"):
        if finding.facts.get("delay_ms") is not None:  # a probe that was not heard has no delay
            part = _conversation(scene, judged, finding.speaker, finding.listener)
            scene.record(f"delay{part}", "high", *shown(finding))
    counted = [(event, _conversation(scene, judged, event.leg or event.phone)) for event in scene.last_statistics]
    for event, part in counted:
        if part == _WITH_AGENT and event.leg not in unheard:
            continue
        seen = event.rx_expected
        if seen >= _FEWEST_PACKETS and event.rx_lost / seen > HEAVY_LOSS:
            scene.record(f"loss{part}", heavy[part], f"{event.leg} lost {event.rx_lost} of {seen} packets")
        if seen >= _FEWEST_PACKETS and event.rx_reordered / seen > MUCH_DISORDER:
            told = f"{event.leg} got {event.rx_reordered} of {seen} packets after later ones"
            scene.record(f"order{part}", "broken", told)
        if event.rtt_ms > 2 * HIGH_DELAY_MS:
            scene.record(f"delay{part}", "high", f"{event.leg}: round trip {event.rtt_ms:.0f} ms by RTCP")
    if any(part == _WITH_AI for _, part in counted):
        scene.record("loss", "little")
        scene.record("delay", "low")


def _conversation(scene: Scene, judged: list[Finding], *ends: str) -> str:
    """The conversation that these ends take part in. RTP in one is no reason for what is heard in the other.

    The agent's conversation is that of an agent's leg, and of the leg that the caller's phone placed on a REFER, unless audio with the
    AI failed there.
    """
    with_ai = [f for f in judged if f.check == "audio" and direction_of(scene, f) != "audio.agent"]
    failed_with_ai = {end for f in with_ai for end in (f.speaker, f.listener)}
    placed_later = {leg.leg for leg in scene.legs if leg.replaces is not None}
    theirs = (end for end in ends if scene.vantage.role(end) == "agent" or end in placed_later)
    return _WITH_AGENT if any(end not in failed_with_ai for end in theirs) else _WITH_AI


def _codecs(scene: Scene) -> None:
    """The codecs with which the call began. A record has only the newest, which a re-INVITE may have changed."""
    media = [e for e in scene.events if isinstance(e, MediaState) and e.codec]
    own = [e for e in media if scene.call and e.leg == scene.call.leg]
    theirs = [(e.codec, str(e.leg)) for e in media if scene.vantage.role(e.phone) == "ai"]
    named = ((record.witness("codec"), record.source) for record in scene.records)
    told = [*theirs, *((codec, source) for codec, source in named if isinstance(codec, str) and codec)]
    if own and told:
        mine, (codec, where) = _at_the_answer(scene, own) if theirs else own[-1], told[0]
        value = "the same" if mine.codec.upper() == codec.upper() else "different"
        scene.record("codec.sides", value, f"{mine.leg} has {mine.codec}", f"{where} has {codec}")


def _at_the_answer(scene: Scene, media: list[MediaState]) -> MediaState:
    """What was negotiated when the call was answered. An announcement may have had another codec (RFC 3960 section 3.1)."""
    answered = scene.state(media[0].leg, "confirmed")
    before = [each for each in media if answered is not None and each.at <= answered.at]
    return before[-1] if before else media[0]
