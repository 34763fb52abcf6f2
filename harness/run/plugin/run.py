"""What every process of a run knows about it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

import pytest

from harness.deployment import Deployment, Replicas, from_plain, replicas_to_plain, to_plain
from harness.deployment.limits import CallCounter, CallGate, Gate, Marks
from harness.integrations import matrix, own_rows
from harness.integrations.matrix import Case, Selection
from harness.integrations.row_plan import RowPlan
from harness.report.case_document import names
from harness.report.scope import Options, Scope, scope_of
from harness.support.files import stem_of
from harness.support.files.whole_file import Written, changed

TimingsName = Literal["quick", "documented"]


@dataclass
class Run:
    """One verification run, as seen by its controller, or by one of its workers.

    ``deployments`` are as their files have them; ``replicas`` are the ones to call, filled in, by
    deployment name: one of a real deployment, as many of a simulated one as its world has tenants.
    """

    directory: Path
    deployments: tuple[Deployment, ...]
    selection: Selection
    timings: TimingsName
    faults: tuple[str, ...] = ()
    workers: int = 0  #: xdist's; 0: this process runs the cases itself
    draw: int = field(default_factory=lambda: secrets.randbits(64))  #: which marks are whose
    slot: int = 0  #: which block of marks is this process's
    replicas: dict[str, Sequence[Deployment]] = field(default_factory=dict)
    #: Where the phones are that cases beside each other share; None: no case is beside another.
    switchboard: str | None = None
    phone_fork_server: Path | None = (
        None  #: where phones' processes are forked; None: each is started for itself
    )
    controls: dict[str, str] = field(
        default_factory=dict
    )  #: the worlds' control APIs, where they were asked for
    #: Makes the gate of a deployment, which tells how many calls this process has up; None: the
    #: run's own, of files.
    make_gate: Callable[[Deployment, Callable[[int], None]], Gate] | None = None
    lost: dict[str, str] = field(
        default_factory=dict
    )  #: deployments whose world died, with what it last said
    #: Files of the evidence that are complete, by their paths in the run's directory (controller).
    written: dict[str, Written] = field(default_factory=dict, compare=False)
    #: Ids of the custom rows in the plan; None: the plan is not made yet.
    planned_own: tuple[str, ...] | None = field(default=None, compare=False)
    planned: list[dict[str, Any]] | None = field(default=None, compare=False)  #: cases (worker)

    def changed_files(self) -> list[str]:
        """What others have done to complete files of the evidence, a line for each."""
        found = ((self.directory / name, file) for name, file in self.written.items())
        return [f"{path}: {what}" for path, file in found if (what := changed(path, file))]

    @property
    def slots(self) -> int:
        """How many processes run cases."""
        return max(1, self.workers)

    @cached_property
    def rows(self) -> dict[str, list[RowPlan]]:
        """The cells of every row of each deployment, as they are when the run begins."""
        if self.planned_own is None:
            self.planned_own = tuple(row.id for row in own_rows())
        return matrix.every_row_of(self.deployments, self.selection.rows)

    @cached_property
    def cases(self) -> list[Case]:
        """Every case asked for; a worker has those that the controller planned. Raises
        :class:`~harness.errors.SelectionError`.
        """
        if self.planned is not None:
            return matrix.cases_from_plain(self.planned)
        return matrix.cases(self.deployments, self.selection, self.rows)

    @cached_property
    def case_ids(self) -> frozenset[str]:
        """The ids of all cases; use it only after the session's start, until when plugins may
        change them.
        """
        return frozenset(case.id for case in self.cases)

    def plain(self, case: Case) -> dict[str, Any]:
        """What evidence and reports say of a case."""
        return {
            **case.plain(),
            **names(self.deployment(case.deployment)),
            "run": self.directory.name,
        }

    def scope(self, options: Options, command: str) -> Scope:
        """What the run is asked to verify."""
        began = time.time()
        return scope_of(
            self.deployments,
            self.rows,
            self.cases,
            began=began,
            options=options,
            command=command,
        )

    @property
    def control(self) -> Path:
        """Where the run's processes keep locks, counts and heartbeats; usually a link into memory."""
        return self.directory / "control"

    def remove_control(self) -> None:
        """Remove the link, or the directory if there was no memory to link to."""
        if not self.control.is_symlink():
            shutil.rmtree(self.control, ignore_errors=True)
            return
        with contextlib.suppress(OSError):
            self.control.unlink()

    def deployment(self, name: str) -> Deployment:
        """The deployment of that name, as its file has it. Raises ``KeyError``."""
        return {deployment.name: deployment for deployment in self.deployments}[name]

    @cached_property
    def marks(self) -> Marks:
        """This process's marks."""
        return Marks(self.slot, self.slots, self.draw)

    @cached_property
    def calls_up(self) -> CallCounter:
        """The calls of all processes."""
        return CallCounter(self.control / "calls-up", self.slots)

    @cached_property
    def _gates(self) -> dict[str, Gate]:
        counts: dict[str, int] = {}

        def counter_of(name: str) -> Callable[[int], None]:
            def set_count(calls: int) -> None:
                counts[name] = calls
                self.calls_up.set(self.slot, sum(counts.values()))

            return set_count

        def own(deployment: Deployment, changed: Callable[[int], None]) -> Gate:
            return CallGate(
                self.control / f"gate-{stem_of(deployment.name)}", deployment.limits, changed
            )

        make = self.make_gate or own
        return {d.name: make(d, counter_of(d.name)) for d in self.deployments}

    def gate(self, deployment: str) -> Gate:
        """What every call of that deployment passes."""
        return self._gates[deployment]

    def to_json(self) -> str:
        """For a worker, by the pipe to it: there are secrets in it."""
        sent = {name: getattr(self, name) for name in _SENT}
        rows = [row.id for row in own_rows()] if self.planned_own is None else self.planned_own
        replicas = {
            name: replicas_to_plain(deployments) for name, deployments in self.replicas.items()
        }
        cases = [case.to_plain() for case in self.cases]
        return json.dumps(
            sent | {"planned_own": rows, "planned": cases, "replicas": replicas}, default=_plain
        )

    @classmethod
    def from_json(cls, text: str) -> Run:
        """The inverse of :meth:`to_json`."""
        plain = json.loads(text)
        plain["directory"] = Path(plain["directory"])
        plain["deployments"] = tuple(map(from_plain, plain["deployments"]))
        plain["selection"] = Selection(
            **{name: tuple(value) for name, value in plain["selection"].items()}
        )
        plain["phone_fork_server"] = (
            Path(plain["phone_fork_server"]) if plain["phone_fork_server"] else None
        )
        plain["replicas"] = {name: Replicas(said) for name, said in plain["replicas"].items()}
        return cls(**plain | {name: tuple(plain[name]) for name in ("faults", "planned_own")})


#: What a worker is sent besides the replicas, the custom rows and the cases.
_SENT: Final = (
    *("directory", "deployments", "selection", "timings", "faults", "workers"),
    *("draw", "switchboard", "phone_fork_server", "controls"),
)


def _plain(value: object) -> Any:
    if isinstance(value, Deployment):
        return to_plain(value)
    return dataclasses.asdict(value) if isinstance(value, Selection) else str(value)


RUN = pytest.StashKey[Run]()


def run_of(config: pytest.Config) -> Run | None:
    """The run this process takes part in; None when this is another kind of pytest run."""
    return config.stash.get(RUN, None)


def case_of(item: pytest.Item) -> Case | None:
    """The case an item runs; None when it is an ordinary test."""
    callspec = getattr(item, "callspec", None)
    case = callspec.params.get("case") if callspec else None
    return case if isinstance(case, Case) else None


def case_id(nodeid: str) -> str:
    """The case's id within a pytest node id; xdist adds a group's name to it (``--dist
    loadgroup``).
    """
    return nodeid.partition("::")[2].partition("[")[2].rpartition("]")[0] or nodeid
