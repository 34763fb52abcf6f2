"""``make mutants``: changes one operator, condition or constant at a time, and runs the room's
tests that reach it.

Writes ``reports/mutation.json``: ``mutants``, ``killed``, ``accepted``, ``score``, the
``survivors`` with the reason that ``accepted.toml`` gives for each, and the figures of each room
and of changed lines. The score is the share killed of those that have no such reason. Exit code 0
when it reaches the bar, 1 when not, 3 when the tests fail by themselves.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from queue import Empty, Queue
from typing import Any, Final

from tools import ROOT, read_toml, write_json
from tools.mutation.covering import Covering, measured
from tools.mutation.mutants import Mutant, changed, difference, mutants
from tools.mutation.server import Trial

RESULT = ROOT / "reports" / "mutation.json"
ACCEPTED = Path(__file__).with_name("accepted.toml")
BAR: Final = 0.95
MET, MISSED, BROKEN = 0, 1, 3
#: What is mutated, and the tests that have to notice.
ROOMS: Final[Mapping[str, tuple[str, Sequence[str]]]] = {
    "checks": ("harness/case/checks", ["tests/unit/checks"]),
    "verdict": ("harness/case/verdict", ["tests/unit/verdict", "tests/unit/checks"]),
    "diagnosis": ("harness/diagnosis", ["tests/unit/diagnosis", "tests/unit/cli/test_explain.py"]),
    "sip": ("harness/sip", ["tests/unit/sip"]),
    "matrix": ("harness/integrations/matrix", ["tests/unit/matrix"]),
    "safety": ("harness/deployment/safety", ["tests/unit/safety"]),
}
MOST_CHANGED: Final = 300  #: mutants of changed lines that are tried
_HUNK: Final = re.compile(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", re.MULTILINE)
_WORTH_A_SERVER: Final = 15  # mutants; a server takes some seconds to begin
_PATIENCE_S: Final = 20.0  # besides ten times what the tests take without a mutant


@dataclass(frozen=True)
class Outcome:
    """How a mutant ended: ``killed``, ``timeout`` (killed as well), ``survived``, or ``not
    reached`` by any test.
    """

    mutant: Mutant
    how: str
    before: str = ""  #: the lines that the mutant changes
    after: str = ""

    @property
    def is_killed(self) -> bool:
        """Whether a test noticed."""
        return self.how in ("killed", "timeout")

    @property
    def reason(self) -> str:
        """Why a survivor is let live; empty where ``accepted.toml`` has none."""
        return reasons().get((self.mutant.path, self.before, self.after), "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Try, tell, write, judge."""
    asked = _parser().parse_args(arguments)
    rooms = asked.rooms or [*ROOMS]
    every = [one for room in rooms for one in of_room(room) if asked.only in one.path]
    outcomes: list[Outcome] = []
    try:
        lines = changed_lines(asked.changed_since) if asked.changed_since else {}
        new = [one for one in every if one.line in lines.get(one.path, ())]
        drawn = sample(every, asked.sample, asked.seed) | sample(new, MOST_CHANGED, asked.seed)
        for room in rooms:
            those = [one for one in every if one in drawn and room_of(one) == room]
            outcomes += _tried(room, those, asked.at_once)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return BROKEN
    report = figures(outcomes)
    report["changed"] = _counts([one for one in outcomes if one.mutant in new])
    write_json(RESULT, report)
    for room, counts in report["rooms"].items():
        print(
            f"{room}: {counts['killed']} of {counts['mutants']} killed, {counts['accepted']} accepted"
        )
    counts = f"{report['killed']} of {report['mutants']} killed, {report['accepted']} accepted"
    print(f"{counts}: {report['score']:.1%}, bar {BAR:.0%}; see {RESULT}")
    return MET if report["score"] >= BAR else MISSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.mutation", description=__doc__)
    parser.add_argument("rooms", nargs="*", choices=[[], *ROOMS], help="all by default")
    parser.add_argument(
        "--sample",
        type=int,
        metavar="N",
        help="N mutants, the same ones as long as their lines stay",
    )
    parser.add_argument("--seed", default="", help="draws another sample")
    parser.add_argument(
        "--changed-since",
        metavar="COMMIT",
        help=f"also those of lines changed since then, {MOST_CHANGED} at most",
    )
    parser.add_argument(
        "--only", default="", metavar="PATH", help="only files with this in their path"
    )
    parser.add_argument("-n", dest="at_once", type=int, default=2, help="at once")
    return parser


def of_room(room: str) -> Iterator[Mutant]:
    """All mutants of a room."""
    place = ROOT / ROOMS[room][0]
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    for file in files:
        yield from mutants(ROOT, str(file.relative_to(ROOT)))


def room_of(mutant: Mutant) -> str:
    """The room that a mutant is of."""
    return next(room for room, (place, _) in ROOMS.items() if mutant.path.startswith(place))


