"""After a failure whose cause is unsure one more call settles it, and it can be switched off."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.case.verdict import Verdict
from harness.report.evidence import CaseEvidence
from harness.support.resources import EXAMPLES
from tests.acceptance.conftest import Tree

ARGUMENTS = (
    "--row=NUMBERFORMATS",
    "--ai=stand-in",
    "--fault=national-form-refused",
    "--reports=reports",
    "-n2",
)


@pytest.mark.nightly
@pytest.mark.parametrize("is_on", [True, False])
def test_number_refused_in_national_form_is_dialled_in_e164(tree: Tree, is_on: bool) -> None:
    text = (EXAMPLES / "simulated-talkdesk.toml").read_text()
    text = text.replace(
        '"simulated-talkdesk.csv"', json.dumps(str(EXAMPLES / "simulated-talkdesk.csv"))
    )
    file = tree.path / "deployment.toml"
    file.write_text(text.replace("[expect]", f"[expect]\nsecond_call = {str(is_on).lower()}"))
    code, output = tree.harness("verify", str(file), *ARGUMENTS)
    assert code == 1, output
    directories = [path.parent for path in tree.path.glob("reports/latest/cases/*/case.json")]
    (failed,) = [e for e in map(CaseEvidence.read, directories) if e.axes["form"] == "national"]
    assert failed.verdict is Verdict.FAILED
    assert failed.diagnosis[0]["id"] == "number-form-refused"
    told = [
        record
        for record in _of_probes(failed)
        if record.get("of") == "second call" and "begins" not in record
    ]
    if is_on:
        assert [(t["asks"], t["rang"], t["again_as_before"]) for t in told] == [
            ("form", ["stand-in"], "refused")
        ]
        assert failed.diagnosis[0]["rule"] == "reach.form.again"
    else:
        assert told == []
        assert failed.diagnosis[0]["rule"] == "reach.form"
    assert len(failed.findings) == 1  # the second call has no part in the verdict


def _of_probes(evidence: CaseEvidence) -> list[dict[str, Any]]:
    return [
        dict(e.record)
        for e in evidence.events
        if getattr(e, "phone", "") == "probe" and hasattr(e, "record")
    ]
