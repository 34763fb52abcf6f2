"""Debian programs that parts need besides Python: Chromium, Redis, SIP programs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from typing import Final

from tools.interop.programs import install, missing

CHROMIUM: Final = "chromium"
REDIS: Final = "redis-server"
SIP: Final = "SIP programs"


def installed(needed: Iterable[str]) -> None:
    """Install what is missing with apt. A part whose program is still missing says so itself, and fails."""
    packages: list[str] = []
    for name in dict.fromkeys(needed):
        packages += missing() if name == SIP else [] if shutil.which(name) else [name]
    if packages and (problem := install(packages)):
        print(f"apt: {problem}", file=sys.stderr)
