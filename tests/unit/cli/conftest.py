"""The command line, called in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from harness.run.cli import app


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def mistakes(self) -> list[str]:
        """The lines of a command that ended with exit code 2; each names the allowed values."""
        assert self.code == app.MISTAKE, self
        lines = self.err.splitlines()
        assert lines
        assert all(line.startswith("ERROR: ") for line in lines), lines
        return [line.removeprefix("ERROR: ") for line in lines]


Harness = Callable[..., Ended]


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Harness:
    """``harness ARGUMENTS…``."""

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["harness", *arguments])
        with pytest.raises(SystemExit) as caught:
            app.main()
        assert isinstance(caught.value.code, int)
        return Ended(caught.value.code, *capsys.readouterr())

    return run
