"""A deployment in which a caller whose transfer finds nobody is released, and hears so first."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from harness.support.resources import EXAMPLES

_FILE = EXAMPLES / "simulated-talkdesk.toml"
_ROW = "TRANSFER-UNAVAILABLE"


@pytest.mark.nightly
def test_announced_release_passes_and_a_kept_caller_fails(tree: Any) -> None:
    shutil.copy(_FILE.with_suffix(".csv"), tree.path)
    text = _FILE.read_text().replace(
        'transfer_unavailable = "returns"', 'transfer_unavailable = "released"'
    )
    verdicts = {}
    for does in ("says-goodbye", "stays"):
        file = tree.path / _FILE.name
        file.write_text(f'{text}\n[simulated.assistants."*"]\nafter_failed_transfer = "{does}"\n')
        tree.harness("verify", str(file), f"--row={_ROW}", "--reports", str(tree.path / does))
        summary = json.loads((tree.path / does / "latest" / "summary.json").read_text())
        verdicts[does] = summary["rows"][_ROW]
    assert verdicts["says-goodbye"]["passed"] == verdicts["says-goodbye"]["cases"] == 2
    assert verdicts["stays"]["failed"] == 1, "Synthflow's own; a stand-in hangs up"
