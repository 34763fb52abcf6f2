"""What a leg received, as the reports show it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from harness.audio.marks import reply_to, waveform
from harness.audio.wav import to_int16, write_wav
from harness.case.events import FarEndReport, Listened, Recorded
from harness.case.verdict import Verdict
from harness.report.callfacts import rtp_table
from harness.report.drawings import timeline_svg
from harness.report.evidence import CaseEvidence
from harness.report.hearing import COLUMNS, draw, figures, hearings
from harness.report.html import player_of
from tests.unit.phone_events import rtp_statistics
from tests.unit.report import samples


def heard(
    directory: Path,
    *marks: int,
    verdict: Verdict = Verdict.FAILED,
    **counters: float,
) -> CaseEvidence:
    """A call whose leg (mark 12) received a second of each of these marks, with a silence between
    them.
    """
    with samples.playing(directory) as sample:
        sample.inbound()
        parts = [
            np.concatenate([np.tile(waveform(mark), 6), np.zeros(4000, np.float32)])
            for mark in marks
        ]
        path = sample.recorder.directory / "caller.1.received.wav"
        write_wav(path, to_int16(np.concatenate(parts)) if parts else np.zeros(0, np.int16), 8000)
        sample.event(Recorded, "caller.1", path=str(path), sent_path=None)
        if counters:
            sample.recorder.event(rtp_statistics(sample.now, "caller.1", **counters))
        return sample.ends(verdict, "so it ended")


def cells(evidence: CaseEvidence) -> dict[str, str]:
    header, row = figures(evidence)
    return dict(zip(header, row, strict=True))


def test_the_sounds_name_whose_marks_they_are(tmp_path: Path) -> None:
    (found,) = hearings(heard(tmp_path, 240, reply_to(12), 12, 77))

    marks = [sound.name for sound in found.sounds if sound.kind == "mark"]
    assert marks == ["assistant main", "reply to caller.1", "caller.1", "mark 77 of another case"]
    assert found.player.startswith("data:audio/mpeg;base64,")
    assert found.picture.startswith("data:image/png;base64,")


def test_a_recording_begins_when_its_first_sample_came(tmp_path: Path) -> None:
    """Every leg on the case's own time axis: the first pulse says how much had been received by
    then.
    """
    evidence = heard(tmp_path, 240)
    (found,) = hearings(evidence)
    first = next(event for event in evidence.events if isinstance(event, Listened))
    assert found.began is not None
    assert found.began == pytest.approx(first.at - 0.1)
    picture = timeline_svg(evidence, [found])
    (x,) = re.findall(r'<image x="([0-9.]+)"', picture)
    (left, scale) = (
        float(value) for value in re.findall(r'data-(?:left|scale)="([0-9.]+)"', picture)
    )
    assert float(x) == pytest.approx(left + (found.began - evidence.began) * scale, abs=0.1)


def test_what_passed_is_drawn_when_it_is_asked_for(tmp_path: Path) -> None:
    evidence = heard(tmp_path, 240, verdict=Verdict.PASSED)
    (found,) = hearings(evidence)
    assert (found.picture, found.player) == ("", "")
    assert player_of(found, evidence, tmp_path)["player"] == "caller.1.received.flac"
    assert {path.suffix for path in tmp_path.glob("caller.1.*")} == {".flac"}

    draw(evidence)
    (found,) = hearings(evidence)
    assert found.player.startswith("data:audio/mpeg;base64,")
    assert found.picture.startswith("data:image/png;base64,")


def test_figures_of_a_direction(tmp_path: Path) -> None:
    row = cells(
        heard(
            tmp_path,
            240,
            rx_packets=95,
            rx_lost=5,
            rx_bursts=2,
            rx_burst_ms=50.0,
            rtt_ms=40.0,
        )
    )

    assert list(row) == [title for title, _ in COLUMNS]
    assert row["codec"] == "PCMU"
    assert row["received"] == "1.46 s, 95 packets"
    assert (row["lost"], row["bursts"], row["round trip"]) == (
        "5 of 100 (5.0%)",
        "2 of 50 ms",
        "40.0 ms",
    )
    assert row["level"].startswith("-15 dBov")
    # G.711 with 5 % loss in bursts of 2.5 packets: Ie-eff = 95 · 5 / (5 / 2.375 + 25.1) = 17.5, so
    # R = 75.7 (G.107)
    assert row["MOS"] == "3.9 (100 packets)"


@pytest.mark.parametrize(
    ("packets", "said"),
    [(9, "– (too few packets: 9)"), (99, "– (too few packets: 99)"), (100, "4.4 (100 packets)")],
)
def test_nine_packets_are_no_call_to_rate(tmp_path: Path, packets: int, said: str) -> None:
    assert cells(heard(tmp_path, 240, rx_packets=packets, rx_lost=0))["MOS"] == said


@pytest.mark.parametrize("reports", [(), (False,), (False, False), (True,), (False, True)])
def test_a_loss_that_the_far_end_did_not_report_is_no_zero(
    tmp_path: Path, reports: tuple[bool, ...]
) -> None:
    """A far end that got no RTP of ours says nothing of it: there the reader looks for the loss
    (RFC 3550 section 6.4.1).
    """
    with samples.playing(tmp_path / "case") as sample:
        sample.inbound()
        for names_us in reports:
            sample.event(
                FarEndReport, "caller.1", sent=5, received=0, lost=0, fraction_lost=0.0, jitter_ms=0.0,
                names_us=names_us,
            )  # fmt: skip
        counters = dict.fromkeys(("tx_packets", "tx_bytes", "rx_packets", "rx_bytes", "rx_lost"), 5)
        sample.recorder.event(rtp_statistics(sample.now, "caller.1", **counters))
        header, row = rtp_table(sample.ends(Verdict.FAILED, "so it ended"))
    shown = dict(zip(header, row, strict=True))
    told = "0" if any(reports) else "–"
    assert (shown["lost"], shown["lost at far end"], shown["jitter at far end ms"]) == (
        "5",
        told,
        told,
    )
    assert shown["round trip ms"] == "–"
