"""What is accepted, what is not, and why."""

from __future__ import annotations

import datetime
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.case.verdict import Strength, Verdict
from harness.deployment.file import load
from harness.deployment.hours import AS_OF_VARIABLE
from harness.errors import MistakeError
from harness.report.merge import merge
from harness.report.run import remake
from harness.report.run_directory import RunEvidence, read_planned, write_end
from harness.report.signoff import manifest
from harness.report.signoff.decision import Acceptance, Decision
from harness.report.signoff.decision import decide as decide_on
from harness.report.signoff.rows import Waiver
from harness.support.resources import EXAMPLES

TODAY = datetime.date(2026, 11, 20)
ROW = "TD-INBOUND"
LIVE = EXAMPLES / "live-talkdesk.toml"


def decide(run: Path, waivers: Sequence[Waiver] = ()) -> Decision:
    return decide_on(RunEvidence.read(run), waivers, today=TODAY)


def waiver(row: str = ROW, **more: Any) -> Waiver:
    return Waiver(**{"row": row, "who": "Jane Doe", "why": "It is known.", "until": TODAY} | more)


def result(decision: Decision, row: str = ROW) -> Any:
    return next(one for one in decision.rows if one.scope.row == row)


def test_a_whole_run_that_passed_is_accepted(tmp_path: Path, runs: ModuleType) -> None:
    decision = decide(runs.make_run(tmp_path).directory)

    assert decision.reasons == ()
    assert decision.outcome is Acceptance.ACCEPTED
    assert result(decision).verdict == "passed"
    assert result(decision).strength is Strength.PROVED
    assert result(decision).figures == (
        "answered in 0.5 s at most (1 call)",
        "RTP loss 2.0%, jitter 3 ms at most (100 packets)",
    )
    assert sum(decision.numbers.values()) == len(decision.cases)
    assert all("•" in number for number in decision.numbers)


def test_deployments_and_sites_whose_masked_names_are_alike_stay_apart(
    tmp_path: Path, runs: ModuleType
) -> None:
    """Two customers named by numbers became one, and the rows that one of them had not run were
    gone.
    """
    made = [
        runs.make_run(
            tmp_path, deployment=runs.live().model_copy(update=names), rows=("HOLD",), plays=plays
        )
        for names, plays in (
            ({"name": "acme +13125550100", "site": "+442079460155"}, {}),
            ({"name": "acme +13129990100", "site": "+442079990155"}, {"HOLD": runs.fails}),
            ({"name": "acme +13129990100", "site": "+442079460155"}, {"HOLD": runs.passes}),
        )
    ]
    decision = decide(merge([one.directory for one in made], tmp_path))

    assert len({one.name for one in decision.scope.deployments}) == 2
    assert len({(one.name, one.site) for one in decision.scope.deployments}) == 3
    held = {
        row.deployment: (row.verdict, row.of) for row in decision.rows if row.scope.row == "HOLD"
    }
    assert sorted(held.values()) == [("failed", 2), ("passed", 1)]
    assert all(name.startswith("acme +1312•••0100 ~") for name in held)
    assert {row.deployment for row in decision.rows if row.verdict == "not run"} == held.keys()


@pytest.mark.parametrize("play", ["fails", "cannot_look", "breaks"])
def test_one_row_that_did_not_pass_is_enough(tmp_path: Path, runs: ModuleType, play: str) -> None:
    run = runs.make_run(tmp_path, plays={ROW: getattr(runs, play)}).directory

    assert decide(run).outcome is Acceptance.NOT_ACCEPTED
    assert decide(run, [waiver()]).outcome is Acceptance.WITH_WAIVERS


