"""Debian programs and prompts that parts need besides Python: ``python -m tools.ci.programs NAME…``
installs those that are missing.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from ctypes.util import find_library
from pathlib import Path
from typing import Final

from tools.interop.programs import install, missing

CHROMIUM: Final = "chromium"
REDIS: Final = "redis-server"
#: A package whose program has another name.
_PROGRAMS: Final = {"poppler-utils": "pdftotext"}
SIP: Final = "sip"  #: all SIP programs of the interop tests
VOICES: Final = "voices"  #: people's speech, music on hold, and G.729
#: Debian's packages of prompts for Asterisk, 2.2 hours of speech in all, and the voice of each.
PROMPTS: Final = {
    "asterisk-core-sounds-en-wav": Path("/usr/share/asterisk/sounds/en_US_f_Allison"),
    "asterisk-core-sounds-es-wav": Path("/usr/share/asterisk/sounds/es_MX_f_Allison"),
    "asterisk-core-sounds-fr-wav": Path("/usr/share/asterisk/sounds/fr_CA_f_June"),
    "asterisk-core-sounds-it-wav": Path("/usr/share/asterisk/sounds/it_IT_m_Carlo"),
    "asterisk-core-sounds-ru-wav": Path("/usr/share/asterisk/sounds/ru_RU_f_IvrvoiceRU"),
}
#: Music on hold: five pieces, 18 minutes.
HOLD_MUSIC: Final = Path("/usr/share/asterisk/moh")


def main(needed: Iterable[str]) -> int:
    """0 when all are there. A part whose program is missing says so itself, too."""
    packages: list[str] = []
    for name in dict.fromkeys(needed):
        if name in (SIP, VOICES):
            packages += missing() if name == SIP else missing_sounds()
        elif not shutil.which(_PROGRAMS.get(name, name)):
            packages.append(name)
    problem = install(packages) if packages else None
    if problem:
        print(f"apt: {problem}", file=sys.stderr)
    return int(problem is not None)


def missing_voices() -> list[str]:
    """The packages of :data:`PROMPTS` that are not installed."""
    return [package for package, voice in PROMPTS.items() if not voice.is_dir()]


def missing_sounds() -> list[str]:
    """The same of all packages that `make accuracy` hears."""
    packages = missing_voices()
    if not HOLD_MUSIC.is_dir():
        packages.append("asterisk-moh-opsound-wav")
    if not find_library("bcg729"):
        packages.append("libbcg729-0")
    return packages


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
