"""What a leg received, as the reports show it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from harness.audio.marks import reply_to, waveform
from harness.audio.wav import to_int16, write_wav
from harness.events import Recorded, RtpStatistics
from harness.report import hearing
from harness.report.evidence import CaseEvidence
from harness.report.hearing import COLUMNS, figures, hearings
from harness.verdict import Verdict


def heard(samples: ModuleType, directory: Path, *marks: int, **counters: float) -> CaseEvidence:
    """A call whose leg (mark 12) received a second of each of these marks, with a silence between them."""
    with samples.playing(directory) as sample:
        sample.inbound()
        parts = [np.concatenate([np.tile(waveform(mark), 6), np.zeros(4000, np.float32)]) for mark in marks]
        path = sample.recorder.directory / "caller.1.received.wav"
        write_wav(path, to_int16(np.concatenate(parts)) if parts else np.zeros(0, np.int16), 8000)
        sample.event(Recorded, "caller", "caller.1", path=str(path), sent_path=None)
        if counters:
            plain = dict.fromkeys(
                ("tx_packets", "tx_bytes", "rx_bytes", "rx_reordered", "rx_duplicated", "tx_lost", "rx_discarded"), 0
            ) | {"tx_jitter_ms": 0.0, "rx_jitter_ms": 0.0, "rtt_ms": 0.0}
            sample.event(RtpStatistics, "caller", "caller.1", **plain | counters)
        sample.recorder.close(Verdict.PASSED, "passed")
    return CaseEvidence.read(directory)


def cells(evidence: CaseEvidence) -> dict[str, str]:
    header, row = figures(evidence)
    return dict(zip(header, row, strict=True))


def test_the_picture_names_whose_marks_they_are(tmp_path: Path, samples: ModuleType) -> None:
    (found,) = hearings(heard(samples, tmp_path, 240, reply_to(12)))

    titles = re.findall(r"<g><title>([^<]+)</title><rect[^>]+fill=\"([^\"]+)\"", found.picture)
    assert [(words.partition(":")[0], colour) for words, colour in titles] == [
        ("assistant main", "#1a9850"),
        ("reply to caller.1", "#1a9850"),
    ]
    assert found.player.startswith("data:audio/mpeg;base64,")


@pytest.mark.parametrize(("mark", "name"), [(12, "caller.1"), (77, "mark 77 of another case")])
def test_an_echo_and_a_foreign_voice_are_red(tmp_path: Path, samples: ModuleType, mark: int, name: str) -> None:
    (found,) = hearings(heard(samples, tmp_path, mark))

    assert re.search(rf"<title>{name}: [^<]+</title><rect[^>]+fill=\"#d92d20\"", found.picture)


def test_made_once_and_kept_beside_the_recording(
    tmp_path: Path, samples: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = heard(samples, tmp_path, 240)
    before, rows = hearings(evidence), figures(evidence)
    assert sorted(path.suffix for path in tmp_path.glob("caller.1.received.*")) == [".json", ".mp3", ".svg", ".wav"]
    assert json.loads((tmp_path / "caller.1.received.json").read_text())["seconds"] == pytest.approx(1.46)

    monkeypatch.delattr(hearing, "classify")
    monkeypatch.delattr(hearing, "marks_heard")
    assert (hearings(evidence), figures(evidence)) == (before, rows)


def test_nothing_received_is_said_and_not_drawn(tmp_path: Path, samples: ModuleType) -> None:
    evidence = heard(samples, tmp_path)
    (found,) = hearings(evidence)

    assert (found.picture, found.player) == ("", "")
    assert cells(evidence)["level"] == "–"


def test_silence_has_no_level(tmp_path: Path, samples: ModuleType) -> None:
    with samples.playing(tmp_path) as sample:
        sample.inbound()
        path = sample.recorder.directory / "caller.1.received.wav"
        write_wav(path, np.zeros(8000, np.int16), 8000)
        sample.event(Recorded, "caller", "caller.1", path=str(path), sent_path=None)
        sample.recorder.close(Verdict.PASSED, "passed")
    assert cells(CaseEvidence.read(tmp_path))["level"] == "silence"


def test_figures_of_a_direction(tmp_path: Path, samples: ModuleType) -> None:
    row = cells(heard(samples, tmp_path, 240, rx_packets=95, rx_lost=5, rx_bursts=2, rx_burst_ms=50.0, rtt_ms=40.0))

    assert list(row) == [title for title, _ in COLUMNS]
    assert row["codec"] == "PCMU"
    assert row["received"] == "1.46 s, 95 packets"
    assert (row["lost"], row["bursts"], row["round trip"]) == ("5 (5.0%)", "2 of 50 ms", "40.0 ms")
    assert row["level"].startswith("-15 dBov")
    # G.711 with 5 % loss in bursts of 2.5 packets: Ie-eff = 95 · 5 / (5 / 2.375 + 25.1) = 17.5, so R = 75.7 (G.107)
    assert row["MOS"] == "3.9"


def test_without_loss_the_codec_alone_bounds_the_score(tmp_path: Path, samples: ModuleType) -> None:
    assert cells(heard(samples, tmp_path, 240, rx_packets=100, rx_lost=0))["MOS"] == "4.4"
