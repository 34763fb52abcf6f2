"""Fork servers: a process that has imported what others need forks them, so that they do not import it themselves.

=============  ===================================================================================
``server``     in the fork server's process: forks what is asked for
``client``     started instead of an interpreter: it asks for a fork, and stands for it
``process``    a fork server that has nothing of its starter's memory
=============  ===================================================================================

How a process is started::

    starter ── Popen ──> client.py ── open files, environment ──> server ── fork ──> process
                            └────────────── exit status ────────────┘

A runner forks itself for its workers (:mod:`harness.run.plugin.workers`); softphones and simulated worlds come from
fork servers of their own (``python -m harness.support.forkserver DESCRIPTOR MODULE …``), since they know no secret.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Final

#: Python that imports nothing from the current directory: in a user's own project there may be a file with a name of its library's.
PYTHON: Final = (sys.executable, "-P")


def interpreter(fork_server: Path | None) -> list[str]:
    """The command that takes Python's arguments: of the fork server at that path, or the interpreter itself."""
    if fork_server is None:
        return [*PYTHON]
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name("client.py")), str(fork_server)]


def listening_at(path: Path) -> socket.socket:
    """The socket of a fork server. Raises OSError, as where the path is longer than a socket's may be."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(str(path))
        listening.listen(64)
    except OSError:
        listening.close()
        raise
    return listening
