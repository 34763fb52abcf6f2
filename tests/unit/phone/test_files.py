"""Whatever a phone is called, its files stay in the case's directory, each leg its own."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.phone import files, recording, rtp_log

ENDING = ".received.wav"


@given(st.text(min_size=1))
def test_a_file_stays_in_its_directory(leg: str) -> None:
    path = files.path(Path("/case"), leg, ENDING)
    assert path.parent == Path("/case")
    assert len(path.name.encode("utf-8", "surrogatepass")) <= 255
    assert not set(path.name) & {"/", "\\", "\0", "\n"}
    assert not path.name.startswith(".")


@given(st.text(min_size=1), st.text(min_size=1))
def test_two_legs_have_two_files(one: str, other: str) -> None:
    same = files.path(Path("/case"), one, ENDING) == files.path(Path("/case"), other, ENDING)
    assert same == (one == other)


def test_a_usual_name_is_left_as_it_is() -> None:
    assert [path.name for path in recording.paths(Path("/case"), "Empfang Süd.1")] == [
        "Empfang Süd.1.received.wav",
        "Empfang Süd.1.sent.wav",
    ]
    assert rtp_log.path_of(Path("/case"), "../../x.1").name == "%2E.%2F..%2Fx.1.rtp.gz"
