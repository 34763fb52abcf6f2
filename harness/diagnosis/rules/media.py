"""What rules on media share, and those that come in several forms: what is heard alone does not tell their causes apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.diagnosis.audio import AT_FIRST_NOTHING, CHANGED, FLOWED, NO_RTP, NO_VOICE, NONE_CAME, UNDECIPHERED
from harness.diagnosis.cells import Place, cells
from harness.diagnosis.conditions import Condition, not_shown, unless, when
from harness.diagnosis.rule import Rule, Symptom
from harness.diagnosis.session import ANOTHER_HOST

#: What the AI cannot hear it cannot act on, and what nobody hears cannot be checked any further.
UNHEARD: tuple[Symptom, ...] = ("transfer", "digits", "release", "audio.agent", "manners", "other", "quality")

#: An AI that hears can still be asked, and act.
UNHEARD_BY_CALLER: tuple[Symptom, ...] = ("manners", "other", "quality")

SAME_CODEC = unless("codec.sides", "different")

#: The call was up, and meant to carry sound.
UP = (
    not_shown("call.cut", True),
    not_shown("sdp.hold", "the AI", "the platform"),
    not_shown("caller.held", True),
)
#: And nothing that was heard in it stopped later.
LASTING = (unless("audio.stopped", True), *UP)
#: What was not sent cannot arrive, wherever it is looked for.
SENT = unless("ai.spoke", False)
#: Nothing shows that what the caller sends, or the AI, goes astray.
TO_CALLER_IN_PLACE = (not_shown("sdp.to_caller", "private"), not_shown("rtp.from.caller", ANOTHER_HOST))
TO_AI_IN_PLACE = (unless("sdp.to_ai", "private"), not_shown("rtp.from.ai", ANOTHER_HOST))

_STOPPED = when("audio.stopped", True)
_BY_ITSELF = unless("audio.stopped_at", CHANGED)
#: Silence with packets, which no firewall makes.
_STILL_FLOWS = (not_shown("audio.to_caller", "silent RTP"), not_shown("audio.to_ai", "silent RTP"))
#: A phone of ours in the AI's place sends without a pause; any other may pause, or say nothing any more.
_NOT_OURS = not_shown("probe.ai", "ours")


def stopped() -> Iterator[Rule]:
    """Both heard each other at first, and later one of them or both heard nothing any more."""
    cut = Rule(
        id="audio.stopped",
        cause="rtp-blocked-after-10s",
        symptoms=("audio",),
        essential=(unless("audio.to_ai", "heard"),),
        conditions=(
            _STOPPED,
            _BY_ITSELF,
            not_shown("audio.to_caller", "crossed", "noise", "echo"),
            *(*_STILL_FLOWS, *UP),
        ),
        consequences=UNHEARD,
        because="both heard each other at first, and later one of them or both heard nothing any more",
    )
    yield cut
    to_caller = (_STOPPED, when("audio.to_caller", *NO_RTP))
    unheard = not_shown("audio.to_ai", *NO_VOICE, "no mark", "another sound")
    one_way = replace(
        cut,
        essential=to_caller,
        conditions=(_BY_ITSELF, unheard, *UP),
        because="the caller heard the AI at first, and later nothing of it arrived, though nothing shows that the AI hears less",
    )
    yield replace(one_way, id="audio.stopped.to-caller")
    yield Rule(
        id="audio.unsaid.later",
        cause="ai-silent",
        symptoms=("audio",),
        cells=cells("media from it", "AI"),
        essential=(_STOPPED, when("audio.to_caller", *NO_RTP, "silent RTP")),
        conditions=(_BY_ITSELF, unheard, _NOT_OURS, *UP),
        consequences=UNHEARD,
        because="what the caller heard of the AI at first came no more, which the AI's own silence would explain as well",
        confidence="possible",
    )


#: Until a warm transfer joins its two calls, what the agent gets is the AI's.
_WARM = ("transfer.way", "INVITE")


def never_with_agent(rule: Rule) -> Iterator[Rule]:
    """``rule``, that audio never flowed between caller and agent: certain only where the packets show it."""
    likely = replace(rule, id=f"{rule.id}.at-first", confidence="likely")
    yield replace(rule, conditions=(when("agent.rtp", NONE_CAME), *rule.conditions))
    yield replace(likely, conditions=(not_shown("agent.rtp", NONE_CAME, FLOWED), *rule.conditions))
    yield replace(
        likely,
        id=f"{rule.id}.joined",
        conditions=(when("agent.rtp", FLOWED), when(*_WARM), *rule.conditions),
        because="RTP reached the agent before the two calls were joined, and there is no audio between caller and agent",
    )


def stopped_with_agent() -> Iterator[Rule]:
    """The same of caller and agent; where it began with a change of the call, that was what moved the media."""
    by_itself = Rule(
        id="audio.agent.stopped",
        cause="agent-audio-stops",
        symptoms=("audio.agent",),
        essential=(when("agent.stopped", True),),
        conditions=(
            not_shown("agent.stopped_at", CHANGED),
            not_shown("agent.cut", True),
            when("audio.agent", "none either way", "one way"),
        ),
        consequences=("release", "other"),
        because="caller and agent heard each other at first, and soon after one of them or both heard nothing any more",
    )
    yield by_itself
    yield replace(
        by_itself,
        id="audio.agent.stopped.rtp",
        essential=(when("agent.rtp", FLOWED),),
        conditions=(*by_itself.conditions, not_shown(*_WARM)),
        because="RTP reached the agent for a moment, and soon after one of them or both got none any more",
        confidence="likely",  # the platform may have sent it, before it connected them
    )
    yield replace(
        by_itself,
        id="audio.agent.stopped.at-reinvite",
        cause="media-lost-on-reinvite",
        essential=(when("agent.stopped", True), when("agent.stopped_at", CHANGED)),
        conditions=(not_shown("agent.cut", True), not_shown("audio.agent", "crossed", "noise", "echo")),
        because="caller and agent heard each other until the call was changed by a re-INVITE or UPDATE, and not since",
    )


def instead_with_agent() -> Iterator[Rule]:
    """RTP arrives at caller or agent, from the beginning or later, and what is in it is not the other's voice."""
    by_itself = (not_shown("agent.stopped_at", CHANGED),)
    undamaged = not_shown("loss.agent", "heavy"), not_shown("order.agent", "broken")
    replaced = ("another sound", "silent RTP")
    kinds: tuple[tuple[str, str, tuple[str, ...], tuple[Condition, ...], str], ...] = (
        ("noise", "payload-mismatch", ("noise",), undamaged, "is noise"),
        ("replaced", "audio-silenced", replaced, by_itself, "is silence, or a sound that is not a voice"),
        ("two-codecs", "g711-one-side", ("RTP of another codec",), by_itself, "is of another codec than was agreed on"),
        ("undeciphered", "srtp-key", (UNDECIPHERED,), by_itself, "is nothing that the SRTP key of the SDP fits"),
    )
    for name, cause, heard, conditions, what in kinds:
        yield Rule(
            id=f"audio.agent.{name}",
            cause=cause,
            symptoms=("audio.agent",),
            essential=(when("audio.agent", *heard),),
            conditions=(*conditions, not_shown("agent.cut", True)),
            consequences=("release", "other"),
            because=f"RTP arrives at the caller or the agent, and what is in it {what}",
            confidence="likely",
        )


