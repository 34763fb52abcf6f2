"""Compiles what of the harness is in C, each ``x.c`` into ``libx.so`` beside it, with the compiler
that comes as a Python package.

So "Python, its venv module and make" stay all that a machine needs, and every machine builds the
same, for glibc from 2.17 on (manylinux2014).
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_GLIBC = "2.17"
_FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-s", "-lm")


class NativeHook(BuildHookInterface[Any]):
    """For wheels and editable installations."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and have the wheel say for which machines it is."""
        machine = platform.machine()
        if sys.platform != "linux":
            raise SystemExit(
                f"the harness runs on Linux, as pjsua2-python does; this is {sys.platform}"
            )
        # The interpreter may be the system's (pip builds with its own), so nothing is left there.
        with tempfile.TemporaryDirectory(prefix="harness-zig-") as scratch:
            environment = {"ZIG_GLOBAL_CACHE_DIR": scratch} | os.environ
            for source in sorted(Path(self.root, "harness").rglob("*.c")):
                library = _compiled(source, machine, environment)
                build_data["artifacts"].append(library.relative_to(self.root).as_posix())
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-manylinux_{_GLIBC.replace('.', '_')}_{machine}"


def _compiled(source: Path, machine: str, environment: dict[str, str]) -> Path:
    """The library made from ``source``, beside it."""
    library = source.with_name(f"lib{source.stem}.so")
    unfinished = library.with_suffix(f".{os.getpid()}.so")
    target = ("-target", f"{machine}-linux-gnu.{_GLIBC}")
    compiler = [sys.executable, "-m", "ziglang", "cc", *target]
    subprocess.run(
        [*compiler, *_FLAGS, "-o", str(unfinished), str(source)], check=True, env=environment
    )
    unfinished.replace(library)  # at once: a process may have the old one loaded
    return library
