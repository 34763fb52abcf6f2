"""Parts of a CI run, and the lanes they run in.

Lanes run side by side; the parts of one lane run one after the other, in the order of the table.
The lane ``alone`` begins when all others have ended. A part that fails, hangs or cannot start does
not stop the rest.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from tools import ROOT, read_json, read_toml

ALONE: Final = "alone"
#: How long a part may take to end its own processes after it was told to stop.
_ENDS_WITHIN_S: Final = 60.0
_IDLE: Final = ("chrt", "--idle", "0")  #: softphones and worlds keep their processors
_TIMED_OUT: Final = 124  #: as ``timeout`` of coreutils has it

Result = Literal["passed", "failed", "timed out"]
_WORDS: Final[Mapping[int, Result]] = {0: "passed", _TIMED_OUT: "timed out"}
#: How the end of a log is chosen: pytest's failures, errors and counts; the steps of the wheel's test.
_SHOWN: Final = {
    "pytest": re.compile(
        r"^(\d+ (passed|failed)|ERROR|FAILED|environment:|interop:)| (passed|failed).* in [0-9.]+s"
    ),
    "wheel": re.compile(r"^(ok|FAILED|wheel:|environment:)"),
}


@dataclass(frozen=True)
class Part:
    """A command that is judged by its exit code."""

    name: str
    command: Sequence[str]
    lane: str
    limit_s: float
    report: str = ""  #: the JSON file in ``reports/`` whose figures belong to this part
    computes: bool = (
        False  #: places no calls, so it gets only the processor time that the other lanes leave
    )
    after: str = ""  #: the part that has to end first, where it is in another lane
    programs: Sequence[str] = ()  #: Debian programs it needs besides Python
    closing: str = ""  #: which lines of the log to show at the end


@dataclass(frozen=True)
class Outcome:
    """How a part ended."""

    part: Part
    exit_code: int
    seconds: float
    cpu_s: float
    log: Path
    figures: Mapping[str, float]

    @property
    def result(self) -> Result:
        """In a word."""
        return _WORDS.get(self.exit_code, "failed")

    def closing(self) -> list[str]:
        """The last words of the part, as its ``closing`` in ``parts.toml`` chooses them."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        how = self.part.closing
        if how in _SHOWN:
            return [line for line in lines if _SHOWN[how].search(line)][-20:]
        return lines[-8 if how == "last lines" else -3 :]


class Runner:
    """Runs parts; ``say`` gets a line when a part begins and when it ends."""

    def __init__(
        self, logs: Path, reports: Path = ROOT / "reports", say: Callable[[str], None] = print
    ) -> None:
        self._logs, self._reports, self._say = logs, reports, say
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopped = False
        logs.mkdir(parents=True, exist_ok=True)

    def run(
        self, parts: Sequence[Part], ended: Callable[[Outcome], None] = lambda outcome: None
    ) -> list[Outcome]:
        """The outcomes in the order of the table; ``ended`` gets each as it comes."""
        outcomes: dict[str, Outcome] = {}
        over = {part.name: threading.Event() for part in parts}

        def lane(name: str) -> None:
            for part in parts:
                if part.lane != name:
                    continue
                if part.after in over:
                    over[part.after].wait()
                if self._stopped:
                    return
                outcome = self._run(part)
                with self._lock:
                    outcomes[part.name] = outcome
                    ended(outcome)
                over[part.name].set()

        try:
            lanes = dict.fromkeys(part.lane for part in parts if part.lane != ALONE)
            threads = [threading.Thread(target=lane, args=(name,), daemon=True) for name in lanes]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            lane(ALONE)
        except BaseException:
            self._stop()
            raise
        return [outcomes[part.name] for part in parts if part.name in outcomes]

    def _run(self, part: Part) -> Outcome:
        report = self._reports / part.report if part.report else None
        if report is not None:
            report.unlink(missing_ok=True)  # figures of an earlier run are not this part's
        log = self._logs / f"{part.name}.log"
        self._say(f"... {part.name}")
        began = time.monotonic()
        with log.open("wb") as out:
            try:
                process = subprocess.Popen(
                    (*(_IDLE if part.computes else ()), *part.command),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    cwd=ROOT,
                    start_new_session=True,
                )
            except OSError as error:
                out.write(f"{error}\n".encode())
                return Outcome(part, 127, 0.0, 0.0, log, {})
            code, cpu_s = self._wait(process, part.limit_s)
        outcome = Outcome(part, code, time.monotonic() - began, cpu_s, log, _figures(report))
        self._say(
            f"    {part.name}: {outcome.result}, {outcome.seconds:.0f} s, of processors {outcome.cpu_s:.0f} s"
        )
        return outcome

    def _wait(self, process: subprocess.Popen[bytes], limit_s: float) -> tuple[int, float]:
        """The exit code, and the processor time of the process and of its descendants that were
        waited for.
        """
        late = threading.Event()

        def stop() -> None:
            late.set()
            _end(process)

        timer = threading.Timer(limit_s, stop)
        timer.daemon = True
        with self._lock:
            self._running.add(process)
        timer.start()
        try:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            timer.cancel()
            with self._lock:
                self._running.discard(process)
            _signal(process, signal.SIGKILL)  # whatever it left running
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        return _TIMED_OUT if late.is_set() else code, used.ru_utime + used.ru_stime

    def _stop(self) -> None:
        """End what still runs; nothing more begins."""
        self._stopped = True
        with self._lock:
            left = list(self._running)
        for process in left:
            _end(process)


def parts_of(name: str, **words: str) -> list[Part]:
    """The parts of a table of ``parts.toml``, with these ``words`` in their arguments."""
    rows = read_toml(Path(__file__).with_suffix(".toml"))[name]
    return [_part(**row, words=words) for row in rows]


def _part(
    words: Mapping[str, str],
    make: str = "",
    arguments: str = "",
    tests: str = "",
    workers: int = 0,
    command: Sequence[str] = (),
    **fields: Any,
) -> Part:
    if make:
        command = ["make", "--no-print-directory", make]
    if arguments:
        command = [*command, f"ARGS={arguments.format_map(words)}"]
    if tests:
        command = [*command, f"TESTS={tests}", f"WORKERS={workers}"]
    return Part(command=command, **fields)


def asked_for(
    parser: argparse.ArgumentParser, every: Sequence[Part], names: Sequence[str]
) -> list[Part]:
    """The parts with these names, all of them where there is no name. An unknown name ends the
    program with a line.
    """
    known = [part.name for part in every]
    if unknown := [name for name in names if name not in known]:
        parser.error(f"no part is named {', '.join(unknown)}. Choose from: {', '.join(known)}")
    return [part for part in every if not names or part.name in names]


def interruptible() -> None:
    """Raise ``KeyboardInterrupt`` on Ctrl-C and SIGTERM; a shell starts background commands with
    SIGINT ignored.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt the part's processes as Ctrl-C would, so that they hang up their calls; kill them
    when that does not help.
    """
    _signal(process, signal.SIGINT)
    deadline = time.monotonic() + _ENDS_WITHIN_S
    while process.returncode is None and time.monotonic() < deadline:
        time.sleep(0.1)
    _signal(process, signal.SIGKILL)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _figures(report: Path | None) -> dict[str, float]:
    """The report's named numbers at the top level, and the lengths of its lists: empty where there
    is no report.
    """
    if report is None:
        return {}
    try:
        told = read_json(report)
    except (OSError, ValueError):
        return {}
    numbers = {name: value for name, value in told.items() if isinstance(value, int | float)}
    return numbers | {name: len(value) for name, value in told.items() if isinstance(value, list)}
