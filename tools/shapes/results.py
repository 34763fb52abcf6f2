"""What came of the trials, counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import integrations
from harness.deployment import Deployment
from harness.integrations import matrix
from harness.integrations.matrix import Case
from harness.report import scope
from tools.selfproof.plan import cause_of
from tools.shapes.plan import WRONG, Drawing, Trial, trials
from tools.shapes.untold import not_told_apart

CaseFile = dict[str, Any]
#: What the figures are, in order.
KEYS = (
    "customers",
    "not_run",
    "cases",
    "false_alarms",
    "unsaid_rows",
    "unsaid_entries",
    "faults",
    "missed",
    "wrongly_red",
    "named_first",
    "undecided",
    "listed",
    "wrongly_certain",
)
#: What has to be nought.
_BARS = (
    "not_run",
    "false_alarms",
    "unsaid_rows",
    "unsaid_entries",
    "missed",
    "wrongly_red",
    "wrongly_certain",
)
_NAMED_FIRST = 0.9
#: Of fewer faults a share says nothing: a sample is held to what has to be nought.
_A_SHARE_NEEDS = 20


class Results:
    """The figures of all customers so far, and a line for each that is not as it should be."""

    def __init__(self, drawing: Drawing, so_far: Mapping[str, Any] | None = None) -> None:
        known = so_far or {}
        self.drawing = drawing
        self.figures: Counter[str] = Counter({key: known.get(key, 0) for key in KEYS})
        self.said: list[str] = list(known.get("said", ()))
        self.verified: set[int] = set(
            known.get("verified", ())
        )  #: the customers, by their places in the draw
        self.wall_s: float = known.get("wall_s", 0.0)
        self.cpu_s: float = known.get("cpu_s", 0.0)

    @property
    def is_bad(self) -> bool:
        """Whether a bar is missed."""
        named_first, faults = (
            self.figures["named_first"],
            self.figures["faults"] - self.figures["undecided"],
        )
        is_low = faults >= _A_SHARE_NEEDS and named_first < _NAMED_FIRST * faults
        return is_low or any(self.figures[key] for key in _BARS)

    def line(self) -> str:
        """All figures in a line."""
        return "  ".join(f"{key} {self.figures[key]}" for key in KEYS) + f"  cpu_s {self.cpu_s:.0f}"

    def plain(self) -> dict[str, Any]:
        """For ``reports/shapes.json``."""
        return {
            "seed": self.drawing.seed,
            **{key: self.figures[key] for key in KEYS},
            "wall_s": round(self.wall_s, 1),
            "cpu_s": round(self.cpu_s, 1),
            "verified": sorted(self.verified),
            "said": self.said,
        }

    def spend(self, wall_s: float, cpu_s: float) -> None:
        """What the runs since the last time have taken."""
        self.wall_s += wall_s
        self.cpu_s += cpu_s

    def add(self, run: Path, deployments: Sequence[Deployment], indices: Iterable[int]) -> None:
        """A run over these customers, who have these places in the draw."""
        by_name = {deployment.name: deployment for deployment in deployments}
        self.verified.update(indices)
        attempts = [case for path in run.glob("cases/*/case.json") if (case := _read(path))]
        attempts.sort(key=lambda case: case.get("attempt", 1))
        found = {case["id"]: case for case in attempts}  # the last one counts
        customers = [
            deployment for deployment in deployments if not deployment.name.endswith(WRONG)
        ]
        self.figures["customers"] += len(customers)
        if not self.drawing.faults:
            self._rows(run, customers, found)
            self._entries(run, customers, found)
        for trial in trials(deployments, self.drawing):
            case = found.get(trial.case.id)
            if case is None or "end" not in case:
                self._say("not_run", trial, "left no result")
            elif not trial.fault:
                self._clean(trial, case, by_name[trial.case.deployment])
            elif trial.struck:
                self._struck(trial, case, by_name[trial.case.deployment])
            elif _verdict(case) != _expected(trial, by_name[trial.case.deployment]):
                self._say("wrongly_red", trial, _message(case))

    def _clean(self, trial: Trial, case: CaseFile, deployment: Deployment) -> None:
        self.figures["cases"] += 1
        if _verdict(case) != _expected(trial, deployment):
            self._say("false_alarms", trial, f"{_verdict(case)}: {_message(case)}")

    def _struck(self, trial: Trial, case: CaseFile, deployment: Deployment) -> None:
        self.figures["faults"] += 1
        if _verdict(case) != "failed":
            self._say("missed", trial, f"{_verdict(case)}: {_message(case)}")
            return
        causes = (case["end"].get("diagnosis") or {}).get("causes", [])
        names, wanted = [cause["id"] for cause in causes], cause_of(trial.fault)
        if names[:1] == [wanted]:
            self.figures["named_first"] += 1
        elif wanted in names and set(names) <= not_told_apart(trial.fault, trial.case, deployment):
            self.figures["undecided"] += 1
        else:
            self.figures["listed"] += wanted in names
            self.said.append(
                f"{trial.case.id}: {trial.fault}: named {names or 'nothing'}: {_message(case)}"
            )
        first = causes[0] if causes else {}
        if (
            first.get("confidence") == "certain"
            and not first.get("candidate")
            and names[0] != wanted
        ):
            self._say("wrongly_certain", trial, f"certain of {names[0]}")

    def _rows(
        self, run: Path, deployments: Sequence[Deployment], found: dict[str, CaseFile]
    ) -> None:
        """Every documented row has a case, or a reason why not."""
        asked = scope.read(run)
        left = scope.left_out(asked) if asked is not None else []
        for deployment in deployments:
            told = {
                item["row"]
                for item in left
                if item["deployment"] == deployment.name and item["why"]
            }
            told |= {
                case["row"] for case in found.values() if case["deployment"] == deployment.name
            }
            for row in integrations.find(deployment.integration).rows:
                if row.documented and row.id not in told:
                    self.figures["unsaid_rows"] += 1
                    self.said.append(
                        f"{deployment.name}: {row.id}: neither run nor said to be left out"
                    )

    def _entries(
        self, run: Path, deployments: Sequence[Deployment], found: Mapping[str, CaseFile]
    ) -> None:
        """Everything a file declares has a case, or is listed as not verified."""
        asked = scope.read(run)
        listed = (
            {one.name: one.unverified for one in asked.deployments} if asked is not None else {}
        )
        for deployment in deployments:
            told = {entry for one in listed.get(deployment.name, ()) for entry in one.entries}
            told |= {f"lines.{left.line}" for left in matrix.left_out(deployment)}
            cases = [
                t.case
                for t in trials([deployment], self.drawing)
                if not t.fault and t.case.id in found
            ]
            for entry in sorted(_declared(deployment) - told - _used(cases, deployment)):
                self.figures["unsaid_entries"] += 1
                self.said.append(
                    f"{deployment.name}: {entry}: no case, and not listed as not verified"
                )

    def _say(self, figure: str, trial: Trial, what: str) -> None:
        self.figures[figure] += 1
        fault = f" ({trial.fault} at {trial.line})" if trial.fault else ""
        self.said.append(f"{figure}: {trial.case.id}{fault}: {what}")


def _declared(deployment: Deployment) -> set[str]:
    agents = {agent for group in deployment.groups.values() for agent in group.agents}
    tables = {name: list(getattr(deployment, name)) for name in ("lines", "assistants", "groups")}
    tables |= {
        "trunks": [trunk.name for trunk in deployment.trunks],
        "phones": [*deployment.phones.keys() - agents],
    }
    return {f"{table}.{name}" for table, names in tables.items() for name in names}


def _used(cases: Iterable[Case], deployment: Deployment) -> set[str]:
    used: set[str] = set()
    for case in cases:
        used |= {f"trunks.{case.trunk}", f"lines.{case.line}"}
        used |= {f"assistants.{deployment.lines[case.line].ai}"} if case.line else set()
        used |= {f"groups.{name}" for name in matrix.landing_groups(case, deployment)}
        used |= {f"phones.{call.who}" for call in matrix.calls_of(case, deployment)}
        if case.row.moment == "campaign":
            used.add(f"phones.{deployment.customer}")
    return used


def _read(path: Path) -> CaseFile | None:
    try:
        case: CaseFile = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    return case


def _verdict(case: CaseFile) -> str:
    return str((case.get("end") or {}).get("verdict", "never ended")).replace("_", " ")


def _expected(trial: Trial, deployment: Deployment) -> str:
    return "not observable" if matrix.why_never_passed(trial.case, deployment) else "passed"


def _message(case: CaseFile) -> str:
    return " | ".join(str((case.get("end") or {}).get("message", "")).splitlines()[:2])[:400]
