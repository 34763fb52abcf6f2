"""Processes that are forked from one which has imported what they need, instead of importing it each for itself.

=============  ===================================================================================
``server``     the nursery's own process: it forks what is asked for
``newborn``    what is started in the stead of an interpreter; it asks, and stands for the process
``apart``      a nursery that has nothing of its starter's memory
=============  ===================================================================================

The way of a process::

    starter ── Popen ──> newborn.py ── open files, environment ──> server ── fork ──> process
                             └────────────── exit status ────────────┘

A runner forks itself for its workers (:mod:`harness.pytest_plugin.nursery`); softphones and simulated worlds come from nurseries
apart (``python -m harness.nursery DESCRIPTOR MODULE …``), since they know no secret.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path


def interpreter(nursery: Path | None) -> list[str]:
    """The command that Python's arguments follow: for a process of the nursery at that path, or the interpreter's."""
    if nursery is None:
        return [sys.executable]
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name("newborn.py")), str(nursery)]


def listening_at(path: Path) -> socket.socket:
    """The socket of a nursery. Raises OSError, as where the path is longer than a socket's may be."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(str(path))
        listening.listen(64)
    except OSError:
        listening.close()
        raise
    return listening
