"""The proof on third-party programs: which attempt at a trial counts."""

from __future__ import annotations

import json
from pathlib import Path

from harness.case.recorder import CaseRecorder
from harness.case.verdict import Verdict
from harness.report.run_directory import case_directory
from tools.strangers.fault import FAULTS
from tools.strangers.plugin import RESULT
from tools.strangers.results import Proof, read


def test_trial_is_judged_by_its_last_attempt(tmp_path: Path) -> None:
    """A trial that the machine's load broke is run again; the first attempt is no second trial."""
    for attempt, verdict in ((1, Verdict.BROKEN), (2, Verdict.FAILED)):
        case = {
            "id": "A",
            "row": "TD-INBOUND",
            "integration": "talkdesk",
            "run": "r",
            "axes": {},
            "attempt": attempt,
        }
        directory = case_directory(tmp_path, case)
        CaseRecorder(directory, case).close(verdict, "what was seen")
        (directory / RESULT).write_text(json.dumps({"fault": FAULTS[0].name, "rig_late_s": 0.0}))
    (tmp_path / "cases" / "B").mkdir()
    results, missing = read(tmp_path)
    assert [(result.fault, result.verdict) for result in results] == [(FAULTS[0], Verdict.FAILED)]
    assert missing == ["B"]
    assert Proof(results, {}).plain()["injected"] == 1
