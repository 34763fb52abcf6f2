from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from harness.audio.prompts import prompt_samples
from harness.audio.wav import write_wav
from harness.errors import MistakeError
from harness.run.cli.app import application

from .sounds import join, mark, silence


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "leg.wav"
    write_wav(
        path, join(silence(1.0), mark(263, 3.0), silence(0.5), prompt_samples("hello-en")), 8000
    )
    return path


def test_says_what_is_there_and_when(recording: Path) -> None:
    result = CliRunner().invoke(application(), ["listen", str(recording), "--deep"])
    assert result.exit_code == 0, result.output
    assert "mark 263 (“I hear mark 7”), -15 dBov" in result.output
    assert "hello-en" in result.output
    assert "deep search" in result.output


def test_mistakes_are_said_in_a_line(recording: Path, tmp_path: Path) -> None:
    runner, fast = CliRunner(), tmp_path / "fast.wav"
    write_wav(fast, silence(0.1), 1_999_999_999)
    for arguments, words in (
        ([str(tmp_path / "none.wav")], "none.wav: cannot be read: No such file"),
        ([str(fast)], "1999999999 samples a second; 4000 to 384000 are read"),
        ([str(recording), "--picture", str(tmp_path / "no" / "x.svg")], "x.svg: cannot be written"),
    ):
        result = runner.invoke(application(), ["listen", *arguments])
        assert isinstance(result.exception, MistakeError)
        assert words in str(result.exception)


def test_as_json_and_picture(recording: Path, tmp_path: Path) -> None:
    picture = tmp_path / "leg.svg"
    result = CliRunner().invoke(
        application(), ["listen", str(recording), "--json", "--picture", str(picture)]
    )
    report = json.loads(result.output)
    assert [span["kind"] for span in report["spans"] if span["kind"] != "silence"] == [
        "mark",
        "speech",
    ]
    assert report["prompts"][0]["name"] == "hello-en"
    assert report["quality"]["clock_drift_ppm"] == pytest.approx(0, abs=10)
    assert picture.read_text("utf-8").startswith("<svg")


def test_a_stereo_file_names_the_channel(tmp_path: Path) -> None:
    path = tmp_path / "both.mp3"
    sides = np.stack([join(mark(7, 1.6), silence(1.6)), join(silence(1.6), mark(9, 1.6))], axis=1)
    soundfile.write(path, sides, 8000, format="MP3", subtype="MPEG_LAYER_III")
    said = CliRunner().invoke(application(), ["listen", str(path)]).output
    assert "mark 7" in said.partition("right channel:")[0]
    assert "mark 9" in said.partition("right channel:")[2]
    report = json.loads(CliRunner().invoke(application(), ["listen", str(path), "--json"]).output)
    assert [part["channel"] for part in report["channels"]] == ["left", "right"]
