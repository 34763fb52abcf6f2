"""Examples of what is wrong with audio and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.case.events import MarkInFile, RtpInFile, VoiceInFile
from tests.unit.diagnosis.case import Example, call, dialled
from tests.unit.diagnosis.stories import (
    GROUP,
    Expected,
    fallback,
    heard,
    refused_fallback,
    talk,
    transfer,
    warm,
)

_HEAVY: dict[str, Any] = {"lost": 30, "bursts": 9, "share": 0.2}


def _same(example: Example) -> Example:
    """Both sides have the same codec."""
    return example.codec("caller.1", "PCMU").record(witness={"codec": "PCMU"})


def _arrives(example: Example, to_ai: str, to_caller: str) -> Example:
    """What each end hears, in four seconds of packets where there is no voice."""
    for kind, direction in ((to_ai, Example.to_ai), (to_caller, Example.to_caller)):
        instead = {"instead": kind} if kind == "music" else {}
        packets = 0 if kind in ("heard", "no-rtp") else 200
        direction(example, "other" if instead else kind, packets, **instead)
    return example


def _transcoded(to_ai: str, to_caller: str) -> Example:
    """PCMU on the caller's side, PCMA on the AI's, and what arrives at each end."""
    example = talk(Example(ai="stand-in")).codec("caller.1", "PCMU").codec("stand-in.1", "PCMA")
    return example.counted("stand-in.1").to_ai(to_ai, 200).to_caller(to_caller, 200)


def with_a_person() -> Example:
    """Caller and AI have heard each other, and the caller has an agent now."""
    return transfer().reaches("billing").counted("billing.1")


def _changed() -> Example:
    """The caller heard the AI until a re-INVITE."""
    example = talk(Example(row="HOLD")).to_caller().hears_mark("caller.1", 240)
    return example.reinvites().after(3).to_ai()


def fallen_back(packets: int = 200) -> Example:
    """The AI refuses the call, and reception has answered it."""
    example = dialled(row="TD-FALLBACK-REFUSED", line="fallback-refused").ai_gets()
    example.ai_answers(503, "Service Unavailable").reaches("reception").answered()
    return example.counted("reception.1", packets)


def changed_at_the_ai(example: Example, *answers: int) -> Example:
    """The platform hands a re-INVITE on to the AI's side, which answers so, or not at all."""
    to = {"to": "<sip:ai@192.0.2.60>;tag=b", "number": "7"}
    example._sip("received", "INVITE sip:ai@192.0.2.60 SIP/2.0", **to)
    for code in answers:
        example._sip("sent", f"SIP/2.0 {code} x", "INVITE", **to)
    return example


def cut_by_record(who: str) -> Example:
    """The caller gets a BYE, and the AI's record, which has no messages, says who hung up."""
    example = dialled().after(0.1).answered().taken().counted().after(2)
    example.record(
        status="completed",
        telephony_hangup=who,
        end_call_reason="agent_goodbye" if who == "agent" else "",
    )
    example.caller_gets("BYE sip:caller SIP/2.0")
    return example.after(0.2).unheard()


def same_talk() -> Example:
    return _same(talk(Example(ai="stand-in")))


def captured(example: Example, speaker: str, found: Mapping[str, bool]) -> Example:
    """The voice of a leg, in captures of the call on its way or not."""
    for name, passed in found.items():
        file = {"file": f"{name}.pcap", "sha256": name, "made_at": "a:1 → b:2"}
        heard = {"mark": 7, "file_s": 1.0, "heard_s": 5.0 * passed, "covered_s": 5.0}
        example.tells(MarkInFile, speaker, **file, **heard)
    return example


def counted(example: Example, **packets: int) -> Example:
    """RTP of an AI without a mark, by the captures that it passed."""
    for name, count in packets.items():
        file = {"file": f"{name}.pcap", "sha256": name, "made_at": "a:1 → b:2"}
        example.tells(RtpInFile, "caller.1", packets=count, **file)
    return example


