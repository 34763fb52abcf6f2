"""``python -m tools.shapes``."""

import signal
import sys

from tools.shapes.run import main


def _end(number: int, _: object) -> None:
    """One that is told to end stops its own runs and worlds first."""
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main())
