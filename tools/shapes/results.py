"""What came of the trials, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import integrations
from harness.case.log import CASE
from harness.case.verdict import Verdict
from harness.deployment import Deployment
from harness.integrations import matrix
from harness.integrations.matrix import Case
from harness.report import scope
from harness.report.evidence import CaseEvidence
from tools.selfproof.plan import cause_of
from tools.shapes.plan import WRONG, Trial, trials
from tools.shapes.untold import not_told_apart
from tools.trials import ended

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

    def __init__(self, seed: int, so_far: Mapping[str, Any]) -> None:
        self.seed = seed
        self.figures: Counter[str] = Counter({key: so_far.get(key, 0) for key in KEYS})
        self.said: list[str] = list(so_far.get("said", ()))
        #: The customers, by their places in the draw.
        self.verified: set[int] = set(so_far.get("verified", ()))
        self.wall_s: float = so_far.get("wall_s", 0.0)
        self.cpu_s: float = so_far.get("cpu_s", 0.0)

    @property
    def is_bad(self) -> bool:
        """Whether a bar is missed."""
        named_first = self.figures["named_first"]
        faults = self.figures["faults"] - self.figures["undecided"]
        is_low = faults >= _A_SHARE_NEEDS and named_first < _NAMED_FIRST * faults
        return is_low or any(self.figures[key] for key in _BARS)

    def line(self) -> str:
        """All figures in a line."""
        return "  ".join(f"{key} {self.figures[key]}" for key in KEYS) + f"  cpu_s {self.cpu_s:.0f}"

    def plain(self) -> dict[str, Any]:
        """For ``reports/shapes.json``."""
        return {
            "seed": self.seed,
            **{key: self.figures[key] for key in KEYS},
            "wall_s": round(self.wall_s, 1),
            "cpu_s": round(self.cpu_s, 1),
            "verified": sorted(self.verified),
            "said": self.said,
        }

    def add(self, run: Path, deployments: Sequence[Deployment], indices: Iterable[int]) -> None:
        """A run over these customers, who have these places in the draw."""
        self.verified.update(indices)
        found = {case.id: case for case in ended(run, CASE)[0]}
        for deployment in deployments:
            of_it = list(trials([deployment], self.seed))
            if not deployment.name.endswith(WRONG):
                self.figures["customers"] += 1
                self._declared(run, deployment, of_it, found)
            for trial in of_it:
                case = found.get(trial.case.id)
                if case is None or not case.closed:
                    self._say("not_run", trial, "left no result")
                elif trial.struck:
                    self._struck(trial, case, deployment)
                else:
                    self._sound(trial, case, deployment)

    def _sound(self, trial: Trial, case: CaseEvidence, deployment: Deployment) -> None:
        """A case that no fault strikes."""
        self.figures["cases"] += not trial.fault
        never = matrix.why_never_passed(trial.case, deployment)
        if case.verdict is not (Verdict.NOT_OBSERVABLE if never else Verdict.PASSED):
            self._say("wrongly_red" if trial.fault else "false_alarms", trial, _seen(case))

    def _struck(self, trial: Trial, case: CaseEvidence, deployment: Deployment) -> None:
        self.figures["faults"] += 1
        if case.verdict is not Verdict.FAILED:
            self._say("missed", trial, _seen(case))
            return
        causes = case.diagnosis
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
        is_certain = bool(causes) and causes[0].get("confidence") == "certain"
        if is_certain and not causes[0].get("candidate") and names[0] != wanted:
            self._say("wrongly_certain", trial, f"certain of {names[0]}")

    def _declared(
        self,
        run: Path,
        deployment: Deployment,
        of_it: Iterable[Trial],
        found: Mapping[str, CaseEvidence],
    ) -> None:
        """Every documented row has a case, or a reason why not; everything that the file declares
        has a case, or is listed as not verified.
        """
        asked = scope.read(run)
        left = scope.left_out(asked) if asked is not None else []
        cases = [t.case for t in of_it if not t.fault and t.case.id in found]
        rows = {case.row.id for case in cases}
        rows |= {one["row"] for one in left if one["deployment"] == deployment.name and one["why"]}
        for row in integrations.find(deployment.integration).rows:
            if row.documented and row.id not in rows:
                self.figures["unsaid_rows"] += 1
                self.said.append(
                    f"{deployment.name}: {row.id}: neither run nor said to be left out"
                )
        told = {f"lines.{one.line}" for one in matrix.left_out(deployment)}
        for one in asked.deployments if asked is not None else ():
            if one.name == deployment.name:
                told.update(entry for reason in one.unverified for entry in reason.entries)
        for entry in sorted(_entries(deployment) - told - _used(cases, deployment)):
            self.figures["unsaid_entries"] += 1
            self.said.append(f"{deployment.name}: {entry}: no case, and not listed as not verified")

    def _say(self, figure: str, trial: Trial, what: str) -> None:
        self.figures[figure] += 1
        fault = f" ({trial.fault} at {trial.line})" if trial.fault else ""
        self.said.append(f"{figure}: {trial.case.id}{fault}: {what}")


def _entries(deployment: Deployment) -> set[str]:
    """What the file declares."""
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


def _message(case: CaseEvidence) -> str:
    return " | ".join(case.message.splitlines()[:2])[:400]


def _seen(case: CaseEvidence) -> str:
    return f"{case.verdict}: {_message(case)}"
