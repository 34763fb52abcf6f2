"""Files of JSON that anybody may have written: what is none is told by one kind of error."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.support.files import json_file


def test_what_it_holds(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_bytes('{"a": ["ü"]}'.encode())
    assert json_file.read(file) == {"a": ["ü"]}
    file.write_bytes(b'"\xfc"')
    assert json_file.read(file, errors="replace") == "\ufffd"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property"),
        (b'"\xfc"', "utf-8"),
        (b"[" * 100_000, "recursion depth"),
    ],
    ids=["empty", "cut off", "not UTF-8", "nested too deeply"],
)
def test_what_is_none(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=why):
        json_file.read(file)


@dataclass(frozen=True)
class Row:
    name: str
    parts: tuple[object, ...] = ()


def test_dataclasses_are_written_as_objects_at_any_depth() -> None:
    written = json.loads(json_file.text({"rows": [Row("a", (Row("b"), 1))]}))
    assert written == {"rows": [{"name": "a", "parts": [{"name": "b", "parts": []}, 1]}]}


@pytest.mark.parametrize("value", [Path("x"), object(), Row, {1, 2}])
def test_a_value_without_a_form_in_json_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="has no form in JSON"):
        json_file.text([value])
