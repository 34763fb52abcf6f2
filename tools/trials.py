"""What the self-proofs share: a pytest run whose cases are trials, watched until it ends."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

import httpx
import pytest

from harness.deployment import Deployment
from harness.errors import HarnessError
from harness.integrations.matrix import Case
from harness.report.evidence import CaseEvidence, latest
from harness.run.plugin.run import Run, run_of
from tools import ROOT, in_a_line

MET, MISSED, BROKEN = 0, 1, 3
#: The axis that tells trials of one case apart.
AXIS = "trial"
#: How often what proved nothing, since the machine was too busy for it, is made once more.
ATTEMPTS_MORE: Final = 2
_TOLD_EVERY_S: Final = 10.0
_WRITTEN_EVERY_S: Final = 60.0
_SWITCHED_WITHIN_S: Final = 20.0
#: Of pytest's plugins. Playwright's keeps all reports on their items.
_UNNEEDED: Final = ("cacheprovider", "allure_pytest", "playwright", "hypothesispytest", "anyio")


class CaseTrial(Protocol):
    """A trial, as its run sees it."""

    @property
    def case(self) -> Case:
        """The case it is made of."""


_TRIALS = pytest.StashKey[dict[str, CaseTrial]]()


def fresh(directory: Path) -> Path:
    """The directory, empty."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def parser(tool: str, description: str | None, at_once: int) -> argparse.ArgumentParser:
    """A command line with the options that all proofs have."""
    made = argparse.ArgumentParser(prog=f"python -m tools.{tool}", description=description)
    made.add_argument("-n", dest="at_once", type=int, default=at_once, help="cases at once")
    made.add_argument(
        "--reports", type=Path, default=ROOT / "reports", help="where results are left"
    )
    return made


def pytest_command(
    plugin: str, deployments: Iterable[Path], reports: Path, at_once: int
) -> list[str]:
    """Run the scenarios with ``plugin``, and without the plugins that no user has."""
    command = [sys.executable, "-m", "pytest", str(ROOT / "scenarios"), "--rootdir", str(ROOT)]
    command += ["-c", str(ROOT / "pyproject.toml"), "-p", plugin]
    command += [f"-pno:{name}" for name in _UNNEEDED]
    command += ["--no-reports", "--preflight", "off"]
    command += ["-n", str(at_once), "--reports", str(reports)]
    return command + [f"--deployment={file}" for file in deployments]


def run(
    command: Sequence[str],
    *,
    reports: Path,
    result: str,
    environment: Mapping[str, str] = os.environ,
    so_far: Callable[[Path], object] = lambda run: None,
) -> Path | None:
    """Run ``command`` and report progress; the run's directory, or None if no trial was made.

    Each trial leaves a file ``result`` in its case's directory below ``reports``. ``so_far`` gets
    the run's directory from time to time, so that an interrupted run leaves figures as well.
    """
    log = reports / "run.log"
    print(f"trials run side by side; log: {log}")
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT, env=environment
        )
        try:
            _watch(process, reports, result, so_far)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.wait()
            return None
    runs = _runs(reports, result)
    if not runs:
        print(
            f"{log.read_text(encoding='utf-8', errors='replace')[-4000:]}\nno trial was made",
            file=sys.stderr,
        )
        return None
    return runs[-1]


def _runs(reports: Path, result: str) -> list[Path]:
    return sorted(path.parents[2] for path in reports.glob(f"*/cases/*/{result}"))


def _watch(
    process: subprocess.Popen[bytes], reports: Path, result: str, so_far: Callable[[Path], object]
) -> None:
    """Print how far it is, until it ends."""
    began = written = time.monotonic()
    while True:
        try:
            process.wait(_TOLD_EVERY_S)
            return
        except subprocess.TimeoutExpired:
            told = _runs(reports, result)
            print(f"{time.monotonic() - began:5.0f} s  {len(told)} trials", flush=True)
            if told and time.monotonic() - written > _WRITTEN_EVERY_S:
                # A case that is just being written is counted next time.
                with contextlib.suppress(ValueError, KeyError, OSError, HarnessError):
                    so_far(told[-1])
                written = time.monotonic()


def ended(run: Path, result: str) -> tuple[list[CaseEvidence], list[str]]:
    """The last attempt at each trial that left a file ``result``, and the names of the case
    directories without one.
    """
    attempts, missing = [], []
    for directory in sorted(run.glob("cases/*")):
        if (directory / result).exists():
            attempts.append(CaseEvidence.read(directory))
        else:
            missing.append(directory.name)
    return latest(attempts), missing


def judged(shortfalls: Sequence[str], plain: Mapping[str, Any]) -> int:
    """Print the figures and what was missed; the exit code."""
    print(in_a_line(plain))
    for line in shortfalls:
        print(f"MISSED   {line}")
    print("every bar is met" if not shortfalls else f"{len(shortfalls)} shortfalls")
    return MISSED if shortfalls else MET


# For the plugins of the proofs.


def take_the_cases(
    session: pytest.Session,
    plan: Callable[[Run], Iterable[CaseTrial]],
    only: Sequence[str] = (),
) -> None:
    """The trials (those with the ids ``only``, if any) replace the matrix's cases, in the
    controller and in every worker alike.
    """
    run = run_of(session.config)
    if run is not None:
        trials = [trial for trial in plan(run) if not only or trial.case.id in only]
        run.cases = [trial.case for trial in trials]
        session.config.stash[_TRIALS] = {trial.case.id: trial for trial in trials}


def named(case: Case, name: str) -> Case:
    """The case as a trial, told by its name from other trials of the same case."""
    return replace(case, axes={**case.axes, AXIS: name})


def trial_of(request: pytest.FixtureRequest, case: Case) -> Any:
    """The trial that this case is."""
    return request.config.stash[_TRIALS][case.id]


@contextlib.contextmanager
def made_wrong(
    run: Run, deployment: str, replica: Deployment, faults: Sequence[str], line: str | None = None
) -> Iterator[list[str]]:
    """Switch the faults on for the tenant of the case (on one line, if named), and off again at the
    end. The list has, after that, the faults that acted.

    Calls left up are hung up: a call that a fault kept at the AI would take one of the trunk's
    places from the next case.
    """
    acted: list[str] = []
    if not faults:
        yield acted
        return
    tenant = next(index for index, each in enumerate(run.replicas[deployment]) if each is replica)
    with httpx.Client(base_url=run.controls[deployment], timeout=_SWITCHED_WITHIN_S) as control:
        try:
            for fault in faults:
                body = {"name": fault, "line": line, "tenant": tenant}
                control.post("/faults", json=body).raise_for_status()
            yield acted
        finally:
            acted += control.get("/calls").raise_for_status().json()["tenants"][tenant]["acted"]
            for left in ("/faults", "/calls"):
                control.request("DELETE", left, json={"tenant": tenant}).raise_for_status()
