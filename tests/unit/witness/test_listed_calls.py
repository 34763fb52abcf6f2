"""The list of calls as Synthflow documents it: for one model, by pages, times in milliseconds,
names unlike a single record's.
"""

from __future__ import annotations

import email.utils
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import FarEndError
from harness.witness.synthflow import SynthflowApi
from tests.unit.witness.conftest import Web, in_json


class Moment(float):
    """A moment that is compared with what others asked for as soon as it counts."""

    def __new__(cls, value: float) -> Moment:
        made = super().__new__(cls, value)
        made.counts = threading.Event()
        return made

    counts: threading.Event

    def __lt__(self, other: float) -> bool:
        self.counts.set()
        return float(self) < float(other)


CALLER, ASSISTANT = "+4930901820111", "+18085550160"


@contextmanager
def documented(
    calls: dict[str, list[dict[str, Any]]],
    *,
    date: Callable[[], str | None] = lambda: None,
    deaf: tuple[str, ...] = (),
    page: int = 20,
    paged: bool = True,
) -> Iterator[tuple[SynthflowApi, list[dict[str, str]]]]:
    """Such an API over the calls of each model; ``deaf`` to some of what it is asked. Its client, and
    all it was asked.

    Unless ``paged``, its list says nothing of pages, and is all there is.
    """
    asked: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = {
                name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()
            }
            asked.append(query)
            if query.get("model_id") not in calls or set(query) - {
                "model_id",
                "from_date",
                "limit",
                "offset",
            }:
                self._say(400, {"detail": "model_id"})
                return
            since = 0 if "from_date" in deaf else int(query["from_date"])
            at = 0 if "offset" in deaf else int(query.get("offset", 0))
            found = [call for call in calls[query["model_id"]] if int(call["start_time"]) >= since]
            pages = {"limit": page, "offset": at, "total_records": len(found)}
            told = {"pagination": pages} if paged else {}
            self._say(200, {"status": "ok", "response": {**told, "calls": found[at : at + page]}})

        def _say(self, status: int, plain: object) -> None:
            body = json.dumps(plain).encode()
            self.send_response_only(status)
            if told := date():
                self.send_header("Date", told)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    api = SynthflowApi(f"http://127.0.0.1:{server.server_port}/v2", "token", timeout_s=60)
    try:
        yield api, asked
    finally:
        api.close()
        server.shutdown()
        server.server_close()
        thread.join()


def listed(number: int, began: float, **fields: Any) -> dict[str, Any]:
    return {
        "call_id": f"c{number}",
        "model_id": "m1",
        "type_of_call": "inbound",
        "call_status": "completed",
        "start_time": str(int(began * 1000)),
        "lead_phone_number": CALLER,
        "agent_phone_number": ASSISTANT,
        **fields,
    }


def ahead_by(seconds: float) -> Callable[[], str]:
    """The Date of a clock that is ahead."""
    return lambda: email.utils.formatdate(time.time() + seconds, usegmt=True)


def since(api: SynthflowApi, moment: float) -> dict[str, bool | None]:
    """Which of the listed calls began since then."""
    return {record.id: record.is_since(moment) for record in api.calls(moment, ["m"])}


def test_a_list_is_read_as_documented() -> None:
    now = time.time()
    with documented({"m1": [listed(1, now)], "m2": [], "m3": [listed(3, now)]}) as (api, asked):
        found = api.calls(now, ["m1", "m2", "m1"])
    assert [query["model_id"] for query in asked] == ["m1", "m2"]
    (record,) = found
    assert (record.status, record.number_from, record.number_to) == ("completed", CALLER, ASSISTANT)
    assert record.answered
    assert record.over
    assert record.readable
    told = record.evidence
    assert (told["status"], told["phone_number_from"], told["phone_number_to"]) == (
        "completed",
        CALLER,
        ASSISTANT,
    )


