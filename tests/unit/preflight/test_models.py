"""Synthflow's id of each assistant: a wrong one is refused by nobody, and lacks the calls of the harness."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.run.preflight import ProbeResult
from tests.unit.preflight.conftest import OK, WARNING, check

ROW = "Calls not reaching Synthflow"
SALES, REPAIRS, ELSEWHERE = "+12065550100", "+12065550101", "+12065550177"


def call(model: str | None, number: str | None) -> dict[str, Any]:
    return {"call_id": f"{model}-{number}", "model_id": model, "agent_phone_number": number}


def found(
    lab: Any, far: Any, listed: dict[str, Any], sales: str = "m1", repairs: str = "m2", more: str | None = None
) -> dict[str, ProbeResult]:
    """What is said of each assistant's id, where the API lists this of each model."""

    def body(asked: str) -> str:
        model = asked.partition("model_id=")[2].partition("&")[0].partition(" ")[0]
        calls = listed[model]
        return calls if isinstance(calls, str) else json.dumps({"response": {"calls": calls}})

    lab.account["port"] = far.udp()
    lab.plain["assistants"] = {
        "sales": {"did": SALES, "model_id": sales},
        "repairs": {"did": REPAIRS, "model_id": repairs},
    }
    if more:
        lab.plain["assistants"]["more"] = {"did": ELSEWHERE, "model_id": more}
    lab.plain["lines"]["inbound"]["assistant"] = "sales"
    lab.plain["synthflow"] = {"api_base": far.api(body=body), "api_token": "t0ken"}
    lines = lab.report().lines
    return {line.subject: line for line in lines if line.name.startswith("model_id of")}


def test_two_that_were_exchanged(lab: Any, far: Any) -> None:
    said = found(lab, far, {"m1": [call("m1", REPAIRS)], "m2": [call("m2", SALES)]})
    check(said["sales"], WARNING, "the calls it lists are those of repairs", ROW, "Check model_id")
    check(said["repairs"], WARNING, "the calls it lists are those of sales", ROW, "Check model_id")


def test_one_that_the_api_does_not_know_beside_one_that_it_knows(lab: Any, far: Any) -> None:
    """The first assistant's id alone was looked at."""
    said = found(lab, far, {"m1": [], "m2": '{"status": "error", "message": "no such model"}'})
    check(said["sales"], OK, "it lists none lately")
    check(said["repairs"], WARNING, "lists no calls", ROW, "Check model_id")


@pytest.mark.parametrize(
    ("calls", "words"),
    [
        ([call("m1", "12065550100"), call("m1", REPAIRS)], "are this assistant's"),
        ([call("m1", ELSEWHERE)], "it lists calls"),
        ([call("m1", None), {"model_id": "m1"}, 7, None], "it lists calls"),
        ([call("m2", REPAIRS)], "it lists calls"),  # the API lists everybody's, whatever it is asked
        ([call(None, REPAIRS)], "it lists calls"),
    ],
    ids=["its own", "a number of nobody's", "none that says", "all lists alike", "of no model"],
)
def test_one_that_may_be_right(lab: Any, far: Any, calls: list[Any], words: str) -> None:
    check(found(lab, far, {"m1": calls, "m2": []})["sales"], OK, words)


@pytest.mark.parametrize(
    ("status", "fix"),
    [
        ("429 Too Many Requests", "Look again later"),
        ("503 Service Unavailable", "Look again later"),
        ("422 Unprocessable Content", "Check model_id"),
    ],
)
def test_one_that_is_refused(lab: Any, far: Any, status: str, fix: str) -> None:
    check(found(lab, far, {"m1": [], "m2": status})["repairs"], WARNING, f"{status}: no list of calls", ROW, fix)


def test_two_assistants_may_be_one(lab: Any, far: Any) -> None:
    said = found(lab, far, {"m1": [call("m1", REPAIRS)]}, repairs="m1")
    check(said["sales, repairs"], OK, "are this assistant's")


def test_of_an_api_that_gives_no_answer_no_more_is_asked(lab: Any, far: Any) -> None:
    class Gone(dict[str, Any]):
        def __missing__(self, model: str) -> Any:
            asked.append(model)
            raise ConnectionError  # the far end closes

    asked: list[str] = []
    said = found(lab, far, Gone(m0=[]), sales="m0", repairs="m2", more="m3")
    check(said["repairs"], WARNING, "closed without a whole answer", ROW, "Look again later")
    assert list(said) == ["sales", "repairs"]
    assert set(asked) == {"m2"}
