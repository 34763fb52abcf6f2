"""RTP that arrives and holds no voice: silence or a sound that somebody else makes of nothing, and a leg that hears itself."""

from __future__ import annotations

import pytest

from harness.calls.events import FarEndReport
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
