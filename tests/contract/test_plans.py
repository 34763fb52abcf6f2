"""Case ids, rows, dialled numbers and reasons for skipped rows change only together with the files
in ``plans/``.

``python -m tests.contract.test_plans`` writes the files again.

The plans are those of every example deployment and of ten randomly generated customers in
``customers/``. These were drawn once by ``tools.shapes`` (seed 51, the customers that their names
number), written as the harness reads them, and never drawn again.
"""

from __future__ import annotations

import difflib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from tests.contract.harness_command import harness
from tests.contract.once import once

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "scenarios" / "deployments"
CUSTOMERS = HERE / "customers"
PLANS = HERE / "plans"
#: The moment that every plan is made for, so that opening hours do not depend on the clock: a
#: Wednesday afternoon.
AS_OF = "2026-03-11T15:00:00+00:00"
REWRITE = "python -m tests.contract.test_plans"

DEPLOYMENTS = sorted(
    path.stem for directory in (EXAMPLES, CUSTOMERS) for path in directory.glob("*.toml")
)


def planned(directory: Path) -> dict[str, str]:
    """The plan of each deployment as text, by name; all are made by one command in ``directory``."""
    for source in (EXAMPLES, CUSTOMERS):
        shutil.copytree(source, directory, dirs_exist_ok=True)
    certificate, key = Authority(directory).issue(
        "stand-in.example"
    )  # a plan only needs the files to exist
    certificate.rename(directory / "certificate.pem")
    key.rename(directory / "private-key.pem")
    files = [f"{name}.toml" for name in DEPLOYMENTS]
    plan = json.loads(
        harness("verify", *files, "--plan", "--json", cwd=directory, HARNESS_AS_OF=AS_OF)
    )
    return {one["name"]: "\n".join(_lines(plan, one["name"])) + "\n" for one in plan["deployments"]}


def _lines(plan: Mapping[str, Any], deployment: str) -> Iterator[str]:
    yield f"as of {plan['as_of']}: id | row | axes | calls | seconds"
    yield from sorted(_case(case) for case in plan["cases"] if case["deployment"] == deployment)
    yield "left out: row | number | reason"
    left_out = [row for row in plan["left_out"] if row["deployment"] == deployment]
    yield from sorted(" | ".join((row["row"], row["line"] or "-", row["why"])) for row in left_out)

    yield "declared, not verified: entries | reason"
    unverified = [one for one in plan["unverified"] if one["deployment"] == deployment]
    yield from sorted(" | ".join((", ".join(one["entries"]), one["why"])) for one in unverified)


def _case(case: Mapping[str, Any]) -> str:
    axes = ", ".join(f"{name} {value}" for name, value in case["axes"].items())
    calls = ", ".join(_call(call) for call in case["calls"]) or "no call"
    cells = [case["id"], case["row"], axes, calls, f"{case['seconds']:g} s"]
    cells += [f"cannot pass: {case['cannot_pass']}"] * bool(case["cannot_pass"])
    return " | ".join([*cells, *case["problems"]])


def _call(call: Mapping[str, str]) -> str:
    by = "" if call["by"] == "the harness" else f" (placed by {call['by']})"
    refused = f" REFUSED: {call['refused']}" if call["refused"] else ""
    return f"{call['who']} calls {call['number']}{by}{refused}"


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    found: dict[str, str] = once(tmp_path_factory, "plans", planned)
    return found


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_the_plan_is_the_committed_one(plans: dict[str, str], name: str) -> None:
    path = PLANS / f"{name}.txt"
    committed = path.read_text(encoding="utf-8") if path.exists() else ""
    diff = difflib.unified_diff(
        committed.splitlines(), plans[name].splitlines(), "committed", "now", lineterm="", n=0
    )
    if lines := list(diff):
        pytest.fail(
            "\n".join([f"{name}: the plan has changed; if that is intended: {REWRITE}", *lines]),
            pytrace=False,
        )


def test_every_example_that_the_command_line_lists_has_a_plan(tmp_path: Path) -> None:
    listed = harness("examples", cwd=tmp_path).splitlines()
    examples = {line.split()[0] for line in listed if " templates: " not in line}
    assert examples
    assert examples <= {path.stem for path in PLANS.glob("*.txt")}


def test_there_is_no_plan_of_a_deployment_that_is_gone() -> None:
    assert sorted(path.stem for path in PLANS.glob("*.txt")) == DEPLOYMENTS


def test_plans_use_the_moment_of_the_environment(plans: dict[str, str]) -> None:
    assert all(plan.startswith(f"as of {AS_OF}: ") for plan in plans.values())
    assert any(
        "closed now" in plan for plan in plans.values()
    )  # so that the moment decides something


def _write() -> None:
    with tempfile.TemporaryDirectory() as directory:
        found = planned(Path(directory))
    shutil.rmtree(PLANS, ignore_errors=True)
    PLANS.mkdir()
    for name, plan in found.items():
        (PLANS / f"{name}.txt").write_text(plan, encoding="utf-8")


if __name__ == "__main__":
    _write()
