"""The document claims what was seen, by what it was seen, and nothing else."""

from __future__ import annotations

import datetime
import html
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.case.check_table import CHECKS
from harness.case.measurement import CallerId
from harness.case.verdict import Finding, Strength, Verdict
from harness.report import coverage as claims
from harness.report import signoff
from harness.report.run_directory import RunEvidence
from harness.report.signoff import document
from harness.report.signoff.decision import decide as decide_on

ROW = "TD-INBOUND"
TODAY = datetime.date(2026, 11, 20)


def test_every_check_has_words_for_what_it_claims() -> None:
    assert {check.name for check in CHECKS.values() if not check.claim} == {
        "case",
        "phone.wait",
    }  # they only ever fail


SOURCES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "record": ("caller_id", {"measured": CallerId(from_user="+13125550100", record=True)}),
    "messages": (
        "caller_id",
        {"measured": CallerId(from_user="+13125550100"), "evidence": ("m3",)},
    ),
    "their messages": ("route.transport", {"evidence": ("f2",)}),
    "phones": ("answered", {}),
    "declared": (
        "route.transport",
        {"verdict": Verdict.NOT_OBSERVABLE, "strength": Strength.UNKNOWN},
    ),
    "not seen": (
        "audio.silent",
        {"verdict": Verdict.NOT_OBSERVABLE, "strength": Strength.UNKNOWN},
    ),
    "account": ("audio to ai", {"strength": Strength.CONFIRMED}),
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_claim_says_what_it_was_seen_by(runs: ModuleType, source: str) -> None:
    kind, more = SOURCES[source]
    assert claims.source_of(runs.finding(kind, **more), ["caller.1"], stand_in=False) == source


@pytest.mark.parametrize(
    ("subject", "stand_in", "source"),
    [
        ("assistant main", False, "record"),
        ("stand-in.1", True, "phones"),
        ("billing-1's leg", False, "phones"),
    ],
)
def test_the_end_of_a_leg_is_seen_where_the_leg_is(
    runs: ModuleType, subject: str, stand_in: bool, source: str
) -> None:
    finding: Finding = replace(runs.finding("released"), subject=subject)
    assert claims.source_of(finding, ["caller.1", "billing-1"], stand_in=stand_in) == source


@pytest.mark.parametrize("name", ["Desk 3 (test)", "desk.3", "Anna's phone", "a → b"])
@pytest.mark.parametrize(
    "subject", ["{}", "{}'s leg", "{} → assistant main", "assistant main → {}"]
)
def test_a_phone_of_any_name_is_ours(runs: ModuleType, name: str, subject: str) -> None:
    finding: Finding = replace(runs.finding("released"), subject=subject.format(name))
    assert claims.source_of(finding, ["caller.1", name], stand_in=False) == "phones"
    assert claims.source_of(finding, ["caller.1", "desk"], stand_in=False) == "record"


def test_a_row_claims_no_more_than_its_cases_saw(tmp_path: Path, runs: ModuleType) -> None:
    """The number is known by the record alone, the transport by nobody: the document says so, and
    not otherwise.
    """

    def by_the_record(case: Any, recorder: Any) -> tuple[Verdict, str]:
        unseen = {
            "verdict": Verdict.NOT_OBSERVABLE,
            "strength": Strength.UNKNOWN,
            "dispensable": True,
        }
        recorder.raised(
            runs.finding("caller_id", measured=CallerId(from_user="+13125550100", record=True))
        )
        for one in runs.promised(case):
            if one.check != "caller_id":
                recorder.raised(replace(one, **unseen) if one.check == "route.transport" else one)
        return Verdict.PASSED, ""

    run = runs.make_run(tmp_path, plays={ROW: by_the_record}).directory
    row = next(
        row for row in decide_on(RunEvidence.read(run), today=TODAY).rows if row.scope.row == ROW
    )
    found = {claim.words: claim for claim in row.claims}
    text = html.unescape(runs.words(signoff.make(run).html.read_text()))

    assert found["the caller's number"].source == "record"
    assert found["transport"].source == "declared"
    assert found["audio to the AI"].source == "mark"
    numbers = {words: 2 * number for number, words in enumerate(found, 1)}  # no two in a row
    seen = {name: said.split(", ") for name, said in document._seen(row, numbers)}
    assert str(numbers["the caller's number"]) in seen["record"]
    assert str(numbers["transport"]) in seen["declared"]
    assert "record: by the AI's record" in text.replace(" :", ":")
    assert "To be shown:" in text
