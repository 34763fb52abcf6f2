"""An assistant with several handovers: what a file says of them, and every mistake in it as one line."""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tomli_w

from harness.deployment import Deployment, from_plain, to_plain
from harness.deployment.file import load
from harness.errors import DeploymentError
from harness.report.scope import content_of

FILE = Path(__file__).parents[2] / "acceptance" / "deployments" / "people.toml"
RATE = 8000
Table = dict[str, Any]


def speech(seconds: float = 1.0, level: float = 0.2) -> np.ndarray[Any, Any]:
    return (np.random.default_rng(1).normal(0, level, int(seconds * RATE)).clip(-1, 1) * 32767).astype(np.int16)


@pytest.fixture
def plain() -> Table:
    """A file with an assistant that hands over by itself, cold."""
    plain = tomllib.loads(FILE.read_text(encoding="utf-8"))
    name = next(iter(plain["groups"]))
    plain["assistants"] = {"front": {"did": "+12065550190", "transfer": "cold", "transfer_to": name}}
    for line in plain["lines"].values():
        if "assistant" in line:
            line["assistant"] = "front"
    plain["escalation"] = {"ways": ["digit", "prompt"], "digit": "0", "goodbye_digit": "9", "digits_back_digit": "5"}
    return plain


def written(tmp_path: Path, plain: Table, **handovers: Table) -> Path:
    plain = copy.deepcopy(plain)
    plain["assistants"]["front"]["handovers"] = handovers
    path = tmp_path / "file.toml"
    path.write_text(tomli_w.dumps(plain), encoding="utf-8")
    return path


def mistakes(path: Path) -> list[str]:
    with pytest.raises(DeploymentError) as caught:
        load(path)
    lines = str(caught.value).splitlines()
    return [line.removeprefix(f"{path}: assistants.front.handovers.") for line in lines]


def to(plain: Table, **more: Any) -> Table:
    return {"transfer": "cold", "transfer_to": next(iter(plain["groups"])), **more}


def test_the_assistants_own_table_is_one_handover_of_no_name(tmp_path: Path, plain: Table) -> None:
    deployment = load(written(tmp_path, plain, sales=to(plain, transfer="warm", digit="2")))
    own, sales = deployment.handovers("front").values()
    assert list(deployment.handovers("front")) == ["", "sales"]
    assert (own.transfer, own.ways, own.digit, own.prompt) == ("cold", ("digit", "prompt"), "0", "agent-please-en")
    assert (sales.transfer, sales.ways, sales.digit, sales.prompt) == ("warm", ("digit",), "2", None)
    assert from_plain(to_plain(deployment)).handovers("front") == deployment.handovers("front")


def test_an_assistant_may_have_named_handovers_alone(tmp_path: Path, plain: Table) -> None:
    for key in ("transfer", "transfer_to"):
        del plain["assistants"]["front"][key]
    # nothing else asks this assistant for a person, so that the digit of [escalation] is free
    deployment = load(written(tmp_path, plain, sales=to(plain, digit="0", prompt="agent-please-en")))
    (sales,) = deployment.handovers("front").values()
    assert sales.ways == ("digit", "prompt")


def test_a_digit_means_one_thing(tmp_path: Path, plain: Table) -> None:
    """The AI handed over a caller who was to make it hang up, and the row failed."""
    plain["escalation"] |= {"goodbye_digit": "0", "digits_back_digit": "0"}
    assert mistakes(written(tmp_path, plain)) == [
        f"{tmp_path / 'file.toml'}: escalation.{key}: 0 is already escalation.digit; allowed: a digit of its own for each"
        for key in ("goodbye_digit", "digits_back_digit")
    ]
    del plain["escalation"]["digits_back_digit"]
    del plain["assistants"]["front"]["transfer"], plain["assistants"]["front"]["transfer_to"]
    load(written(tmp_path, plain))  # nobody asks for a person by it