def recorded(example: Example, spoken_s: float) -> Example:
    """The AI's recording of the call, with as much speech beside the caller's."""
    file = {"file": "c1.mp3", "sha256": "c1", "made_at": "ai", "spoken_s": spoken_s}
    none = {"found": False, "match": 0.0, "parts": 0, "agreeing": 0, "round_trip_s": None}
    return example.tells(VoiceInFile, "caller.1", **file, **none)


def lost_on_its_way(way: str) -> tuple[Example, str]:
    """A call in which one end is not heard, and its leg."""
    if way == "agent":
        return with_a_person().with_agent("billing", "heard", "no-rtp"), "billing.1"
    here, there = ("no-rtp", "heard") if way == "to_ai" else ("heard", "no-rtp")
    return same_talk().to_ai(here).to_caller(there), "caller.1" if way == "to_ai" else "stand-in.1"


AUDIO = [
    *(
        Expected(
            f"audio.way.{way}.{rule}",
            captured(*lost_on_its_way(way), heard),
            f"{surely} audio-lost-on-the-way{also}",
        )
        for rule, heard, surely, of_agent, of_ai in (
            ("between", {"trunk": True, "carrier": False}, "certain", ", transfer-no-audio", ""),
            (
                "behind",
                {"trunk": True},
                "likely",
                "; certain transfer-no-audio",
                "; possible own-rtp-blocked",
            ),
            ("ahead", {"carrier": False}, "likely", "; certain transfer-no-audio", ""),
        )
        for way, also in (("to_ai", of_ai), ("to_caller", ""), ("agent", of_agent))
    ),
    Expected(
        "audio.way.to_caller.between",
        counted(_same(talk()).to_ai().to_caller("no-rtp"), trunk=300, carrier=1),
        "certain audio-lost-on-the-way",
    ),
    *(
        Expected(rule, _same(_arrives(talk(), to_ai, to_caller)), f"likely {causes}")
        for rule, to_ai, to_caller, causes in (
            ("audio.noise.to-ai", "other", "heard", "payload-mismatch"),
            ("audio.replaced.to-caller", "heard", "music", "audio-silenced"),
            ("audio.replaced.to-ai", "music", "heard", "audio-silenced"),
            (
                "audio.silenced.to-ai",
                "silence",
                "heard",
                "audio-silenced; possible rtp-blocked-to-ai",
            ),
            ("audio.no-rtp.silence-instead.to-ai", "no-rtp", "silence", "rtp-blocked-both"),
            ("audio.no-rtp.silence-instead.to-caller", "silence", "no-rtp", "rtp-blocked-both"),
            ("audio.no-rtp-to-ai.sound-instead", "no-rtp", "other", "rtp-blocked-to-ai"),
            ("audio.no-rtp-to-caller.sound-instead", "other", "no-rtp", "rtp-blocked-to-caller"),
        )
    ),
    Expected(
        "audio.silenced.to-caller.transcoded",
        _transcoded("heard", "silence"),
        "likely audio-silenced; possible rtp-blocked-to-caller",
    ),
    Expected(
        "audio.silenced.to-ai.transcoded",
        _transcoded("silence", "heard"),
        "likely audio-silenced; possible rtp-blocked-to-ai",
    ),
    Expected(
        "audio.no-rtp-to-ai.or-silenced",
        _transcoded("silence", "heard"),
        "likely audio-silenced; possible rtp-blocked-to-ai",
    ),
    Expected("audio.two-codecs.at-caller", _transcoded("no-rtp", "other"), "likely g711-one-side"),
    Expected("audio.crossed.at-ai", talk().to_ai("crossed").to_caller(), "certain audio-crossed"),
    Expected(
        "audio.stopped.at-reinvite",
        _changed().to_caller("no-rtp"),
        "certain media-lost-on-reinvite",
    ),
    # packets sent before an answer is passed on may be lost, and its copies come after the ACK
    *(
        Expected(
            "reach.answer.held",
            heard()
            .finding("answered.passed_on", "caller.1", seconds=1.5, limit_s=1.0)
            .finding(check, "caller.1", **measured),
            "certain answer-not-passed-on",
        )
        for check, measured in (
            ("audio.loss", _HEAVY),
            ("answered.acknowledged", {"repeated": 2}),
        )
    ),
    Expected(
        "audio.on-hold",
        talk(direction="inactive").unheard().finding("audio.loss", "caller.1", **_HEAVY),
        "certain media-on-hold",
    ),
    # a word that arrives late has not ended when it is judged
    Expected(
        "audio.delay",
        heard()
        .finding("audio.words", "caller.1")
        .finding("audio.delay", "caller.1", delay_ms=850.0),
        "certain high-delay",
    ),
    # a louder sound hides the mark at first
    Expected(
        "audio.beneath",
        heard()
        .finding("audio.beneath", "caller.1", kind="music", relative_db=-1.0)
        .finding("audio.delay", "caller.1", delay_ms=850.0),
        "certain sound-beneath-voice",
    ),
    # a re-INVITE is not the cause of what keeps a voice from arriving whole
    Expected("audio.later.codec", _changed().to_caller("other-codec", 200), "likely g711-one-side"),
    *(
        Expected(
            rule,
            _changed().to_caller("no-rtp").finding("audio.loss", "caller.1", **measured),
            f"certain {cause}",
        )
        for rule, measured, cause in (
            ("audio.loss", _HEAVY, "heavy-loss"),
            ("audio.two-sources", {"turns": 30, "share": 0.2}, "rtp-two-sources"),
        )
    ),
    Expected(
        "audio.agent.stopped.at-reinvite",
        with_a_person()
        .with_agent("billing")
        .hears_mark("caller.1", 9)
        .reinvites()
        .after(1)
        .with_agent("billing", "heard", "no-rtp"),
        "certain media-lost-on-reinvite",
    ),
    *(
        Expected(
            f"audio.agent.{rule}",
            with_a_person().with_agent("billing", "heard", kind, packets),
            f"likely {cause}",
        )
        for rule, kind, packets, cause in (
            ("noise", "other", 100, "payload-mismatch"),
            ("silenced", "silence", 100, "audio-silenced"),
            ("two-codecs", "other-codec", 100, "g711-one-side"),
            ("undeciphered", "undeciphered", 0, "srtp-mismatch"),
        )
    ),
    Expected(
        "audio.agent.replaced",
        with_a_person().with_agent("billing", "heard", "other", 100, instead="music"),
        "likely audio-silenced",
    ),
    Expected(
        "audio.two-codecs.one-way.to-ai",
        talk().to_ai("other-codec").to_caller(),
        "likely g711-one-side",
    ),
    Expected(
        "audio.undeciphered.to-caller",
        talk().to_ai().to_caller("undeciphered", 0),
        "likely srtp-mismatch",
    ),
    Expected(
        "audio.undeciphered.to-ai",
        talk().to_ai("undeciphered", 0).to_caller(),
        "likely srtp-mismatch",
    ),
    Expected(
        "audio.late.to-caller",
        talk().to_ai().to_caller("no-rtp").after(1).to_caller(),
        "certain rtp-late",
    ),
    Expected(
        "audio.late.to-ai",
        talk().to_ai("no-rtp").to_caller().after(1).to_ai(),
        "certain rtp-late",
    ),
    Expected(
        "audio.no-rtp.no-words",
        _same(talk().to_ai("unheard", None).to_caller("no-rtp")),
        "likely rtp-blocked-both",
    ),
    Expected(
        "audio.noise.like-sound",
        _same(talk())
        .to_ai("other", 200, instead="speech")
        .to_caller("other", 200, instead="speech"),
        "likely payload-mismatch",
    ),
    Expected(
        "audio.first.unseen",
        heard().finding("audio.first", "assistant main → caller.1", delay_ms=4000.0),
        "likely ai-too-slow",
    ),
    Expected(
        "audio.late",
        heard()
        .counted(received=150, late=40, reordered=60)
        .finding("audio.loss", "caller.1", late=40, share=0.27),
        "certain network-jitter",
    ),
    Expected(
        "audio.one-gap",
        heard().finding("audio.loss", "caller.1", lost=15, bursts=1, share=0.104),
        "certain rtp-gap",
    ),
    Expected(
        "audio.cut.by-ai.unseen",
        talk().ends("sent").unheard(),
        "likely ai-hangs-up",
    ),
    Expected(
        "audio.cut.by-platform",
        talk().ends("received").unheard(),
        "certain call-dropped",
    ),
    Expected("audio.cut.by-platform.recorded", cut_by_record("caller"), "likely call-dropped"),
    Expected(
        "fallback.time.down",
        fallback(Example(row="TD-FALLBACK-DOWN", line="fallback-down"), after=4)
        .probed("ai", "silent")
        .landed("reception", "reception")
        .finding("timing.within", "reception.1", what="the call", seconds=4.0),
        "certain ring-timeout-wrong",
    ),
    Expected(
        "fallback.late",
        refused_fallback()
        .rings("reception")
        .finding("timing.within", "reception.1", what="the call", seconds=4.0)
        .landed("reception", "reception"),
        "certain fallback-late",
    ),
    Expected(
        "fallback.none.overflow",
        dialled(row="PEOPLE", line="inbound")
        .rings("billing")
        .ends_here(486, "Busy Here")
        .landed("reception"),
        "likely fallback-missing",
    ),
    Expected(
        "fallback.none.waiting",
        refused_fallback().landed("reception"),
        "likely fallback-missing",
    ),
    Expected(
        "audio.crossed.at-agent",
        transfer()
        .landed("billing", "billing")
        .with_agent("billing")
        .finding("audio.crossed", "billing.1"),
        "certain audio-crossed",
    ),
    Expected(
        "change.challenged",
        talk(Example(row="HOLD"))
        .asks("INVITE", 407, "Proxy Authentication Required")
        .finding("phone.wait", "caller.1", goal="hold agreed"),
        "certain change-challenged",
    ),
    Expected(
        "change.refused.by-ai",
        changed_at_the_ai(talk(Example(row="HOLD")), 488)
        .asks("INVITE", 488, "Not Acceptable Here")
        .never(),
        "likely ai-refuses-change",
    ),
    Expected(
        "audio.unsaid.unheard",
        call().answered().to_ai().to_caller("silence", 400),
        "likely ai-silent; possible rtp-blocked-to-caller",
    ),
    Expected(
        "audio.two-sources",
        same_talk().to_ai().to_caller("silence", 200).finding("audio.loss", "caller.1", turns=90),
        "certain rtp-two-sources",
    ),
    Expected(
        "audio.two-sources",  # either is played as its packets come, with holes
        same_talk()
        .both_hear()
        .finding("audio.loss", "caller.1", turns=90)
        .finding("audio.loss", "caller.1", spanned_s=13.3, filled_s=10.4)
        .finding("audio.first", "caller.1", delay_ms=2400.0),
        "certain rtp-two-sources",
    ),
    Expected(
        "audio.timestamps",
        same_talk().to_ai().to_caller("silence", 200).finding("audio.loss", "caller.1", still=190),
        "certain rtp-timestamps",
    ),
    Expected(
        "audio.speed",
        same_talk().to_ai().to_caller("other", 200, instead="other speed"),
        "likely sampling-rate-wrong",
    ),
    Expected(
        "audio.distorted",
        same_talk().to_ai().to_caller("other", 200, instead="distorted"),
        "likely voice-distorted",
    ),
    *(
        Expected(
            rule,
            same_talk().to_ai().to_caller("other", 200, instead="noise", level_dbov=-55.0),
            "likely level-wrong; possible audio-silenced",
        )
        for rule in ("audio.very-quiet", "audio.very-quiet.or-silenced")
    ),
    *(
        Expected(
            rule,
            same_talk().both_hear().after(5).to_caller(kind, 200, **facts),
            f"likely {cause}",
        )
        for rule, kind, facts, cause in (
            ("audio.later.replaced", "other", {"instead": "tone"}, "audio-silenced"),
            ("audio.later.noise", "other", {"instead": "noise"}, "payload-mismatch"),
            ("audio.later.codec", "other-codec", {}, "g711-one-side"),
        )
    ),
    Expected(
        "audio.fallback.at-first",
        fallen_back(60).with_agent("reception", "other", packets=60, listened_s=3.4),
        "likely fallback-no-audio",
    ),
    Expected(
        "audio.fallback.joined",
        fallen_back()
        .ai_invites(GROUP)
        .with_agent("reception", "silence", packets=60, listened_s=3.4),
        "likely fallback-no-audio",
    ),
    Expected(
        "digits.repeated",
        heard(Example(row="DTMF-RFC4733")).finding(
            "dtmf", "assistant main", sent="12#A", seen="11112222###", methods=["rfc4733"]
        ),
        "certain digits-repeated",
    ),
    Expected(
        "digits.info",
        heard(Example(row="DTMF-INFO"))
        .asks("INFO", 405, "Method Not Allowed")
        .finding("dtmf", "assistant main", sent="12#A", seen="", methods=[]),
        "certain info-refused",
    ),
    Expected(
        "digits.packets",
        heard(Example(row="DTMF-RFC4733")).finding(
            "audio.loss", "caller.1", lost=12, bursts=4, events=12, share=0.069
        ),
        "certain digit-packets-missing",
    ),
    Expected(
        "digits.in-band",
        heard(Example(row="DTMF-RFC4733")).finding(
            "dtmf", "assistant main", sent="12#", seen="12", methods=["inband", "inband"]
        ),
        "certain digits-in-band",
    ),
]

