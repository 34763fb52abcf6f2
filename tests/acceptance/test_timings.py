"""Live and stand-in files run with their own timings; ``--timings`` is for simulated ones, and a
note says it is ignored.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.conftest import Tree

SCENARIO = """
    @scenario("INBOUND")
    def test_inbound(see, timings):
        see(actual=f"rings {timings.ring_timeout_s:g} s, registers for {timings.register_expires_s:g} s")
"""


def _timed(tree: Tree, kind: str) -> Path:
    file = tree.deployment()
    text = file.read_text().replace('kind = "live"', f'kind = "{kind}"')
    if kind == "stand-in":
        text = text.replace('transport = "udp"', 'ai = "stand-in"\ntransport = "udp"')
        text = text.replace('transport = "tcp"', 'ai = "stand-in"\ntransport = "tcp"')
        text += '\n[stand_in]\nbind = "127.9.9.5"\n'
    file.write_text(text + "\n[timings]\nring_timeout_s = 4\nregister_expires_s = 77\n")
    return file


@pytest.mark.parametrize(
    ("kind", "asked"),
    [("live", []), ("live", ["--timings", "documented"]), ("stand-in", ["--timings", "quick"])],
)
def test_timings_of_the_file_are_obeyed(tree: Tree, kind: str, asked: list[str]) -> None:
    tree.scenarios(SCENARIO)
    code, output = tree.run(
        "--deployment",
        str(_timed(tree, kind)),
        "--transport",
        "udp",
        "--codec",
        "pcmu",
        "-n",
        "0",
        *asked,
    )
    assert code == 0, output
    (case,) = tree.run_directory.glob("cases/*/case.json")
    found = json.loads(case.read_text())["end"]["findings"]
    assert [finding["actual"] for finding in found] == ["rings 4 s, registers for 77 s"]
    said = (
        "--timings is ignored for lab: it runs with the [timings] of its file, as its platform does"
    )
    assert (said in " ".join(output.split())) is bool(asked), output
