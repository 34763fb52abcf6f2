"""The console script. Other modules are imported inside ``main``, so that Ctrl-C during imports
also exits with 130.
"""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """``harness``."""
    _open_standard_streams()
    # child processes must not import files of the current directory as libraries
    os.environ["PYTHONSAFEPATH"] = "1"
    # before numpy: its threads wait for work by computing, and there is none that several would do
    # sooner
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from harness.run.cli import startup

        startup.say_of_threads()
        with startup.begun(sys.argv[1:]):
            from harness.support.memory import lasting

            with lasting():
                from harness.run.cli.app import main as run

            run()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)  # as shells do
    except Exception as error:  # raised before the command line is read
        startup.end(error)


def _open_standard_streams() -> None:
    """Open the null device for each closed standard stream; else the next opened file would get its
    descriptor.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = open(os.devnull, mode)  # noqa: SIM115  # lives as long as the process
            setattr(sys, name, nowhere)
            setattr(sys, f"__{name}__", nowhere)
