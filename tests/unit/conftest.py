"""Runs of a deployment, as the plugin leaves them on disk, made of synthetic cases."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from harness.audio.wav import write_wav
from harness.case.events import CallState, LegStarted
from harness.case.measurement import Direction
from harness.case.recorder import CaseRecorder
from harness.case.verdict import Finding, Strength, Verdict
from harness.deployment import Deployment
from harness.finding_kinds import FindingKind
from harness.integrations import load
from harness.integrations.matrix import Case, Selection, cases, every_row_of
from harness.report import scope as scopes
from harness.report.case_document import names
from harness.report.evidence import CaseEvidence
from harness.report.run_directory import RunEnd, RunEvidence, case_directory, create, write_end
from harness.report.scope import UNKNOWN
from harness.report.signoff import manifest
from harness.support import mask, network_text
from tests.unit.phone_events import rtp_statistics, sip_message

DEPLOYMENT = Path("scenarios/deployments/simulated-talkdesk.toml")
INVITE = "INVITE sip:+13125550100@127.0.3.1 SIP/2.0\r\nCall-ID: 1\r\n\r\n"


def finding(kind: str, verdict: Verdict = Verdict.PASSED, **more: Any) -> Finding:
    """A finding that counts as of that kind."""
    read = FindingKind.read(kind)
    check = read.check
    measured = (
        Direction(towards=read.towards, again=read.again) if read.towards or read.again else None
    )
    strength = Strength.PROVED if check == "audio" else None
    plain: dict[str, Any] = {
        "measured": measured,
        "expected": "what was promised",
        "actual": "what was seen",
        "at": 1.0,
        "strength": strength,
    }
    return Finding(check=check, subject="x", verdict=verdict, **plain | more)


def promised(case: Case) -> list[Finding]:
    """All that the row promises to look at."""
    return [
        finding(str(kind.each()[0]))
        for kind, least in case.required_findings.items()
        for _ in range(least)
    ]


#: Returns verdict and message, and the diagnosis where there is one.
Play = Callable[[Case, CaseRecorder], tuple[Verdict, str] | tuple[Verdict, str, Mapping[str, Any]]]


def passes(case: Case, recorder: CaseRecorder) -> tuple[Verdict, str]:
    """Everything that was promised is found."""
    for one in promised(case):
        recorder.raised(one)
    return Verdict.PASSED, ""


def fails(case: Case, recorder: CaseRecorder) -> tuple[Verdict, str]:
    """One finding fails."""
    recorder.raised(finding("answered", Verdict.FAILED))
    return Verdict.FAILED, "answered of x: expected what was promised; what was seen"


def cannot_look(case: Case, recorder: CaseRecorder) -> tuple[Verdict, str]:
    """Nobody can look."""
    recorder.raised(finding("audio to ai", Verdict.NOT_OBSERVABLE, strength=Strength.UNKNOWN))
    return Verdict.NOT_OBSERVABLE, "audio of x"


def breaks(case: Case, recorder: CaseRecorder) -> tuple[Verdict, str]:
    """The harness breaks."""
    return Verdict.BROKEN, "no port is left"


def plain(case: Case, deployment: Deployment) -> dict[str, Any]:
    """What evidence and reports say of a case."""
    return {**case.plain(), **names(deployment)}


def record(run: Path, deployment: Deployment, case: Case, play: Play = passes, **more: Any) -> Path:
    """One case's evidence, with a call and a recording."""
    plain = {**case.plain(), **names(deployment), "run": run.name, **more}
    directory = case_directory(run, plain)
    recorder = CaseRecorder(directory, plain)
    leg: dict[str, Any] = {"phone": "caller", "leg": "caller.1"}
    recorder.event(
        LegStarted(
            at=1.0, direction="outgoing", mark=3, remote_uri="sip:+13125550100@127.0.3.1", **leg
        )
    )
    recorder.event(sip_message("sent", INVITE, local="127.0.2.1:5070", remote="127.0.3.1:5060"))
    recorder.event(CallState(at=1.5, state="confirmed", code=200, **leg))
    recorder.event(rtp_statistics(2.0, rx_packets=98, rx_lost=2, rx_jitter_ms=3.0, rtt_ms=1.0))
    write_wav(directory / "caller.1.received.wav", np.zeros(80, np.int16), 8000)
    recorder.close(*play(case, recorder))
    return directory


