from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from harness.errors import FarEndError
from harness.far_end.synthflow import SynthflowApi


def api(answer: Callable[[httpx.Request], httpx.Response]) -> SynthflowApi:
    client = SynthflowApi("http://127.0.0.1:1/v2", "token")
    client._client = httpx.Client(base_url="http://127.0.0.1:1/v2", transport=httpx.MockTransport(answer))
    return client


def test_a_call_in_the_public_wrapping() -> None:
    record = api(
        lambda _: httpx.Response(
            200, json={"status": "ok", "response": {"calls": [{"call_id": "c1", "status": "in-progress"}]}}
        )
    ).call("c1")
    assert (record.id, record.answered, record.over) == ("c1", True, False)


def test_fields_that_changed_are_unknown_not_wrong() -> None:
    record = api(lambda _: httpx.Response(200, json={"call_id": "c1", "status": 7, "executed_actions": "none"})).call(
        "c1"
    )
    assert record.status is None
    assert record.actions == []
    assert not record.answered


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_an_error_of_the_api_is_the_far_ends(status: int) -> None:
    with pytest.raises(FarEndError, match=str(status)):
        api(lambda _: httpx.Response(status)).calls(since=0.0)


def test_too_many_requests_are_tried_again_after_the_time_it_names() -> None:
    answers = [httpx.Response(429, headers={"retry-after": "0"}), httpx.Response(200, json={"calls": []})]
    assert api(lambda _: answers.pop(0)).calls(since=0.0) == []


def test_too_many_requests_for_ever() -> None:
    with pytest.raises(FarEndError, match="429"):
        api(lambda _: httpx.Response(429, headers={"retry-after": "0"})).calls(since=0.0)


def test_a_timeout_is_the_far_ends() -> None:
    def slow(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("too slow", request=request)

    with pytest.raises(FarEndError, match="ReadTimeout"):
        api(slow).call("c1")


def test_not_json() -> None:
    with pytest.raises(FarEndError, match="not JSON"):
        api(lambda _: httpx.Response(200, text="<html>")).call("c1")
