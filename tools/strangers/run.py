"""``make selfproof-strangers``: shows faults on programs that nobody here wrote, and counts what is
said of them.

Exit code 0 when every bar is met, 1 when one is missed, 3 when the run could not be made.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tools import trials, write_json
from tools.ci.programs import missing_sounds
from tools.interop.programs import missing as missing_packages
from tools.interop.programs import version
from tools.strangers.fault import FAULTS
from tools.strangers.platform import Strangers
from tools.strangers.plugin import RESULT, SWITCHES
from tools.strangers.results import FALSE_ALARM_CASES, Proof, read
from tools.trials import BROKEN

PROGRAMS = ("kamailio", "rtpengine", "baresip")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all trials (or read those of a run), write the figures, and judge."""
    asked = _parser().parse_args(arguments)
    began = time.monotonic()
    if packages := [*missing_packages(), *missing_sounds()]:
        print(f"strangers: apt-get install {' '.join(packages)}", file=sys.stderr)
        return BROKEN
    programs = {name: version(name) for name in PROGRAMS}

    if asked.fault:
        asked.clean = 0
    figures: Path = asked.reports / "strangers.json"

    def written(run: Path) -> Proof:
        proof = Proof(*read(run), programs, time.monotonic() - began, asked.clean)
        write_json(figures, proof.plain())
        return proof

    run = _run(asked, written)
    if run is None:
        return BROKEN
    proof = written(run)
    print(f"figures  {figures}")
    print(f"calibration  {proof.calibration()}")
    return trials.judged(proof.shortfalls(), proof.plain())


def _parser() -> argparse.ArgumentParser:
    parser = trials.parser("strangers", __doc__, at_once=4)  # each has a platform for itself
    parser.add_argument(
        "--fault", action="append", default=[], help="this fault alone, without clean cases"
    )
    parser.add_argument(
        "--clean", type=int, default=FALSE_ALARM_CASES, metavar="N", help="clean cases"
    )
    parser.add_argument(
        "--held-out", action="store_true", help="with the faults that are kept aside"
    )
    return parser


def _run(asked: argparse.Namespace, so_far: Callable[[Path], object]) -> Path | None:
    """The run's directory; None when there is none."""
    reports = trials.fresh(asked.reports / "strangers")
    with tempfile.TemporaryDirectory(prefix="strangers-") as scratch, ExitStack() as stack:
        switches = Path(scratch) / "switches"
        switches.mkdir()
        platforms = {}
        for number in range(1, asked.at_once + 1):
            name = f"strangers-{number}"
            platforms[name] = stack.enter_context(Strangers(name, Path(scratch) / name))
        stack.enter_context(_switching(switches, platforms))
        files = [each.file for each in platforms.values()]
        command = trials.pytest_command("tools.strangers.plugin", files, reports, asked.at_once)
        command += ["--live", f"--clean-cases={asked.clean}"]
        command += [f"--only-fault={fault}" for fault in asked.fault]
        command += ["--held-out"] * asked.held_out
        environment = os.environ | {SWITCHES: str(switches)}
        return trials.run(
            command, reports=reports, result=RESULT, environment=environment, so_far=so_far
        )


@contextmanager
def _switching(directory: Path, platforms: Mapping[str, Strangers]) -> Iterator[None]:
    """A socket for each platform that takes the name of the fault to show, and answers how late its
    wire was before that.
    """
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
                late_s = platform.late_s()
                platform.show(faults[name] if name else None)
                asked.sendall(f"{late_s:.3f}\n".encode())

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
