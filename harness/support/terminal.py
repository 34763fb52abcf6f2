"""Terminal output that is safe against control sequences in text from the network, files and other
programs (CWE-150).
"""

from __future__ import annotations

import errno
import io
import os
import shutil
import stat
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from harness.support.network_text import printable


def program() -> str:
    """``harness`` as one types it here: its path where PATH leads to none or to another, as in a
    checkout.
    """
    return _program(os.getcwd(), os.environ.get("PATH"))


@cache
def _program(here: str, path: str | None) -> str:
    script, found = Path(sys.executable).with_name("harness"), shutil.which("harness", path=path)
    if not script.exists() or (found and script.samefile(found)):
        return "harness"
    return min(str(script), os.path.relpath(script, here), key=len)


def escape_unencodable(stream: object) -> None:
    """Write characters that the stream's encoding lacks (ISO 8859-1 has no dash) as escapes from
    now on.
    """
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


#: The width of output to a file or a pipe, unless COLUMNS says otherwise.
PIPED_COLUMNS = 120


class SafeConsole(Console):
    """A console whose own styles are the only control sequences that reach the terminal, whatever
    text is printed. Numbers and paths in it have no colours of their own.
    """

    def __init__(self, *, least_width: int = 0, **options: Any) -> None:
        """``least_width``: a narrower terminal wraps the lines instead of cutting them off."""
        super().__init__(**{"highlight": False} | options)
        if "width" not in options and "COLUMNS" not in os.environ and not self.is_terminal:
            self.width = (
                PIPED_COLUMNS  # rich takes 80, or the width of a terminal at another stream
            )
        if self.width < least_width:
            self.width = least_width
        escape_unencodable(self.file)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments of a renderable, their text made printable."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(printable(text), style)

    def say(self, text: str | Text, style: str = "") -> None:
        """Print a line as it is, unbroken and at once."""
        self.print(Text(text, style) if isinstance(text, str) else text, soft_wrap=True)
        self.file.flush()

    def on_broken_pipe(self) -> None:
        """Go on without a reader: rich would end the process, and a run that is under way with it."""
        lead_nowhere(self.file)

    def _check_buffer(self) -> None:
        """Handle a closed terminal as well; rich handles only a broken pipe."""
        try:
            super()._check_buffer()
        except OSError as error:
            if not has_left(self.file, error):
                raise
            self.on_broken_pipe()


def plain_table(*headings: str, **options: Any) -> Table:
    """A table without lines."""
    return Table(*headings, box=None, pad_edge=False, **options)


def has_left(file: IO[str], error: OSError) -> bool:
    """Whether the write error means that the reader of ``file`` is gone: the pipe or the terminal
    was closed.
    """
    if isinstance(error, BrokenPipeError):
        return True
    # On a regular file, EIO is a disk error.
    return error.errno == errno.EIO and stat.S_ISCHR(os.fstat(file.fileno()).st_mode)


def print_errors(text: str) -> None:
    """Print what went wrong to standard error; each line of it begins with ``ERROR:``."""
    for line in text.splitlines():
        print(f"ERROR: {printable(line)}", file=sys.stderr)


def print_document(text: str, file: IO[str]) -> None:
    """Print a document; do nothing if the reader is gone."""
    try:
        print(text, file=file, flush=True)
    except OSError as error:
        if not has_left(file, error):
            raise
        lead_nowhere(file)


def lead_nowhere(file: IO[str]) -> None:
    """Discard everything written to ``file`` from now on, because its reader is gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, file.fileno())
    os.close(nowhere)
