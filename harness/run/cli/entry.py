"""The console script. Everything else is imported within, so that Ctrl-C meanwhile ends it as it does later."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """``harness``."""
    _open_standard_streams()
    # processes that are started here take no file in the current directory for a library
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        from harness.run.cli import startup

        startup.say_of_threads()
        with startup.begun(sys.argv[1:]):
            from harness.support.memory import lasting

            with lasting():
                from harness.run.cli.app import main as run

            run()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)  # as a shell has it
    except Exception as error:  # of what begins before the command line is read
        startup.end(error)


def _open_standard_streams() -> None:
    """Have those that were closed lead nowhere: Python has None for them, and the next file would get the number of one."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = open(os.devnull, mode)  # noqa: SIM115  # lives as long as the process
            setattr(sys, name, nowhere)
            setattr(sys, f"__{name}__", nowhere)
