"""The world's own HTTP interfaces: nobody without the token, no page of another name, no body without end."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.process.world.conftest import RunningWorld, Stage

BIG = b"[" * 200_000


def bare(url: str) -> str:
    """Without the password in it."""
    return str(httpx.URL(url).copy_with(userinfo=b""))


@pytest.fixture
def api(td: Stage) -> Iterator[httpx.Client]:
    with td.client() as client:
        yield client


@pytest.mark.parametrize("path", ["/calls", "/faults", "/nothing"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic Y29udHJvbDo="}, {"Authorization": "Bearer x"}])
def test_the_control_api_wants_its_token(talkdesk: RunningWorld, path: str, headers: dict[str, str]) -> None:
    assert talkdesk.client.get(bare(talkdesk.control) + path, headers=headers).status_code == 401
    refused = talkdesk.client.post(bare(talkdesk.control) + path, headers=headers, json={"name": "from-anonymous"})
    assert refused.status_code == 401
    assert talkdesk.client.get("/faults").json() == {"0": []}


@pytest.mark.parametrize("host", ["rebound.example", "localhost", "127.0.0.1", ""])
def test_another_hosts_name_is_refused(talkdesk: RunningWorld, api: httpx.Client, td: Stage, host: str) -> None:
    """DNS rebinding: the browser believes it talks to the page's own host, and says so."""
    assert talkdesk.client.get("/calls", headers={"Host": host}).status_code == 421
    assert api.get("/calls", headers={"Host": host}).status_code == 421
    assert td.deployment.campaign is not None
    assert td.deployment.campaign.url
    assert talkdesk.client.post(td.deployment.campaign.url, headers={"Host": host}, json={}).status_code == 421
    assert talkdesk.client.get("/calls").status_code == 200
    assert api.get("/calls?model_id=m").status_code == 200


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer x", "Basic x", "Bearer \xff", "Bearer " + "x" * 4000],
    ids=["", "short", "x", "basic", "octet", "long"],
)
def test_synthflows_api_wants_its_token(api: httpx.Client, authorization: str) -> None:
    for method, path in [("GET", "/calls"), ("POST", "/prepare_inbound"), ("POST", "/sip_numbers"), ("GET", "/x")]:
        refused = api.request(method, path, headers={b"Authorization": authorization.encode("latin-1")})
        assert refused.status_code == 401, (method, path)


def test_bodies_have_a_length_that_is_read(talkdesk: RunningWorld, api: httpx.Client, td: Stage) -> None:
    assert httpx.post(f"{talkdesk.control}/faults", content=BIG).status_code == 413
    assert api.post("/prepare_inbound", content=BIG).status_code == 413
    assert td.deployment.campaign is not None
    assert td.deployment.campaign.url
    kind = {"Content-Type": "application/json"}
    assert httpx.post(td.deployment.campaign.url, content=BIG, headers=kind).status_code == 413


@pytest.mark.parametrize(
    "body",
    ["[" * 60_000, '{"name": {}}', '{"name": 1, "line": []}', "null", "\x00", '"\\ud800"'],
    ids=["deep", "dict", "number", "null", "nul", "surrogate"],
)
def test_any_body_is_told_what_is_wrong_with_it(
    talkdesk: RunningWorld, api: httpx.Client, td: Stage, body: str
) -> None:
    assert td.deployment.campaign is not None
    assert td.deployment.campaign.url
    answers = [
        talkdesk.client.post("/faults", content=body),
        api.post("/sip_numbers", content=body),
        talkdesk.client.post(td.deployment.campaign.url, content=body, headers={"Content-Type": "application/json"}),
    ]
    assert {answer.status_code for answer in answers} == {400}
    assert all(json.loads(answer.text)["error"] for answer in answers)
    assert talkdesk.state()["errors"] == []


def test_a_web_page_cannot_start_a_campaign(td: Stage) -> None:
    """A page may post text or a form to any address unasked, but no JSON (the Fetch standard's CORS)."""
    assert td.deployment.campaign is not None
    assert td.deployment.campaign.url
    body = json.dumps({"from": "inbound", "to": "+14155550105"})
    refused = td.world.client.post(td.deployment.campaign.url, content=body, headers={"Content-Type": "text/plain"})
    assert refused.status_code == 415
