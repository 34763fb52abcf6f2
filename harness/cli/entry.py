"""The console script. Everything else is imported within, so that Ctrl-C meanwhile ends it as it does later."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """``harness``."""
    try:
        from harness.cli.early import begun

        with begun(sys.argv[1:]):
            from harness.memory import lasting

            with lasting():
                from harness.cli.app import main as run

            run()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)  # as a shell has it
