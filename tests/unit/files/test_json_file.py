"""Files of JSON that anybody may have written: what is none is told by one kind of error."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.files import json_file


def test_what_it_holds(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_bytes('{"a": ["ü"]}'.encode())
    assert json_file.read(file) == {"a": ["ü"]}
    file.write_bytes(b'"\xfc"')
    assert json_file.read(file, errors="replace") == "\ufffd"


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "Expecting value"), (b"{", "Expecting property"), (b'"\xfc"', "utf-8"), (b"[" * 100_000, "recursion depth")],
    ids=["empty", "cut off", "not UTF-8", "nested too deeply"],
)
def test_what_is_none(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=why):
        json_file.read(file)
