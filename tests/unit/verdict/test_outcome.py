"""How a case ended, by its findings and by what broke."""

from __future__ import annotations

import json
import sysconfig
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

import harness.errors
from harness.case.verdict import (
    NEVER_REPORTED,
    CaseOutcome,
    Conclusion,
    DidNotPassError,
    ExpectationError,
    Finding,
    NotObservableError,
    Strength,
    Verdict,
    exit_code,
    overall,
    worst,
)
from harness.errors import PhoneLostError
from harness.report import allure, junit
from harness.report.summary import summarise
from tests.unit.asserted import asserted
from tests.unit.conftest import run_of

PASSED, FAILED, BROKEN, UNSEEN = (
    Verdict.PASSED,
    Verdict.FAILED,
    Verdict.BROKEN,
    Verdict.NOT_OBSERVABLE,
)


def finding(verdict: Verdict, *, dispensable: bool = False, actual: str = "so it was") -> Finding:
    return Finding(
        "seen",
        "caller.1",
        verdict,
        "it to be so",
        actual,
        time.monotonic(),
        dispensable=dispensable,
    )


def outcome(*findings: Finding) -> CaseOutcome:
    return CaseOutcome(findings)


def test_a_case_that_ended_early_by_what_had_passed_has_not_passed() -> None:
    """Nobody has looked at what would have come behind it."""
    found = finding(PASSED)
    ended = outcome(finding(PASSED), found)
    ended.raised(ExpectationError(found))
    assert ended.conclusion.verdict is BROKEN
    assert "ended early" in ended.conclusion.message


def starved() -> Finding:
    return replace(finding(BROKEN, actual="it was late; but nobody had a processor"), starved_s=0.5)


@pytest.mark.parametrize(
    ("findings", "raised", "says_nothing"),
    [
        ([starved()], [], True),
        ([finding(PASSED), starved(), finding(UNSEEN)], [], True),
        ([starved()], [DidNotPassError("it did not")], True),
        ([finding(PASSED)], [], False),
        ([], [], False),
        ([starved(), finding(FAILED)], [], False),  # something speaks against somebody
        ([starved(), finding(BROKEN)], [], False),
        ([starved()], [PhoneLostError("its process died")], False),
        ([starved()], [KeyboardInterrupt()], False),
        ([finding(FAILED)], [PhoneLostError("its process died")], False),
    ],
)
def test_an_outcome_for_want_of_a_processor_alone(
    findings: list[Finding], raised: list[BaseException], says_nothing: bool
) -> None:
    found = outcome(*findings)
    for error in raised:
        found.raised(error)
    assert found.is_starved is says_nothing


def test_an_expectation_that_ended_a_starved_case_is_what_was_found() -> None:
    found, late = outcome(), starved()
    found.raised(ExpectationError(late))
    assert found.is_starved


