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
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tools import ROOT, trials
from tools.selfproof.page import page
from tools.selfproof.plugin import RESULT, VISIBILITIES
from tools.selfproof.results import Proof, Result, read
from tools.selfproof.sweep import SweepProof, is_void
from tools.trials import ATTEMPTS_MORE, BROKEN

DEPLOYMENTS = ("simulated-talkdesk", "simulated-gladly")
SWEPT = (*DEPLOYMENTS, "simulated-generic")
CLEAN_CASES = 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all trials (or read those of a run), write the page and the figures, and judge."""
    asked = _parser().parse_args(arguments)
    began = time.monotonic()
    if asked.sweep:
        return _sweep(asked, began)
    clean_wanted = 0 if asked.fault else asked.clean

    def proof_of(run: Path) -> Proof:
        results, missing = read(run.resolve())
        return Proof(
            results,
            0.0 if asked.read else time.monotonic() - began,
            missing,
            partial=bool(asked.fault),
        )

    run: Path | None = (
        asked.read
        if asked.read is not None
        else _run(asked, lambda so_far: _figures(proof_of(so_far), asked))
    )
    if run is None:
        return BROKEN
    proof = proof_of(run)
    if asked.read is None:
        proof = replace(_made_again(asked, proof), wall_s=time.monotonic() - began)
    _write(proof, asked, clean_wanted)
    for visibility in VISIBILITIES:
        claims = proof.claims(visibility)
        print(
            f"seen by {visibility}: "
            + "  ".join(f"{claim} {count}" for claim, count in claims.items())
        )
    return trials.judged(proof.shortfalls(clean_wanted), proof.plain())


def _sweep(asked: argparse.Namespace, began: float) -> int:
    """Make the sweep's trials (or read those of a run), write the figures, and judge."""
    figures: Path = asked.reports / "sweep.json"

    def proof_of(run: Path) -> SweepProof:
        results, missing = read(run.resolve())
        proof = SweepProof(results, missing, wall_s=time.monotonic() - began)
        figures.write_text(json.dumps(proof.plain(), indent=1) + "\n", encoding="utf-8")
        return proof

    run = asked.read if asked.read is not None else _run(asked, proof_of)
    if run is None:
        return BROKEN
    proof = proof_of(run)
    if asked.read is None:
        results, repeated = _again(asked, proof.results, is_void)
        wall_s = time.monotonic() - began
        proof = replace(proof, results=results, repeated=repeated, wall_s=wall_s)
        figures.write_text(json.dumps(proof.plain(), indent=1) + "\n", encoding="utf-8")
    print(f"figures  {figures}")
    return trials.judged(proof.shortfalls(), proof.plain())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.selfproof", description=__doc__)
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
        "-n",
        dest="workers",
        type=int,
        default=max(12, 6 * (os.cpu_count() or 1)),
        help="cases at once",
    )
    parser.add_argument(
        "--reports", type=Path, default=ROOT / "reports", help="where results are left"
    )
    parser.add_argument(
        "--page", type=Path, default=ROOT / "docs" / "selfproof.md", help="where the page goes"
    )
    parser.add_argument(
        "--read", type=Path, metavar="RUN", help="judge the trials of this run's directory again"
    )
    return parser


def _made_again(asked: argparse.Namespace, proof: Proof) -> Proof:
    """The proof with the trials that proved nothing made once more."""
    results, repeated = _again(asked, proof.results, lambda result: result.is_void)
    return replace(proof, results=results, repeated=repeated)


def _again(
    asked: argparse.Namespace, made: Sequence[Result], is_void: Callable[[Result], bool]
) -> tuple[list[Result], int]:
    """The results with those that prove nothing made once more, fewer of them at a time; how many
    that were.
    """
    results = {result.case: result for result in made}
    repeated = 0
    for attempt in range(1, 1 + ATTEMPTS_MORE):
        void = [result.case for result in results.values() if is_void(result)]
        run = _run(asked, lambda _: None, void, attempt) if void else None
        if run is None:
            break
        again, _ = read(run.resolve())
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
    arguments = ["--world-control"]
    names: Sequence[str] = SWEPT if asked.sweep else DEPLOYMENTS
    place = "sweep" if asked.sweep else "selfproof"
    if asked.sweep:
        arguments += [f"--sweep={asked.sweep}", f"--sweep-most={asked.most}"]
        arguments += [f"--sweep-row={row}" for row in asked.row]
    return trials.run(
        "tools.selfproof.plugin",
        [ROOT / "scenarios" / "deployments" / f"{name}.toml" for name in names],
        arguments,
        reports=trials.fresh(asked.reports / (place + f"-again-{attempt}" * (attempt > 0))),
        result=RESULT,
        clean=asked.clean,
        faults=asked.fault,
        at_once=max(1, asked.workers >> attempt),
        only=only,
        so_far=so_far,
    )


def _figures(proof: Proof, asked: argparse.Namespace) -> Path:
    figures: Path = asked.reports / "selfproof.json"
    figures.write_text(json.dumps(proof.plain(), indent=1) + "\n", encoding="utf-8")
    return figures


def _write(proof: Proof, asked: argparse.Namespace, clean_wanted: int) -> None:
    print(f"figures  {_figures(proof, asked)}")
    if not asked.fault:  # the page is about all of them
        asked.page.write_text(page(proof, clean_wanted), encoding="utf-8")
        print(f"page     {asked.page}")
