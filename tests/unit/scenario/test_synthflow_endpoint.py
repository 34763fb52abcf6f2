"""The AI's place seen through its API: whose call is whose, and what is known when the API is in trouble."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import FarEndError
from harness.phone.leg import accept_every_leg
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.synthflow_api import ASSISTANT, CALLER, OTHER, Failing, FakeApi, Place, call, leg, record


@pytest.fixture
def place(make_context: MakeContext) -> Callable[..., Place]:
    return lambda records, **synthflow: Place(make_context, FakeApi(records), **synthflow)


def test_the_call_is_found(place: Callable[..., Place]) -> None:
    talk = place([record()]).endpoint.expect_call(call(), "main", within=0.0)
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
        [record(phone_number_to="+1206555****")],
        [record(phone_number_to="+1206555####")],
        [record(phone_number_to="+1206...0100")],
        [record(phone_number_to="+1206???0100")],
        [record(phone_number_to="<PHONE_NUMBER>")],
        [record(phone_number_to="XXXXXXXX")],
        [record(status=7)],
        [record(status="completed", telephony_duration=0)],  # of a call that failed, say
        [record(status="talking")],  # a word of another version
    ],
)
def test_an_answered_call_that_the_api_cannot_show_is_unknown_not_missing(
    place: Callable[..., Place], records: Any
) -> None:
    seen = place(records)
    talk = seen.endpoint.expect_call(call(), "main", within=0.0)
    assert talk is not None
    assert talk.is_unknown
    assert seen.endpoint.blind
    assert seen.troubles


def test_a_call_that_was_not_answered_is_missing_whatever_the_api_says(place: Callable[..., Place]) -> None:
    assert place(FarEndError("500")).endpoint.expect_call(call(answered=False), "main", within=0.0) is None


def test_a_call_that_the_api_does_not_list_is_missing(place: Callable[..., Place]) -> None:
    seen = place([])
    assert seen.endpoint.expect_call(call(), "main", within=0.0) is None
    assert not seen.endpoint.blind


def test_an_api_that_recovers_is_believed_again(place: Callable[..., Place]) -> None:
    seen = place(FarEndError("503"))
    assert seen.endpoint.records(call()) == []
    assert seen.endpoint.blind
    seen.api.records = [record()]
    assert seen.endpoint.find(call(), ASSISTANT) is not None
    assert not seen.endpoint.blind


def test_a_call_of_which_nothing_was_known_is_known_when_the_api_recovers(place: Callable[..., Place]) -> None:
    seen = place(FarEndError("503"))
    talk = seen.endpoint.expect_call(call(), "main", within=0.0)
    assert talk is not None
    assert talk.is_unknown
    assert talk.refresh().id == "", "still"
    seen.api.records = [record()]
    assert talk.refresh().id == "c1"
    assert not talk.is_blind


@pytest.mark.parametrize("told_ms", [0, "0"])
def test_a_call_that_was_completed_in_no_time_was_answered_or_not(place: Callable[..., Place], told_ms: Any) -> None:
    seen = place([record(status="completed", telephony_duration=told_ms, error_message="Telephony - 403 - Forbidden")])
    assert (seen.endpoint.set_up(call()), seen.endpoint.blind) == ([], True)
    assert seen.endpoint.others(call(), "another") == []
    assert seen.endpoint.asked_for(call()) == [ASSISTANT], "it came there, whatever became of it"
    for plain in ({"status": "completed", "telephony_duration": 1}, {"status": "completed"}, {"telephony_duration": 0}):
        seen.api.records = [record(**plain)]
        assert (seen.endpoint.set_up(call()), seen.endpoint.blind) == (["main"], False)


@pytest.mark.parametrize("status", ["failed", "no-answer", "canceled", "busy"])
def test_a_call_that_was_not_answered_and_has_words_was_answered_or_not(
    place: Callable[..., Place], status: str
) -> None:
    """As one that failed when it had been answered: that nobody answered it shows no such record."""
    seen = place([record(status=status, transcript="bot: Hi.")])
    assert (seen.endpoint.set_up(call()), seen.endpoint.blind) == ([], True)
    seen.api.records = [record(status=status, transcript="")]
    assert (seen.endpoint.set_up(call()), seen.endpoint.blind) == ([], False)


def test_one_record_is_one_talk(place: Callable[..., Place]) -> None:
    seen = place([record()])
    assert seen.endpoint.expect_call(call(), "main", within=0.0) is not None
    assert seen.endpoint.expect_call(call(), "main", within=0.0) is None


@pytest.mark.parametrize(
    "told",
    [
        *(None, "+1415*****01", "sip:+1415555xxxx@x.example", "[REDACTED]", "+1415…0101", "[PII]"),
        *("anonymous", "Restricted", "sip:anonymous@anonymous.invalid"),
        *(ASSISTANT, "12065550100"),  # the platform's own, which every call may show
    ],
)
def test_of_a_shared_number_a_call_that_does_not_say_whose_it_is_may_be_ours(
    place: Callable[..., Place], told: str | None
) -> None:
    seen = place([record(phone_number_from=told)], shared=True)
    talk = seen.endpoint.expect_call(call(), "main", within=0.0)
    assert talk is not None
    assert talk.is_unknown
    assert seen.troubles
    beside = place([record(call_id="theirs", phone_number_from=told), record()], shared=True).endpoint
    found = beside.find(call(), ASSISTANT)
    assert found is not None
    assert found.id == "c1"


def test_an_id_that_came_along_tells_a_call_whose_number_was_changed_on_the_way(place: Callable[..., Place]) -> None:
    seen = place(
        [record(call_id="theirs", phone_number_from=OTHER), record(call_id="c7", phone_number_from="+18885550100")],
        shared=True,
    )
    assert seen.endpoint.find(call(), ASSISTANT) is None
    told = call(leg=leg(("received", "SIP/2.0 200 OK\r\nx-ci: c7\r\n\r\n")))
    found = seen.endpoint.find(told, ASSISTANT)
    assert found is not None
    assert found.id == "c7"


@given(
    st.lists(st.sampled_from([CALLER, OTHER, "+18885550100", None]), min_size=2, max_size=4).flatmap(
        lambda shown: st.tuples(st.just(shown), st.integers(0, len(shown) - 1))
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_an_id_that_came_along_goes_before_the_callers_number(
    place: Callable[..., Place], told: tuple[list[str | None], int]
) -> None:
    """A platform may interchange the numbers of two callers: then the record with the caller's own is another's call."""
    shown, ours = told
    seen = place([record(call_id=f"c{n}", phone_number_from=number) for n, number in enumerate(shown)])
    found = seen.endpoint.find(call(leg=leg(("received", f"SIP/2.0 200 OK\r\nX-CI: c{ours}\r\n\r\n"))), ASSISTANT)
    assert found is not None
    assert found.id == f"c{ours}"


@pytest.mark.parametrize("callers", [{CALLER}, {CALLER, OTHER}])
def test_ids_that_came_along(make_context: MakeContext, callers: set[str]) -> None:
    own = leg(("received", "SIP/2.0 200 OK\r\nX-CI: c1\r\n\r\n"), ("sent", "ACK sip:x SIP/2.0\r\nx-ci: no\r\n\r\n"))
    agents = leg(("received", "INVITE sip:agent SIP/2.0\r\nx-ci:c2 \r\nx-cid: no\r\nY-x-ci: no\r\n\r\nx-ci"))
    context = make_context()
    context.phones._phones["agent"] = SimpleNamespace(incoming=[agents], is_ours=accept_every_leg)  # type: ignore[assignment]
    for number in callers:
        context.calls.add(call(number=number))
    assert context.calls.ids_told(call(leg=own)) == ({"c1", "c2"} if len(callers) == 1 else {"c1"})


@pytest.mark.parametrize(("shown", "ids"), [("anonymous", set()), (ASSISTANT, set()), (CALLER, {"theirs"})])
def test_an_id_on_what_may_be_a_strangers_call_says_nothing(
    place: Callable[..., Place], shown: str, ids: set[str]
) -> None:
    """To a group that others call as well: what an AI hands over there may have come from anybody."""
    seen = place([record(), record(call_id="theirs", phone_number_from=OTHER)], shared=True)
    invite = f"INVITE sip:agent SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nFrom: <sip:{shown}@x>;tag=1\r\nx-ci: theirs\r\n"
    invite += "To: <sip:agent@x>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    agents = leg(("received", invite))
    agents.phone = SimpleNamespace(name="agent", incoming=[agents], is_ours=seen.context.phones.may_be_ours)
    assert seen.context.phones.may_be_ours(agents)
    seen.context.phones._phones["agent"] = agents.phone
    of = call()
    assert seen.context.calls.ids_told(of) == ids
    found = seen.endpoint.find(of, ASSISTANT)
    assert found is not None
    assert found.id == ("theirs" if ids else "c1")


def test_a_prepared_id_tells_a_call_whose_number_was_changed_on_the_way(place: Callable[..., Place]) -> None:
    records = [
        record(call_id="theirs", phone_number_from=OTHER),
        record(call_id="p1", phone_number_from="+18885550100"),
    ]
    found = place(records, shared=True).endpoint.find(call(prepared="p1"), ASSISTANT)
    assert found is not None
    assert found.id == "p1"


@pytest.mark.parametrize("spelled", ["+1 206-555-0100", "12065550100", "(206) 555-0100", "+1.206.555.0100"])
def test_a_number_is_the_same_however_it_is_spelled(place: Callable[..., Place], spelled: str) -> None:
    found = place([record(phone_number_to=spelled)]).endpoint.find(call(), ASSISTANT)
    assert found is not None
    assert found.number_to == ASSISTANT


# -- a talk whose record can no longer be read


@pytest.mark.parametrize("then", [FarEndError("503"), record(status="talking"), record(status=None), {"call_id": "c1"}])
def test_an_api_that_fails_during_the_call_makes_no_leg_hang(make_context: MakeContext, then: Any) -> None:
    api: Any = Failing(then)
    seen = Place(make_context, api)
    talk = seen.endpoint.expect_call(call(), "main", within=0.0)
    assert talk is not None
    assert not talk.is_blind
    assert talk.released_at(0.0) is None
    assert talk.is_blind, "so that it is not observable, and no leg that is still up"
    assert talk.transfer_outcome(0.0) is None
    assert talk.record.answered, "what it said before stays"
    assert seen.troubles
    api.then = record(status="completed")
    assert talk.released_at(0.0) is not None
    assert not talk.is_blind


# -- whose call a record is


def ago(seconds: float) -> str:
    return str(int((time.time() - seconds) * 1000))


def test_a_record_that_does_not_say_when_may_be_an_earlier_calls(place: Callable[..., Place]) -> None:
    seen = place([record(start_time=None)])
    talk = seen.endpoint.expect_call(call(), "main", within=0.0)
    assert talk is not None
    assert talk.is_unknown
    assert seen.troubles


def test_an_id_that_was_given_out_beforehand_tells_a_call_whatever_its_record_says_of_the_time(
    place: Callable[..., Place],
) -> None:
    for start_time in (ago(30.0), None):
        found = place([record(call_id="p1", start_time=start_time)]).endpoint.find(call(prepared="p1"), ASSISTANT)
        assert found is not None
        assert found.id == "p1"


def test_strangers_odd_records_blind_nobody(place: Callable[..., Place]) -> None:
    odd = [
        record(call_id="theirs", phone_number_from=OTHER, status="spam"),
        record(call_id="old", status="spam", start_time=ago(60.0)),
    ]
    seen = place([*odd, record()], shared=True)
    assert [found.id for found in seen.endpoint.records(call())] == ["c1"]
    assert not seen.endpoint.blind


@pytest.mark.parametrize("lacks", ["start_time", "phone_number_from", "phone_number_to"])
def test_ids_that_were_given_out_and_not_used_blind_nobody(place: Callable[..., Place], lacks: str) -> None:
    seen = place([record(call_id="unused", status="registered") | {lacks: None}, record()])
    assert [found.id for found in seen.endpoint.records(call())] == ["c1"]
    assert not seen.endpoint.blind


def test_a_call_that_the_ai_placed_is_no_callers(place: Callable[..., Place]) -> None:
    campaign = record(call_id="theirs", type_of_call="outbound", phone_number_from=ASSISTANT, phone_number_to=OTHER)
    seen = place([campaign, record()])
    assert seen.endpoint.answered_by(call()) == ["main"]
    assert [found.id for found in seen.endpoint.records(call())] == ["c1"]


def test_another_callers_record_is_not_this_one_s(place: Callable[..., Place]) -> None:
    """Of a case with several callers: it shows whose it is, and that one has lost no caller ID."""
    seen = place([record(call_id="theirs", phone_number_from=OTHER)])
    assert seen.endpoint.find(call(), ASSISTANT) is not None, "a number that nobody has may be what became of ours"
    seen.context.calls.add(call(number=OTHER))
    assert seen.endpoint.find(call(), ASSISTANT) is None
    assert seen.endpoint.records(call()) == []
    found = seen.endpoint.find(call(number=OTHER), ASSISTANT)
    assert found is not None
    assert found.id == "theirs"


def test_of_two_calls_it_is_the_one_from_the_callers_number(place: Callable[..., Place]) -> None:
    newer = record(call_id="theirs", phone_number_from=OTHER)
    found = place([newer, record()]).endpoint.find(call(), ASSISTANT)
    assert found is not None
    assert found.id == "c1"


def test_its_calls_are_listed_by_the_ids_of_the_assistants(place: Callable[..., Place]) -> None:
    seen = place([record()])
    deployment = seen.context.deployment
    assistants = {
        name: assistant.model_copy(update={"model_id": f"m-{name}"})
        for name, assistant in deployment.assistants.items()
    }
    assert len(assistants) > 1
    seen.context.deployment = deployment.model_copy(update={"assistants": assistants})
    seen.endpoint.find(call(), ASSISTANT)
    seen.endpoint.records(call())
    assert seen.api.asked == [("m-main",), tuple(f"m-{name}" for name in assistants)]


@pytest.mark.parametrize(("fields", "told"), [({}, None), ({"duration_ms": None}, None), ({"duration_ms": 0}, 0)])
def test_a_digit_whose_length_the_interface_does_not_tell(
    place: Callable[..., Place], fields: dict[str, Any], told: int | None
) -> None:
    digits = [{"digit": "#", "method": "rfc4733", **fields}, {"digit": "3", "method": "rfc4733", "duration_ms": 90}]
    seen = place([record(witness={"digits": digits})], witness=("dtmf",))
    talk = seen.endpoint.expect_call(call(), "main", within=0.0)
    assert talk is not None
    talk.refresh = lambda: talk.record  # type: ignore[method-assign]
    assert talk.digits(2, within=0.0) == ("#3", ["rfc4733"] * 2, [told, 90])