def silenced_later() -> Iterator[Rule]:
    """Both heard each other at first, and RTP goes on with silence in it."""
    ends: tuple[tuple[str, Place], ...] = (("to_caller", "caller"), ("to_ai", "AI"))
    for leg, place in ends:
        yield Rule(
            id=f"audio.silenced.later.{leg.replace('_', '-')}",
            cause="audio-silenced",
            symptoms=("audio",),
            cells=cells("media to it", place),
            essential=(_STOPPED, when(f"audio.{leg}", "silent RTP")),
            conditions=(_BY_ITSELF, *UP),
            consequences=UNHEARD,
            because=f"RTP still arrives at the {place}, and where a voice was at first, there is silence in it",
            confidence="likely",
        )


def one_way() -> Iterator[Rule]:
    """One end hears the other, and what arrives there in turn is noise, or silence where the platform has to transcode."""
    ends: tuple[tuple[str, str, Place], ...] = (("to_caller", "to_ai", "caller"), ("to_ai", "to_caller", "AI"))
    for leg, other, place in ends:
        end = leg.replace("_", "-")
        heard = (when(f"audio.{other}", "heard"), *LASTING)
        consequences = UNHEARD_BY_CALLER if place == "caller" else UNHEARD
        noise = Rule(
            id=f"audio.noise.{end}",
            cause="payload-mismatch",
            symptoms=("audio",),
            cells=cells("media to it", place),
            essential=(when(f"audio.{leg}", "noise"),),
            conditions=(*heard, unless("loss", "heavy"), not_shown("order", "broken")),
            consequences=consequences,
            because=f"packets arrive at the {place}, and nothing in them is what the other end sent, which hears the {place}",
            confidence="likely",
        )
        yield noise
        yield replace(
            noise,
            id=f"audio.silenced.{end}.transcoded",
            cause="audio-silenced",
            essential=(when(f"audio.{leg}", "silent RTP"), when("codec.sides", "different")),
            conditions=(*heard, *((SENT,) if place == "caller" else ())),
            because=f"RTP arrives at the {place} with silence in it, the other way all is heard, and the two sides have two codecs",
        )
        yield replace(
            noise,
            id=f"audio.replaced.{end}",
            cause="audio-silenced",
            essential=(when(f"audio.{leg}", "another sound"),),
            conditions=heard,
            because=f"RTP arrives at the {place} with a sound in it that is not the other end's voice, which hears the {place}",
        )


