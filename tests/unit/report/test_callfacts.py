"""The facts of a call, from its messages and what was heard; links to messages; command lines to
copy; folded ladders.
"""

from __future__ import annotations

import contextlib
import shlex
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

from harness.case.events import FarEndRecord
from harness.case.verdict import ExpectationError, Finding, Verdict
from harness.integrations.matrix import Selection, cases
from harness.report import callfacts
from harness.report.callfacts import call_facts, numbers_of
from harness.report.drawings import Ladder, ladder_svg, ladder_text, without_registrations
from harness.report.evidence import CaseEvidence
from harness.report.flow import arrows, messages_of
from harness.report.hearing import figures
from harness.report.markup import verify_command
from harness.support.terminal import program
from tests.unit import conftest as runs
from tests.unit.report import samples


@pytest.fixture
def failed(tmp_path: Path) -> CaseEvidence:
    return CaseEvidence.read(samples.failed(tmp_path / "case"))


def facts_of(evidence: CaseEvidence) -> dict[str, str]:
    """The facts of its only call."""
    (facts,) = call_facts(evidence, arrows(evidence), figures(evidence))
    return dict(facts.facts)


class TestCallFacts:
    def test_of_each_leg(self, failed: CaseEvidence) -> None:
        caller, billing = call_facts(failed, arrows(failed), figures(failed))
        said = caller.facts
        assert (caller.leg, said["direction"], said["Call-ID"]) == (
            "caller.1",
            "outgoing",
            "call-1",
        )
        assert said["From"] == "<sip:+13125550100@127.0.3.1>"
        assert said["number dialled"] == "+12065550110"
        assert (said["post-dial delay"], said["ring time"], said["answered after"]) == (
            "0.03 s",
            "0.05 s",
            "0.08 s",
        )
        assert said["INVITE at"].endswith(" UTC")
        assert said["codec"] == "PCMU"
        assert said["ended by"].startswith("caller, BYE m")
        assert billing.facts["Call-ID"] == "call-2"
        assert billing.facts["first audio received"] == "0.10 s"
        assert numbers_of([caller, billing]) == ["+12065550110", "+13125550142"]

    @pytest.mark.parametrize("skew_s", [-3600.0, -2.5, 0.0, 2.5])
    def test_the_far_ends_clock_makes_no_time_of_ours(self, tmp_path: Path, skew_s: float) -> None:
        """An AI's record that says when it heard the caller says so by the clock of another
        machine; the ladder says whose it is.
        """
        with samples.playing(tmp_path / "case") as sample:
            sample.inbound()
            at = sample.clock.time() + skew_s - 0.5
            heard = {"mark": 12, "at": at, "until": at + 1.0, "level_dbov": -15.0}
            invite = samples.sip("INVITE sip:+12065550110@127.0.3.1 SIP/2.0", "1 INVITE")
            message = {
                "at": at,
                "direction": "received",
                "local": "127.0.3.9:5060",
                "remote": "127.0.3.2:5060",
                "text": invite,
            }
            record = {"witness": {"marks": [heard], "messages": [message]}}
            sample.event(FarEndRecord, "synthflow", source="GET /v2/calls/1", record=record)
            evidence = sample.ends()
        assert facts_of(evidence)["first audio heard by the far end"] == "0.55 s", (
            "by its reply in band"
        )
        for ladder_of in (ladder_text, ladder_svg):
            assert "at the times of its own clock" in ladder_of(Ladder.of(evidence))

    @pytest.mark.parametrize(
        ("said", "ended"),
        [
            # a re-INVITE is refused, and the call goes on until its BYE
            (["s INVITE 1", "r 200 1", "s INVITE 2", "r 488 2", "r BYE 3"], "the far end, BYE m5"),
            (["s INVITE 1", "r 200 1", "r INVITE 7", "s 491 7"], "nobody within the case"),
            # asked for other terms: sent again (RFC 4028 section 7.3, RFC 3261 section 22.2)
            (["s INVITE 1", "r 422 1", "s INVITE 2", "r 200 2", "s BYE 3"], "caller, BYE m5"),
            (["s INVITE 1", "r 401 1", "s INVITE 2", "r 404 2"], "the far end, 404 x m4"),
            (["s INVITE 1", "r 407 1"], "the far end, 407 x m2"),
            # a CANCEL that crosses the answer
            (["s INVITE 1", "r 180 1", "s CANCEL 1", "r 200 1", "s BYE 2"], "caller, BYE m5"),
            (["s INVITE 1", "r 180 1", "s CANCEL 1", "r 487 1"], "caller, CANCEL m3"),
        ],
    )
    def test_who_ended_the_call(self, tmp_path: Path, said: list[str], ended: str) -> None:
        with samples.playing(tmp_path / "case") as sample:
            sample.dials()
            for line in said:
                way, what, number = line.split()
                start = (
                    f"SIP/2.0 {what} x" if what.isdecimal() else f"{what} sip:a@127.0.3.1 SIP/2.0"
                )
                cseq = f"{number} {'INVITE' if what.isdecimal() else what}"
                sample.after(0.1).message(
                    {"s": "sent", "r": "received"}[way], samples.sip(start, cseq)
                )
            evidence = sample.ends()
        assert facts_of(evidence)["ended by"] == ended


