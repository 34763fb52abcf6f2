"""Ctrl-C ends the command line with 130 and without a traceback, whenever it comes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: Sends SIGINT while a module is being imported.
CUSTOM = """
import os, signal, sys


class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)


sys.meta_path.insert(0, Interrupts())
"""


@pytest.mark.parametrize("name", ["harness.run.cli.app", "harness.integrations"])
def test_ctrl_c_during_imports_exits_with_130(tmp_path: Path, name: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(CUSTOM.format(name=name))
    command = [str(Path(sys.executable).parent / "harness"), "rows"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