class TestWhatWasNotRun:
    def test_planned_without_a_result(self, tmp_path: Path, runs: ModuleType) -> None:
        decision = decide(runs.make_run(tmp_path, lost=(ROW,)).directory)

        assert decision.outcome is Acceptance.NOT_ACCEPTED
        assert (result(decision).verdict, result(decision).why) == (
            "broken",
            "1 planned case left no result",
        )

    def test_a_practice_row_that_was_run_in_part(self, tmp_path: Path, runs: ModuleType) -> None:
        """It may be left out, but a part of it says nothing of the rest; and the reason does not
        call it a row of the guide.
        """
        made = runs.make_run(tmp_path, options={"keyword": "not numberformats_one"})
        run, left = made.directory, made.case_directory("NUMBERFORMATS")
        planned, end = read_planned(run)
        case = json.loads((left / "case.json").read_text())["id"]
        shutil.rmtree(left)
        write_end(run, [one for one in planned if one["id"] != case], end)
        manifest.write(run)
        decision = decide(run)

        row = result(decision, "NUMBERFORMATS")
        assert (row.scope.documented, row.verdict) == (False, "partly run")
        assert decision.outcome is Acceptance.NOT_ACCEPTED
        assert decision.reasons == (
            "Rows were not run, or not completely, where the run was narrowed by -k 'not numberformats_one': "
            f"NUMBERFORMATS ({row.why}).",
        )
        assert decide(run, [waiver("NUMBERFORMATS")]).outcome is Acceptance.WITH_WAIVERS

    def test_what_an_option_required_is_as_what_the_file_requires(
        self, tmp_path: Path, runs: ModuleType
    ) -> None:
        """The run failed for it, and was accepted."""
        whole = runs.make_run(tmp_path).directory
        made = runs.make_run(tmp_path, options={"require": ["LONGCALL"]}).directory
        assert remake(made).summary.exit_code == 1

        for run in (made, merge([whole, made], tmp_path), merge([made, whole], tmp_path)):
            decision = decide(run)
            assert decision.outcome is Acceptance.NOT_ACCEPTED
            assert any("LONGCALL" in reason for reason in decision.reasons)
        assert decide(made, [waiver("LONGCALL")]).outcome is Acceptance.WITH_WAIVERS

    @pytest.mark.parametrize("row", ["TD-FALLBACK-TIMEOUT", "TD-FALLBACK-DOWN", "TD-CAPACITY"])
    def test_a_row_of_the_guide_that_nobody_could_bring_about(
        self, tmp_path: Path, runs: ModuleType, row: str
    ) -> None:
        """A real AI does not fail for a test, and there are too few phones to fill the trunk:
        neither is proved by anybody.
        """
        run = runs.make_run(tmp_path, deployment=load(LIVE, secrets=False)).directory
        decision = decide(run)
        assert (result(decision, row).verdict, result(decision, row).short) == (
            "not observable",
            True,
        )
        assert any(row in reason for reason in decision.reasons)
        assert decision.outcome is Acceptance.NOT_ACCEPTED

    @pytest.mark.parametrize("begins", ["", "not observable: "])
    def test_left_out_by_the_deployment_file(
        self, tmp_path: Path, runs: ModuleType, begins: str
    ) -> None:
        """The customer's words are a decision, whatever they say."""
        deployment = runs.live().model_copy(
            update={"leave_out": {"TD-CAPACITY": f"{begins}we do not want to know"}}
        )
        run = runs.make_run(tmp_path, deployment=deployment).directory
        decision = decide(run)

        assert decision.outcome is Acceptance.NOT_ACCEPTED
        assert result(decision, "TD-CAPACITY").verdict == "not run"
        assert "we do not want to know" in result(decision, "TD-CAPACITY").why
        assert decide(run, [waiver("TD-CAPACITY")]).outcome is Acceptance.WITH_WAIVERS

    def test_a_row_of_the_guide_that_nobody_can_see(self, tmp_path: Path, runs: ModuleType) -> None:
        """There is no case of it, since Synthflow's interface tells of no registrations; that is no
        reason to accept it.
        """
        deployment = runs.live()
        blind = deployment.synthflow.model_copy(update={"witness": ("record",)})
        (trunk,) = deployment.trunks
        registers = trunk.model_copy(update={"authentication": "digest", "username": "acme"})
        changed = deployment.model_copy(update={"synthflow": blind, "trunks": (registers,)})
        decision = decide(run := runs.make_run(tmp_path, deployment=changed).directory)
        unseen = {
            row.scope.row
            for row in decision.rows
            if row.scope.documented
            and row.scope.reason is not None
            and row.scope.reason.kind == "not observable"
        }

        assert unseen
        assert all(result(decision, row).verdict == "not observable" for row in unseen)
        assert decision.outcome is Acceptance.NOT_ACCEPTED
        assert decide(run, [waiver(row) for row in unseen]).outcome is Acceptance.WITH_WAIVERS

    def test_a_run_by_night_proves_nothing_of_the_day(
        self, tmp_path: Path, runs: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """There is no case of a row all of whose numbers are closed; that is no reason to accept
        it.
        """
        deployment = runs.live()
        hours = {"hours": "mon-fri 08:00-18:00", "zone": "America/New_York", "closed": "billing"}
        lines = {name: line.model_copy(update=hours) for name, line in deployment.lines.items()}
        changed = deployment.model_copy(update={"lines": lines})
        monkeypatch.setenv(AS_OF_VARIABLE, "2026-03-08T03:00+00:00")
        night = runs.make_run(tmp_path, deployment=changed)
        decision = decide(night.directory)

        assert {case.row.id for case in night.cases if case.row.id != "CLOSED"}.isdisjoint(
            {ROW, "TD-TRANSFER-BLIND"}
        )
        assert result(decision, "CLOSED").verdict == "passed"
        assert decision.outcome is Acceptance.NOT_ACCEPTED
        assert (result(decision).verdict, result(decision).why) == (
            "not run",
            "every number is closed now",
        )
        closed = {row.scope.row for row in decision.rows if row.blocks}
        assert (
            decide(night.directory, [waiver(row) for row in closed]).outcome
            is Acceptance.WITH_WAIVERS
        )
        monkeypatch.setenv(AS_OF_VARIABLE, "2026-03-04T15:00+00:00")
        day = runs.make_run(tmp_path, deployment=changed)
        assert not result(decide(day.directory)).blocks
        assert not result(decide(merge([night.directory, day.directory], tmp_path))).blocks

    def test_an_interrupted_run_cannot_be_waived(self, tmp_path: Path, runs: ModuleType) -> None:
        run = runs.make_run(tmp_path, interrupted="stopped by the user").directory
        decision = decide(
            run, [waiver(row) for row in {case.row.id for case in runs.make_run(tmp_path).cases}]
        )

        assert decision.outcome is Acceptance.NOT_ACCEPTED
        assert decision.reasons == ("The run was interrupted: stopped by the user.",)


class TestRecordsAreNotBelieved:
    def test_a_verdict_that_its_findings_do_not_bear_out(
        self, tmp_path: Path, runs: ModuleType
    ) -> None:
        run = runs.make_run(tmp_path, plays={ROW: runs.fails})
        case = run.case_directory(ROW) / "case.json"
        plain = json.loads(case.read_text())
        plain["end"] |= {"verdict": "passed", "message": "", "diagnosis": None}
        case.write_text(json.dumps(plain))
        manifest.write(run.directory)  # as if it had been so from the beginning
        decision = decide(run.directory, [waiver()])

        assert decision.outcome is Acceptance.NOT_ACCEPTED
        assert result(decision).verdict == "failed"
        assert "recorded as passed, but its findings say failed" in decision.contradictions[0]

    def test_a_finding_that_was_taken_away(self, tmp_path: Path, runs: ModuleType) -> None:
        run = runs.make_run(tmp_path)
        path = run.case_directory(ROW) / "case.json"
        case = json.loads(path.read_text())
        end = case["end"]
        end["findings"] = [one for one in end["findings"] if one["check"] != "audio"]
        path.write_text(json.dumps(case))
        manifest.write(run.directory)
        decision = decide(run.directory)

        assert result(decision).verdict == "not observable"
        assert "looked 0 of 1 times" in decision.contradictions[0]

    def test_audio_of_which_nothing_is_known_does_not_pass(
        self, tmp_path: Path, runs: ModuleType
    ) -> None:
        def unknown(case: Any, recorder: Any) -> tuple[Verdict, str]:
            recorder.finding(runs.finding("audio to ai", strength=Strength.UNKNOWN))
            return runs.passes(case, recorder)  # type: ignore[no-any-return]

        decision = decide(runs.make_run(tmp_path, plays={ROW: unknown}).directory)

        assert result(decision).verdict == "not observable"
        assert decision.outcome is Acceptance.NOT_ACCEPTED

    def test_evidence_that_changed_since_the_run_ended(
        self, tmp_path: Path, runs: ModuleType
    ) -> None:
        run = runs.make_run(tmp_path)
        (run.case_directory(ROW) / "caller.1.received.flac").write_bytes(b"")
        decision = decide(run.directory)

        assert decision.outcome is Acceptance.NOT_ACCEPTED
        assert "caller.1.received.flac: was changed" in decision.reasons[0]


class TestWaivers:
    def test_one_that_has_run_out_does_not_count(self, tmp_path: Path, runs: ModuleType) -> None:
        run = runs.make_run(tmp_path, plays={ROW: runs.fails}).directory
        decision = decide(run, [waiver(until=TODAY - datetime.timedelta(1))])

        assert decision.outcome is Acceptance.NOT_ACCEPTED
        assert any("does not count" in remark for remark in decision.remarks)

    def test_one_of_another_deployment_does_not_count(
        self, tmp_path: Path, runs: ModuleType
    ) -> None:
        run = runs.make_run(tmp_path, plays={ROW: runs.fails}).directory
        with pytest.raises(MistakeError) as told:
            decide(run, [waiver(deployment="another"), waiver("TD-INBUOND")])
        of_another, misspelt = str(told.value).splitlines()
        assert of_another.endswith(
            "TD-INBOUND of another: in this run no deployment of that name has the row; allowed: example"
        )
        assert "TD-INBUOND: no such row in this run; did you mean TD-INBOUND?" in misspelt