class TestConclusion:
    def test_what_broke_after_a_failure_hides_nothing(self) -> None:
        found = outcome(finding(PASSED), finding(FAILED, actual="nobody rang"))
        found.raised(OSError("could not hang up"))
        assert found.conclusion.verdict is FAILED
        assert found.conclusion.message.splitlines() == [
            "seen of caller.1: expected it to be so; nobody rang",
            "it also broke: OSError: could not hang up",
        ]

    def test_what_broke_makes_a_case_without_a_failure_broken(self) -> None:
        found = outcome(finding(PASSED), finding(UNSEEN))
        found.raised(PhoneLostError("phone caller was lost"))
        assert found.conclusion == Conclusion(BROKEN, "phone caller was lost")

    def test_an_error_brings_its_finding(self) -> None:
        found = outcome(finding(PASSED))
        error = ExpectationError(finding(FAILED))
        found.raised(error)
        found.raised(error)
        assert [f.verdict for f in found.findings] == [PASSED, FAILED]
        assert found.conclusion == Conclusion(FAILED, str(error))

    def test_a_case_that_could_not_go_on_without_looking_does_not_pass_even_where_that_is_dispensable(
        self,
    ) -> None:
        unseen = finding(UNSEEN, dispensable=True)
        assert outcome(finding(PASSED), unseen).conclusion.verdict is PASSED
        found = outcome(finding(PASSED), unseen)
        found.raised(NotObservableError(unseen))
        assert found.conclusion.verdict is UNSEEN

    def test_the_reason_is_what_cannot_be_done_without(self) -> None:
        found = outcome(
            finding(UNSEEN, dispensable=True, actual="one"), finding(UNSEEN, actual="other")
        )
        assert found.conclusion.message.endswith("other")

    def test_nothing_found_is_a_failure_unless_something_says_why(self) -> None:
        assert outcome().conclusion == Conclusion(FAILED, "the case looked at nothing")
        for happens in (CaseOutcome.interrupted, CaseOutcome.worker_died):
            found = outcome()
            happens(found)
            assert found.conclusion.verdict is BROKEN

    def test_one_that_looked_at_nothing_stays_failed_whatever_breaks_later(self) -> None:
        found = outcome()
        found.came_to_its_end()
        found.raised(OSError("could not hang up"))
        assert found.conclusion.verdict is FAILED

    def test_what_tells_pytest_of_the_verdict_changes_nothing(self) -> None:
        found = outcome(finding(UNSEEN))
        before = found.conclusion
        found.raised(DidNotPassError(before.message))
        assert found.conclusion == before

    @pytest.mark.parametrize(
        ("error", "verdict", "message"),
        [
            (
                AssertionError("one is not two"),
                BROKEN,
                "AssertionError: one is not two",
            ),  # nobody knows whose it is
            (AssertionError(), BROKEN, "AssertionError"),
            (KeyError("x"), BROKEN, "KeyError: 'x'"),
            (pytest.fail.Exception("Timeout >61.0s"), BROKEN, "Failed: Timeout >61.0s"),
            (KeyboardInterrupt(), BROKEN, "the run was interrupted"),
        ],
    )
    def test_errors(self, error: BaseException, verdict: Verdict, message: str) -> None:
        found = outcome(finding(PASSED))
        found.raised(error)
        assert found.conclusion == Conclusion(verdict, message)

    @pytest.mark.parametrize(
        ("said_by", "verdict"),
        [
            (
                [
                    "{ours}/run/plugin/cases.py",
                    "{lib}/site-packages/_pytest/runner.py",
                    "/mine/test_rows.py",
                ],
                FAILED,
            ),
            (
                [
                    "/mine/test_rows.py",
                    "{lib}/site-packages/numpy/testing/utils.py",
                    "{lib}/contextlib.py",
                ],
                FAILED,
            ),
            (["/mine/test_rows.py", "/usr/lib/python3/dist-packages/numpy/testing.py"], FAILED),
            (["/mine/test_rows.py", "{ours}/scenario/expect.py", "/mine/helpers.py"], FAILED),
            (["{ours}/support/_resources/scenarios/test_inbound.py"], FAILED),
            (["/mine/.venv/lib/python3.11/site-packages/_pytest/fixtures.py"], BROKEN),
            (["{ours}/run/plugin/cases.py", "{lib}/site-packages/_pytest/fixtures.py"], BROKEN),
            (["/mine/test_rows.py", "{ours}/scenario/ends.py"], BROKEN),
            (["/mine/test_rows.py", "{ours}/scenario/ends.py", "{lib}/queue.py"], BROKEN),
            (["{ours}/scenario/ends.py", "<string>"], BROKEN),
        ],
    )
    @pytest.mark.parametrize("words", ["one is not two", ""])
    def test_an_assertion_is_the_platforms_failure_only_where_a_scenario_makes_it(
        self, said_by: list[str], verdict: Verdict, words: str
    ) -> None:
        ours = Path(harness.errors.__file__).parent
        files = [file.format(lib=sysconfig.get_path("stdlib"), ours=ours) for file in said_by]
        found = outcome(finding(PASSED))
        found.raised(asserted(words, files))
        place = f"{Path(files[-1]).name}, line 1"
        told = {FAILED: words or "an assertion failed", BROKEN: f"AssertionError: {words or place}"}
        mine = [
            file for file in files if "rows" in file or "helpers" in file or "_resources" in file
        ]
        where = (
            f" ({mine[-1].removeprefix(f'{Path.cwd()}/').removeprefix('/mine/')}, line 1)"
            if mine
            else ""
        )
        assert found.conclusion == Conclusion(verdict, told[verdict] + where)

    @pytest.mark.parametrize(
        "error", [KeyError("x"), TypeError("no"), ZeroDivisionError(), PhoneLostError("lost")]
    )
    def test_a_slip_of_a_scenario_is_no_assertion(self, error: Exception) -> None:
        """A scenario that stumbles over itself has shown nothing of the platform."""
        found = outcome(finding(PASSED))
        found.raised(error.with_traceback(asserted("", ["/mine/test_rows.py"]).__traceback__))
        assert found.conclusion.verdict is BROKEN

    def test_a_case_that_passed_has_nothing_to_explain(self) -> None:
        assert outcome(finding(PASSED), finding(PASSED)).conclusion == Conclusion(PASSED, "")

    def test_only_what_may_end_otherwise_is_retried(self) -> None:
        assert {v for v in Verdict if Conclusion(v).may_be_retried} == {FAILED, BROKEN}

    def test_the_first_line(self) -> None:
        assert Conclusion(FAILED, "one\ntwo").first_line() == "one"
        assert Conclusion(FAILED, "one\ntwo").first_line("the cause") == "the cause"
        assert (
            Conclusion(UNSEEN, "audio of x: not observable")
            .first_line()
            .startswith("not observable: audio")
        )
        assert Conclusion(
            UNSEEN, "codec of x: expected PCMA; not observable: no SDP"
        ).first_line() == ("not observable: codec of x: expected PCMA; no SDP")
        assert Conclusion(PASSED).first_line() == "passed"


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ([finding(PASSED)], PASSED),
        ([finding(PASSED), finding(UNSEEN)], UNSEEN),
        ([finding(PASSED), finding(UNSEEN, dispensable=True)], PASSED),
        ([finding(UNSEEN, dispensable=True)], UNSEEN),  # of nothing else
        ([finding(PASSED), finding(FAILED, dispensable=True)], FAILED),
        ([finding(BROKEN), finding(UNSEEN)], BROKEN),
        ([finding(BROKEN), finding(FAILED)], FAILED),
        ([], FAILED),
    ],
)
def test_the_verdict_of_findings(findings: list[Finding], verdict: Verdict) -> None:
    assert overall(findings) is verdict


