"""Debian programs that parts need besides Python: ``python -m tools.ci.programs NAME…`` installs those that are missing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from typing import Final

from tools.interop.programs import install, missing

CHROMIUM: Final = "chromium"
REDIS: Final = "redis-server"
SIP: Final = "sip"  #: all SIP programs of the interop tests


def main(needed: Iterable[str]) -> int:
    """0 when all are there. A part whose program is missing says so itself, too."""
    packages: list[str] = []
    for name in dict.fromkeys(needed):
        packages += missing() if name == SIP else [] if shutil.which(name) else [name]
    problem = install(packages) if packages else None
    if problem:
        print(f"apt: {problem}", file=sys.stderr)
    return int(problem is not None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
