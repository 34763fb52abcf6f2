"""Facts on the quality of the audio: loss, order, level, delay, and the codecs of both sides."""

from __future__ import annotations

from harness.calls.events import LegStarted, MediaState
from harness.diagnosis.audio import direction_of
from harness.diagnosis.derive import Scene, shown
from harness.diagnosis.digits import none_arrived

#: RTP lost: what codecs' concealment no longer hides (ITU-T G.113 appendix I: G.711 with PLC, some 4 % for Ie,eff of 20).
HEAVY_LOSS = 0.05
#: Packets that overtook others; a jitter buffer has to drop those that are overtaken by more than it holds back.
MUCH_DISORDER = 0.2
#: One way; beyond it a conversation does not work for any task (ITU-T G.114 section 5: "400 ms should not be exceeded").
HIGH_DELAY_MS = 400.0
_CHECKS = ("audio.loss", "audio.level", "audio.delay", "audio.one_way_delay")


def tell(scene: Scene) -> None:
    """Make all of them known that can be."""
    _quality(scene)
    _codecs(scene)


def _quality(scene: Scene) -> None:
    facts = scene.facts
    talk = _Talk(scene)
    heard = {facts.value("audio.to_ai"), facts.value("audio.to_caller")} == {"heard"}
    # What loses every digit, of many packets each, and no voice, takes out the events alone.
    heavy = {talk.AI: "of digits alone" if none_arrived(scene) and heard else "heavy", talk.AGENT: "heavy"}
    for finding in scene.of("audio.loss"):
        unsent = finding.facts.get("spanned_s") is not None  # what is missing has no sequence number
        part = talk.of(finding.subject)
        value = "none, but packets that were never sent" if unsent else heavy[part]
        facts.record(f"loss{part}", value if scene.failed(finding) else None, *shown(finding))
    for finding in scene.of("audio.level"):
        facts.record("level", "wrong" if scene.failed(finding) else None, *shown(finding))
    for finding in scene.of("audio.delay", "audio.one_way_delay"):
        known = finding.facts.get("delay_ms") is not None  # a probe that was not heard had no delay
        part = talk.of(finding.speaker, finding.listener)
        facts.record(f"delay{part}", "high" if known and scene.failed(finding) else None, *shown(finding))
    counted = [(event, talk.of(event.leg or event.phone)) for event in scene.last_statistics]
    for event, part in counted:
        if part == talk.AGENT and event.leg not in talk.failed:
            continue
        seen = event.rx_expected
        if seen >= 50 and event.rx_lost / seen > HEAVY_LOSS:
            facts.record(f"loss{part}", heavy[part], f"{event.leg} lost {event.rx_lost} of {seen} packets")
        if seen >= 50 and event.rx_reordered / seen > MUCH_DISORDER:
            told = f"{event.leg} got {event.rx_reordered} of {seen} packets after later ones"
            facts.record(f"order{part}", "broken", told)
        if event.rtt_ms > 2 * HIGH_DELAY_MS:
            facts.record(f"delay{part}", "high", f"{event.leg}: round trip {event.rtt_ms:.0f} ms by RTCP")
    if any(part == talk.AI for _, part in counted):
        facts.record("loss", "little")
        facts.record("delay", "low")


class _Talk:
    """Of which conversation a leg is: what becomes of RTP in one is no reason for what is heard in the other.

    The agent's is that of an agent's leg, and of the one that the caller's phone placed on a REFER.
    """

    AI, AGENT = "", ".agent"  #: what the facts of it are named by

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._placed_later = {e.leg for e in scene.events if isinstance(e, LegStarted) and e.replaces is not None}
        judged = [f for f in scene.of("audio", *_CHECKS) if scene.failed(f)]
        #: Who did not hear, or was not heard.
        self.failed = {end for f in judged for end in (f.speaker, f.listener, f.subject)}
        with_the_ai = [f for f in judged if f.check == "audio" and direction_of(scene, f) != "audio.agent"]
        self._failed_with_the_ai = {end for f in with_the_ai for end in (f.speaker, f.listener)}

    def of(self, *ends: str) -> str:
        """The one that these ends have a part in."""
        return self.AGENT if any(map(self._is_the_agent_s, ends)) else self.AI

    def _is_the_agent_s(self, leg: str) -> bool:
        theirs = self._scene.vantage.role(leg) == "agent" or leg in self._placed_later
        return theirs and leg not in self._failed_with_the_ai


def _codecs(scene: Scene) -> None:
    """What the call began with, as harness phones say; a record tells of the newest alone, which a re-INVITE may have changed."""
    mine = [e for e in scene.events if isinstance(e, MediaState) and scene.call and e.leg == scene.call.leg and e.codec]
    theirs = [e for e in scene.events if isinstance(e, MediaState) and scene.vantage.role(e.phone) == "ai" and e.codec]
    told = [(e.codec, str(e.leg)) for e in theirs]
    for record in scene.records:
        named = record.witness("codec")
        told += [(named, record.source)] if isinstance(named, str) and named else []
    if mine and told:
        own, (codec, where) = _at_the_answer(scene, mine) if theirs else mine[-1], told[0]
        value = "the same" if own.codec.upper() == codec.upper() else "different"
        scene.facts.record("codec.sides", value, f"{own.leg} has {own.codec}", f"{where} has {codec}")


def _at_the_answer(scene: Scene, media: list[MediaState]) -> MediaState:
    """What was agreed on when the call was answered: an announcement before that may have had another codec (RFC 3960 section 3.1)."""
    answered = next((state.at for state in scene.states(media[0].leg) if state.state == "confirmed"), None)
    before = [each for each in media if answered is not None and each.at <= answered]
    return before[-1] if before else media[0]
