"""``python -m tools.speed.patience``: what an AI's API in trouble costs a live case, to
``reports/patience.json``.

The same cases run as if live against a world whose API is in order, refuses connections, or has
transcripts ten seconds late.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

from harness.integrations import load
from harness.run.cli.simulate import live_file
from harness.run.plugin.worlds import one_world
from tools import ROOT

_WORLD: Final = ROOT / "scenarios" / "deployments" / "simulated-talkdesk.toml"
_CASES: Final = ("--row=TD-INBOUND", "--transport=udp", "--auth=ip", "-n", "0", "--preflight=off")
#: What is wrong with the API, and how many seconds more that may cost a case.
_BARS: Final = {"refuses connections": 1.0, "transcripts 10 s late": 12.0}
_APIS: Final = {
    "in order": "",
    "refuses connections": '\n[simulated.api]\nanswers = "refused"\n',
    "transcripts 10 s late": '\n[simulated.api]\ntranscript = "after"\ntranscript_after_s = 10.0\n',
}


def main() -> int:
    """Measure and say it; 1 where a bar is not met."""
    seconds, ended = {}, {}
    for api, table in _APIS.items():
        with tempfile.TemporaryDirectory() as directory:
            seconds[api], ended[api] = _tried(Path(directory), _WORLD.read_text("utf-8") + table)
    report = {
        api: {
            "more_s_a_case": round(seconds[api] - seconds["in order"], 2),
            "bar_s": bar,
            **ended[api],
        }
        for api, bar in _BARS.items()
    }
    path = ROOT / "reports" / "patience.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        json.dumps(
            {
                "in order": {"s_a_case": round(seconds["in order"], 2), **ended["in order"]},
                **report,
            },
            indent=1,
        )
        + "\n"
    )
    print(path.read_text())
    return int(any(seconds[api] - seconds["in order"] > bar for api, bar in _BARS.items()))


def _tried(directory: Path, text: str) -> tuple[float, dict[str, dict[str, int]]]:
    """Seconds a case, and how the cases ended."""
    file = directory / "world.toml"
    file.write_text(
        text.replace('numbers_csv = "', f'numbers_csv = "{_WORLD.parent}/'), encoding="utf-8"
    )
    with one_world(file, load(file), directory) as world:
        tenant = world.tenants[0]
        _, live, secrets = live_file(tenant, "live", tenant.timings_by("quick"))
        live = live.replace("transcript_within_s = 10.0", "transcript_within_s = 30.0")
        (directory / "live.toml").write_text(live, encoding="utf-8")
        verify = [
            sys.executable,
            "-c",
            "from harness.run.cli.app import main; main()",
            "verify",
            f"{directory}/live.toml",
        ]
        subprocess.run(
            [*verify, *_CASES, "--reports", f"{directory}/reports"],
            env=os.environ | secrets | {"HARNESS_LIVE": "1"},
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        cases = [
            json.loads(path.read_text())
            for path in directory.glob("reports/latest/cases/*/case.json")
        ]
        taken = sum(float(case["end"]["at"]) - float(case["began"]) for case in cases)
        return taken / len(cases), {
            "verdicts": dict(Counter(case["end"]["verdict"] for case in cases))
        }


if __name__ == "__main__":
    sys.exit(main())
