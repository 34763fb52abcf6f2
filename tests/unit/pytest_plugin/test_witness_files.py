"""Files that others make of a run's calls are added when its cases are over: from a folder, by a
command, and as named.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile

from harness.audio.marks import waveform
from harness.case.events import MarkEnded, MarkHeard
from harness.case.recorder import CaseRecorder
from harness.case.verdict import Verdict
from harness.deployment import WitnessFiles
from harness.deployment.grants import Grants
from harness.integrations.matrix import Case
from harness.report.run_directory import read_witnesses
from harness.run.plugin.witness_files import add_files

ROW, AI = "TD-INBOUND", 240
COPIES = (
    "import os, shutil, sys; sys.exit(4) if {'TOKEN', 'NOT_GRANTED'} & {*os.environ} "
    "else shutil.copy(sys.argv[1], os.environ['HARNESS_SINCE'][:4])"
)


@pytest.mark.parametrize(
    ("declared", "added", "line"),
    [
        ({"directory": "folder"}, 1, ""),
        ({"directory": "nowhere"}, 0, "[witness] directory: nowhere: no such folder"),
        ({"command": [sys.executable, "-c", COPIES, "{folder}/call.wav"]}, 1, ""),
        (
            {
                "command": [sys.executable, "-c", COPIES, "{folder}/call.wav"],
                "environment": ["NOT_GRANTED"],
            },
            1,
            "",
        ),
        (
            {"command": [sys.executable, "-c", COPIES, "x"], "environment": ["TOKEN"]},
            0,
            "exit code 4; run it by hand",
        ),
        (
            {"command": [sys.executable, "-c", "input(); import time; time.sleep(60)"]},
            0,
            "exit code 1",
        ),  # nobody answers
        (
            {"command": ["sleep", "60"], "command_within_s": 0.1},
            0,
            "took longer than 0.1 s (witness.command_within_s)",
        ),
        (
            {"command": ["no-such-program; touch x"]},
            0,
            "No such file or directory; name a program of the PATH",
        ),
    ],
)
def test_the_file_says_where_recordings_come_from(
    tmp_path: Path,
    runs: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    declared: dict[str, Any],
    added: int,
    line: str,
) -> None:
    def hears_the_ai(case: Case, recorder: CaseRecorder) -> tuple[Verdict, str]:
        leg: Any = {"phone": "caller", "leg": "caller.1", "mark": AI}
        recorder.event(MarkHeard(at=1.1, began=1.0, level_dbov=-15.0, quality=0.9, **leg))
        recorder.event(MarkEnded(at=60.0, **leg))
        ended: tuple[Verdict, str] = runs.passes(case, recorder)
        return ended

    made = runs.make_run(tmp_path / "reports", rows=(ROW,), plays={ROW: hears_the_ai})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOKEN", "secret")
    monkeypatch.setenv("NOT_GRANTED", "secret")
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("call.wav", "old.wav"):
        soundfile.write(
            folder / name,
            np.concatenate([np.tile(waveform(3), 12), np.tile(waveform(AI), 6)]),
            8000,
        )
    os.utime(folder / "old.wav", (1e9, 1e9))
    declared = {
        key: [each.replace("{folder}", str(folder)) for each in value]
        if key == "command"
        else value
        for key, value in declared.items()
    }
    deployment = made.deployment.model_copy(update={"witness": WitnessFiles(**declared)})
    granted = Grants(env=("TOKEN",), command=True)
    lines = add_files(made.directory, [deployment], [], granted)
    assert len(read_witnesses(made.directory)) == added
    assert any(line in each for each in lines)
    given = [folder / "call.wav", Path("missing.wav")]
    named = add_files(made.directory, [made.deployment], given, Grants())
    assert "missing.wav: no such file; name sound files, captures, or folders of them" in named
    assert [one["cases"] != [] for one in read_witnesses(made.directory)] == [True]


def test_evidence_is_not_read_for_a_run_that_has_no_such_files(
    tmp_path: Path, runs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That takes two milliseconds a case."""
    made = runs.make_run(tmp_path / "reports", rows=(ROW,))
    monkeypatch.setattr(
        "harness.run.plugin.witness_files.read_cases", lambda run: pytest.fail("read")
    )
    assert add_files(made.directory, [made.deployment], [], Grants(command=True)) == []


def test_a_command_without_its_users_word_is_not_run(tmp_path: Path, runs: ModuleType) -> None:
    made = runs.make_run(tmp_path / "reports", rows=(ROW,))
    command = ("touch", str(tmp_path / "ran"))
    deployment = made.deployment.model_copy(update={"witness": WitnessFiles(command=command)})
    assert add_files(made.directory, [deployment], [], Grants(env=("*",))) == []
    assert not (tmp_path / "ran").exists()
    add_files(made.directory, [deployment], [], Grants(command=True))
    assert (tmp_path / "ran").exists()