@pytest.mark.parametrize(
    ("handover", "said"),
    [
        ({"digit": "2", "transfer": None}, "sales.transfer: is missing; allowed: cold, warm"),
        ({}, 'sales: how is it asked for? allowed: digit, prompt, or ways = ["silence"]'),
        ({"ways": ["prompt"], "digit": "2"}, "sales.prompt: is missing; allowed: a prompt, since ways has it"),
        ({"ways": ["digit", "digit"], "digit": "2"}, "sales.ways: one is named twice; allowed: once"),
        ({"digit": "0"}, "sales.digit: 0 is already escalation.digit; allowed: one of its own for each handover"),
        (
            {"digit": "9"},
            "sales.digit: 9 is already escalation.goodbye_digit; allowed: one of its own for each handover",
        ),
        (
            {"prompt": "agent-please-en"},
            "sales.prompt: agent-please-en is already escalation.prompt; allowed: one of its own for each handover",
        ),
        ({"digit": "22"}, "sales.digit: '22': is of another form; allowed: one digit, of 0 to 9, *, # and A to D"),
        ({"digit": "2", "transfer_to": "nobody's"}, 'sales.transfer_to: no group is called "nobody\'s"; allowed: '),
        (
            {"digit": "2", "to": "x"},
            "sales.to: unknown key; allowed: briefing_s, caller_id_header, digit, fixed_caller_id, ",
        ),
        ({"digit": "2", "transfer_caller_id": "fixed"}, "sales: fixed_caller_id is missing; allowed: the number that "),
        ({"prompt": "billing"}, "sales.prompt: no prompt is called 'billing'; allowed: agent-please-de, "),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, plain: Table, handover: Table, said: str) -> None:
    table = {key: value for key, value in to(plain, **handover).items() if value is not None}
    (line,) = mistakes(written(tmp_path, plain, sales=table))
    assert line.startswith(said)


def test_two_handovers_are_not_asked_for_alike(tmp_path: Path, plain: Table) -> None:
    alike = {"a": to(plain, digit="2"), "b": to(plain, digit="2"), "c": to(plain, ways=["silence"])}
    found = mistakes(written(tmp_path, plain, **alike, d=to(plain, ways=["silence"])))
    assert found == [
        "b.digit: 2 is already assistants.front.handovers.a.digit; allowed: one of its own for each handover",
        "d.ways: silence is already assistants.front.handovers.c.ways; allowed: one of its own for each handover",
    ]


def test_what_asks_for_one_may_go_on_in_several_ways(tmp_path: Path, plain: Table) -> None:
    """The AI asks back: all begin alike, and the answers tell them apart."""
    begins = {"prompt": "agent-please-de", "digit": "2"}
    deployment = load(
        written(
            tmp_path,
            plain,
            bills=to(plain, **begins, then=["agent-please-fr"]),
            moves=to(plain, **begins, then=["agent-please-es", "4"]),
        )
    )
    assert [handover.then for handover in deployment.handovers("front").values()] == [
        (),
        ("agent-please-fr",),
        ("agent-please-es", "4"),
    ]
    assert "4" not in deployment.idle_digits("front")
    assert from_plain(to_plain(deployment)).handovers("front") == deployment.handovers("front")


@pytest.mark.parametrize(
    ("one", "another"),
    [([], ["3"]), (["3"], []), (["3"], ["3"]), (["3"], ["3", "4"]), (["3", "agent-please-fr"], ["3"])],
)
def test_none_is_asked_for_amid_another(tmp_path: Path, plain: Table, one: list[str], another: list[str]) -> None:
    alike = {"a": to(plain, digit="2", then=one), "b": to(plain, digit="2", then=another)}
    assert mistakes(written(tmp_path, plain, **alike)) == [
        "b.digit: 2 is already assistants.front.handovers.a.digit; allowed: one of its own for each handover"
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"digit": "2", "then": ["22"]}, "sales.then.0: no prompt is called '22'; allowed: agent-please-de, "),
        ({"digit": "2", "then": ["3", "billing"]}, "sales.then.1: no prompt is called 'billing'; allowed: "),
        ({"digit": "2", "then": "3"}, "sales.then: is no list; allowed: a list of values in [ ]"),
        ({"digit": "2", "then": ["nowhere.wav"]}, "sales.then.0: "),
        ({"ways": ["silence"], "then": ["3"]}, "sales.then: nothing is said before it by silence; allowed: "),
    ],
)
def test_a_wrong_answer_is_one_line(tmp_path: Path, plain: Table, more: Table, said: str) -> None:
    (line,) = mistakes(written(tmp_path, plain, sales=to(plain, **more)))
    assert line.startswith(said)


