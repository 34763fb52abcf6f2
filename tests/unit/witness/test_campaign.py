"""What starts a campaign's call: a request as the file describes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest

from harness.deployment import Campaign
from harness.errors import FarEndError
from harness.witness import campaign
from tests.unit.witness.conftest import Web, answer

Make = Callable[..., Web]
LINE, CUSTOMER = "+13125550100", "+14155550105"


def described(url: str | None, **more: Any) -> Campaign:
    return Campaign.model_validate({"trigger": "http", "url": url, **more})


def test_the_request(web: Make) -> None:
    server = web(answer("202 Accepted"))
    settings = {
        "method": "PUT",
        "headers": {"X-Account": "acme"},
        "headers_secret": {"Authorization": "s3cret"},
        "body": '{"to": ["{customer}"], "caller": "{line}", "note": "{}"}',
    }
    campaign.start(described(f"{server.base}/dial", **settings), LINE, CUSTOMER)
    head, body = server.asked()
    assert head.startswith("PUT /dial HTTP/1.1\r\n")
    lines = {line.lower() for line in head.split("\r\n")}
    assert {"x-account: acme", "authorization: s3cret", "content-type: application/json"} <= lines
    assert json.loads(body) == {"to": [CUSTOMER], "caller": LINE, "note": "{}"}


def test_each_of_several_campaigns_is_asked_for_by_its_id(web: Make) -> None:
    server = web(answer("200 OK"))
    settings = {
        "line": ["autumn", "winter"],
        "ids": {"autumn": "c-7", "winter": "c-8"},
        "body": '{"campaign": "{campaign}", "to": "{customer}"}',
    }
    trigger = described(f"{server.base}/campaigns/{{campaign}}/calls", **settings)
    campaign.start(trigger, LINE, CUSTOMER, trigger.ids["winter"])
    head, body = server.asked()
    assert head.startswith("POST /campaigns/c-8/calls HTTP/1.1\r\n")
    assert json.loads(body) == {"campaign": "c-8", "to": CUSTOMER}


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ({"autumn": "c-7"}, "ids: 'winter' is missing"),
        ({"autumn": "c-7", "winter": "c-8", "spring": "c-9"}, "ids: 'spring' is no line"),
        ({"autumn": "c-7", "winter": '","to":"'}, "letters, digits"),
    ],
)
def test_an_id_for_each_campaign(ids: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        described("https://dialler.example/{campaign}", line=["autumn", "winter"], ids=ids)


def test_the_plus_of_a_number_in_a_form_is_no_blank(web: Make) -> None:
    """As dialers take it that are called as a page's form is sent: there "+" stands for a blank,
    and nobody was called.
    """
    server = web(answer("200 OK"))
    settings = {
        "headers": {"Content-Type": "Application/X-WWW-Form-URLEncoded; charset=utf-8"},
        "body": "From={line}&To={customer}&Note=a+b",
    }
    campaign.start(described(server.base, **settings), LINE, CUSTOMER)
    head, body = server.asked()
    assert "application/json" not in head
    assert parse_qs(body) == {"From": [LINE], "To": [CUSTOMER], "Note": ["a b"]}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_numbers_in_the_url(web: Make, method: str) -> None:
    """As of dialers that take queries: their places were sent as they stood, and nobody was called."""
    server = web(answer("200 OK"))
    url = f"{server.base}/calls/{{customer}}?from={{line}}&to={{customer}}&tags={{}}"
    campaign.start(described(url, method=method), LINE, CUSTOMER)
    head, body = server.asked()
    assert head.startswith(
        f"{method} /calls/%2B14155550105?from=%2B13125550100&to=%2B14155550105&tags=%7B%7D HTTP/1.1\r\n"
    )
    assert bool(body) is (method == "POST"), (
        "RFC 9110 section 9.3.1: a GET that has one may be refused"
    )
    assert ("content-type" in head.lower()) is (method == "POST")


@pytest.mark.parametrize("status", ["302 Found", "401 Unauthorized", "503 Busy"])
def test_a_refusal_is_said_without_the_secret(web: Make, status: str) -> None:
    trigger = described(web(answer(status)).base, headers_secret={"Authorization": "s3cret"})
    with pytest.raises(FarEndError, match=status[:3]) as caught:
        campaign.start(trigger, LINE, CUSTOMER)
    assert "s3cret" not in str(caught.value)


def test_a_connection_that_breaks_calls_nobody_twice(web: Make) -> None:
    server = web(b"", answer("200 OK"))
    with pytest.raises(FarEndError, match="closed"):
        campaign.start(described(server.base, method="GET"), LINE, CUSTOMER)
    assert len(server.requests) == 1


def test_what_is_missing() -> None:
    with pytest.raises(FarEndError, match=r"campaign\.url: is missing"):
        campaign.start(described(None), LINE, CUSTOMER)
