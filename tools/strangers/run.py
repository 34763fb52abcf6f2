"""``make selfproof-strangers``: shows faults on programs that nobody here wrote, and counts what is said of them.

Exit code 0 when every bar is met, 1 when one is missed, 3 when the run could not be made.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tools.interop.run import missing as missing_packages
from tools.interop.run import version
from tools.strangers.catalogue import FAULTS
from tools.strangers.platform import Strangers
from tools.strangers.plugin import RESULT, SWITCHES
from tools.strangers.results import FALSE_ALARM_CASES, Proof, read

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("kamailio", "rtpengine", "baresip")
MET, MISSED, BROKEN = 0, 1, 3
_TOLD_EVERY_S = 10.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all trials (or read those of a run), write the figures, and judge."""
    asked = _parser().parse_args(arguments)
    began = time.monotonic()
    if packages := missing_packages():
        print(f"strangers: apt-get install {' '.join(packages)}", file=sys.stderr)
        return BROKEN
    run = asked.read or _run(asked)
    if run is None:
        return BROKEN
    results, missing = read(run.resolve())
    programs = {name: version(name) for name in PROGRAMS}
    proof = Proof(results, programs, 0.0 if asked.read else time.monotonic() - began, missing)
    figures = asked.reports / "strangers.json"
    figures.write_text(json.dumps(proof.plain(), indent=1) + "\n", encoding="utf-8")
    print(f"figures  {figures}")
    print("  ".join(f"{key} {value}" for key, value in proof.plain().items() if isinstance(value, int | float)))
    print(f"calibration  {proof.calibration()}")
    shortfalls = proof.shortfalls(0 if asked.fault else asked.clean)
    for line in shortfalls:
        print(f"MISSED   {line}")
    print("every bar is met" if not shortfalls else f"{len(shortfalls)} shortfalls")
    return MISSED if shortfalls else MET


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.strangers", description=__doc__)
    parser.add_argument("--fault", action="append", default=[], help="this fault alone, without clean cases")
    parser.add_argument("--clean", type=int, default=FALSE_ALARM_CASES, metavar="N", help="clean cases")
    parser.add_argument("--held-out", action="store_true", help="with the faults that are kept aside")
    parser.add_argument(
        "-n", dest="platforms", type=int, default=4, help="platforms side by side, a case at a time each"
    )
    parser.add_argument("--reports", type=Path, default=ROOT / "reports", help="where results are left")
    parser.add_argument("--read", type=Path, metavar="RUN", help="judge the trials of this run's directory again")
    return parser


def _run(asked: argparse.Namespace) -> Path | None:
    """The run's directory; None when there is none."""
    reports: Path = asked.reports / "strangers"
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="strangers-") as scratch, ExitStack() as stack:
        switches = Path(scratch) / "switches"
        switches.mkdir()
        platforms = {}
        for number in range(1, asked.platforms + 1):
            name = f"strangers-{number}"
            platforms[name] = stack.enter_context(Strangers(name, Path(scratch) / name))
        stack.enter_context(_switching(switches, platforms))
        command = [sys.executable, "-m", "pytest", str(ROOT / "scenarios"), "--rootdir", str(ROOT)]
        command += ["-c", str(ROOT / "pyproject.toml"), "-p", "no:cacheprovider", "-p", "tools.strangers.plugin"]
        command += ["-p", "no:allure_pytest", "--no-reports", "--preflight", "off", "--live"]
        command += ["-n", str(asked.platforms), "--reports", str(reports)]
        command += [f"--deployment={each.file}" for each in platforms.values()]
        clean = 0 if asked.fault else asked.clean
        command += [f"--clean-cases={clean}", *(f"--only-fault={fault}" for fault in asked.fault)]
        command += ["--held-out"] if asked.held_out else []
        log = reports / "run.log"
        print(f"trials run side by side; what each says stands in {log}")
        with log.open("wb") as out:
            environment = {**os.environ, SWITCHES: str(switches)}
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT, env=environment)
            try:
                _tell(process, reports)
            except KeyboardInterrupt:
                process.send_signal(2)
                process.wait()
                return None
    runs = sorted(path.parent for path in reports.glob("*/cases"))
    if not runs:
        print(log.read_text(encoding="utf-8", errors="replace")[-4000:], file=sys.stderr)
        return None
    return runs[-1]


def _tell(process: subprocess.Popen[bytes], reports: Path) -> None:
    """How far it is, until it ends."""
    began = time.monotonic()
    while True:
        try:
            process.wait(_TOLD_EVERY_S)
            return
        except subprocess.TimeoutExpired:
            done = sum(1 for _ in reports.glob(f"*/cases/*/{RESULT}"))
            print(f"{time.monotonic() - began:5.0f} s  {done} trials begun", flush=True)


@contextmanager
def _switching(directory: Path, platforms: Mapping[str, Strangers]) -> Iterator[None]:
    """A socket for each platform that takes the name of the fault to show, a line each."""
    faults = {fault.name: fault for fault in FAULTS}
    listening: list[socket.socket] = []

    def serve(where: socket.socket, platform: Strangers) -> None:
        while True:
            try:
                asked, _ = where.accept()
            except OSError:
                return
            with asked:
                name = asked.makefile().readline().strip()
                platform.show(faults[name] if name else None)
                asked.sendall(b"done\n")

    for name, platform in platforms.items():
        where = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        where.bind(str(directory / name))
        where.listen()
        listening.append(where)
        threading.Thread(target=serve, args=(where, platform), daemon=True).start()
    try:
        yield
    finally:
        for where in listening:
            where.close()
