"""``.ci/run``: what each submission has to pass, in a quarter of an hour on two cores.

What places calls runs at normal priority, one part at a time. What only computes runs beside it, on
the processor time that the calls leave: the tests in one lane, and in another what has one process,
and would leave a core idle. ``.ci/run PART…`` runs some parts. Exit code 0 when every part passed,
1 when one did not, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Sequence
from typing import Final

from tools import ROOT
from tools.ci.parts import Part, Runner, interruptible, make, named
from tools.ci.programs import CHROMIUM, REDIS, SIP

LOGS: Final = ROOT / "reports" / "ci"
PAGES: Final = "test_report and (accessibility or cause)"  #: the nightly part looks at every page
CALLS, COMPUTES, STYLE, APT = "calls", "computes", "style", "apt"
_OF_PYTEST: Final = re.compile(
    r"^(\d+ (passed|failed)|ERROR|FAILED|environment:|interop:)| (passed|failed).* in [0-9.]+s"
)
_OF_WHEEL: Final = re.compile(r"^(ok|FAILED|wheel:|environment:)")


def of_pytest(log: str) -> list[str]:
    """pytest's summary: failures, errors, and the line with the counts."""
    return [line for line in log.splitlines() if _OF_PYTEST.search(line)][-20:]


def of_wheel(log: str) -> list[str]:
    """Each step of the wheel's test."""
    return [line for line in log.splitlines() if _OF_WHEEL.search(line)]


def last_lines(log: str) -> list[str]:
    """The summary of a verification run."""
    return log.splitlines()[-8:]


def suite(name: str, lane: str, workers: int, after: str = "") -> Part:
    """The tests in ``tests/NAME``."""
    command = [*make("test"), f"TESTS=tests/{name}", f"WORKERS={workers}"]
    return Part(
        name, command, lane, 2400, computes=lane == COMPUTES, after=after, closing=of_pytest
    )


PARTS: Final = (
    Part(
        "programs", [".venv/bin/python", "-m", "tools.ci.programs", REDIS, SIP, CHROMIUM], APT, 1200
    ),
    suite("acceptance", CALLS, 4),
    suite("process", CALLS, 4),
    # The unit tests beside it need processors, too: fourteen workers would starve their own audio.
    Part("verify", make("verify", "-n 10"), CALLS, 1200, closing=last_lines),
    Part(
        "selfproof",
        make("selfproof", "--fault guides"),
        CALLS,
        1200,
        "selfproof.json",
        closing=last_lines,
    ),
    Part(
        "interop",
        make("test-interop", "-k registrar"),
        CALLS,
        1200,
        after="programs",
        closing=of_pytest,
    ),
    Part(
        "browser",
        make("test-browser", f"-k '{PAGES}'"),
        CALLS,
        1200,
        after="programs",
        closing=of_pytest,
    ),
    Part("wheel", make("test-wheel"), CALLS, 1800, closing=of_wheel),
    suite("unit", COMPUTES, 2),
    Part("lint", make("lint"), STYLE, 1200, computes=True),
    Part("docs", make("docs"), STYLE, 1200, computes=True),
    suite("contract", COMPUTES, 2, after="programs"),
)


def main(arguments: Sequence[str]) -> int:
    """Run the parts, print how each ended."""
    parser = argparse.ArgumentParser(prog=".ci/run", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help="all by default")
    chosen = named(PARTS, parser.parse_args(arguments).parts, parser)
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
