"""``make mutants``: takes away one rule, one check, one expectation of a scenario at a time; a test has to notice each.

- a rule is left out of the diagnosis, and its tests are run;
- a check finds that all is well, whatever it is given, and the checks' tests are run;
- a line of a scenario that expects something is left out, and the rows it is about are run against the simulated world.

Writes ``reports/mutants.json``: for each kind asked for how many there are (``rules``) and were noticed (``rules_noticed``).
Exit code 0 when each was noticed, 1 when one survived.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import pkgutil
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import harness.checks
from harness import integrations
from harness.diagnosis.rules import rules_of

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "reports" / "mutants.json"
_PYTEST = ("-q", "-x", "-p", "no:cacheprovider", "--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml"))
_RUN = f"import sys, pytest; sys.exit(pytest.main([*{_PYTEST!r}, *sys.argv[1:]]))"

_WITHOUT_RULE = """
import harness.diagnosis.rules as rules
from harness.diagnosis.rules import gladly
rules.COMMON = tuple(rule for rule in rules.COMMON if rule.id != {0!r})
gladly.RULES = tuple(rule for rule in gladly.RULES if rule.id != {0!r})
"""
_BLIND_CHECK = """
import dataclasses, functools, importlib
from harness.verdict import Verdict
module = importlib.import_module({0!r})
find = getattr(module, {1!r})
@functools.wraps(find)
def blind(*given, **named):
    found = find(*given, **named)
    return found and dataclasses.replace(found, verdict=Verdict.PASSED)
setattr(module, {1!r}, blind)
"""

#: Lines that make a finding; those of rows that take minutes are left to whoever has them.
_EXPECTS = re.compile(
    r"^( +)(expect\(.*|ai\.(was_|answered_nothing).*|stage\.(one_call|responded|nothing_rings).*|registration\.is_.*)$"
)
_NOTICED = re.compile(r"^(FAILED|NOT OBSERVABLE|BROKEN) ", re.M)
_TOO_LONG = ("test_session_is_refreshed", "test_long_call")
#: What only a deployment does that releases the caller of a failed transfer; the simulated ones give the AI back.
_ELSEWHERE = ("test_nobody_in_the_group", "expect(call).released()")
#: As few cells as show every row once.
_FEW = (
    "not pcma and (GL- or simulated-talkdesk and (synthflow-udp-ip or REGISTER and synthflow-udp-digest"
    " or stand-in-udp-ip and (PRACK or SRTP) or BADCERT and expired))"
)


@dataclass(frozen=True)
class Mutant:
    """What is taken away, and the command that has to notice."""

    name: str
    command: Callable[[Path], Sequence[str]]  #: in a directory of its own


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all of them, or those of the kinds asked for."""
    kinds: dict[str, Callable[[], Iterator[Mutant]]] = {"rules": rules, "checks": checks, "lines": lines}
    parser = argparse.ArgumentParser(prog="python -m harness.bench.mutants", description=__doc__)
    parser.add_argument("kinds", nargs="*", choices=[[], *kinds], help="rules, checks, lines; all by default")
    parser.add_argument("-n", dest="at_once", type=int, default=2, help="at once")
    asked = parser.parse_args(arguments)
    figures: dict[str, int] = {}
    for kind in asked.kinds or kinds:
        mutants = list(kinds[kind]())
        noticed = 0
        with ThreadPoolExecutor(asked.at_once) as threads:
            for mutant, seen in zip(mutants, threads.map(_is_noticed, mutants), strict=True):
                noticed += seen
                if not seen:
                    print(f"survived: {kind}: {mutant.name}", flush=True)
        print(f"{kind}: {noticed} of {len(mutants)} noticed", flush=True)
        figures |= {kind: len(mutants), f"{kind}_noticed": noticed}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0 if all(figures[kind] == figures[f"{kind}_noticed"] for kind in asked.kinds or kinds) else 1


def rules() -> Iterator[Mutant]:
    """Each rule of every integration."""
    known = dict.fromkeys(rule.id for name in integrations.names() for rule in rules_of(name))
    for rule in known:
        patch = _WITHOUT_RULE.format(rule) + _RUN
        yield Mutant(rule, partial(_unit, patch, "diagnosis"))


def checks() -> Iterator[Mutant]:
    """Each function that finds something."""
    for info in pkgutil.iter_modules(harness.checks.__path__, "harness.checks."):
        for name, member in inspect.getmembers(importlib.import_module(info.name), inspect.isfunction):
            finds = "Finding" in str(inspect.signature(member).return_annotation)
            if finds and member.__module__ == info.name != "harness.checks.finding" and not name.startswith("_"):
                patch = _BLIND_CHECK.format(info.name, name) + _RUN
                yield Mutant(f"{info.name}.{name}", partial(_unit, patch, "checks"))


def _unit(patch: str, room: str, _: Path) -> Sequence[str]:
    return [sys.executable, "-c", patch, str(ROOT / "tests" / "unit" / room)]


def lines() -> Iterator[Mutant]:
    """Each line of a scenario that expects something."""
    for path in sorted((ROOT / "scenarios").glob("test_*.py")):
        text = path.read_text(encoding="utf-8").splitlines()
        test = rows = ""
        for index, line in enumerate(text):
            rows = line if line.startswith("@row(") else rows
            test = line.removeprefix("def ").partition("(")[0] if line.startswith("def ") else test
            expects = _EXPECTS.match(line)
            if expects is not None and test not in _TOO_LONG and (test, line.strip()) != _ELSEWHERE:
                without = "\n".join([*text[:index], f"{expects[1]}pass", *text[index + 1 :]]) + "\n"
                yield Mutant(
                    f"{path.name}:{index + 1} {line.strip()}", partial(_scenario, path.name, without, test, rows)
                )


def _scenario(file: str, without: str, test: str, rows: str, directory: Path) -> Sequence[str]:
    shutil.copytree(ROOT / "scenarios", directory / "scenarios")
    shutil.copy(ROOT / "conftest.py", directory)
    (directory / "scenarios" / file).write_text(without, encoding="utf-8")
    name = "gladly" if re.fullmatch(r'@row\(("GL-[^"]*"(, )?)+\)', rows) else "talkdesk"
    deployment = f"--deployment={ROOT}/scenarios/deployments/simulated-{name}.toml"
    asked = ["-n", "2", "--preflight=off", "--no-reports", f"--reports={directory}", "-k", f"{test} and {_FEW}"]
    return [sys.executable, "-c", _RUN, str(directory / "scenarios" / file), deployment, *asked]


def _is_noticed(mutant: Mutant) -> bool:
    """Whether a test says so; a run that found none to run, or could not be made, has noticed nothing."""
    with tempfile.TemporaryDirectory() as directory:
        command = mutant.command(Path(directory))
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return said.returncode != 0 and _NOTICED.search(said.stdout) is not None


if __name__ == "__main__":
    sys.exit(main())