class TestLinks:
    @pytest.mark.parametrize(
        ("check", "subject", "numbers"),
        [
            ("answered", "caller.1", ("m1", "m4")),
            ("audio", "assistant main → caller.1", ("m1", "m4")),
            ("audio", "caller.1 → billing.1", ("m1", "m4", "m6", "m7")),
            ("caller_id", "billing.1", ("m6",)),
            ("released", "caller.1", ("m8", "m9")),
            ("campaign", "the call", ()),
        ],
    )
    def test_to_what_the_check_is_about(
        self, failed: CaseEvidence, check: str, subject: str, numbers: tuple[str, ...]
    ) -> None:
        ((_, found),) = messages_of(
            arrows(failed), [Finding(check, subject, Verdict.FAILED, "this", "that", 1000.0)]
        )
        assert found == numbers


class TestFolded:
    @pytest.mark.parametrize(("row", "arrows_left"), [("TD-INBOUND", 0), ("TD-REGISTER-OK", 4)])
    def test_a_registration_that_worked_is_a_line(
        self, tmp_path: Path, row: str, arrows_left: int
    ) -> None:
        with samples.playing(tmp_path / "case", samples.case_of(row)) as sample:
            for cseq, code in ((1, 401), (2, 200)):
                sample.message(
                    "sent", samples.sip("REGISTER sip:127.0.3.1 SIP/2.0", f"{cseq} REGISTER")
                )
                sample.after(0.01).message(
                    "received", samples.sip(f"SIP/2.0 {code} X", f"{cseq} REGISTER")
                )
            evidence = sample.ends()
        left, folded = without_registrations(arrows(evidence), evidence.row)
        assert len(left) == arrows_left
        assert [moment.text for moment in folded] == (
            [] if arrows_left else ["registered: 200 (m1 to m4)"]
        )


def _holds(name: str, word: str, **_: object) -> bool:
    return word in name


class TestCommands:
    def test_the_case_alone_with_its_run_s_file_and_faults(self, failed: CaseEvidence) -> None:
        command = (
            "pytest scenarios --deployment=a/talkdesk-sim.toml --deployment=b/x.toml --fault no-g711 "
            "-n 8 --timings quick --live --grant=host=a.example --grant path=/srv"
        )
        assert verify_command(command, failed) == (
            f"{program()} verify a/talkdesk-sim.toml --row TD-TRANSFER-BLIND --transport udp --auth ip --codec pcmu --ai synthflow "
            "--fault no-g711 --grant host=a.example --grant path=/srv --live"
        )

    @pytest.mark.parametrize(
        "line",
        ["front desk", "+13125550100", "Büro 1", "not", "sales (new)", "a and b", "~", "<script>"],
    )
    def test_whatever_a_number_is_called_the_line_selects_its_case(
        self, tmp_path: Path, line: str
    ) -> None:
        """Live, so that a name which is a number is masked in the case's axes."""
        deployment = runs.live()
        lines = {line: deployment.lines["inbound"], f"{line} 2": deployment.lines["inbound"]}
        named = deployment.model_copy(update={"lines": lines, "depth": "full"})
        every = cases([named], Selection(rows=("TD-INBOUND",)))
        case = next(one for one in every if one.line == line)
        evidence = CaseEvidence.read(
            samples.passed(tmp_path / "case", {**case.plain(), "mask": True})
        )
        words = shlex.split(verify_command("", evidence))
        chosen = Expression.compile(words[words.index("-k") + 1])
        named_so = [
            one for one in every if chosen.evaluate(partial(_holds, f"test_inbound[{one.id}]"))
        ]
        assert [one.line for one in named_so] == [line]


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        (Verdict.NOT_OBSERVABLE, Verdict.NOT_OBSERVABLE),
        (Verdict.BROKEN, Verdict.BROKEN),
        (None, Verdict.FAILED),
    ],
)
def test_a_step_that_a_finding_ended_is_what_the_finding_is(
    tmp_path: Path, recorded: Verdict | None, shown: Verdict
) -> None:
    """In a case that broke, or that nobody could see, a red step blamed the system under test."""
    with samples.playing(tmp_path / "case") as sample:
        found = Finding(
            "landing", "billing", Verdict.FAILED, "a call within 5 s", "none came", sample.now
        )
        with contextlib.suppress(ExpectationError), sample.recorder.step("the agent is called"):
            raise ExpectationError(found)
        if recorded is not None:  # as the harness holds it against itself
            sample.recorder.raised(
                replace(found, verdict=recorded, actual="none came; no processor was free")
            )
        evidence = sample.ends(recorded or Verdict.FAILED, "")
    (step,) = evidence.steps
    assert step.verdict(evidence.findings) is shown


def test_audio_that_overtakes_the_answer_takes_no_negative_time() -> None:
    """A carrier was sent "first audio received −0.01 s"."""
    assert callfacts._between(1.0, 0.99) == 0.0
    assert callfacts._between(1.0, 1.25) == 0.25
