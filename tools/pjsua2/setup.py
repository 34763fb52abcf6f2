"""The wheel of pjsua2 that build.sh makes: run in pjsip-apps/src/swig/python of a tree that is
built.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from setuptools import Extension, setup


def _made(target: str) -> list[str]:
    """What pjproject's own makefile says of flags and libraries, one a line."""
    told = subprocess.run(
        ["make", "--no-print-directory", "-f", "helper.mak", target],
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout.split()


def _version() -> str:
    """pjproject's version with the local label that tells this build from the one on PyPI, as PEP
    440 has it.
    """
    text = Path("../../../../version.mak").read_text(encoding="utf-8")
    parts = dict(re.findall(r"export PJ_VERSION_(\w+)[ \t]*:=[ \t]*(\S*)", text))
    number = ".".join(
        part for part in (parts["MAJOR"], parts["MINOR"], parts.get("REV", "")) if part
    )
    return f"{number}{'.dev0' if parts.get('SUFFIX') else ''}+system.openssl"


setup(
    name="pjsua2-python",
    version=_version(),
    description="pjsua2 of pjproject, built against the system's OpenSSL",
    license="GPL-2.0-or-later",
    py_modules=["pjsua2"],
    ext_modules=[
        Extension(
            "_pjsua2",
            ["pjsua2_wrap.cpp"],
            libraries=_made("libs"),
            extra_compile_args=_made("cflags"),
            extra_link_args=_made("ldflags"),
        )
    ],
)
