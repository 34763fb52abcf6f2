"""``make test-interop``: the tests against SIP programs nobody here wrote, from a machine that may not have them yet.

What is missing is installed with apt where that is possible (root, or sudo that asks nothing), and named where it is
not; nothing is ever skipped. The result is ``reports/interop.json``: ``passed``, ``failed``, ``skipped`` and
``programs`` {name: version}. Exit codes are those of the ``harness`` command.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from types import FrameType

from tools import ROOT
from tools.junit import counts

RESULT = ROOT / "reports" / "interop.json"
PASSED, FAILED, BROKEN, INTERRUPTED = 0, 1, 3, 130
#: Stands in the environment of every process of a run, so that none is left behind unnoticed.
RUN_VARIABLE = "INTEROP_RUN"
_ELSEWHERE = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))


@dataclass(frozen=True, slots=True)
class Needed:
    """A program, the Debian packages that bring it, and how it tells its version."""

    package: str
    arguments: tuple[str, ...]
    version: str  #: a pattern whose first group is the version, in what it then says


PROGRAMS = {
    "kamailio": Needed("kamailio kamailio-tls-modules", ("-v",), r"version: kamailio ([\d.]+)"),
    "sipp": Needed("sip-tester", ("-v",), r"SIPp v([\w.\-]+?)\.?\s"),
    "baresip": Needed("baresip", ("-h",), r"baresip v([\d.]+)"),
    "sipsak": Needed("sipsak", ("-V",), r"sipsak ([\d.]+)"),
    "svmap": Needed("sipvicious", ("--version",), r"v([\d.]+)"),
    "tshark": Needed("tshark", ("-v",), r"TShark \(Wireshark\) ([\d.]+)"),
    "rtpengine": Needed("rtpengine-daemon", ("--version",), r"Version: (\S+)"),
    "openssl": Needed("openssl", ("version",), r"OpenSSL (\S+)"),
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
    found = [need.package for name, need in PROGRAMS.items() if shutil.which(name, path=_ELSEWHERE) is None]
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
        # an update that fails may still leave lists to install from, so that only the installation decides
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
    """Keep the packages from starting daemons of their own, on ports that are fixed (Debian Policy 9.3.3.1).

    A rule that is there already is left alone, and ours holds no longer than this process lives.
    """
    if _POLICY.exists():
        yield
        return
    rule = f"#!/bin/sh\n# of make test-interop\nkill -0 {os.getpid()} && exit 101\nexit 0\n"
    subprocess.run([*prefix, "tee", str(_POLICY)], input=rule.encode(), stdout=subprocess.DEVNULL, check=False)
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
    told = subprocess.run([path, *need.arguments], capture_output=True, text=True, timeout=30, check=False)
    found = re.search(need.version, told.stdout + told.stderr)
    return found[1] if found else "unknown"


def may_capture() -> bool:
    """Whether tshark may look at the loopback interface."""
    tshark = shutil.which("tshark", path=_ELSEWHERE)
    asked = [str(tshark), "-L", "-i", "lo"]  # which link types it has: to tell, it has to be opened
    return subprocess.run(asked, capture_output=True, timeout=30, check=False).returncode == 0


def left_behind(run: str) -> list[int]:
    """Processes of the run that are still there."""
    wanted = f"{RUN_VARIABLE}={run}".encode()
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            environment = (directory / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if wanted in environment and int(directory.name) != os.getpid():
            found.append(int(directory.name))
    return found


def sweep(run: str, patience_s: float = 10.0) -> list[int]:
    """End what the run left behind; gives what had to be ended by force. What is on its way out gets time for it."""
    deadline = time.monotonic() + patience_s
    while (left := left_behind(run)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in left:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return left


def main(arguments: Sequence[str]) -> int:
    """Install, run, count. ``arguments`` go to pytest."""
    RESULT.unlink(missing_ok=True)  # it is of another run
    if packages := missing():
        problem = install(packages)
        if packages := missing():
            print(
                f"interop: missing: {' '.join(packages)} ({problem or 'apt installed something else'})", file=sys.stderr
            )
            print(f"interop: apt-get install {' '.join(packages)}", file=sys.stderr)
            return BROKEN
    if not may_capture():
        print(
            "interop: tshark may not capture on the loopback interface here; root may, or the group wireshark",
            file=sys.stderr,
        )
        return BROKEN
    programs = {name: version(name) for name in PROGRAMS}
    run = uuid.uuid4().hex
    # a shell starts what runs in its background with SIGINT ignored, which pytest would inherit, and could not be ended by
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="interop-") as directory:
        junit = Path(directory) / "junit.xml"
        command = _command(directory, junit, arguments)
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, RUN_VARIABLE: run})
        code = _wait(process)
        left = sweep(run)
        found = counts(junit) if junit.exists() else {"passed": 0, "failed": 0, "skipped": 0}
    if code != INTERRUPTED:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps({**found, "programs": programs}, indent=2) + "\n", encoding="utf-8")
        print(f"interop: {', '.join(f'{count} {what}' for what, count in found.items())}; see {RESULT}")
    for pid in left:
        print(f"interop: process {pid} was left behind, and was ended", file=sys.stderr)
    if code == INTERRUPTED:
        return INTERRUPTED
    return PASSED if code == 0 and found["passed"] and not (found["failed"] or found["skipped"] or left) else FAILED


def _command(directory: str, junit: Path, arguments: Sequence[str]) -> list[str]:
    # should this process be killed outright, pytest is interrupted and ends what it started
    pytest = ["setpriv", "--pdeathsig", "INT", sys.executable, "-m", "pytest", str(ROOT / "tests" / "interop"), "-q"]
    how = ["--timeout=900", "-p", "no:cacheprovider", "-n", "4", "--dist", "loadgroup", f"--basetemp={directory}/tmp"]
    return [*pytest, f"--junitxml={junit}", *how, *arguments]


def _wait(process: subprocess.Popen[bytes]) -> int:
    """pytest's exit code. When this process is interrupted or terminated, pytest gets time to end what it started."""

    def terminated(number: int, frame: FrameType | None) -> None:
        process.send_signal(signal.SIGINT)  # Ctrl-C reaches it by itself, SIGTERM does not
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, terminated)
    try:
        return process.wait()
    except KeyboardInterrupt:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        try:
            process.wait(30)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            process.wait()
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
