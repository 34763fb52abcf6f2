"""The world's own HTTP interfaces: they need a token and their own Host, and read bodies up to a
limit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.process.world.conftest import RunningWorld, Stage

BIG = b"[" * 200_000
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def api(td: Stage) -> Iterator[httpx.Client]:
    with td.client() as client:
        yield client


@pytest.fixture
def campaign(td: Stage) -> str:
    """The URL of the trigger."""
    assert td.deployment.campaign is not None
    assert td.deployment.campaign.url is not None
    return td.deployment.campaign.url


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Basic Y29udHJvbDo="}, {"Authorization": "Bearer x"}]
)
def test_the_control_api_wants_its_token(talkdesk: RunningWorld, headers: dict[str, str]) -> None:
    bare = str(httpx.URL(talkdesk.control).copy_with(userinfo=b""))  # without the password in it
    for path in ("/calls", "/faults", "/nothing"):
        assert talkdesk.client.get(bare + path, headers=headers).status_code == 401
        refused = talkdesk.client.post(
            bare + path, headers=headers, json={"name": "from-anonymous"}
        )
        assert refused.status_code == 401
    assert talkdesk.client.get("/faults").json() == {"0": []}


def test_synthflows_api_wants_its_token(api: httpx.Client) -> None:
    for authorization in (
        "",
        "Bearer",
        "Bearer x",
        "Basic x",
        "Bearer \xff",
        "Bearer " + "x" * 4000,
    ):
        for method, path in (
            ("GET", "/calls"),
            ("POST", "/prepare_inbound"),
            ("POST", "/sip_numbers"),
            ("GET", "/x"),
        ):
            refused = api.request(
                method, path, headers={b"Authorization": authorization.encode("latin-1")}
            )
            assert refused.status_code == 401, (method, path, authorization)


def test_another_hosts_name_is_refused(
    talkdesk: RunningWorld, api: httpx.Client, campaign: str
) -> None:
    """DNS rebinding: the browser believes it talks to the page's own host, and says so."""
    for host in ("rebound.example", "localhost", "127.0.0.1", ""):
        assert talkdesk.client.get("/calls", headers={"Host": host}).status_code == 421
        assert api.get("/calls", headers={"Host": host}).status_code == 421
        assert talkdesk.client.post(campaign, headers={"Host": host}, json={}).status_code == 421
    assert talkdesk.client.get("/calls").status_code == 200
    assert api.get("/calls?model_id=m").status_code == 200


def test_long_bodies_are_refused(talkdesk: RunningWorld, api: httpx.Client, campaign: str) -> None:
    assert talkdesk.client.post("/faults", content=BIG).status_code == 413
    assert api.post("/prepare_inbound", content=BIG).status_code == 413
    assert talkdesk.client.post(campaign, content=BIG, headers=JSON).status_code == 413


@pytest.mark.parametrize(
    "body",
    ["[" * 60_000, '{"name": {}}', '{"name": 1, "line": []}', "null", "\x00", '"\\ud800"'],
    ids=["deep", "dict", "number", "null", "nul", "surrogate"],
)
def test_a_wrong_body_gets_400_and_the_reason(
    talkdesk: RunningWorld, api: httpx.Client, campaign: str, body: str
) -> None:
    answers = [
        talkdesk.client.post("/faults", content=body),
        api.post("/sip_numbers", content=body),
        talkdesk.client.post(campaign, content=body, headers=JSON),
    ]
    assert {answer.status_code for answer in answers} == {400}
    assert all(json.loads(answer.text)["error"] for answer in answers)
    assert talkdesk.state()["errors"] == []


def test_a_web_page_cannot_start_a_campaign(talkdesk: RunningWorld, campaign: str) -> None:
    """A page may post text or a form to any address unasked, but no JSON (the Fetch standard's
    CORS).
    """
    body = json.dumps({"from": "inbound", "to": "+14155550105"})
    refused = talkdesk.client.post(campaign, content=body, headers={"Content-Type": "text/plain"})
    assert refused.status_code == 415
