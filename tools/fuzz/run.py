"""Gives every target its share of inputs, half by Hypothesis and the rest coverage-guided, and
writes ``reports/fuzz.json``.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tools import ROOT, write_json
from tools.fuzz.targets import TARGETS, Target

#: No input may take longer, counted in this process's own time: the machine may be busy with
#: others.
SLOWEST_S = 1.0
#: Hypothesis makes some hundred inputs a second, libFuzzer some thousand.
_HYPOTHESIS_SHARE = 0.02
#: By the clock on the wall, and so on a busy machine as well; what took longer than a second is
#: tried again and timed.
_HUNG_S = 30
_EXECUTED = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
_PIECES = st.sampled_from(
    [b"\xc2\xb2", b"\xd9\xa3", b"9" * 5000, b"[" * 2000, b"\0", b"\x1b[2J", b"\r\n", b"\n", b";", b",", b"=", b'"', b"<", b">", b"@",
     b"%", b"%00", b"\\", b"\\ud800", b":", b"\xff", b"-1", b"null", b"1e999", b"NaN", b"{}", b"[]", b"../../"]
)  # fmt: skip


@dataclass
class Result:
    """What came of one target."""

    inputs: int = 0
    slowest_s: float = 0.0
    uncaught: list[str] = field(default_factory=list)
    too_slow: list[str] = field(default_factory=list)


def trial(target: Target, data: bytes, result: Result) -> None:
    """One input; what is wrong is noted, the first of a kind with where it happened and the input's
    beginning.
    """
    began = time.process_time()
    try:
        target.ask(data)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        note = f"{type(error).__name__} at {where.name}, line {where.lineno} of {where.filename.rpartition('/')[2]}"
        if not any(known.startswith(note) for known in result.uncaught):
            result.uncaught.append(f"{note}: {error!s:.80} on {data[:120]!r}")
    took = time.process_time() - began
    result.slowest_s = max(result.slowest_s, round(took, 3))
    if took > SLOWEST_S:
        result.too_slow.append(f"{took:.1f} s on {data[:120]!r}")


def by_hypothesis(target: Target, inputs: int, result: Result) -> None:
    """Seeds with pieces put in and parts taken out."""
    edits = st.lists(
        st.tuples(st.floats(0, 1), _PIECES | st.binary(max_size=8), st.integers(0, 40)), max_size=5
    )

    @settings(
        max_examples=inputs,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(target.seeds), edits)
    def each(seed: bytes, made: list[tuple[float, bytes, int]]) -> None:
        for share, piece, removed in made:
            at = int(share * len(seed))
            seed = seed[:at] + piece + seed[at + removed :]
        result.inputs += 1
        trial(target, seed, result)

    each()


def by_coverage(name: str, inputs: int, result: Result) -> None:
    """libFuzzer on the target, in processes that end where one finds something; each finding is
    tried again here.
    """
    with tempfile.TemporaryDirectory() as scratch:
        corpus, found = Path(scratch) / "corpus", Path(scratch) / "found"
        corpus.mkdir()
        found.mkdir()
        for index, seed in enumerate(TARGETS[name].seeds):
            (corpus / f"seed-{index}").write_bytes(seed)
        command = [sys.executable, "-m", "tools.fuzz.child", name, f"-runs={inputs}"]
        command += [f"-timeout={_HUNG_S}", f"-report_slow_units={int(SLOWEST_S)}"]
        command += ["-max_len=8192", "-print_final_stats=1", f"-artifact_prefix={found}/"]
        command += ["-rss_limit_mb=1024", str(corpus)]
        ran = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ
            | {"TMPDIR": scratch},  # libFuzzer ends its process at once, and what that wrote stays
            capture_output=True,
            text=True,
            errors="replace",
            timeout=3600,
            check=False,
        )
        executed = _EXECUTED.search(ran.stderr)
        result.inputs += int(executed[1]) if executed else 0
        known = len(result.uncaught) + len(result.too_slow)
        for artefact in found.iterdir():
            trial(TARGETS[name], artefact.read_bytes(), result)
        if ran.returncode and len(result.uncaught) + len(result.too_slow) == known:
            result.uncaught.append(f"the fuzzer ended with {ran.returncode}: {ran.stderr[-600:]}")


def fuzz(name: str, inputs: int) -> Result:
    """Both on one target."""
    result = Result()
    for seed in TARGETS[name].seeds:
        TARGETS[name].ask(seed)
    share = max(50, int(inputs * _HYPOTHESIS_SHARE))
    by_hypothesis(TARGETS[name], share, result)
    by_coverage(name, inputs - share, result)
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every input was read or refused as documented."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="of all targets together")
    asked = parser.parse_args(arguments)
    began = time.monotonic()
    share = -(-asked.inputs // len(TARGETS))
    results = {name: fuzz(name, share) for name in TARGETS}
    plain = {
        "inputs": sum(result.inputs for result in results.values()),
        "uncaught": sum(len(result.uncaught) for result in results.values()),
        "over_1_s": sum(len(result.too_slow) for result in results.values()),
        "seconds": round(time.monotonic() - began, 1),
        "targets": {name: asdict(result) for name, result in results.items()},
    }
    write_json(ROOT / "reports" / "fuzz.json", plain)
    for name, result in results.items():
        print(f"{name:10} {result.inputs:8} inputs, slowest {result.slowest_s:.3f} s")
        for line in (*result.uncaught, *result.too_slow):
            print(f"  {line}")
    figures = f"{plain['uncaught']} uncaught exceptions, {plain['over_1_s']} over 1 s"
    print(f"fuzz: {plain['inputs']} inputs, {figures}")
    too_few = plain["inputs"] < asked.inputs * 0.9
    return int(bool(plain["uncaught"] or plain["over_1_s"] or too_few))
