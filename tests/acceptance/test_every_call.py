"""Checks that every call gets, against the simulated world."""

from __future__ import annotations

import pytest

from harness.case.verdict import Verdict
from harness.report.evidence import CaseEvidence
from harness.support.resources import EXAMPLES
from tests.acceptance.conftest import Tree

TALKDESK = str(EXAMPLES / "simulated-talkdesk.toml")


@pytest.mark.nightly
def test_loss_delay_and_crossed_audio_are_checked_on_every_call(tree: Tree) -> None:
    """Loss, delay and crossed audio are found by the stage itself, on every call."""
    wrong = {
        "TD-INBOUND": ("heavy-loss@inbound", "audio.loss"),
        "TD-SKILLS-LANGUAGE": ("high-delay@skill-language", "audio.delay"),
        "TD-SKILLS-DEPARTMENT": ("audio-crossed@skill-department", "audio.crossed"),
    }
    cells = ("--transport=udp", "--ai=stand-in", "--codec=pcmu", "-n", "3", "--reports", "reports")
    asked = [f"--row={row}" for row in wrong] + [f"--fault={fault}" for fault, _ in wrong.values()]
    code, output = tree.harness("verify", TALKDESK, *asked, *cells)
    assert code == 1, output
    for case in (tree.path / "reports" / "latest" / "cases").iterdir():
        evidence = CaseEvidence.read(case)
        fault, check = wrong[evidence.row]
        assert check in {
            finding.check for finding in evidence.findings if finding.verdict is Verdict.FAILED
        }
        assert evidence.diagnosis[0]["id"] == fault.partition("@")[0]
