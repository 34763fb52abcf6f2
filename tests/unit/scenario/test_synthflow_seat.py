"""The AI's place seen through its API: whose call is whose, and what is known when the API is in trouble."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from harness.deployment import Synthflow
from harness.errors import FarEndError
from harness.far_end.synthflow import CallRecord
from harness.scenario.seats import SynthflowSeat
from harness.scenario.stage import Stage

ASSISTANT, CALLER, OTHER = "+12065550100", "+14155550101", "+14155550199"


@dataclass
class FakeApi:
    """Answers with these records, or with an error."""

    records: list[dict[str, Any]] | FarEndError

    def calls(self, since: float) -> list[CallRecord]:
        if isinstance(self.records, FarEndError):
            raise self.records
        return [CallRecord(str(plain.get("call_id", "c")), plain) for plain in self.records]


@dataclass
class FakeStage:
    """As much of a stage as a seat asks for."""

    synthflow: Synthflow = field(default_factory=Synthflow)
    troubles: list[str] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    poll_s: float = 0.001

    @property
    def deployment(self) -> Any:
        return SimpleNamespace(synthflow=self.synthflow, assistants={"main": SimpleNamespace(did=ASSISTANT)})

    def api_trouble(self, error: FarEndError) -> None:
        self.troubles.append(str(error))

    def callers_numbers(self) -> set[str]:
        return {CALLER}

    def ids_told(self, of: object) -> set[str]:
        return self.told

    def assistant_of(self, number: str | None) -> str | None:
        return "main" if number == ASSISTANT else None

    def talked(self, talk: object) -> None:
        pass

    def pause(self, seconds: float) -> None:
        pass


def call(*, answered: bool = True, over: bool = False, prepared: str | None = None) -> Any:
    return SimpleNamespace(
        began=0.0,
        number=CALLER,
        prepared=prepared,
        answered_at=lambda: 1.0 if answered else None,
        is_over=lambda: over,
    )


def record(**fields: Any) -> dict[str, Any]:
    known = {"call_id": "c1", "status": "in-progress", "phone_number_to": ASSISTANT, "phone_number_from": CALLER}
    return {key: value for key, value in (known | fields).items() if value is not None}


def seat(records: Any, **synthflow: Any) -> Any:
    stage: Any = FakeStage(Synthflow(**synthflow))
    return SynthflowSeat(stage, FakeApi(records))  # type: ignore[arg-type]


def test_the_call_is_found() -> None:
    talk = seat([record()]).expect_call(call(), "main", within=0.0)
    assert talk is not None
    assert talk.record.id == "c1"
    assert not talk.is_unknown


@pytest.mark.parametrize(
    "records",
    [
        FarEndError("401"),
        [record(status=None, state="in-progress")],
        [record(phone_number_to=None, to=ASSISTANT)],
        [record(phone_number_to=[ASSISTANT])],
        [record(phone_number_to="the main number")],
        [record(status=7)],
        [record(status="talking")],  # a word of another version
    ],
)
def test_an_answered_call_that_the_api_cannot_show_is_unknown_not_missing(records: Any) -> None:
    place = seat(records)
    talk = place.expect_call(call(), "main", within=0.0)
    assert talk is not None
    assert talk.is_unknown
    assert place.blind
    assert place._stage.troubles


def test_a_call_that_was_not_answered_is_missing_whatever_the_api_says() -> None:
    assert seat(FarEndError("500")).expect_call(call(answered=False), "main", within=0.0) is None


def test_a_call_that_the_api_does_not_list_is_missing() -> None:
    place = seat([])
    assert place.expect_call(call(), "main", within=0.0) is None
    assert not place.blind


def test_an_api_that_recovers_is_believed_again() -> None:
    place = seat(FarEndError("503"))
    assert place.records(call()) == []
    assert place.blind
    place._api.records = [record()]
    assert place.find(call(), ASSISTANT) is not None
    assert not place.blind


def test_one_record_is_one_talk() -> None:
    place = seat([record()])
    assert place.expect_call(call(), "main", within=0.0) is not None
    assert place.expect_call(call(), "main", within=0.0) is None


def test_strangers_calls_to_a_shared_number_are_left_alone() -> None:
    strangers = [record(call_id="theirs", phone_number_from=OTHER)]
    assert seat(strangers).find(call(), ASSISTANT) is not None  # on a number of one's own: a lost caller ID
    assert seat(strangers, shared=True).find(call(), ASSISTANT) is None
    found = seat([*strangers, record()], shared=True).find(call(), ASSISTANT)
    assert found is not None
    assert found.id == "c1"


def test_an_id_that_came_along_tells_a_call_whose_number_was_changed_on_the_way() -> None:
    place = seat(
        [record(call_id="theirs", phone_number_from=OTHER), record(call_id="c7", phone_number_from="+18885550100")],
        shared=True,
    )
    assert place.find(call(), ASSISTANT) is None
    place._stage.told = {"c7"}
    assert place.find(call(), ASSISTANT).id == "c7"


def leg(*messages: tuple[str, str]) -> Any:
    return SimpleNamespace(messages=[SimpleNamespace(direction=way, text=text) for way, text in messages])


@pytest.mark.parametrize("callers", [{CALLER}, {CALLER, OTHER}])
def test_ids_that_came_along(callers: set[str]) -> None:
    own = leg(("received", "SIP/2.0 200 OK\r\nX-CI: c1\r\n\r\n"), ("sent", "ACK sip:x SIP/2.0\r\nx-ci: no\r\n\r\n"))
    agents = leg(("received", "INVITE sip:agent SIP/2.0\r\nx-ci:c2 \r\nx-cid: no\r\nY-x-ci: no\r\n\r\nx-ci"))
    stage: Any = SimpleNamespace(callers_numbers=lambda: callers, _phones={"agent": SimpleNamespace(incoming=[agents])})
    of: Any = SimpleNamespace(first_leg=own, leg=own)
    assert Stage.ids_told(stage, of) == ({"c1", "c2"} if len(callers) == 1 else {"c1"})


def test_a_prepared_id_tells_a_call_whose_number_was_changed_on_the_way() -> None:
    records = [
        record(call_id="theirs", phone_number_from=OTHER),
        record(call_id="p1", phone_number_from="+18885550100"),
    ]
    found = seat(records, shared=True).find(call(prepared="p1"), ASSISTANT)
    assert found is not None
    assert found.id == "p1"


@pytest.mark.parametrize("spelled", ["+1 206-555-0100", "12065550100", "(206) 555-0100", "+1.206.555.0100"])
def test_a_number_is_the_same_however_it_is_spelled(spelled: str) -> None:
    found = seat([record(phone_number_to=spelled)]).find(call(), ASSISTANT)
    assert found is not None
    assert found.number_to == ASSISTANT


def test_strangers_calls_are_in_no_list_of_a_shared_number() -> None:
    records = [record(call_id="theirs", phone_number_from=OTHER), record(call_id="ours")]
    assert [found.id for found in seat(records, shared=True).records(call())] == ["ours"]


# -- a talk whose record can no longer be read


@dataclass
class Failing:
    """Gives a record, and then fails in some way."""

    then: Any
    given: int = 0

    def calls(self, since: float) -> list[CallRecord]:
        return [CallRecord("c1", record())]

    def call(self, call_id: str) -> CallRecord:
        self.given += 1
        if isinstance(self.then, FarEndError):
            raise self.then
        return CallRecord("c1", self.then)


@pytest.mark.parametrize("then", [FarEndError("503"), record(status="talking"), record(status=None), {"call_id": "c1"}])
def test_an_api_that_fails_during_the_call_makes_no_leg_hang(then: Any) -> None:
    stage: Any = FakeStage()
    api: Any = Failing(then)
    talk = SynthflowSeat(stage, api).expect_call(call(), "main", within=0.0)
    assert talk is not None
    assert not talk.is_blind
    assert talk.released_at(0.0) is None
    assert talk.is_blind, "so that it is not observable, and no leg that is still up"
    assert talk.transfer_outcome(0.0) is None
    assert talk.record.answered, "what it said before stays"
    assert stage.troubles
    api.then = record(status="completed")
    assert talk.released_at(0.0) is not None
    assert not talk.is_blind
