"""Everything an API can do wrong, on a real connection: each is a FarEndError or knows less, and
nothing else.
"""

from __future__ import annotations

import datetime
import email.utils
import gzip
import json
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from harness.errors import FarEndError
from harness.witness.synthflow import SynthflowApi
from tests.unit.witness.conftest import Web, answer

Make = Callable[..., Web]
RECORD = {
    "call_id": "c1",
    "status": "in-progress",
    "phone_number_to": "+12065550100",
    "phone_number_from": "+14155550101",
}
FINE = json.dumps({"status": "ok", "response": {"calls": [RECORD]}})


def methods(api: SynthflowApi) -> list[Callable[[], object]]:
    """Everything that is ever asked."""
    return [
        lambda: api.calls(since=0.0),
        lambda: api.call("c1"),
        lambda: api.prepare_inbound("+14155550101", "+12065550100"),
    ]


def client(web: Web, timeout_s: float = 30.0) -> SynthflowApi:
    return SynthflowApi(f"{web.base}/v2", "t0ken", timeout_s=timeout_s)


ALWAYS_WRONG = {
    "401": answer("401 Unauthorized"),
    "404": answer("404 Not Found"),
    "503": answer("503 Service Unavailable"),
    "moved elsewhere": answer("302 Found", "", "Location: http://192.0.2.1/v2/calls"),
    "no content": answer("204 No Content", ""),
    "a page": answer("200 OK", "<html>maintenance</html>"),
    "nothing": answer("200 OK", ""),
    "cut off": answer("200 OK", FINE, length=len(FINE) + 100),
    "null": answer("200 OK", "null"),
    "a list of nonsense": answer("200 OK", '[1, null, [], ""]'),
    "other names": answer("200 OK", '{"status": "ok", "result": {"items": []}}'),
    "other types": answer(
        "200 OK", '{"response": {"calls": {"call_id": 7}, "synthflow_call_id": 7}}'
    ),
    "too deep": answer("200 OK", "[" * 100_000 + "]" * 100_000),
    "no text": answer("200 OK", b"\xff\xfe\x00{}"),
    "cut gzip": answer("200 OK", gzip.compress(FINE.encode())[:20], "Content-Encoding: gzip"),
    "no HTTP": b"SIP/2.0 200 OK\r\n\r\n",
    "closed": b"",
}


@pytest.mark.parametrize("wrong", ALWAYS_WRONG)
def test_it_is_the_far_ends_fault(web: Make, wrong: str) -> None:
    api = client(web(ALWAYS_WRONG[wrong]))
    for asked in methods(api):
        with pytest.raises(FarEndError) as caught:
            asked()
        assert "t0ken" not in str(caught.value)
    api.close()


def test_a_token_follows_no_redirection(web: Make) -> None:
    other = web(answer("200 OK", FINE))
    api = client(web(answer("307 Temporary Redirect", "", f"Location: {other.base}/v2/calls")))
    with pytest.raises(FarEndError, match="307"):
        api.calls(since=0.0)
    assert other.requests == []
    api.close()


def test_silence(web: Make) -> None:
    api = client(web(None), timeout_s=0.2)
    for asked in methods(api):
        with pytest.raises(FarEndError, match=r"no whole answer within 0\.2 s|not asked again"):
            asked()
    api.close()


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the API's client would have slept."""
    asked = list[float]()

    async def sleep(seconds: float) -> None:
        asked.append(seconds)

    monkeypatch.setattr("harness.witness.synthflow.asyncio", SimpleNamespace(sleep=sleep))
    return asked


def in_(seconds: float) -> str:
    return email.utils.format_datetime(
        datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds), usegmt=True
    )


@pytest.mark.usefixtures("far_from_greenwich")
@pytest.mark.parametrize(
    ("after", "least", "most"),
    [
        ("0", 0.0, 0.0),
        ("3", 3.0, 3.0),
        ("3600", 5.0, 5.0),  # it may say so, but a case cannot wait for it
        ("a date in 3 s", 0.5, 3.0),
        ("a date 60 s ago", 0.0, 0.0),
        ("-7", 0.0, 0.0),
        ("nan", 1.0, 1.0),
        ("soon", 1.0, 1.0),
    ],
)
def test_too_many_requests(
    web: Make, waited: list[float], after: str, least: float, most: float
) -> None:
    dates = {"a date in 3 s": in_(3), "a date 60 s ago": in_(-60)}
    after = dates.get(after, after)
    server = web(
        answer("429 Too Many Requests", "{}", f"Retry-After: {after}"), answer("200 OK", FINE)
    )
    api = client(server)
    assert [record.id for record in api.calls(since=0.0)] == ["c1"]
    assert least <= waited[0] <= most
    assert len(server.requests) == 2
    api.close()


def test_too_many_requests_for_ever(web: Make, waited: list[float]) -> None:
    api = client(web(answer("429 Too Many Requests")))
    with pytest.raises(FarEndError, match="429"):
        api.calls(since=0.0)
    assert len(waited) == 2, "three attempts, and then the truth"
    assert not api.is_down
    for _ in range(2):
        with pytest.raises(FarEndError, match="429"):
            api.calls(since=0.0)
    assert api.is_down, "nobody waits for each record of a run as long"
    api.close()