def sample(every: Sequence[Mutant], count: int | None, seed: str = "") -> set[Mutant]:
    """``count`` of them, drawn by their keys; all of them without a count."""
    return set(sorted(every, key=lambda mutant: mutant.key(seed))[:count])


def changed_lines(commit: str) -> dict[str, set[int]]:
    """The lines of the package that are not as they were in that commit, by file. Raises
    RuntimeError for an unknown commit.
    """
    command = ["git", "diff", "-U0", "--no-color", "--no-ext-diff", commit, "--", "harness/*.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"git diff {commit}: {done.stderr.strip()}")
    return lines_of(done.stdout)


def lines_of(diff: str) -> dict[str, set[int]]:
    """The new lines of each file in a diff without context."""
    found = {}
    for of_file in re.split(r"^diff ", diff, flags=re.MULTILINE)[1:]:
        path = re.search(r"^\+\+\+ b/(.+)$", of_file, re.MULTILINE)
        if path is not None:  # a file that is gone has none
            hunks = ((int(first), int(count or 1)) for first, count in _HUNK.findall(of_file))
            found[path[1]] = {
                line for first, count in hunks for line in range(first, first + count)
            }
    return found


@cache
def reasons() -> dict[tuple[str, str, str], str]:
    """Why a survivor is let live, by its file and its lines before and after."""
    told = read_toml(ACCEPTED).get("survivor", [])
    return {(one["path"], one["before"], one["after"]): one["reason"] for one in told}


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What ``reports/mutation.json`` holds."""
    survivors = [
        {
            **asdict(outcome.mutant),
            "how": outcome.how,
            "before": outcome.before,
            "after": outcome.after,
            "reason": outcome.reason,
        }
        for outcome in outcomes
        if not outcome.is_killed
    ]
    rooms: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        rooms.setdefault(room_of(outcome.mutant), []).append(outcome)
    return {
        **_counts(outcomes),
        "rooms": {room: _counts(those) for room, those in rooms.items()},
        "survivors": survivors,
    }


def _counts(outcomes: Sequence[Outcome]) -> dict[str, float]:
    killed = sum(outcome.is_killed for outcome in outcomes)
    accepted = sum(not outcome.is_killed and bool(outcome.reason) for outcome in outcomes)
    counted = len(outcomes) - accepted
    return {
        "mutants": len(outcomes),
        "killed": killed,
        "accepted": accepted,
        "score": killed / counted if counted else 0.0,
    }


def _tried(room: str, those: Sequence[Mutant], at_once: int) -> Iterator[Outcome]:
    """Each of a room's mutants, by so many servers side by side."""
    if not those:
        return
    tests = ROOMS[room][1]
    with tempfile.TemporaryDirectory(prefix="mutation-") as scratch:
        covering = measured(tests, Path(scratch) / "covering.json")
        waiting: Queue[Mutant] = Queue()
        done: Queue[Outcome | Exception] = Queue()
        for mutant in those:
            waiting.put(mutant)
        for _ in range(min(at_once, 1 + len(those) // _WORTH_A_SERVER)):
            threading.Thread(
                target=_serve, args=(tests, covering, waiting, done, scratch), daemon=True
            ).start()
        for number in range(1, len(those) + 1):
            outcome = done.get()
            if isinstance(outcome, Exception):
                raise RuntimeError(f"{room}: {outcome}")
            if not outcome.is_killed:
                mutant = outcome.mutant
                print(
                    f"{outcome.how}: {mutant.path}:{mutant.line} {outcome.before}  →  {outcome.after}",
                    flush=True,
                )
            elif number % 100 == 0:
                print(f"{room}: {number} of {len(those)} tried", flush=True)
            yield outcome


def _serve(
    tests: Sequence[str],
    covering: Covering,
    waiting: Queue[Mutant],
    done: Queue[Outcome | Exception],
    scratch: str,
) -> None:
    environment = {**os.environ, "MUTATION_SCRATCH": scratch, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tools.mutation.server", *tests]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT, env=environment
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            while True:
                mutant = waiting.get_nowait()
                text = (ROOT / mutant.path).read_text(encoding="utf-8")
                made = changed(text, mutant.operator, mutant.occurrence)
                change = difference(text, made)
                reaching = covering.of(mutant.path, mutant.line)
                if not reaching:
                    done.put(Outcome(mutant, "not reached", *change))
                    continue
                seconds = _PATIENCE_S + 10 * sum(covering.seconds[test] for test in reaching)
                trial = Trial(mutant.path, made, reaching, seconds)
                server.stdin.write(json.dumps(asdict(trial)) + "\n")
                server.stdin.flush()
                answer = server.stdout.readline().strip()
                if not answer:
                    raise RuntimeError(
                        f"the server of the mutants ended at {mutant.path}:{mutant.line}"
                    )
                done.put(Outcome(mutant, answer, *change))
        except Empty:
            server.stdin.close()
        except Exception as error:
            done.put(error)
