"""Every row once, against the simulated world: each looks at all that it promises, and passes."""

from __future__ import annotations

import json

import pytest

from harness import integrations
from harness.case.verdict import Verdict
from harness.report.evidence import CaseEvidence
from harness.support.resources import EXAMPLES
from tests.acceptance.conftest import Tree

FILES = [str(EXAMPLES / f"simulated-{name}.toml") for name in ("talkdesk", "gladly", "generic")]

#: The session's own interval is 90 s; a long call is long. `make verify` runs the one, whoever asks
#: for it the other.
TOO_LONG = {"SESSIONTIMER", "LONGCALL"}

ONCE = (
    "not SESSIONTIMER and (SBC- or not pcma and (GL- or talkdesk and (synthflow-udp-ip or REGISTER and synthflow-udp-digest"
    " or stand-in-udp-ip and (PRACK or SRTP) or BADCERT and expired)))"
)


@pytest.mark.nightly
def test_every_row_checks_everything_it_requires(tree: Tree) -> None:
    """A check that a scenario no longer makes, or that says nothing any more, is missed by its row
    (``Row.required_findings``).
    """
    # A case that a busy machine broke shows nothing of what it looks at: it has a second go.
    code, output = tree.harness(
        "verify", *FILES, "-k", ONCE, "--retries", "1", "--reports", "reports"
    )
    assert code == 0, output
    summary = json.loads((tree.path / "reports" / "latest" / "summary.json").read_text())
    assert summary["passed"] == summary["cases"], output
    every = {row.id for name in integrations.names() for row in integrations.find(name).rows}
    assert set(summary["rows"]) == every - TOO_LONG


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
    code, output = tree.harness("verify", FILES[0], *asked, *cells)
    assert code == 1, output
    for case in (tree.path / "reports" / "latest" / "cases").iterdir():
        evidence = CaseEvidence.read(case)
        fault, check = wrong[evidence.row]
        assert check in {
            finding.check for finding in evidence.findings if finding.verdict is Verdict.FAILED
        }
        assert evidence.diagnosis[0]["id"] == fault.partition("@")[0]
