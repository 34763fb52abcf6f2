"""Evidence that is damaged, or was written by another program: it is read as far as it goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.audio.wav import WavError, read_wav
from harness.errors import MistakeError
from harness.report.evidence import CaseEvidence

CASE: dict[str, Any] = {"id": "A[b]", "row": "A", "title": "A call", "axes": {}, "began": 1.0}
NOTE = '{"note": {"at": 1.5, "text": "fine"}}'


def written(directory: Path, case: str, *lines: str) -> Path:
    (directory / "case.json").write_text(case)
    (directory / "events.jsonl").write_text("\n".join(lines))
    return directory


@pytest.mark.parametrize(
    "line",
    ["[" * 100_000, '{"event": 1.5}', '{"event": {"kind": "Nothing"}}', '{"note": []}', '{"note": {"at": "soon", "text": ""}}',
     '{"note": {"at": NaN, "text": ""}}', '{"step": 7}', '{"finding": null}', '{"unheard": {}}', '{"a": 1, "b": 2}', "7", "²"],
)  # fmt: skip
def test_lines_of_any_shape_are_damaged_and_no_more(tmp_path: Path, line: str) -> None:
    evidence = CaseEvidence.read(written(tmp_path, json.dumps(CASE), NOTE, line, NOTE))
    assert evidence.damaged_lines == 1
    assert [note.text for note in evidence.notes] == ["fine", "fine"]


@pytest.mark.parametrize(
    "case",
    ["[" * 100_000, "[]", "7", "", '{"end": 7}', '{"end": {"verdict": "passed"}}', '{"began": "now"}', '{"id": 7}',
     '{"end": {"verdict": "fine", "message": "", "diagnosis": null, "at": 1, "scripted_s": 0}}',
     '{"end": {"verdict": "passed", "message": "", "diagnosis": null, "at": NaN, "scripted_s": 0}}'],
)  # fmt: skip
def test_a_case_of_another_shape_is_said_to_be_none(tmp_path: Path, case: str) -> None:
    with pytest.raises(MistakeError, match="not a case's evidence"):
        CaseEvidence.read(written(tmp_path, case, NOTE))


def test_a_recording_whose_header_contradicts_itself_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(
        b"RIFF4\x00\x00\x00WAVEfmt \x10\x00\x00\x00@\x00\x01\x00\x1f\x01\x00\x00\x80>\x00\x00\x02\x00\x10\x00data\x10\x00\x00\x00"
        + bytes(range(1, 16))
    )
    with pytest.raises(WavError, match="not a sound file"):
        read_wav(path)