@dataclass
class Made:
    """A run on disk."""

    directory: Path
    deployment: Deployment
    cases: list[Case]

    @property
    def evidence(self) -> RunEvidence:
        return RunEvidence.read(self.directory)

    def case_directory(self, row: str) -> Path:
        return next(
            path
            for path in sorted((self.directory / "cases").iterdir())
            if path.name.startswith(row)
        )


def make_run(
    reports: Path,
    *,
    deployment: Deployment | None = None,
    rows: tuple[str, ...] = (),
    plays: Mapping[str, Play] | None = None,
    lost: tuple[str, ...] = (),
    ended: bool = True,
    interrupted: str = "",
    options: scopes.Options | None = None,
) -> Made:
    """A whole run; ``plays`` says what happens in the cases of a row, ``lost`` which rows leave no
    result.
    """
    deployment = deployment or live()
    every = every_row_of([deployment], rows)
    given: scopes.Options = {
        "row": list(rows),
        "fault": [],
        "timings": "quick",
        "keyword": "",
        **(options or {}),
    }
    run = create(reports)
    chosen = cases([deployment], Selection(rows=rows), every)
    scopes.write(
        run,
        scopes.scope_of(
            [deployment],
            every,
            chosen,
            began=1.8e9,
            options=given,
            command="harness verify FILE",
        ),
    )
    (run / "preflight.json").write_text('[{"deployment": "d", "lines": []}]')
    for case in chosen:
        if case.row.id not in lost:
            record(run, deployment, case, (plays or {}).get(case.row.id, passes))
    if ended:
        planned = [plain(case, deployment) for case in chosen]
        write_end(run, planned, RunEnd(workers=1, wall_s=1.0, interrupted=interrupted))
        manifest.write(run)
    return Made(run, deployment, chosen)


def hold(reports: Path, **more: Any) -> Made:
    """A run of the row HOLD alone."""
    return make_run(reports, rows=("HOLD",), **more)


def run_of(
    *cases: CaseEvidence,
    planned: Sequence[Mapping[str, Any]] = (),
    directory: Path = Path("r"),
    **end: Any,
) -> RunEvidence:
    """A run that left these cases."""
    return RunEvidence(
        directory, planned, RunEnd(**{"workers": 1, "wall_s": 1.0} | end), UNKNOWN, cases
    )


@functools.cache
def live() -> Deployment:
    """A small deployment that is not simulated: one trunk, no codec axis."""
    found = load(DEPLOYMENT)
    axes = found.axes.model_copy(update={"codecs": ("pcmu",), "refer": ("consumed",)})
    keep = [
        trunk for trunk in found.trunks if trunk.transport == "udp" and trunk.ai == "synthflow"
    ][:1]
    names = {trunk.name for trunk in keep}
    lines = {
        name: line.model_copy(
            update={"dids": {trunk: did for trunk, did in line.dids.items() if trunk in names}}
        )
        for name, line in found.lines.items()
        if {line.trunk, line.failover} <= {None, *names}
    }
    synthflow = found.synthflow and found.synthflow.model_copy(
        update={"api_base": "https://api.example/v2"}
    )
    update = {
        "kind": "live",
        "name": "example",
        "axes": axes,
        "trunks": tuple(keep),
        "lines": lines,
    }
    return found.model_copy(update=update | {"synthflow": synthflow})


@pytest.fixture(autouse=True)
def nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers and secrets of deployments that earlier tests have read are masked and redacted in no
    later test.
    """
    monkeypatch.setattr(mask, "_OWN", mask.Masker())
    monkeypatch.setattr(network_text, "_secrets", set())
    monkeypatch.setattr(network_text, "_search", [])


@pytest.fixture(scope="session")
def runs() -> ModuleType:
    """This module: what a test makes its runs with."""
    return sys.modules[__name__]


def words(html: str) -> str:
    """The text of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL))
