"""How many verified calls this machine holds at once."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import tomli_w

from tools import HARNESS
from tools.speed.bars import BARS
from tools.speed.matrix import customer

#: What is asked for: as many calls, for as long, as the bars want.
CALLS, HOLD_S = round(BARS["calls_held"].value), BARS["calls_held_for_s"].value
_CPS = 10.0


def measure_held() -> dict[str, Any]:
    """``calls_held``: those of the highest step without a wrong verdict; packets lost over all of
    them.
    """
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "held.toml"
        file.write_text(tomli_w.dumps(wide(CALLS)))
        command = [str(HARNESS), "load", str(file), "--json", "--reports", scratch]
        command += [f"--calls={CALLS}", f"--cps={_CPS}", f"--for={HOLD_S}", f"--step={CALLS // 5}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found: dict[str, Any] = json.loads(done.stdout)
    last = found["steps"][-1]
    return {
        "calls_asked": CALLS,
        "calls_held_for_s": HOLD_S if found["first_failing_step"] is None else 0.0,
        "calls_held": found["calls_held"],
        "calls_held_packets": sum(call["rx_packets"] for call in found["calls"]),
        "calls_held_packets_lost": sum(call["rx_lost"] for call in found["calls"]),
        "calls_held_wrong_verdicts": sum(call["verdict"] != "passed" for call in found["calls"]),
        "calls_held_setup_ms_p95": last["setup_ms"]["p95"],
    }


def wide(calls: int) -> dict[str, Any]:
    """A customer whose trunk carries them all."""
    plain = customer("simulated-wide", {"inbound": "+13125550100"})
    plain["trunks"][0]["max_concurrent_calls"] = calls
    plain["limits"] |= {
        "seconds_per_call": 300.0,
        "concurrent_calls": calls,
        "calls_per_second": 1000.0,
        "seconds_per_run": 600.0 * calls,  # each is entered at its longest time
    }
    return plain
