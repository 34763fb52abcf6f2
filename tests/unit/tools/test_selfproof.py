"""The self-proof judges by its bars: what it plans, counts, and calls missed."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.case.check_table import CHECKS
from harness.case.recorder import CaseRecorder
from harness.case.verdict import Verdict
from harness.diagnosis.catalogue import causes
from harness.integrations import load
from harness.integrations.matrix import Selection, cases
from harness.report.run_directory import case_directory
from harness.support.resources import EXAMPLES
from harness.world.faults import listed
from tools.selfproof import run
from tools.selfproof.plan import (
    FAULTS,
    OF_THE_GUIDES,
    PAIRS,
    UNDECIDED,
    UNREACHED,
    Kind,
    cause_of,
    swept,
    trials,
)
from tools.selfproof.plugin import RESULT
from tools.selfproof.results import Proof, Result, Told, read
from tools.selfproof.sweep import SweepProof, is_void, outcome
from tools.trials import AXIS

DEPLOYMENTS = [load(EXAMPLES / f"simulated-{name}.toml") for name in ("talkdesk", "gladly")]


def result(
    *faults: str,
    kind: Kind = "fault",
    causes: tuple[str, ...] = (),
    candidates: tuple[str, ...] = (),
    **more: object,
) -> Result:
    made = Result(
        kind=kind,
        faults=faults,
        case="TD-INBOUND[example]",
        row="TD-INBOUND",
        integration="talkdesk",
        axes={"ai": "synthflow", "transport": "udp", "authentication": "ip", "codec": "pcmu"},
        verdict=Verdict.FAILED,
        message="what was seen",
        told={"all": Told(causes, candidates)},
    )
    return replace(made, **more)  # type: ignore[arg-type]


def test_every_fault_is_tried_wherever_it_can_show() -> None:
    found = trials(DEPLOYMENTS, 0)
    tried = {trial.faults[0] for trial in found if trial.kind == "fault"}
    assert tried == set(FAULTS) == {fault["name"] for fault in listed()}
    assert set(map(cause_of, tried)) <= set(causes())
    everywhere = [t.case for t in found if t.faults == ("from-anonymous",)]
    assert {(c.axes["transport"], c.axes["authentication"], c.axes["ai"]) for c in everywhere} == {
        ("udp", "ip", "synthflow"),
        ("udp", "digest", "synthflow"),
        ("tcp", "ip", "synthflow"),
        ("tcp", "digest", "synthflow"),
        ("tls", "ip", "synthflow"),
        ("tls", "digest", "synthflow"),
        ("udp", "ip", "stand-in"),
        ("tcp", "ip", "stand-in"),
        ("tls", "ip", "stand-in"),
    }
    assert {case.integration for case in everywhere} == {"talkdesk", "gladly"}


def test_trials_have_ids_of_their_own_and_clean_runs_reach_their_number() -> None:
    found = trials(DEPLOYMENTS, 1000)
    ids = [trial.case.id for trial in found]
    assert len(ids) == len(set(ids))
    assert sum(trial.kind == "clean" for trial in found) >= 1000
    assert all(AXIS in trial.case.axes for trial in found)
    rows = {trial.case.row.id for trial in found if trial.kind == "clean"}
    assert rows >= {"TD-INBOUND", "GL-INBOUND", "SESSIONTIMER", "TD-CAPACITY"}


@pytest.mark.parametrize(
    ("asked", "tried"),
    [
        ("pairs", {("pair", (one, other)) for one, other, _ in PAIRS}),
        ("guides", {("fault", (fault,)) for fault in OF_THE_GUIDES}),
        ("group-wrong", {("fault", ("group-wrong",))}),
    ],
)
def test_chosen_faults_alone_are_tried_without_clean_runs(
    asked: str, tried: set[tuple[str, tuple[str, ...]]]
) -> None:
    assert {(trial.kind, trial.faults) for trial in trials(DEPLOYMENTS, 1000, [asked])} == tried


UNDELIVERED = ("trunk-transport-mismatch", "route-missing")
ELSEWHERE = ("route-wrong-trunk", "route-missing")


@pytest.mark.parametrize(
    ("fault", "causes", "is_list", "more", "outcome"),
    [
        ("from-anonymous", ("from-anonymous",), False, {}, "named"),
        ("from-anonymous", ("high-delay", "from-anonymous"), False, {}, "misnamed"),
        ("from-anonymous", (), False, {"verdict": Verdict.PASSED}, "not failed"),
        # its cause may have another name
        ("trunk-wants-digest", ("transfer-call-challenged",), False, {}, "named"),
        ("trunk-wants-digest", ("refer-rejected",), False, {}, "misnamed"),
        # only a documented list counts as one, and only where it is documented
        ("route-missing", UNDELIVERED, True, {}, "listed"),
        ("route-missing", ("route-missing", "from-national"), True, {}, "misnamed"),
        ("from-anonymous", ("from-anonymous", "from-national"), True, {}, "misnamed"),
        ("route-wrong-trunk", ELSEWHERE, True, {}, "misnamed"),
        ("route-wrong-trunk", ELSEWHERE, True, {"axes": {"ai": "stand-in"}}, "listed"),
    ],
)
def test_an_outcome_follows_from_the_causes_that_were_named(
    fault: str, causes: tuple[str, ...], is_list: bool, more: dict[str, Any], outcome: str
) -> None:
    assert (
        result(fault, causes=causes, candidates=causes if is_list else (), **more).outcome
        == outcome
    )


def test_both_causes_of_a_pair_are_among_the_first_three() -> None:
    both = ("password-wrong", "fallback-missing")
    assert result("password-wrong", "fallback-missing", kind="pair", causes=both).names_both
    assert not result("a", "b", kind="pair", causes=("a", "c", "d", "b")).names_both


@pytest.mark.parametrize(
    ("made", "is_void"),
    [
        (result("no-g711", verdict=Verdict.BROKEN), True),
        (result("no-g711", causes=("echo",), broke=True), False),
        (result("no-g711", verdict=Verdict.PASSED, broke=True), False),
        (result("no-g711", "echo", kind="pair", causes=("echo",), broke=True), True),
        (result("no-g711", "echo", kind="pair", causes=("echo",)), False),
        (result("no-g711", "echo", kind="pair", causes=("echo", "no-g711"), broke=True), False),
    ],
)
def test_a_trial_that_proves_nothing_is_made_once_more(
    made: Result, is_void: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = replace(made, verdict=Verdict.FAILED, broke=False)
    asked: list[list[str]] = []

    def begin(_asked: object, _so_far: object, only: list[str], _attempt: int) -> Path:
        asked.append(only)
        return Path()

    monkeypatch.setattr(run, "_run", begin)
    monkeypatch.setattr(run, "read", lambda _run: ([again], []))
    results, repeated = run._made_again(Namespace(sweep=""), [made])
    assert (asked, repeated, results) == (
        ([[made.case]], 1, [again]) if is_void else ([], 0, [made])
    )


def test_documented_lists_name_causes_and_hold_their_own_faults() -> None:
    for item in UNDECIDED:
        assert set(map(cause_of, item.faults)) <= item.among <= set(causes())


def test_figures_have_the_agreed_keys() -> None:
    pair = result(
        "from-anonymous", "high-delay", kind="pair", causes=("high-delay", "from-anonymous")
    )
    clean = result(kind="clean", verdict=Verdict.PASSED)
    plain = Proof([result("from-anonymous", causes=("from-anonymous",)), pair, clean]).plain()
    keys = [
        "faults",
        "injected",
        "row_failed",
        "named_first",
        "candidates_only",
        "clean_cases",
        "false_alarms",
        "pairs",
        "pairs_named",
    ]
    assert {key: plain[key] for key in keys} == dict(
        zip(keys, (1, 1, 1, 1, 0, 1, 0, 1, 1), strict=True)
    )


def test_every_missed_bar_is_said() -> None:
    good = result("from-anonymous", causes=("from-anonymous",))
    clean = result(kind="clean", verdict=Verdict.PASSED)
    assert Proof([good, clean], partial=True, clean_wanted=1).shortfalls() == []
    assert "did not fail" in Proof([result("no-g711", verdict=Verdict.PASSED)]).shortfalls()[0]
    assert "diagnosed as nothing" in Proof([result("no-g711")]).shortfalls()[0]
    assert Proof([good, clean], partial=True, clean_wanted=2).shortfalls() == [
        "1 clean cases passed; wanted: 2"
    ]
    alarm = result(kind="clean", causes=("echo",))
    assert "a false alarm" in Proof([alarm, clean], clean_wanted=1).shortfalls()[0]
    missed = result("no-g711", "fallback-missing", kind="pair", causes=("no-g711",))
    assert "0 of 1 pairs were named" in Proof([missed]).shortfalls()[0]
    assert Proof([good], missing=("lost",), partial=True).shortfalls() == ["lost: left no result"]


def test_nine_pairs_of_ten_are_enough() -> None:
    named = result(
        "no-g711", "fallback-missing", kind="pair", causes=("no-g711", "fallback-missing")
    )
    missed = result("no-g711", "fallback-missing", kind="pair", causes=("no-g711",))
    assert Proof([*[named] * 9, missed], partial=True).shortfalls() == []
    assert Proof([*[named] * 8, missed], partial=True).shortfalls() != []


def test_a_check_that_no_fault_makes_fail_is_missed_unless_it_is_said_why() -> None:
    missed = Proof(
        [result("from-anonymous", causes=("from-anonymous",), failed=("caller_id",))]
    ).shortfalls()
    assert "no fault made the check audio fail" in missed
    assert "no fault made the check caller_id fail" not in missed
    assert [line for line in missed if line.split()[5] in UNREACHED] == []
    assert set(UNREACHED) <= set(CHECKS)


def test_with_less_to_see_no_other_cause_may_be_claimed() -> None:
    named = Told(("no-g711",), ())
    for told, claim in (
        (Told((), ()), "nothing seen"),
        (Told((), (), unexplained=("it failed",)), "no documented cause"),
        (Told(("no-g711",), ()), "named"),
        (Told(("ai-refuses", "no-g711"), ("ai-refuses", "no-g711")), "listed"),
        (Told(("ai-refuses",), ()), "wrong"),
        (Told(("ai-refuses", "echo"), ("ai-refuses", "echo")), "wrong"),
    ):
        proof = Proof([result("no-g711", told={"all": named, "caller": told})], partial=True)
        assert proof.claims("caller")[claim] == 1  # type: ignore[index]
        assert bool(proof.shortfalls()) is (claim == "wrong")


def test_a_trial_is_judged_by_its_last_attempt(tmp_path: Path) -> None:
    for attempt, verdict in ((1, Verdict.BROKEN), (2, Verdict.FAILED)):
        case = {
            "id": "A",
            "row": "TD-INBOUND",
            "integration": "talkdesk",
            "run": "r",
            "axes": {},
            "attempt": attempt,
        }
        directory = case_directory(tmp_path, case)
        CaseRecorder(directory, case).close(verdict, "what was seen")
        told = {"causes": ["no-g711"], "candidates": [], "unexplained": [], "certain": []}
        left = {
            "kind": "fault",
            "faults": ["no-g711"],
            "acted": ["no-g711"],
            "failed": [],
            "told": {"all": told} if attempt == 2 else {},
        }
        (directory / RESULT).write_text(json.dumps(left))
    (tmp_path / "cases" / "B").mkdir()
    results, missing = read(tmp_path)
    assert [(found.verdict, found.outcome) for found in results] == [(Verdict.FAILED, "named")]
    assert missing == ["B"]


# -- the sweep: each fault on each row


def test_a_sweep_has_each_fault_on_each_row_of_its_integrations_once() -> None:
    found = swept(DEPLOYMENTS, "one", faults=["fallback-missing", "caller-header-missing"])
    tried = [(trial.faults[0], trial.case.integration, trial.case.row.id) for trial in found]
    assert len(tried) == len(set(tried))
    rows = {(case.integration, case.row.id) for case in cases(DEPLOYMENTS, Selection())}
    assert {("fallback-missing", *row) for row in rows} <= set(tried)
    assert {name for fault, name, _ in tried if fault == "caller-header-missing"} == {"gladly"}


def test_a_sweep_is_drawn_by_its_seed_and_keeps_to_a_fault_s_trunks() -> None:
    def drawn(seed: str) -> list[str]:
        return [trial.case.id for trial in swept(DEPLOYMENTS, seed, 20, ["no-g711"])]

    assert drawn("one") == drawn("one") != drawn("two")
    assert len(drawn("one")) == 20
    over = swept(DEPLOYMENTS, "x", faults=["firewall-tcp-32681"])
    assert {trial.case.axes["transport"] for trial in over} == {"tcp"}


SHOWN = {"made": ("caller_id", "caller_id at the AI")}


@pytest.mark.parametrize(
    ("fault", "more", "said"),
    [
        ("from-anonymous", {"acted": (), "verdict": Verdict.PASSED}, "untouched"),
        ("from-anonymous", {"acted": ()}, "false alarm"),
        ("from-anonymous", {"verdict": Verdict.PASSED, **SHOWN}, "missed"),
        ("from-anonymous", {"verdict": Verdict.PASSED, "made": ("caller_id",)}, "invisible"),
        ("from-anonymous", {"verdict": Verdict.NOT_OBSERVABLE, **SHOWN}, "invisible"),
        ("from-anonymous", {"verdict": Verdict.PASSED, **SHOWN, "row": "ANONYMOUS"}, "invisible"),
        ("pai-stripped", {"verdict": Verdict.PASSED, "row": "ANONYMOUS"}, "missed"),
        ("from-anonymous", {"told": {"all": Told(("from-anonymous", "echo"), ())}}, "named"),
        ("from-anonymous", {"told": {"all": Told(("echo", "from-anonymous"), ())}}, "misnamed"),
        ("route-missing", {"told": {"all": Told(UNDELIVERED, UNDELIVERED)}}, "listed"),
        ("no-g711", {"told": {"all": Told(UNDELIVERED, UNDELIVERED)}}, "misnamed"),
    ],
)
def test_what_a_sweep_s_trial_shows(fault: str, more: dict[str, Any], said: str) -> None:
    assert outcome(result(fault, kind="sweep", **{"acted": (fault,), **more})) == said


def test_a_sweep_misses_its_bars_by_one_certain_wrong_cause_or_too_few_right_ones() -> None:
    def told(*causes: str, certain: tuple[str, ...] = ()) -> Result:
        said = Told(causes, (), certain=certain)
        return result("no-g711", kind="sweep", acted=("no-g711",), told={"all": said})

    right, wrong = told("no-g711", certain=("no-g711",)), told("echo")
    assert SweepProof([right] * 16 + [wrong]).shortfalls() == []
    assert "15 named or listed, 1 not" in SweepProof([right] * 15 + [wrong]).shortfalls()[0]
    also = told("no-g711", "echo", certain=("no-g711", "echo"))
    assert "certain, and not the fault's: echo" in SweepProof([also]).shortfalls()[0]
    assert not is_void(also)
    assert is_void(replace(also, broke=True))
    plain = SweepProof([right, wrong, also]).plain()
    assert (plain["named"], plain["misnamed"], plain["wrongly_certain"]) == (2, 1, 1)
