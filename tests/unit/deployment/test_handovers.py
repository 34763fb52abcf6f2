"""An assistant with several handovers: what a file says of them, and every mistake in it as one
line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from harness.deployment import Deployment, from_plain, to_plain
from harness.report.scope import content_of
from tests.unit.deployment.example_files import NONE, Changes, loaded, mistakes

RATE = 8000
Table = dict[str, Any]
BASE = {
    "escalation": {
        "ways": ["digit", "prompt"],
        "digit": "0",
        "goodbye_digit": "9",
        "digits_back_digit": "5",
    }
}
#: The assistant hands over by named handovers alone.
NAMED_ALONE = {"assistants.Ava.transfer": None, "assistants.Ava.transfer_to": None}


def speech(seconds: float = 1.0, level: float = 0.2) -> np.ndarray[Any, Any]:
    return (
        np.random.default_rng(1).normal(0, level, int(seconds * RATE)).clip(-1, 1) * 32767
    ).astype(np.int16)


def to(**more: Any) -> Table:
    return {"transfer": "cold", "transfer_to": "Inbox", **more}


def deployment(tmp_path: Path, changes: Changes = NONE, **handovers: Table) -> Deployment:
    return loaded(
        tmp_path, "live-gladly", {**BASE, **changes, "assistants.Ava.handovers": handovers}
    )


def said_of(tmp_path: Path, changes: Changes = NONE, **handovers: Table) -> list[str]:
    found = mistakes(
        tmp_path, "live-gladly", {**BASE, **changes, "assistants.Ava.handovers": handovers}
    )
    return [line.removeprefix("assistants.Ava.handovers.") for line in found]


def test_the_assistants_own_table_is_one_handover_of_no_name(tmp_path: Path) -> None:
    found = deployment(tmp_path, sales=to(transfer="warm", digit="2"))
    own, sales = found.handovers("Ava").values()
    assert list(found.handovers("Ava")) == ["", "sales"]
    assert (own.transfer, own.ways, own.digit, own.prompt) == (
        "cold",
        ("digit", "prompt"),
        "0",
        "agent-please-en",
    )
    assert (sales.transfer, sales.ways, sales.digit, sales.prompt) == (
        "warm",
        ("digit",),
        "2",
        None,
    )
    assert sales.transfer_caller_id == "agent", "Synthflow's own default"
    assert from_plain(to_plain(found)).handovers("Ava") == found.handovers("Ava")


def test_an_assistant_may_have_named_handovers_alone(tmp_path: Path) -> None:
    # nothing else asks this assistant for a person, so that the digit of [escalation] is free
    found = deployment(tmp_path, NAMED_ALONE, sales=to(digit="0", prompt="agent-please-en"))
    (sales,) = found.handovers("Ava").values()
    assert sales.ways == ("digit", "prompt")
    alike = {"escalation.goodbye_digit": "0", "escalation.digits_back_digit": None}
    assert deployment(tmp_path, {**NAMED_ALONE, **alike}).handovers("Ava") == {}, (
        "nobody asks for a person by it"
    )


@pytest.mark.parametrize(
    ("handover", "said"),
    [
        ({"transfer_to": "Inbox", "digit": "2"}, "sales.transfer: is missing; allowed: cold, warm"),
        (to(), 'sales: how is it asked for? allowed: digit, prompt, or ways = ["silence"]'),
        (
            to(ways=["prompt"], digit="2"),
            "sales.prompt: is missing; allowed: a prompt, since ways has it",
        ),
        (to(ways=["digit", "digit"], digit="2"), "sales.ways: one is named twice; allowed: once"),
        (
            to(digit="0"),
            "sales.digit: 0 is already escalation.digit; allowed: one of its own for each handover",
        ),
        (
            to(digit="9"),
            "sales.digit: 9 is already escalation.goodbye_digit; allowed: one of its own for each handover",
        ),
        (
            to(prompt="agent-please-en"),
            "sales.prompt: agent-please-en is already escalation.prompt; allowed: one of its own",
        ),
        (
            to(digit="22"),
            "sales.digit: '22': is of another form; allowed: one digit, of 0 to 9, *, # and A to D",
        ),
        (
            to(digit="2", transfer_to="nobody's"),
            'sales.transfer_to: no group is called "nobody\'s"; allowed: ',
        ),
        (
            to(digit="2", transfer_caller_id="fixed"),
            "sales: fixed_caller_id: is missing; allowed: with ",
        ),
        (
            to(prompt="billing"),
            "sales.prompt: no prompt is called 'billing'; allowed: agent-please-de, ",
        ),
        (
            to(digit="2", then=["3", "billing"]),
            "sales.then.1: no prompt is called 'billing'; allowed: ",
        ),
        (to(digit="2", then="3"), "sales.then: is no list; allowed: a list of values in [ ]"),
        (to(digit="2", then=["nowhere.wav"]), "sales.then.0: "),
        (
            to(ways=["silence"], then=["3"]),
            "sales.then: nothing is said before it by silence; allowed: ",
        ),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, handover: Table, said: str) -> None:
    (line,) = said_of(tmp_path, sales=handover)
    assert line.startswith(said)


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ([], []),
        ([], ["3"]),
        (["3"], []),
        (["3"], ["3"]),
        (["3"], ["3", "4"]),
        (["3", "agent-please-fr"], ["3"]),
    ],
)
def test_two_handovers_are_not_asked_for_alike(
    tmp_path: Path, one: list[str], another: list[str]
) -> None:
    """One that begins as another does is that one, as soon as it has been said."""
    silent = to(ways=["silence"])
    handovers = {
        "a": to(digit="2", then=one),
        "b": to(digit="2", then=another),
        "c": silent,
        "d": silent,
    }
    found = said_of(tmp_path, **handovers)
    key = "assistants.Ava.handovers"
    assert found == [
        f"b.digit: 2 is already {key}.a.digit; allowed: one of its own for each handover",
        f"d.ways: silence is already {key}.c.ways; allowed: one of its own for each handover",
    ]


def test_what_asks_for_one_may_go_on_in_several_ways(tmp_path: Path) -> None:
    """The AI asks back: all begin alike, and the answers tell them apart."""
    begins = {"prompt": "agent-please-de", "digit": "2"}
    answers = (["agent-please-fr"], ["agent-please-es", "4"])
    bills, moves = (to(**begins, then=then) for then in answers)
    found = deployment(tmp_path, bills=bills, moves=moves).handovers("Ava")
    assert [list(handover.then) for handover in found.values()] == [[], *answers]


# -- prompts of the customer's own


def test_a_prompt_is_found_from_where_the_file_is(tmp_path: Path) -> None:
    name = "prompts/Größe L.WAV"
    (tmp_path / "prompts").mkdir()
    soundfile.write(tmp_path / name, speech(), RATE, subtype="PCM_16", format="WAV")
    changes = {"escalation": {"prompt": name, "ways": ["prompt"]}}
    found = deployment(tmp_path, changes, help=to(digit="2", then=["4", name]))
    own, helps = found.handovers("Ava").values()
    assert own.prompt == helps.then[1] == str(tmp_path / name)
    # a site keeps its files where it likes: the content is the same
    content = content_of(found)
    assert content["escalation"]["prompt"] == "Größe L.WAV"
    assert content["assistants"]["Ava"]["handovers"]["help"]["then"] == ["4", "Größe L.WAV"]


def test_a_prompt_that_cannot_be_said_is_one_line(tmp_path: Path) -> None:
    wrong = {
        "missing": ("no such file: ", None),
        "text": ("cannot be read (", b"hello"),
        "long": ("20.5 s long", (speech(20.5), RATE, "PCM_16")),
        "silent": ("silent (the loudest part has -96 dBov)", (speech(1.0, 0.0), RATE, "PCM_16")),
        "wide": ("WAV PCM_16, 16000 Hz, 1 channel(s)", (speech(), 16000, "PCM_16")),
        "stereo": (
            "WAV PCM_16, 8000 Hz, 2 channel(s)",
            (np.stack([speech(), speech()], axis=1), RATE, "PCM_16"),
        ),
    }
    for name, (_, content) in wrong.items():
        path = tmp_path / f"{name}.wav"
        if isinstance(content, tuple):
            samples, rate, subtype = content
            soundfile.write(path, samples, rate, subtype=subtype)
        elif content is not None:
            path.write_bytes(content)
    (tmp_path / "folder.wav").mkdir()
    handovers = {name: to(prompt=f"{name}.wav") for name in (*wrong, "folder")}
    found = said_of(tmp_path, **handovers)
    assert len(found) == len(handovers)
    for (name, said), line in zip(
        (*((n, w[0]) for n, w in wrong.items()), ("folder", "Is a directory")), found, strict=True
    ):
        assert line.startswith(f"{name}.prompt: "), line
        assert said in line
        assert line.endswith(
            "; allowed: a WAV file with 0.3 to 20 s of speech, 8000 Hz, mono, 16 bits (PCM)"
        )
