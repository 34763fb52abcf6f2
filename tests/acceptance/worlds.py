"""Simulated worlds and cases under way."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from harness.support.heartbeat import Listener
from harness.support.resources import EXAMPLES
from tests.acceptance.conftest import Tree

TALKDESK = str(EXAMPLES / "simulated-talkdesk.toml")


def case_under_way(tree: Tree, process: subprocess.Popen[str]) -> Path:
    """Wait until a case has a call up; gives its directory."""
    while True:
        assert process.poll() is None, process.communicate()[0]
        for events in tree.path.glob("reports/*/cases/*/events.jsonl"):
            if '"confirmed"' in events.read_text():
                return events.parent
        time.sleep(0.02)


def control_of(tree: Tree) -> Path:
    """Where the run has its locks, counts and heartbeats."""
    (link,) = tree.path.glob("reports/*/control")
    return link.resolve()


def world_of(tree: Tree) -> int:
    (file,) = control_of(tree).glob("world-*/beat")
    beat = Listener(file).look()
    assert beat is not None
    return beat.pid
