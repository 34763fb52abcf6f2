"""RTP that arrives and holds no voice: silence or a sound that somebody else makes of nothing, and a leg that hears itself."""

from __future__ import annotations

import pytest

from harness.calls.events import FarEndReport
from tests.unit.diagnosis.audio_examples import _same
from tests.unit.diagnosis.building import Example, named
from tests.unit.diagnosis.stories import talk

SILENCE = ("silence", 200)


def call(ai: str = "stand-in") -> Example:
    example = talk(Example(ai=ai)).codec("caller.1", "PCMU")
    if ai != "stand-in":
        return example.record(witness={"codec": "PCMU"})
    return example.codec("stand-in.1", "PCMU").counted("stand-in.1")


def arrives(example: Example, leg: str, received: int = 150, names_us: bool = True) -> Example:
    """The far end says by RTCP that it gets what the leg sends."""
    counts = {"sent": 200, "received": received, "lost": 0, "fraction_lost": 0.0, "jitter_ms": 1.0}
    phone = leg.partition(".")[0]
    example.events.append(FarEndReport(at=example.now, phone=phone, leg=leg, names_us=names_us, **counts))  # type: ignore[arg-type]
    return example


@pytest.mark.parametrize(("to_ai", "to_caller"), [(SILENCE, ("no-rtp",)), (("no-rtp",), SILENCE)])
def test_silence_at_one_end_and_nothing_at_the_other_are_closed_ports(
    to_ai: tuple[str, int], to_caller: tuple[str, int]
) -> None:
    """Who mixes sends silence where nothing comes in (a conference bridge, a transcoder)."""
    assert named(call().to_ai(*to_ai).to_caller(*to_caller)) == [("rtp-blocked-both", "likely")]


def test_silence_may_be_what_a_mixer_makes_of_nothing() -> None:
    to_caller = call().to_ai().to_caller(*SILENCE)
    assert named(to_caller) == [("audio-silenced", "likely"), ("rtp-blocked-to-caller", "possible")]
    to_ai = call().to_ai(*SILENCE).to_caller()
    assert named(to_ai) == [("audio-silenced", "likely"), ("rtp-blocked-to-ai", "possible")]


@pytest.mark.parametrize(
    ("received", "names_us", "sure"), [(150, True, "certain"), (0, True, "likely"), (150, False, "likely")]
)
def test_what_the_far_end_says_that_it_gets_is_kept_back_nowhere(received: int, names_us: bool, sure: str) -> None:
    """RFC 3550 section 6.4: a report block names the source that it is about."""
    to_caller = arrives(call(), "stand-in.1", received, names_us).to_ai().to_caller(*SILENCE)
    assert named(to_caller)[0] == ("audio-silenced", sure)
    to_ai = arrives(call(), "caller.1", received, names_us).to_ai(*SILENCE).to_caller()
    assert named(to_ai)[0] == ("audio-silenced", sure)
    assert named(arrives(call(), "caller.1").to_ai().to_caller(*SILENCE))[0][1] == "likely", "that is the other way"


@pytest.mark.parametrize("sound", ["noise", "music", "speech"])
@pytest.mark.parametrize("ai", ["synthflow", "stand-in"])
def test_where_nothing_arrives_at_one_end_what_the_other_hears_is_not_its_voice(ai: str, sound: str) -> None:
    to_caller = call(ai).to_ai("no-rtp").to_caller("other", 200, instead=sound)
    assert named(to_caller)[0] == ("rtp-blocked-to-ai", "likely")
    to_ai = call(ai).to_ai("other", 200, instead=sound).to_caller("no-rtp")
    assert named(to_ai)[0] == ("rtp-blocked-to-caller", "likely")


@pytest.mark.parametrize("sound", ["music", "tone", "speech", "announcement"])
def test_a_sound_of_somebody_s_in_the_place_of_a_voice_is_named(sound: str) -> None:
    """Music on hold that goes on, ringback, an announcement: one end hears the other, and that one the platform."""
    assert named(call().to_ai().to_caller("other", 200, instead=sound)) == [("audio-silenced", "likely")]
    assert named(call().to_ai("other", 200, instead=sound).to_caller()) == [("audio-silenced", "likely")]


def test_a_leg_that_hears_only_itself_hears_its_echo() -> None:
    assert named(call().to_ai().to_caller("echo", 200)) == [("echo", "certain")]
    assert named(call().to_ai("echo", 200).to_caller("echo", 200)) == [("echo", "certain")]


def test_nothing_at_one_end_is_more_than_two_codecs() -> None:
    """RTP of another payload type arrives, and is not played; that none does has another cause as well."""
    example = talk(Example(ai="stand-in")).codec("caller.1", "PCMU").codec("stand-in.1", "PCMA").counted("stand-in.1")
    sure = named(example.copy().to_ai("other", 200).to_caller("other", 200))
    assert sure == [("g711-one-side", "certain")]
    assert named(example.copy().to_ai("no-rtp").to_caller("other", 200))[0] == ("g711-one-side", "likely")
    assert named(example.copy().to_ai("other", 200).to_caller("no-rtp"))[0] == ("g711-one-side", "likely")


def test_clean_audio_leaves_nothing_to_explain() -> None:
    assert named(_same(talk(Example())).to_ai().to_caller()) == []