@given(st.integers(0, 49), st.integers(1, 20), st.booleans())
def test_every_page_is_read(count: int, page: int, paged: bool) -> None:
    now = time.time()
    calls = {"m": [listed(n, now - n) for n in range(count)]}
    with documented(calls, page=page if paged else 49, paged=paged) as (api, asked):
        assert [record.id for record in api.calls(now - 60, ["m"])] == [
            f"c{n}" for n in range(count)
        ]
    assert len(asked) == (max(1, -(-count // page)) if paged else 1)


@pytest.mark.parametrize("statuses", [("in-progress", "completed"), ("completed", "in-progress")])
def test_a_call_that_is_listed_with_each_model_is_one_call(statuses: tuple[str, str]) -> None:
    """An API that takes no notice of the model: the call is over where one of its records says so."""
    now = time.time()
    calls = {f"m{n}": [listed(1, now, call_status=status)] for n, status in enumerate(statuses)}
    with documented(calls) as (api, _):
        (record,) = api.calls(now, [*calls])
    assert record.over


def test_calls_that_look_at_once_have_one_reading() -> None:
    begun, may_go = threading.Event(), threading.Event()

    def held() -> None:
        begun.set()
        assert may_go.wait(60)

    with (
        documented({"m1": [listed(1, 1000.0)]}, date=held) as (api, asked),
        ThreadPoolExecutor(8) as threads,
    ):
        first = threads.submit(api.calls, 900.0, ["m1"])
        assert begun.wait(60)
        moments = [Moment(900.0 - number) for number in range(7)]
        others = [threads.submit(api.calls, moment, ["m1"]) for moment in moments]
        assert all(moment.counts.wait(60) for moment in moments)
        may_go.set()
        found = [[record.id for record in asking.result(60)] for asking in (first, *others)]
    assert found == [["c1"]] * 8
    assert len(asked) == 2, "the one that was under way, and one for all others"


def test_more_calls_than_anybody_verifies_are_an_api_that_tells_nothing() -> None:
    now = time.time()
    with documented({"m": [listed(n, now) for n in range(60)]}, page=1) as (api, asked):
        with pytest.raises(FarEndError, match="more than 50 calls"):
            api.calls(now, ["m"])
    assert len(asked) == 50


@pytest.mark.parametrize("ahead", [-45.0, -3.0, 0.0, 2.5, 40.0])
def test_a_clock_that_differs_is_seen_by_its_date(ahead: float) -> None:
    date = ahead_by(ahead)
    now = time.time()
    calls = [listed(2, now + ahead + 0.2), listed(1, now + ahead - 5.0)]
    with documented({"m": calls}, date=date) as (api, asked):
        api.calls(now, ["m"])
        assert [*since(api, now).values()] == [True, False]
    assert int(asked[-1]["from_date"]) / 1000 <= now + ahead - 5.0


def test_a_call_that_was_known_before_is_an_earlier_one_whatever_its_moment_is_told_to_be() -> None:
    """Two calls of one caller may be nearer to each other than the Date of an API whose clock was
    just set is able to tell.
    """
    earlier = listed(1, time.time())
    calls = [earlier]
    with documented({"m": calls}) as (api, _):
        api.calls(time.time(), ["m"])
        now = time.time()
        earlier["start_time"] = listed(1, now + 0.5)["start_time"]
        calls.insert(0, listed(2, now + 0.5))
        assert since(api, now) == {
            "c2": True,
            "c1": False,
        }


@pytest.mark.parametrize("behind", [0.15, 0.4, 0.9])
def test_a_call_of_ours_is_no_earlier_one_while_it_is_not_known_that_the_clock_is_behind(
    behind: float,
) -> None:
    """A machine that is fast by less than a second, as a Date tells only at a second's turn, lost
    its own call.
    """
    date = ahead_by(-behind)
    began = time.time()
    with documented({"m": [listed(1, began + 0.1 - behind)]}, date=date) as (api, _):
        assert [*since(api, began).values()] == [True]


def test_a_date_that_is_ahead_of_the_records_leaves_a_call_in_doubt() -> None:
    """Only the Date jumped: by it this call is an earlier one, by this machine's clock it is not."""
    date = ahead_by(90.0)
    known = listed(1, time.time() - 30.0)
    calls = [known]
    with documented({"m": calls}, date=date) as (api, asked):
        api.note_earlier(["m"])
        now = time.time()
        calls[:0] = [listed(3, now + 0.001), listed(2, now - 200.0)]
        api.note_earlier(["m"])
        found = since(api, now)
    assert int(asked[-1]["from_date"]) / 1000 < now
    assert found["c3"] is None
    assert found["c1"] is False, "it was listed before the call began"


@pytest.mark.parametrize("ahead", [-3600.0, -2.5, 2.5, 3600.0])
def test_what_a_far_end_witnesses_is_told_by_this_machines_clock(ahead: float) -> None:
    """Of a far end whose clock was set by two seconds each release was late from then on, or heard
    before it was spoken.
    """
    date = ahead_by(ahead)
    with documented({"m": [listed(1, time.time() + ahead)]}, date=date, deaf=("from_date",)) as (
        api,
        _,
    ):
        (record,) = api.calls(time.time(), ["m"])
        now, told = time.monotonic(), time.time() + ahead
        assert abs(record.moment(told) - now) < 1.5
        assert abs(api.moment(told) - now) < 1.5


def test_an_id_that_was_given_out_before_its_call_is_not_known_to_be_an_earlier_one() -> None:
    prepared = listed(1, time.time())
    status, prepared["call_status"] = prepared["call_status"], "registered"
    with documented({"m": [prepared]}) as (api, _):
        api.calls(time.time(), ["m"])
        now = time.time()
        prepared |= {"call_status": status, "start_time": listed(1, now + 0.01)["start_time"]}
        assert [*since(api, now).values()] == [True]


def test_another_calls_record_is_none_of_this_one(web: Callable[..., Web]) -> None:
    server = web(in_json({"call_id": "c2", "status": "completed"}))
    with pytest.raises(FarEndError, match="another call's"):
        SynthflowApi(server.base, "token").call("c1")


def test_a_call_is_prepared_as_documented(web: Callable[..., Web]) -> None:
    server = web(in_json({"call_status": "registered", "synthflow_call_id": "p1"}))
    assert SynthflowApi(server.base, "token").prepare_inbound(CALLER, ASSISTANT, "m1") == "p1"
    asked = json.loads(server.asked()[1])
    assert asked == {"from_number": CALLER, "to_number": ASSISTANT, "model_id": "m1"}