# -- prompts of the customer's own


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    (tmp_path / "prompts").mkdir()
    soundfile.write(tmp_path / "prompts" / "Größe L.WAV", speech(), RATE, subtype="PCM_16", format="WAV")
    return tmp_path / "prompts"


def test_a_prompt_is_found_from_where_the_file_is(tmp_path: Path, plain: Table, prompts: Path) -> None:
    deployment = load(written(tmp_path, plain, sales=to(plain, prompt="prompts/Größe L.WAV")))
    assert deployment.handovers("front")["sales"].prompt == str(prompts / "Größe L.WAV")
    # a site keeps its files where it likes: the content is the same
    content = content_of(deployment)
    assert content["assistants"]["front"]["handovers"]["sales"]["prompt"] == "Größe L.WAV"


def test_so_is_an_answer(tmp_path: Path, plain: Table, prompts: Path) -> None:
    deployment = load(written(tmp_path, plain, sales=to(plain, digit="2", then=["4", "prompts/Größe L.WAV"])))
    assert deployment.handovers("front")["sales"].then == ("4", str(prompts / "Größe L.WAV"))
    assert content_of(deployment)["assistants"]["front"]["handovers"]["sales"]["then"] == ["4", "Größe L.WAV"]


def test_so_may_be_the_one_of_the_escalation(tmp_path: Path, plain: Table, prompts: Path) -> None:
    plain["escalation"]["prompt"] = "prompts/Größe L.WAV"
    deployment = load(written(tmp_path, plain))
    assert deployment.handovers("front")[""].prompt == str(prompts / "Größe L.WAV")
    assert content_of(deployment)["escalation"]["prompt"] == "Größe L.WAV"


def test_a_prompt_that_cannot_be_said_is_one_line(tmp_path: Path, plain: Table) -> None:
    wrong = {
        "missing": ("no such file: ", None),
        "text": ("cannot be read (", b"hello"),
        "empty": ("cannot be read (", b""),
        "long": ("20.5 s long", (speech(20.5), RATE, "PCM_16")),
        "longer": ("too large (limit 1 MiB)", (speech(80.0), RATE, "PCM_16")),
        "short": ("0.2 s long", (speech(0.2), RATE, "PCM_16")),
        "none": ("0.0 s long", (speech(0.0), RATE, "PCM_16")),
        "silent": ("silent (the loudest part has -100 dBov)", (speech(1.0, 0.0), RATE, "PCM_16")),
        "faint": ("silent (the loudest part has -60 dBov)", (speech(1.0, 0.001), RATE, "PCM_16")),
        "wide": ("WAV PCM_16, 16000 Hz, 1 channel(s)", (speech(), 16000, "PCM_16")),
        "floats": ("WAV FLOAT, 8000 Hz, 1 channel(s)", (speech() / 32768, RATE, "FLOAT")),
        "stereo": ("WAV PCM_16, 8000 Hz, 2 channel(s)", (np.stack([speech(), speech()], axis=1), RATE, "PCM_16")),
    }
    for name, (_, content) in wrong.items():
        path = tmp_path / f"{name}.wav"
        if isinstance(content, tuple):
            samples, rate, subtype = content
            soundfile.write(path, samples, rate, subtype=subtype)
        elif content is not None:
            path.write_bytes(content)
    (tmp_path / "folder.wav").mkdir()
    handovers = {name: to(plain, prompt=f"{name}.wav") for name in (*wrong, "folder")}
    found = mistakes(written(tmp_path, plain, **handovers))
    assert len(found) == len(handovers)
    for (name, said), line in zip(
        (*((n, w[0]) for n, w in wrong.items()), ("folder", "Is a directory")), found, strict=True
    ):
        assert line.startswith(f"{name}.prompt: "), line
        assert said in line
        assert line.endswith("; allowed: a WAV file with 0.3 to 20 s of speech, 8000 Hz, mono, 16 bits (PCM)")


def test_a_deployment_without_handovers_says_none(tmp_path: Path, plain: Table) -> None:
    path = tmp_path / "file.toml"
    path.write_text(tomli_w.dumps(plain), encoding="utf-8")
    assert "handovers" not in content_of(load(path))["assistants"]["front"], "another file for a fleet's sites"
    assert isinstance(load(path), Deployment)
