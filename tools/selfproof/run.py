"""``make selfproof``: shows that the harness fails when it has to, says why, and is silent when all
is well.

One pytest run holds every trial: each fault on every trunk it can show on, pairs of faults, and
clean runs over the whole matrix. Each case has a simulated tenant for itself and switches that
tenant's faults alone, so that all of them run side by side. The evidence of a trial is diagnosed
once more without the AI's side, and with the callers' side alone. A trial that is broken, or that
lacks evidence because the harness was kept waiting, is made once more.

``--sweep SEED`` makes each fault on each row of each integration instead, on one trunk that the
seed draws (``tools/selfproof/sweep.py``); ``--most N`` draws N of them, as each night does.

Exit code 0 when every bar is met, 1 when one is missed, 3 when the run could not be made.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tools import ROOT, trials, write_json
from tools.selfproof.page import page
from tools.selfproof.plugin import RESULT, VISIBILITIES
from tools.selfproof.results import Proof, Result, read
from tools.selfproof.sweep import SweepProof, is_void
from tools.trials import ATTEMPTS_MORE, BROKEN

DEPLOYMENTS = ("simulated-talkdesk", "simulated-gladly")
SWEPT = (*DEPLOYMENTS, "simulated-generic")
CLEAN_CASES = 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all trials, write the page and the figures, and judge."""
    asked = _parser().parse_args(arguments)
    began = time.monotonic()
    figures: Path = asked.reports / ("sweep.json" if asked.sweep else "selfproof.json")

    def proof_of(
        results: Sequence[Result], missing: Sequence[str], repeated: int = 0
    ) -> Proof | SweepProof:
        wall_s = time.monotonic() - began
        proof: Proof | SweepProof
        if asked.sweep:
            proof = SweepProof(results, missing, wall_s, repeated)
        else:
            clean, partial = (0, True) if asked.fault else (asked.clean, False)
            proof = Proof(results, missing, wall_s, repeated, clean_wanted=clean, partial=partial)
        write_json(figures, proof.plain())
        return proof

    run = _run(asked, lambda so_far: proof_of(*read(so_far)))
    if run is None:
        return BROKEN
    made, missing = read(run)
    results, repeated = _made_again(asked, made)
    proof = proof_of(results, missing, repeated)
    print(f"figures  {figures}")
    if isinstance(proof, Proof):
        if not proof.partial:  # the page is about all faults
            asked.page.write_text(page(proof), encoding="utf-8")
            print(f"page     {asked.page}")
        for visibility in VISIBILITIES:
            claims = proof.claims(visibility).items()
            print(
                f"seen by {visibility}: " + "  ".join(f"{what} {count}" for what, count in claims)
            )
    return trials.judged(proof.shortfalls(), proof.plain())


def _parser() -> argparse.ArgumentParser:
    parser = trials.parser("selfproof", __doc__, at_once=max(12, 6 * (os.cpu_count() or 1)))
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        help="this fault alone (pairs: all pairs; guides: each fault of the guides once)",
    )
    parser.add_argument(
        "--clean", type=int, default=CLEAN_CASES, metavar="N", help="clean cases, at least"
    )
    parser.add_argument(
        "--sweep",
        metavar="SEED",
        default="",
        help="instead, each fault on each row of each integration, on a trunk that SEED draws",
    )
    parser.add_argument(
        "--most", type=int, default=0, metavar="N", help="of the sweep, N trials that SEED draws"
    )
    parser.add_argument("--row", action="append", default=[], help="of the sweep, this row alone")
    parser.add_argument(
        "--page", type=Path, default=ROOT / "docs" / "selfproof.md", help="where the page goes"
    )
    return parser


def _made_again(asked: argparse.Namespace, made: Sequence[Result]) -> tuple[list[Result], int]:
    """The results with those that prove nothing made once more, fewer of them at a time; how many
    that were.
    """
    proves_nothing = is_void if asked.sweep else Result.is_void
    results = {result.case: result for result in made}
    repeated = 0
    for attempt in range(1, 1 + ATTEMPTS_MORE):
        void = [result.case for result in results.values() if proves_nothing(result)]
        run = _run(asked, lambda _: None, void, attempt) if void else None
        if run is None:
            break
        again, _ = read(run)
        results |= {result.case: result for result in again}
        repeated += len(again)
    return list(results.values()), repeated


def _run(
    asked: argparse.Namespace,
    so_far: Callable[[Path], object],
    only: Sequence[str] = (),
    attempt: int = 0,
) -> Path | None:
    """The run's directory; None when there is none."""
    place = "sweep" if asked.sweep else "selfproof"
    reports = trials.fresh(asked.reports / (place + f"-again-{attempt}" * (attempt > 0)))
    names: Sequence[str] = SWEPT if asked.sweep else DEPLOYMENTS
    deployments = [ROOT / "scenarios" / "deployments" / f"{name}.toml" for name in names]
    at_once = max(1, asked.at_once >> attempt)
    command = trials.pytest_command("tools.selfproof.plugin", deployments, reports, at_once)
    command += ["--world-control", f"--clean-cases={asked.clean}"]
    command += [f"--only-fault={fault}" for fault in asked.fault]
    command += [f"--only-trial={case}" for case in only]
    if asked.sweep:
        command += [f"--sweep={asked.sweep}", f"--sweep-most={asked.most}"]
        command += [f"--sweep-row={row}" for row in asked.row]
    return trials.run(command, reports=reports, result=RESULT, so_far=so_far)
