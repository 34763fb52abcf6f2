"""A platform that answers each call itself, before it calls anybody: what comes before an answer
cannot, and that is its cause.
"""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from harness.support.resources import EXAMPLES

_FILE = EXAMPLES / "simulated-talkdesk.toml"
_BEFORE_THE_ANSWER = ("ABANDON", "BUSY", "EARLYMEDIA", "PRACK")
_OTHERS = ("TD-INBOUND", "TD-FALLBACK-TIMEOUT")


@pytest.mark.nightly
def test_platform_that_answers_first_is_named_as_the_cause(tree: Any) -> None:
    for path in (_FILE, _FILE.with_suffix(".csv")):
        shutil.copy(path, tree.path)
    file = tree.path / _FILE.name
    with file.open("a") as more:
        more.write('\n[simulated.lines."*"]\nanswers_first = true\n')
    rows = [f"--row={row}" for row in (*_BEFORE_THE_ANSWER, *_OTHERS)]
    reports = ["--reports", str(tree.path / "reports")]
    code, output = tree.harness(
        "verify", str(file), "--transport=udp", "--codec=pcmu", *rows, "-n", "3", *reports
    )
    summary = tree.summary()
    assert code == 1, output
    for row in _OTHERS:
        assert summary["rows"][row]["passed"] == summary["rows"][row]["cases"] > 0, output
    for row in _BEFORE_THE_ANSWER:
        assert summary["rows"][row]["failed"] == summary["rows"][row]["cases"] > 0, output
    causes = json.loads((tree.run_directory / "causes.json").read_text())
    named = {cause["id"]: (cause["failures"], cause["confidence"]) for cause in causes["causes"]}
    # Synthflow's record tells no moment at which it answered: there the 183 may have been kept as
    # well, and both are told
    everything = causes["failures"]
    assert named == {
        "platform-answers-first": (everything, "certain"),
        "early-media-not-passed-on": (1, "likely"),
    }, output
