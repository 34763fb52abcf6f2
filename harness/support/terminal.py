"""A terminal that text from the wire, from files and from other programs cannot steer (CWE-150)."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterable
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from harness.support.network_text import printable


def escape_unencodable(stream: object) -> None:
    """What the encoding of a stream lacks (ISO 8859-1 has no dash) is written as its escape from now on."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


class SafeConsole(Console):
    """A console whose own styles are the only control sequences that reach the terminal, whatever text is printed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        escape_unencodable(self.file)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of a renderable, their text made printable."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(printable(text), style)

    def on_broken_pipe(self) -> None:
        """Go on without a reader: rich would end the process, and a run that is under way with it."""
        lead_nowhere(self.file)

    def _check_buffer(self) -> None:
        """As rich does, which knows a pipe that nobody reads, and no terminal that was closed."""
        try:
            super()._check_buffer()
        except OSError as error:
            if not has_left(self.file, error):
                raise
            self.on_broken_pipe()


def has_left(file: IO[str], error: OSError) -> bool:
    """Whether nobody reads ``file`` any more, by the error in writing to it: a pipe's end was closed, or the terminal was."""
    if isinstance(error, BrokenPipeError):
        return True
    return error.errno == errno.EIO and stat.S_ISCHR(
        os.fstat(file.fileno()).st_mode
    )  # of a file it is the disk's fault


def print_document(text: str, file: IO[str]) -> None:
    """Print a document on standard output; nothing where its reader has left."""
    try:
        print(text, file=file, flush=True)
    except OSError as error:
        if not has_left(file, error):
            raise
        lead_nowhere(file)


def lead_nowhere(file: IO[str]) -> None:
    """Have what is written to ``file`` from now on go nowhere: whoever read it has left."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, file.fileno())
    os.close(nowhere)
