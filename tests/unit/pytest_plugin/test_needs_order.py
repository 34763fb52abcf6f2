"""The order of a real deployment's cases is the same in every worker, whatever its hashes are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
#: Prints what cases of the large customer want, in the order in which it is added up, and the order that comes of it.
PROGRAM = """
from pathlib import Path
from harness.integrations import matrix
from harness.deployment.file import load
from harness.run.plugin.leases import _wants, in_turns, needs_of
large = load(Path("scenarios/deployments/live-large.toml"), {}, secrets=False)
cases = matrix.cases([large])[:9]
print([list(_wants(needs_of(case, large), large)) for case in cases], in_turns([(case, large) for case in cases], 8))
"""


def order(hash_seed: str) -> str:
    environment = {"PYTHONHASHSEED": hash_seed, "HARNESS_AS_OF": "2026-03-04T15:00+00:00", "PATH": "/usr/bin"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_every_worker_collects_in_one_order() -> None:
    assert len({order(seed) for seed in ("1", "2")}) == 1
