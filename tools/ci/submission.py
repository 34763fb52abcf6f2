"""``.ci/run``: what each submission has to pass, in a quarter of an hour on two cores.

What places calls runs at normal priority, one part at a time. What only computes runs beside it, on
the processor time that the calls leave: the tests in one lane, and in another what has one process,
and would leave a core idle. ``.ci/run PART…`` runs some parts. Exit code 0 when every part passed,
1 when one did not, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Final

from tools import ROOT
from tools.ci.parts import Runner, asked_for, interruptible, parts_of

LOGS: Final = ROOT / "reports" / "ci"
PARTS: Final = parts_of("submission")


def main(arguments: Sequence[str]) -> int:
    """Run the parts, print how each ended."""
    parser = argparse.ArgumentParser(prog=".ci/run", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help="all by default")
    chosen = asked_for(parser, PARTS, parser.parse_args(arguments).parts)
    interruptible()
    began = time.monotonic()
    try:
        outcomes = Runner(LOGS).run(chosen)
    except KeyboardInterrupt:
        return 130
    for outcome in outcomes:
        print(
            f"=== {outcome.part.name}: exit code {outcome.exit_code}, {outcome.seconds:.0f} s, "
            f"of processors {outcome.cpu_s:.0f} s"
        )
        print("\n".join(outcome.closing()))
    print(f"=== {time.monotonic() - began:.0f} s in all")
    return int(any(outcome.exit_code for outcome in outcomes))