OWN_NUMBER = Example().deployment.assistants["warm"].address


def warm_shows(number: str, sent: str = "") -> Example:
    """A warm transfer after which the agent is shown that number, with that one in the AI's own
    INVITE; "": nobody saw it.
    """
    if sent:
        example = warm().ai_invites(GROUP, shown=sent).platform_says(200, "OK", "INVITE")
    else:
        example = (
            dialled(row="TD-TRANSFER-WARM", line="inbound-warm").answered().taken().both_hear()
        )
    return example.reaches("billing").caller_id("billing.1", number)


def shows_its_account(example: Example) -> Example:
    """The caller's own phone has the name of its account in From."""
    example._at_caller(
        "sent", "INVITE sip:x@carrier.example SIP/2.0\r\nFrom: <sip:sip4711@carrier.example>;tag=c"
    )
    return example


IDENTITY = [
    Expected(
        "caller_id.own",
        shows_its_account(talk(shown="<sip:sip4711@platform.example>;tag=a")).caller_id(
            "the AI", "sip4711"
        ),
        "certain caller-number-not-sent",
    ),
    Expected(
        "caller_id.from-without-number",
        talk().caller_id("assistant main", "unknown"),
        "certain from-anonymous",
    ),
    Expected(
        "caller_id.from-account",
        talk().caller_id("assistant main", "acct4711e0"),
        "likely from-account-name",
    ),
    Expected(
        "caller_id.foreign-call",
        talk()
        .ai_gets(shown="<sip:+12025550177@x>;tag=a", call_id="b")
        .caller_id("assistant main", "+12025550177"),
        "likely foreign-call",
    ),
    Expected(
        "reach.foreign-call",
        Example(ai="stand-in")
        .ai_gets(did="+12065550101", call_id="late")
        .after(0.5)
        .dials()
        .ai_gets()
        .ai_answers()
        .answered()
        .finding("route.request_uri", "stand-in.1", request_user="+12065550101"),
        "likely foreign-call",
    ),
    Expected(
        "caller_id.form",
        talk(Example(file={"expect.number_format": "national"})).caller_id(
            "assistant main", "+14155550101"
        ),
        "certain number-format-differs",
    ),
    Expected(
        "caller_id.form.at-agent",
        transfer().ai_refers(GROUP).reaches("billing").caller_id("billing.1", "4155550101"),
        "certain number-format-differs",
    ),
    Expected(
        "caller_id.not-set",
        warm_shows(OWN_NUMBER, sent=OWN_NUMBER),
        "certain transfer-caller-id-not-set",
    ),
    Expected(
        "caller_id.not-set.own-number",
        warm_shows(OWN_NUMBER),
        "likely transfer-caller-id-not-set, caller-id-lost-on-transfer",
    ),
    *(
        Expected(
            rule,
            warm_shows("+12015550199"),
            "likely caller-id-lost-on-transfer; possible transfer-caller-id-not-set",
        )
        for rule in ("caller_id.lost-on-transfer.unseen", "caller_id.not-set.unseen")
    ),
]
