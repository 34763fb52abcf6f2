"""What is printed cannot steer the terminal."""

from __future__ import annotations

import errno
import io
import os
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

import harness
from harness.support.network_text import printable
from harness.support.terminal import SafeConsole, has_left

#: Clears the screen, writes the clipboard, answers back, changes the title (7- and 8-bit forms),
#: overwrites, turns around.
ATTACKS = (
    "\x1b[2J", "\x1b]52;c;Y2FsYw==\x07", "\x1b[c", "\x1b]0;title\x1b\\", "\x9b2J", "\x9d0;x\x9c", "a\rb", "\x08\x08",
    "\u202e+123", "a\u200bb", "a\u00adb", "a\u2028b", "a\ufeffb", "a\u2066b", "a\U000e0041b",
)  # fmt: skip


def _shown(renderable: object, **options: object) -> str:
    file = io.StringIO()
    console = SafeConsole(file=file, force_terminal=False, width=200, highlight=False)
    console.print(renderable, **options)  # type: ignore[arg-type]
    return file.getvalue()


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_shown_as_text_however_it_is_printed(attack: str) -> None:
    table = Table("x")
    table.add_row(f"cell {attack}")
    for renderable in (attack, Text(attack), table, Panel(Text(attack), title=attack)):
        shown = _shown(renderable, markup=False)
        assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cf") and c != "\n"], (
            shown
        )
    assert re.search(r"\\[xuU]", printable(attack))


def test_its_own_styles_reach_the_terminal() -> None:
    file = io.StringIO()
    SafeConsole(file=file, force_terminal=True, color_system="standard").print(
        Text("a\x1b[5mb", "red")
    )
    assert file.getvalue().startswith("\x1b[31ma\\x1b")


def test_plain_text_stays_as_it_is() -> None:
    for text in ("Grüße, 日本語 – “quoted” [brackets]", "two\nlines\tand a tab", ""):
        assert printable(text) == text


def test_every_console_of_the_package_is_a_safe_one() -> None:
    """A console made otherwise would print what the wire says as it is."""
    package = Path(harness.__file__).parent
    files = [
        file for file in package.rglob("*.py") if "bench" not in file.parts
    ]  # shows only what it counted itself
    assert len(files) > 100
    assert [file.name for file in files if re.search(r"(?<!\w)Console\(", file.read_text())] == []


@given(st.text())
def test_nothing_printable_holds_a_control_character(text: str) -> None:
    assert not [
        c
        for c in printable(text)
        if unicodedata.category(c) in ("Cc", "Cs", "Cf", "Zl", "Zp") and c not in "\n\t"
    ]
    assert printable(printable(text)) == printable(text)


@pytest.mark.parametrize("encoding", ["iso8859-1", "ascii", "cp1252", "utf-8"])
def test_what_a_terminal_s_encoding_lacks_is_shown_as_its_escape(encoding: str) -> None:
    """The run of a customer whose locale is not UTF-8 ended as broken when a fix had a dash in it."""
    octets = io.BytesIO()
    console = SafeConsole(
        file=io.TextIOWrapper(octets, encoding=encoding), width=200, highlight=False
    )
    table = Table("é ✓")
    table.add_row("10000–60000")
    console.print(table)
    console.print("caller → agent •••", markup=False)
    console.file.flush()
    shown = octets.getvalue().decode(encoding)
    assert all(words in shown for words in ("10000", "60000", "caller ", " agent "))
    assert ("10000–60000" in shown) is (encoding in ("utf-8", "cp1252"))


def test_a_terminal_that_is_closed_ends_nothing() -> None:
    """Each line of a run broke it from then on (EIO), and its exit code was 1 or 3, whoever had
    closed it.
    """
    reader, terminal = os.openpty()
    with os.fdopen(terminal, "w") as file:
        console = SafeConsole(file=file, force_terminal=True)
        console.print("read")
        os.close(reader)
        with pytest.raises(OSError, match="Input/output error"):
            os.write(terminal, b"x")
        for _ in range(2):
            console.print("by nobody")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (BrokenPipeError(), True),
        (OSError(errno.EIO, "x"), False),
        (OSError(errno.ENOSPC, "x"), False),
    ],
)
def test_of_a_file_it_is_the_disk_s_fault(tmp_path: Path, error: OSError, expected: bool) -> None:
    with (tmp_path / "out").open("w") as file:
        assert has_left(file, error) is expected
