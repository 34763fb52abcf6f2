"""What a full disk cut short is nowhere taken for whole, once there is room again."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest

from harness.errors import HarnessError, ResourceError
from harness.report import history
from harness.report.run import finish, remake, remember
from harness.report.run_directory import case_directory, create, write_end
from tests.disk import full_beyond
from tests.unit.report import samples

OF_A_CASE = (".mp3", ".png", ".json", ".pcapng")


def kept(directory: Path) -> dict[str, bytes]:
    """What views keep beside a case's evidence for the next view."""
    return {
        path.name: path.read_bytes()
        for path in sorted(directory.iterdir())
        if path.suffix in OF_A_CASE
    }


@pytest.mark.parametrize("room", [1, 200, 3_000, 12_000, 60_000])
def test_views_are_made_anew(tmp_path: Path, room: int) -> None:
    """Of a picture, an MP3, a capture, figures: half of one would be shown, or would not be read,
    for good.
    """
    directory = create(tmp_path / "first")
    case = samples.case_of("TD-INBOUND")
    samples.failed(case_directory(directory, case), case, sound=True)
    other = tmp_path / "other" / directory.name
    shutil.copytree(directory, other)
    end = samples.END
    write_end(other, [case], end)
    finish(directory, [case], end)
    remake(directory, complete=True)
    with full_beyond(room), contextlib.suppress(HarnessError, OSError):
        finish(other, [case], end)
    with full_beyond(room), contextlib.suppress(HarnessError, OSError):
        remake(other, complete=True)

    remade = remake(other, complete=True)

    found = kept(case_directory(other, case))
    assert found == kept(case_directory(directory, case))
    assert {Path(name).suffix for name in found} == set(OF_A_CASE)
    assert remade.summary.failed == 1
    assert not list(other.rglob("*.part"))


def test_a_history_that_cannot_be_opened_takes_no_report_away(tmp_path: Path) -> None:
    """Nor is the run broken by it."""
    run, case = tmp_path / "run", samples.case_of()
    samples.passed(run / "cases" / "one", case)
    (tmp_path / history.FILE).mkdir()
    end = samples.END
    finished = finish(run, [case], end)
    (note,) = finished.notes
    assert note.startswith("the report shows no earlier runs: ")
    with pytest.raises(ResourceError, match="what earlier runs found cannot be read"):
        remember(finished)
    assert {path.name for path in run.iterdir()} >= {"report.html", "summary.json", "junit.xml"}
    assert (tmp_path / "latest").resolve() == run
