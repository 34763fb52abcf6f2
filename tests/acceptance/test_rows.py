"""Every row once, against the simulated world: each looks at all that it promises, and passes."""

from __future__ import annotations

import json
from pathlib import Path

from harness import integrations

DEPLOYMENTS = Path(__file__).parents[2] / "scenarios" / "deployments"
FILES = [str(DEPLOYMENTS / f"simulated-{name}.toml") for name in ("talkdesk", "gladly")]

#: The session's own interval is 90 s; a long call is long. `make verify` runs the one, whoever asks for it the other.
TOO_LONG = {"SESSIONTIMER", "LONGCALL"}

ONCE = (
    "not SESSIONTIMER and not pcma and (GL- or talkdesk and (synthflow-udp-ip or REGISTER and synthflow-udp-digest"
    " or stand-in-udp-ip and (PRACK or SRTP) or BADCERT and expired))"
)


def test_every_row_looks_at_all_that_it_promises(tree) -> None:
    """A check that a scenario no longer makes, or that says nothing any more, is missed by its row (``Row.finds``)."""
    code, output = tree.finished(tree.harness("verify", *FILES, "-k", ONCE, "--reports", "reports"))
    assert code == 0, output
    summary = json.loads((tree.path / "reports" / "latest" / "summary.json").read_text())
    assert summary["passed"] == summary["cases"], output
    every = {row.id for name in integrations.names() for row in integrations.find(name).rows}
    assert set(summary["rows"]) == every - TOO_LONG
