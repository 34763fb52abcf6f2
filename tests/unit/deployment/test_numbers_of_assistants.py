"""The number that callers dial, and the one that the AI answers at: the guides import the platform's own at Synthflow."""

from __future__ import annotations

from pathlib import Path

from harness.integrations import load
from harness.integrations.matrix import calls_of, cases
from harness.support.resources import EXAMPLES
from tests.unit.deployment.edits import SECRETS, mistakes, swapped

IMPORTED = swapped('did = "+12535550100"', 'did = "+16465550100"')


def test_a_number_that_is_imported_at_synthflow_is_the_assistants_too(tmp_path: Path) -> None:
    """Guides, "Add the SIP Number": "Enter the phone number in E.164 format (same DID provisioned in Gladly)"."""
    path = tmp_path / "file.toml"
    path.write_text(IMPORTED((EXAMPLES / "live-gladly.toml").read_text(encoding="utf-8")), encoding="utf-8")
    found = load(path, dict.fromkeys(SECRETS, "secret"))
    assert found.assistants["Ava"].did == found.lines["Customer hotline"].did
    (case,) = [case for case in cases([found]) if case.row.id == "GL-INBOUND"]
    assert [(call.who, call.number) for call in calls_of(case, found)] == [("Test line", "+16465550100")]


def test_the_number_of_a_line_is_no_assistants_that_it_does_not_lead_to(tmp_path: Path) -> None:
    other = '\n[assistants.Ben]\ndid = "+16465550100"\nmodel_id = "b"\n'
    said = "assistants.Ben.did: +16465550100 is already lines.Customer hotline.did; allowed: a number of its own for each role"
    assert mistakes(tmp_path, "live-gladly", lambda text: text + other) == [said]
    assert mistakes(tmp_path, "live-gladly", IMPORTED, lambda text: text + other) == [said]