def own_side() -> Iterator[Rule]:
    """A phone of ours has got no RTP in the whole case: its own firewall or NAT looks the same as one between platform and AI."""
    up = (not_shown("sdp.to_ai", "private"), *LASTING)
    connected = (not_shown("agent.cut", True), not_shown("sdp.listener", "private"))
    kinds: tuple[tuple[str, Symptom, str, tuple[Condition, ...]], ...] = (
        (
            *("caller", "audio", "the caller's phone"),
            (not_shown("sdp.caller", "private"), not_shown("rtp.from.ai", ANOTHER_HOST), SENT, *up),
        ),
        ("ai", "audio", "the phone in the AI's place", (*TO_CALLER_IN_PLACE, *up)),
        ("agent", "audio.agent", "the agent's phone", connected),
    )
    for role, symptom, whose, conditions in kinds:
        yield Rule(
            id=f"audio.own-side.{role}",
            cause="own-rtp-blocked",
            symptoms=(symptom,),
            essential=(when(f"rtp.{role}", NONE_CAME),),
            conditions=conditions,
            consequences=UNHEARD_BY_CALLER if role == "caller" else UNHEARD,
            because=f"no RTP at all has come to {whose}, which the harness's own firewall or NAT explains as well",
            confidence="possible",
        )


def undeciphered() -> Iterator[Rule]:
    """SRTP was agreed on, and what arrives is encrypted with another key, or not at all."""
    ends: tuple[tuple[str, Place], ...] = (("to_caller", "caller"), ("to_ai", "AI"))
    for leg, place in ends:
        yield Rule(
            id=f"audio.undeciphered.{leg.replace('_', '-')}",
            cause="srtp-key",
            symptoms=("audio",),
            cells=cells("media to it", place),
            essential=(when(f"audio.{leg}", UNDECIPHERED),),
            conditions=(),
            consequences=UNHEARD_BY_CALLER if place == "caller" else UNHEARD,
            because=f"RTP arrives at the {place}, and the SRTP key that the SDP names fits none of it",
            confidence="likely",
        )


def two_codecs() -> Iterator[Rule]:
    """One G.711 law on the caller's side and the other on the AI's: a platform that transcodes has that, too."""
    differ = when("codec.sides", "different")
    arrived = tuple(kind for kind in NO_VOICE if kind not in (*NO_RTP, AT_FIRST_NOTHING))
    law = Rule(
        id="audio.two-codecs",
        cause="g711-one-side",
        symptoms=("audio", "codec"),
        cells=cells("codec", "caller", "AI"),
        conditions=(differ, when("audio.to_ai", *arrived, "no mark"), when("audio.to_caller", *arrived), *LASTING),
        consequences=UNHEARD,
        because="the platform agreed on one G.711 law with the caller and on the other with the AI, and neither hears anything",
    )
    yield law
    # That nothing arrives at one of them has other causes, too.
    for end, to_ai, to_caller in (("at-ai", arrived, NO_RTP), ("at-caller", (*NO_RTP, AT_FIRST_NOTHING), arrived)):
        heard = (
            when("audio.to_ai", *to_ai, *(("no mark",) if end == "at-ai" else ())),
            when("audio.to_caller", *to_caller),
        )
        yield replace(law, id=f"audio.two-codecs.{end}", conditions=(differ, *heard, *LASTING), confidence="likely")
    for to, other in (("audio.to_caller", "audio.to_ai"), ("audio.to_ai", "audio.to_caller")):
        yield replace(
            law,
            id=f"audio.two-codecs.one-way.{to.removeprefix('audio.').replace('_', '-')}",
            essential=(when(to, "RTP of another codec"),),
            conditions=(when(other, "heard"), *LASTING),
            because="RTP arrives of a payload type that the listener's SDP did not agree on, and the other way all is heard",
            confidence="likely",
        )
    silence = (differ, when("audio.to_ai", *NO_RTP), when("audio.to_caller", *NO_RTP))
    yield replace(law, id="audio.two-codecs.no-rtp", essential=silence, conditions=LASTING)
    yield Rule(
        id="audio.no-rtp.two-codecs",
        cause="rtp-blocked-both",
        symptoms=("audio", "codec"),
        essential=silence,
        conditions=(unless("sdp.to_ai", "private"), SENT, *LASTING),
        consequences=UNHEARD,
        because="nothing arrives at either end, which closed RTP ports explain as well as the want of a transcoder",
        confidence="possible",
    )
