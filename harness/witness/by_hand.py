"""What only a person can start: said at the terminal, whichever process of the run has to say it."""

from __future__ import annotations

import os

#: Set by ``--no-manual`` for all processes of a run.
SILENT_VARIABLE = "HARNESS_NO_MANUAL"


def ask(text: str) -> bool:
    """Ask the user to do something now; False without a terminal or with ``--no-manual``."""
    if os.environ.get(SILENT_VARIABLE) == "1":
        return False
    try:
        # a worker's own output goes to the runner: the terminal is asked directly
        with open("/dev/tty", "w", encoding="utf-8") as terminal:
            terminal.write(f"\a\n>>> {text}\n")
    except OSError:
        return False
    return True
