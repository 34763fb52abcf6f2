"""Assertions that are made somewhere else than here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType


def asserted(words: str, files: list[str]) -> AssertionError:
    """An assertion made in the last of these files, reached through the others."""

    def fails() -> None:
        raise AssertionError(words)

    call: Callable[[], None] = fails
    for file in reversed(files):
        call = partial(eval, compile("call()", file, "eval"), {"call": call})
    try:
        call()
    except AssertionError as error:
        outermost = error.__traceback__
        frames = [
            frame for frame in tracebacks(outermost) if frame.tb_frame.f_code.co_filename in files
        ]
        for frame, following in zip(frames, [*frames[1:], None], strict=True):
            frame.tb_next = following
        return error.with_traceback(frames[0])
    raise AssertionError("nothing was raised")


def tracebacks(first: TracebackType | None) -> Iterator[TracebackType]:
    while first is not None:
        yield first
        first = first.tb_next
