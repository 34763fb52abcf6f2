"""The reasoning for a case as text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.case.events import SipMessage
from harness.case.verdict import Verdict
from harness.diagnosis import Diagnosis
from harness.diagnosis.result import Cause, explain
from tests.unit.diagnosis.case import Example, dialled, talk
from tests.unit.diagnosis.stories import nothing


def text(example: Example, diagnosis: Diagnosis | None, **more: Any) -> list[str]:
    messages = [(f"m{n}", e) for n, e in enumerate(example.events, 1) if isinstance(e, SipMessage)]
    findings = more.get("findings", example.findings)
    return explain(
        {"id": "case", "title": "a title"}, Verdict.FAILED, findings, messages, diagnosis, 999.5
    ).splitlines()


def test_a_known_cause_stands_first_with_what_to_do() -> None:
    example = talk().caller_id("assistant main", "anonymous", anonymous=True)
    lines = text(example, example.diagnose())
    headline = "Caller ID missing: the platform sends the AI an anonymous From"
    assert lines[:4] == ["case", "a title", "verdict: failed", f"diagnosis: {headline}"]
    assert [line.partition(":")[0] for line in lines[4:7]] == ["fix", "owner", "guide"]
    assert lines[lines.index("Rules that fired") + 1] == f"  1. {headline}"
    assert "No documented cause fits" not in lines


def test_candidates_are_not_rules_that_fired() -> None:
    example = nothing(Example(transport="tcp")).all_ports_answer()
    lines = text(example, example.diagnose())
    assert "Rules that cannot be excluded" in lines
    assert "Rules that fired" not in lines
    headed = [line.partition(":")[0] for line in lines[: lines.index("")]]
    assert headed.count("fix") == headed.count("owner") == 1, "only of the first"
    assert any(line.endswith("possible, a candidate") for line in lines)
    assert any(line.startswith("     would settle it: ") for line in lines)


def test_an_unknown_failure_names_what_is_nearest() -> None:
    example = talk().both_hear().finding("prack", "caller.1")
    diagnosis = example.diagnose()
    lines = text(example, diagnosis)
    assert lines[lines.index("Rules that fired") + 1] == "  none"
    assert "No documented cause fits" in lines
    assert f"  would settle it: {diagnosis.next_look}" in lines
    assert not [
        line for line in text(example, replace(diagnosis, next_look="")) if "would settle" in line
    ]


def test_a_case_without_a_diagnosis_says_so() -> None:
    lines = text(dialled(), None)
    assert lines[-1] == "There is no diagnosis: only a case that failed has one."
    assert not [line for line in lines if line.startswith("diagnosis:")]
    assert text(dialled(), Diagnosis())[-1] == "  none"


def test_each_finding_has_its_sign_and_time_and_each_message_its_number_and_direction() -> None:
    example = dialled().at_phone("reception", "INVITE").finding("codec", "x", True)
    example.finding("ringing", "x", actual="one\ntwo").finding("dtmf", "x", actual="")
    unseen = replace(example.findings[0], verdict=Verdict.NOT_OBSERVABLE, evidence=("m1", "m2"))
    found = [*example.findings, unseen, replace(unseen, verdict=Verdict.BROKEN)]
    lines = text(example, None, findings=found)
    at = lines.index("What was expected, and what was seen") + 1
    assert [lines[at + 3 * n].split()[:2] for n in range(5)] == [
        [sign, "0.500"] for sign in "✓✗✗?!"
    ]
    seen = [lines[at + 3 * n + 2].strip() for n in range(4)]
    assert seen == ["seen: seen", "seen: one", "seen:", "seen: seen  [m1, m2]"]
    at = lines.index("The SIP messages of the harness's own phones") + 1
    assert lines[at : at + 3] == [
        f"     m2   0.500 s  caller.1 → 192.0.2.2:5060  INVITE sip:{example.did}@carrier.example SIP/2.0",
        "     m3   0.500 s  caller.1 ← 192.0.2.2:5060  SIP/2.0 100 Trying",
        "     m4   0.500 s  reception ← 192.0.2.2:5060  INVITE sip:reception SIP/2.0",
    ]


def test_what_was_ruled_out_stands_by_cause() -> None:
    example = (
        dialled().ai_gets(offer="no G.711").ai_answers(488).after(0.1).rings("reception").gives_up()
    )
    diagnosis = example.not_taken("the phone reception").diagnose()
    lines = text(example, diagnosis)
    after = lines[lines.index("Rules that were ruled out, and why") + 1 :]
    causes = [line.strip() for line in after if not line.startswith("    ")]
    assert causes == sorted(set(causes))
    assert sum(line.startswith("    ") for line in after) == len(diagnosis.ruled_out)


def test_in_short_there_is_what_decided_and_how_much_more_there_is() -> None:
    def cause(number: int) -> Cause:
        evidence = tuple(f"fact {number}.{n}" for n in range(1, 5))
        return Cause(
            f"c{number}", f"title {number}", "issue", "fix", "link", "ai", "likely", evidence
        )

    diagnosis = Diagnosis(
        causes=tuple(map(cause, range(1, 6))),
        unexplained=("left 1", "left 2", "left 3"),
        nearest_facts=("near 1", "near 2", "near 3"),
    )
    failed = dialled().finding("dtmf", "x", True)
    for subject in "12345":
        failed = failed.after(0.1).finding("codec", subject)
    lines = explain(
        {"id": "case"}, Verdict.FAILED, failed.findings, [], diagnosis, 999.5, whole=False
    ).splitlines()
    assert [line.split()[-1] for line in lines if "✗" in line] == ["1", "2", "3"]
    assert "  2 more did not pass; 1 passed" in lines
    assert [line for line in lines if ": title" in line] == [
        "  1. issue: title 1",
        "  2. issue: title 2",
    ]
    assert [line.partition(": ")[2] for line in lines if "shown by" in line] == [
        "fact 1.1",
        "fact 1.2",
    ]
    assert "  and 3 more" in lines
    assert [line.strip() for line in lines if "left" in line] == ["left 1", "left 2"]
    assert [line.strip() for line in lines if "near " in line] == ["near 1", "near 2"]