def test_strengths_keep_the_numbers_that_evidence_on_disk_has() -> None:
    assert [strength.name for strength in map(Strength, range(4))] == [
        "UNKNOWN",
        "INDICATED",
        "CONFIRMED",
        "PROVED",
    ]


def test_the_common_verdict_of_several() -> None:
    assert worst([PASSED, UNSEEN, BROKEN, FAILED]) is FAILED
    assert worst([PASSED, UNSEEN, BROKEN]) is BROKEN
    assert worst([PASSED, UNSEEN]) is UNSEEN
    assert worst([PASSED]) is PASSED
    assert worst([]) is None


def test_the_exit_code() -> None:
    assert exit_code([PASSED]) == 0
    assert exit_code([]) == 3
    assert exit_code([PASSED], broke=True) == 3
    assert exit_code([PASSED, BROKEN]) == 3
    assert exit_code([UNSEEN, BROKEN]) == 1
    assert exit_code([FAILED, BROKEN], broke=True) == 1


def test_a_case_that_left_nothing_is_broken_to_every_reader(tmp_path: Path) -> None:
    case = {"id": "TD-INBOUND[lab:x]", "row": "TD-INBOUND", "integration": "talkdesk", "axes": {}}
    run = run_of(planned=[case])
    summary = summarise(run)
    junit.write(tmp_path / "junit.xml", run)
    (error,) = ET.parse(tmp_path / "junit.xml").getroot().iter("error")
    allure.write_missing(case, "x", tmp_path, 0.0)
    (result,) = [json.loads(path.read_text()) for path in tmp_path.glob("*-result.json")]
    assert error.get("type") == result["status"] == str(NEVER_REPORTED.verdict) == "broken"
    assert error.get("message") == result["statusDetails"]["message"] == NEVER_REPORTED.message
    assert (summary.broken, summary.exit_code) == (1, 3)
