"""What the harness writes for machines has the form that its published JSON Schemas give it
(``docs/reference``).

The documents are those of real runs on the simulated world: one with a case of each verdict, one on
the same world as a live deployment, so that its numbers are masked, and a load.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner
from jsonschema.validators import validator_for

from tests.contract.harness_command import harness, start
from tests.contract.once import once

HERE = Path(__file__).parent
REFERENCE = HERE.parents[1] / "docs" / "reference"
SCHEMAS = sorted(path.name.removesuffix(".schema.json") for path in REFERENCE.glob("*.schema.json"))

#: By the name of the schema, the documents of the runs that have this form.
Documents = dict[str, list[Any]]


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Documents:
    found: Documents = once(tmp_path_factory, "schemas", written)
    return found


def written(directory: Path) -> Documents:
    """The documents of runs in ``directory``."""
    shutil.copytree(HERE / "runs", directory, dirs_exist_ok=True)
    lab = (directory / "lab.toml").read_text()
    blind = (
        lab.replace('"lab"', '"blind"')
        .replace('"during"', '"none"')
        .replace('"marks", "in-band"', "")
    )
    (directory / "blind.toml").write_text(blind.replace(', "messages", "dtmf"', ""))
    found: Documents = {name: [] for name in SCHEMAS}

    files = ["lab.toml", "blind.toml"]
    chosen = ["--row", "SBC-INBOUND", "--row", "OWN-BREAKS"]
    moment = {
        "HARNESS_AS_OF": "2026-03-11T15:00:00+00:00"
    }  # so that it is in scope, summary and statement
    printed = harness(
        "verify",
        *files,
        *chosen,
        "--fault",
        "no-g711@orders",
        "--json",
        cwd=directory,
        exits=1,
        **moment,
    )
    found["verify"].append(json.loads(printed))
    run = (directory / "reports" / "latest").resolve()
    live = _live_run(directory, found)
    for each in (run, live):
        _add_files_of(each, found)

    found["plan"].append(json.loads(harness("verify", *files, "--plan", "--json", cwd=directory)))
    found["rows"].append(json.loads(harness("rows", "--json", cwd=directory)))
    found["faults"].append(json.loads(harness("faults", "--json", cwd=directory)))
    found["rejudge"].append(
        json.loads(harness("report", run, "--rejudge", "--json", cwd=directory))
    )
    found["compare"].append(
        json.loads(harness("compare", _before(run), run, "--json", cwd=directory, exits=1))
    )
    heard = _recordings(live)[0]
    found["listen"].append(json.loads(harness("listen", heard, "--deep", "--json", cwd=directory)))
    load = harness("load", "lab.toml", "--calls", "1", "--for", "0", "--json", cwd=directory)
    found["load"].append(json.loads(load))
    harness("signoff", "key", "key.pem", cwd=directory)
    harness("signoff", "make", run, "--key", "key.pem", "--no-pdf", cwd=directory, exits=1)
    envelope = json.loads((run / "signoff.intoto.json").read_text())
    found["statement"].append(json.loads(base64.b64decode(envelope["payload"])))
    _add_a_recording(run, directory / "call.wav", found)
    return found


def _recordings(run: Path) -> list[Path]:
    return sorted([*run.rglob("*.received.wav"), *run.rglob("*.received.flac")])


def _add_a_recording(run: Path, file: Path, found: Documents) -> None:
    """Both directions of a call, as a platform records them."""
    received = next(path for path in _recordings(run) if "SBC-INBOUND" in str(path))
    sides = [
        soundfile.read(received)[0],
        soundfile.read(received.with_name(received.name.replace("received", "sent")))[0],
    ]
    length = min(map(len, sides))
    soundfile.write(file, np.stack([side[:length] for side in sides], axis=1), 8000)
    harness("witness", run, file, cwd=run, exits=1)  # the exit code is the run's
    found["witnesses"].append(json.loads((run / "witnesses.json").read_text()))
    found["witness"] += [json.loads(path.read_text()) for path in run.rglob("witness.json")]


def _live_run(directory: Path, found: Documents) -> Path:
    """A run on a world that is up by itself, as on a real platform."""
    world = start("simulate", "lab.toml", "--timings", "quick", "--as-live", "live", cwd=directory)
    try:
        assert world.stdout is not None
        said: list[str] = []
        for line in world.stdout:
            said.append(line)
            if line.startswith("Ctrl-C"):
                break
        secrets = dict(re.findall(r"^export (\w+)=(\S+)$", "".join(said), re.MULTILINE))
        printed = harness(
            "verify",
            "live/live-lab.toml",
            "--row",
            "SBC-INBOUND",
            "--json",
            cwd=directory,
            **secrets,
        )
        found["verify"].append(json.loads(printed))
    finally:
        world.send_signal(signal.SIGINT)
        world.communicate()
    return (directory / "reports" / "latest").resolve()


def _before(run: Path) -> Path:
    """The same run, in which a case had passed that fails now, and another had been quick."""
    before = run.with_name("before")
    shutil.copytree(run, before)
    for path in before.rglob("case.json"):
        case = json.loads(path.read_text())
        if case["end"]["verdict"] == "failed":
            case["end"] |= {"verdict": "passed", "message": "", "diagnosis": None}
            path.write_text(json.dumps(case))
    return before


def _add_files_of(run: Path, found: Documents) -> None:
    for name in ("summary", "scope"):
        found[name].append(json.loads((run / f"{name}.json").read_text()))
    found["case"] += [json.loads(path.read_text()) for path in run.rglob("case.json")]
    for path in run.rglob("events.jsonl"):
        found["event-line"] += [json.loads(line) for line in path.read_text().splitlines()]


def schema_of(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((REFERENCE / f"{name}.schema.json").read_text())
    return schema


@pytest.mark.parametrize("name", SCHEMAS)
def test_written_files_match_their_schemas(documents: Documents, name: str, tmp_path: Path) -> None:
    assert documents[name], "no run wrote such a document"
    schema = schema_of(name)
    several = {
        "$schema": schema["$schema"],
        "$defs": schema.pop("$defs", {}),
        "type": "array",
        "items": schema,
    }
    (tmp_path / "schema.json").write_text(json.dumps(several))
    (tmp_path / "documents.json").write_text(json.dumps(documents[name]))
    arguments = ["--schemafile", str(tmp_path / "schema.json"), str(tmp_path / "documents.json")]
    done = CliRunner().invoke(check_jsonschema, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output


def test_the_runs_have_cases_of_each_verdict_and_masked_ones(documents: Documents) -> None:
    ended = {case["end"]["verdict"] for case in documents["case"]}
    assert ended == {"passed", "failed", "not observable", "broken"}
    assert {case["mask"] for case in documents["case"]} == {True, False}
    keys = {key for line in documents["event-line"] for key in line}
    assert keys >= {"format", "event", "scripted", "step", "step_end"}


@pytest.mark.parametrize("name", [name for name in SCHEMAS if name != "event-line"])
def test_a_damaged_document_is_refused(documents: Documents, name: str) -> None:
    schema, whole = schema_of(name), documents[name][0]
    if schema.get("type") == "array":
        schema, whole = {**schema["items"], "$defs": schema["$defs"]}, whole[0]
    schema |= schema["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else {}
    _refuses_damage(schema, schema["required"], whole)


@pytest.mark.parametrize(
    ("line", "model"),
    [
        ("format", "FormatEntry"),
        ("event", "LegStarted"),
        ("scripted", "ScriptedEntry"),
        ("step", "StepEntry"),
        ("step_end", "StepEndEntry"),
    ],
)
def test_a_damaged_line_of_events_is_refused(documents: Documents, line: str, model: str) -> None:
    schema = schema_of("event-line")
    lines = [found[line] for found in documents["event-line"] if line in found]
    whole = next(one for one in lines if one.get("kind", model) == model)
    _refuses_damage(schema, schema["$defs"][model]["required"], whole, lambda one: {line: one})


def test_a_line_of_events_has_one_key(documents: Documents) -> None:
    valid = validator_for(schema := schema_of("event-line"))(schema).is_valid
    first, second, *_ = documents["event-line"]
    assert valid(first)
    assert not valid({})
    assert not valid(first | second)


def _refuses_damage(
    schema: dict[str, Any],
    required: list[str],
    whole: Any,
    wrap: Callable[[Any], Any] = lambda one: one,
) -> None:
    """A document is refused without a required key, with a key's value of another type, and with an
    unknown key.
    """
    valid = validator_for(schema)(schema).is_valid
    assert valid(wrap(whole))
    for key in required:
        assert not valid(wrap({name: value for name, value in whole.items() if name != key})), (
            f"without {key}"
        )
        assert not valid(wrap(whole | {key: {"no": [None]}})), f"{key} of another type"
    assert not valid(wrap(whole | {"no such key": 1}))


@pytest.mark.parametrize("name", ["case", "rejudge", "compare", "load", "verify"])
def test_an_unknown_verdict_is_refused(documents: Documents, name: str) -> None:
    valid = validator_for(schema := schema_of(name))(schema).is_valid
    text = next(text for one in documents[name] if '"verdict": "' in (text := json.dumps(one)))
    assert valid(json.loads(text))
    assert not valid(
        json.loads(re.sub(r'"verdict": "[^"]*"', '"verdict": "excellent"', text, count=1))
    )
