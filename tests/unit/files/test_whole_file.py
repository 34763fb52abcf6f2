"""Files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.report.signoff import manifest
from harness.support.files import whole_file
from tests.disk import full_beyond


@given(
    st.binary(max_size=300), st.binary(max_size=300) | st.text(max_size=100), st.integers(1, 200)
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_has_no_room_leaves_what_was_there(
    tmp_path: Path, old: bytes, new: bytes | str, room: int
) -> None:
    path = tmp_path / "name"
    path.write_bytes(old)
    raw = new.encode() if isinstance(new, str) else new
    with full_beyond(room):
        if len(raw) > room:
            with pytest.raises(OSError, match="File too large"):
                whole_file.write(path, new)
        else:
            whole_file.write(path, new)
    assert path.read_bytes() == (old if len(raw) > room else raw)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), OSError("no more")])
def test_nothing_of_what_was_cut_short_stays(tmp_path: Path, raised: BaseException) -> None:
    (tmp_path / "name").write_text("old")

    def interrupted() -> None:
        with whole_file.writing(tmp_path / "name") as partial:
            partial.write_text("half")
            raise raised

    with pytest.raises(type(raised)):
        interrupted()
    assert [path.name for path in tmp_path.iterdir()] == ["name"]
    assert (tmp_path / "name").read_text() == "old"


def test_what_a_killed_process_left_is_no_evidence(tmp_path: Path) -> None:
    """Of a view, that is: of another file it would be an added one."""
    with whole_file.writing(tmp_path / "summary.json") as partial:
        partial.write_text("half")
        assert [path.name for path in tmp_path.iterdir()] == [partial.name]
        assert list(manifest.files(tmp_path)) == []
    with whole_file.writing(tmp_path / "name") as partial:
        partial.write_text("half")
        assert list(manifest.files(tmp_path)) == [partial]
