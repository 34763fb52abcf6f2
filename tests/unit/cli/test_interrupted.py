"""Ctrl-C ends the command line with 130 and without a traceback, whenever it comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

#: What the interpreter imports first: Ctrl-C comes while a module is imported.
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
def test_while_it_imports(tmp_path: Path, name: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(CUSTOM.format(name=name))
    command = [str(Path(sys.executable).parent / "harness"), "rows"]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(tmp_path)}, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_world_is_interrupted_though_signals_were_ignored_from_the_start(tmp_path: Path) -> None:
    """As in the background of a shell without job control, or below nohup."""
    bin_ = tmp_path / "venv" / "bin"
    bin_.mkdir(parents=True)
    (bin_ / "harness").write_text(
        f"#!{sys.executable}\nimport signal\ntry:\n    print('Ctrl-C ends it.', flush=True)\n    signal.pause()\n"
        "except KeyboardInterrupt:\n    pass\n"
    )
    (bin_ / "harness").chmod(0o700)
    trial = f"from pathlib import Path; from tools.wheel import Trial; Trial(Path({str(tmp_path)!r})).simulate()"
    ignoring = f"import signal; signal.signal({int(signal.SIGINT)}, signal.SIG_IGN); {trial}"
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", ignoring], cwd=root, check=True, timeout=60)
