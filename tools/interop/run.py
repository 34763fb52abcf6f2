"""``make test-interop``: the tests against SIP programs nobody here wrote, from a machine that may
not have them yet.

What is missing is installed with apt where that is possible (root, or sudo that asks nothing), and
named where it is not; nothing is ever skipped. The result is ``reports/interop.json``: ``passed``,
``failed``, ``skipped`` and ``programs`` {name: version}. Exit codes are those of the ``harness``
command.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from types import FrameType

from tools import ROOT, write_json
from tools.interop.programs import PROGRAMS, install, may_capture, missing, version
from tools.junit import counts

RESULT = ROOT / "reports" / "interop.json"
PASSED, FAILED, BROKEN, INTERRUPTED = 0, 1, 3, 130
#: Stands in the environment of every process of a run, so that none is left behind unnoticed.
RUN_VARIABLE = "INTEROP_RUN"


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
    """End what the run left behind; gives what had to be ended by force. What is on its way out
    gets time for it.
    """
    deadline = time.monotonic() + patience_s
    while (left := left_behind(run)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in left:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return left


def main() -> int:
    """Install, run, count. The command's arguments go to pytest."""
    RESULT.unlink(missing_ok=True)  # it is of another run
    if packages := missing():
        problem = install(packages)
        if packages := missing():
            print(
                f"interop: missing: {' '.join(packages)} ({problem or 'apt installed something else'})",
                file=sys.stderr,
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
    # a shell starts what runs in its background with SIGINT ignored, which pytest would inherit,
    # and could not be ended by
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="interop-") as directory:
        junit = Path(directory) / "junit.xml"
        command = _command(directory, junit)
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, RUN_VARIABLE: run})
        code = _wait(process)
        left = sweep(run)
        found = counts(junit)
    if code != INTERRUPTED:
        write_json(RESULT, {**found, "programs": programs})
        print(
            f"interop: {', '.join(f'{count} {what}' for what, count in found.items())}; see {RESULT}"
        )
    for pid in left:
        print(f"interop: process {pid} was left behind, and was ended", file=sys.stderr)
    if code == INTERRUPTED:
        return INTERRUPTED
    amiss = code or not found["passed"] or found["failed"] or found["skipped"] or left
    return FAILED if amiss else PASSED


def _command(directory: str, junit: Path) -> list[str]:
    # should this process be killed outright, pytest is interrupted and ends what it started
    command = ["setpriv", "--pdeathsig", "INT", sys.executable, "-m", "pytest"]
    command += [str(ROOT / "tests" / "interop"), "-q", f"--junitxml={junit}", "--timeout=900"]
    command += ["-p", "no:cacheprovider", "-n", "4", "--dist", "loadgroup"]
    return [*command, f"--basetemp={directory}/tmp", *sys.argv[1:]]


def _wait(process: subprocess.Popen[bytes]) -> int:
    """pytest's exit code. When this process is interrupted or terminated, pytest gets time to end
    what it started.
    """

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
