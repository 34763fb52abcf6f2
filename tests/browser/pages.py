"""Runs of the whole matrices of all simulated examples, made of synthetic events: all green, or with six causes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from harness.case.recorder import CaseRecorder
from harness.case.verdict import Verdict
from harness.integrations import load
from harness.integrations.matrix import Case
from harness.report import acknowledged, signoff
from harness.report.merge import merge
from harness.report.nightly.night import Verification, conclude
from harness.report.run import remake
from tests.unit import conftest as runs

#: Row: cause and owner. Three rows have one cause.
SIX = {
    "TD-INBOUND": ("rtp-blocked-to-caller", "network", "RTP does not get from the AI to the caller"),
    "TD-OUTBOUND-IVR": ("rtp-blocked-to-caller", "network", "RTP does not get from the AI to the caller"),
    "TD-SKILLS-MENU": ("rtp-blocked-to-caller", "network", "RTP does not get from the AI to the caller"),
    "TD-TRANSFER-BLIND": ("group-wrong", "transfer target", "the group's number leads to another group"),
    "TD-TRANSFER-WARM": ("refer-rejected", "trunk", "the platform rejects the transfer (REFER)"),
    "TD-FALLBACK-TIMEOUT": ("ring-timeout-wrong", "platform routing", "the AI rings for another time than the configured ring timeout"),
    "TD-SKILLS-LANGUAGE": ("route-wrong-did", "platform routing", "the routing sends the call to another assistant's number"),
    "HOLD": ("hold-ignored", "AI side", "the AI goes on speaking while the call is on hold"),
}  # fmt: skip
CAUSES = len({cause for cause, *_ in SIX.values()})


def failing(cause: str, owner: str, title: str, fix: str = "") -> runs.Play:
    """A case that fails for this cause."""

    def play(case: Case, recorder: CaseRecorder) -> tuple[Verdict, str, Any]:
        recorder.raised(runs.finding("answered", Verdict.FAILED))
        named = {"id": cause, "cause": title, "title": title, "owner": owner}
        named["fix"] = fix or f"Mend what {owner} has set up at Talkdesk."
        return Verdict.FAILED, title, [{**named, "confidence": "certain"}]

    return play


def six_causes() -> Mapping[str, runs.Play]:
    return {row: failing(*named) for row, named in SIX.items()}


def whole_matrix(
    reports: Path,
    plays: Mapping[str, runs.Play] | None = None,
    deployments: str = "simulated-*",
) -> Path:
    """The directory of a run of all cases with its reports; ``plays`` happens at Talkdesk alone."""
    made = []
    for file in sorted(Path("scenarios/deployments").glob(f"{deployments}.toml")):
        own = plays if "talkdesk" in file.name else None
        run = runs.make_run(reports, deployment=load(file, secrets=False), plays=own).directory
        made.append(remake(run).directory)
    finished = remake(merge(made, reports))
    signoff.seal(finished.evidence)
    return finished.directory


def two_nights(reports: Path) -> Path:
    """The page of the second of two nights: a row of Talkdesk failed for one cause, and fails for
    another; a second cause is gone, a third is acknowledged.
    """
    deployment = load(Path("scenarios/deployments/simulated-talkdesk.toml"), secrets=False)
    rows = ("TD-INBOUND", "TD-TRANSFER-BLIND", "TD-FALLBACK-REFUSED", "HOLD", "BUSY")
    rtp, group, hold = (failing(*SIX[row]) for row in ("TD-INBOUND", "TD-TRANSFER-BLIND", "HOLD"))
    caller_id = failing("caller-id-lost", "platform routing", "Caller ID missing: the AI is shown the line's number")  # fmt: skip
    acknowledged.add(
        reports,
        acknowledged.Acknowledgement(
            cause="hold-ignored", ticket="AI-7", owner="Ana Cruz", until=date(2099, 12, 31)
        ),
    )
    nights: tuple[Mapping[str, runs.Play], ...] = (
        {},
        {"TD-INBOUND": rtp, "TD-TRANSFER-BLIND": group, "HOLD": hold},
        {"TD-INBOUND": caller_id, "HOLD": hold},
    )
    for number, plays in enumerate(nights):
        made = runs.make_run(reports, deployment=deployment, rows=rows, plays=plays)
        remake(made.directory)
        finished = conclude(
            Verification(
                reports=reports,
                series="acme",
                bound=(),
                began=1.8e9 + 86400 * number,
                run=made.directory.name,
                code=1,
            )
        )
    return finished.page


if __name__ == "__main__":
    two_nights(Path(sys.argv[1]))
