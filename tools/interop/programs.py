"""The SIP programs of the interop tests: which are missing, how they are installed, their versions."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from tools import read_toml

_ELSEWHERE = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))


@dataclass(frozen=True, slots=True)
class Needed:
    """A program, the Debian packages that bring it, and how it tells its version."""

    package: str
    arguments: Sequence[str]
    version: str  #: a pattern whose first group is the version, in what it then says


PROGRAMS = {
    name: Needed(**row) for name, row in read_toml(Path(__file__).with_suffix(".toml")).items()
}
#: Kamailio's TLS is a package, and a file, of its own.
_TLS_MODULES = ("/usr/lib/*/kamailio/modules/tls.so", "/usr/lib/kamailio/modules/tls.so")

_POLICY = Path("/usr/sbin/policy-rc.d")
#: A server that does not answer costs seconds, another apt that is at work may have some minutes.
_APT_OPTIONS = (
    "-o=Acquire::Retries=1",
    "-o=Acquire::http::Timeout=20",
    "-o=Acquire::https::Timeout=20",
    "-o=DPkg::Lock::Timeout=180",
)


def missing() -> list[str]:
    """The packages of programs that are not here."""
    found = [
        need.package
        for name, need in PROGRAMS.items()
        if shutil.which(name, path=_ELSEWHERE) is None
    ]
    if not any(glob(pattern) for pattern in _TLS_MODULES):
        found.append("kamailio-tls-modules")
    return sorted(set(" ".join(found).split()))


def install(packages: Sequence[str]) -> str | None:
    """Install Debian packages; why it could not be done, None when it was."""
    if shutil.which("apt-get") is None:
        return "there is no apt-get here"
    prefix = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    if prefix and shutil.which("sudo") is None:
        return "only root can install, and there is no sudo"
    print(f"interop: installing {' '.join(packages)}", flush=True)
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", *_APT_OPTIONS]
    with _no_daemons(prefix):
        # an update that fails may still leave lists to install from, so that only the installation
        # decides
        told = ""
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            done = subprocess.run(
                [*apt, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            told += done.stdout
    if done.returncode == 0:
        return None
    wrong = [line for line in told.splitlines() if line.startswith(("E: ", "W: ", "sudo: "))]
    return " ".join(dict.fromkeys(wrong)) or f"apt-get ended with {done.returncode}"


@contextmanager
def _no_daemons(prefix: Sequence[str]) -> Iterator[None]:
    """Keep the packages from starting daemons of their own, on ports that are fixed (Debian Policy
    9.3.3.1).

    A rule that is there already is left alone, and ours holds no longer than this process lives.
    """
    if _POLICY.exists():
        yield
        return
    rule = f"#!/bin/sh\n# of make test-interop\nkill -0 {os.getpid()} && exit 101\nexit 0\n"
    subprocess.run(
        [*prefix, "tee", str(_POLICY)], input=rule.encode(), stdout=subprocess.DEVNULL, check=False
    )
    subprocess.run([*prefix, "chmod", "755", str(_POLICY)], check=False)
    try:
        yield
    finally:
        subprocess.run([*prefix, "rm", "-f", str(_POLICY)], check=False)


def version(name: str) -> str:
    """What the program says of itself; ``unknown`` when it says something else."""
    need = PROGRAMS[name]
    path = shutil.which(name, path=_ELSEWHERE)
    if path is None:
        return "missing"
    told = subprocess.run(
        [path, *need.arguments], capture_output=True, text=True, timeout=30, check=False
    )
    found = re.search(need.version, told.stdout + told.stderr)
    return found[1] if found else "unknown"


def may_capture() -> bool:
    """Whether tshark may look at the loopback interface."""
    tshark = shutil.which("tshark", path=_ELSEWHERE)
    asked = [str(tshark), "-L", "-i", "lo"]  # which link types it has: to tell, it has to be opened
    return subprocess.run(asked, capture_output=True, timeout=30, check=False).returncode == 0
