"""The world as a process: its beginning, its end, what it survives, and its own interfaces."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.deployment import Deployment
from harness.integrations import load
from harness.sip.digest import Credentials
from harness.sip.uri import NameAddr, Uri
from harness.support.resources import EXAMPLES
from harness.world.addresses import StartError
from harness.world.media.leg import LegMedia
from harness.world.wire.agent import UserAgent
from harness.world.wire.dialog import CallFailedError
from harness.world.wire.invite import OutgoingCall
from harness.world.wire.transport import Endpoint
from harness.world.world import World
from tests.process.world.conftest import PATIENCE, RunningWorld, Stage, running

Script = Callable[[UserAgent], Awaitable[Any]]


def with_agent(address: str, script: Script) -> Any:
    """Run a script with a user agent at ``address``, which is gone without a word afterwards."""

    async def run() -> Any:
        ua = UserAgent("tester", [Endpoint("udp", address), Endpoint("tcp", address)])
        await ua.start()
        try:
            return await script(ua)
        finally:
            await ua.transport.stop()

    return asyncio.run(run())


def place_call(ua: UserAgent, deployment: Deployment, media: LegMedia) -> OutgoingCall:
    """A subscriber's call, without registering first."""
    account, phone = deployment.accounts["carrier"], deployment.phones["caller-4"]
    assert phone.password is not None
    assert phone.number is not None
    return ua.invite(
        Uri("sip", deployment.did("inbound", "udp-ip"), account.host or "", account.port),
        from_=NameAddr(Uri("sip", phone.number, account.domain)),
        sdp=media.offer(),
        credentials=Credentials(phone.number, phone.password.get_secret_value()),
    )


def caller_address(deployment: Deployment) -> str:
    bind = deployment.accounts["carrier"].bind
    assert bind is not None
    return bind


# -- beginning and end


def test_hangs_up_and_ends_in_order_when_stdin_closes(tmp_path: Path) -> None:
    with running("simulated-talkdesk", tmp_path) as world:
        deployment = world.deployments[0]

        async def script(ua: UserAgent) -> str:
            with closing(LegMedia(caller_address(deployment))) as media:
                call = place_call(ua, deployment, media)
                await call.wait_answered(PATIENCE)
                assert world.process.stdin is not None
                world.process.stdin.close()
                return (await call.wait_ended(PATIENCE)).how.value

        assert with_agent(caller_address(deployment), script) == "bye"
        assert world.process.wait(PATIENCE) == 0
    assert not list(tmp_path.glob("**/*.key")), "private keys are left behind"


def test_a_busy_port_is_said(tmp_path: Path) -> None:
    async def run() -> str:
        world = World(load(EXAMPLES / "simulated-talkdesk.toml"), 1, tmp_path)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind((world.tenants[0].context.block[60], 32681))
            with pytest.raises(StartError) as refused:
                await world.start()
        return f"{refused.value.kind}: {refused.value}"

    said = asyncio.run(run())
    assert said.startswith("busy-port: ")
    assert "32681" in said


# -- what it survives


def test_a_dead_caller_ends_its_call(td: Stage) -> None:
    deployment = td.deployment

    async def script(ua: UserAgent) -> None:
        media = LegMedia(caller_address(deployment))
        await place_call(ua, deployment, media).wait_answered(PATIENCE)
        media.close()  # and no word more

    with_agent(caller_address(deployment), script)
    assert td.world.state()["channels"]
    td.world.wait_until_quiet(20.0)
    assert td.record().status == "completed"


# -- strangers


def test_strangers_get_403_and_options_an_answer(td: Stage) -> None:
    trunk = td.deployment.trunk("udp-ip")
    host, _, port = (trunk.termination or "").rpartition(":")
    stranger = td.deployment.stand_in.stranger_bind
    assert stranger is not None
    group = td.deployment.groups["billing"].did

    async def script(ua: UserAgent) -> tuple[int, int, list[int]]:
        me = NameAddr(Uri("sip", "stranger", stranger))
        media = LegMedia(stranger)
        call = ua.invite(Uri("sip", group, host, int(port)), from_=me, sdp=media.offer())
        with pytest.raises(CallFailedError) as refused:
            await call.wait_answered(PATIENCE)
        media.close()
        platform = Endpoint(
            "udp", td.deployment.platform.host or "", td.deployment.platform.port or 0
        )
        call = ua.invite(Uri("sip", group, *platform.sockaddr), from_=me, sdp=b"v=0\r\n")
        with pytest.raises(CallFailedError) as refused_by_platform:
            await call.wait_answered(PATIENCE)
        account = td.deployment.accounts["carrier"]
        everywhere = [
            (host, int(port)),
            platform.sockaddr,
            (account.host, account.port),
            (trunk.host, 32681),
        ]
        answers = [
            await ua.request("OPTIONS", Uri("sip", None, str(where[0]), where[1]), from_=me)
            for where in everywhere
        ]
        return (
            refused.value.status,
            refused_by_platform.value.status,
            [answer.status for answer in answers],
        )

    assert with_agent(stranger, script) == (403, 403, [200, 200, 200, 200])


# -- Synthflow's API


REFUSED: list[tuple[str, str, dict[str, Any], int]] = [
    ("GET", "/calls/none", {}, 404),
    ("GET", "/calls", {}, 400),
    ("GET", "/calls?model_id=m&from_date=yesterday", {}, 400),
    ("POST", "/prepare_inbound", {"content": b"[1]"}, 400),
    ("POST", "/prepare_inbound", {"json": {"from_number": "+14155550101"}}, 400),
    ("POST", "/sip_numbers", {"json": {"termination_uri": "nowhere"}}, 400),
    (
        "POST",
        "/sip_numbers",
        {"json": {"termination_uri": "127.0.0.1:5060", "transport": "pigeon"}},
        400,
    ),
    ("DELETE", "/sip_numbers/none", {}, 404),
    ("PUT", "/calls", {}, 405),
    ("GET", "/nothing", {}, 404),
]


def test_the_api_refuses(td: Stage) -> None:
    with td.client() as api:
        for method, path, arguments, status in REFUSED:
            assert api.request(method, path, **arguments).status_code == status, (method, path)


def test_a_prepared_call_has_the_id_that_was_given_out(td: Stage) -> None:
    api = td.api()
    main = td.deployment.assistants["main"]
    prepared = api.prepare_inbound("+14155550101", main.address, main.model_id)
    call = td.dial(
        "inbound", headers=[("X-EI", f"S.{prepared};E.crm-1;O.+14155550101;"), ("X-Shop", "7")]
    )
    call.wait_state("confirmed", PATIENCE)
    record = api.call(prepared)
    api.close()
    variables = record.plain["prompt_variables"]
    assert record.answered
    assert (variables["external_id"], variables["original_caller"]) == ("crm-1", "+14155550101")
    assert variables["X-Shop"] == "7"


# -- the control API


def test_control_refuses_unknown_faults_and_tenants(talkdesk: RunningWorld) -> None:
    for asked in ({"name": "nonsense"}, {}, {"name": "from-anonymous", "tenant": 7}, [1]):
        assert talkdesk.client.post("/faults", json=asked).status_code == 400
    talkdesk.client.post("/faults", json={"name": "heavy-loss", "line": "ivr"}).raise_for_status()
    assert talkdesk.client.get("/faults").json() == {"0": ["heavy-loss@ivr"]}
    talkdesk.client.request("DELETE", "/faults", json={}).raise_for_status()
    assert talkdesk.client.get("/faults").json() == {"0": []}


def test_control_ends_calls(td: Stage) -> None:
    """A call that a fault keeps up ends at once, too, before the platform notices that its other
    side has gone.
    """

    def end(**asked: int) -> httpx.Response:
        return td.world.client.request("DELETE", "/calls", json=asked, timeout=2 * PATIENCE)

    with td.world.fault("caller-hangup-not-passed-on"):
        call = td.dial("inbound")
        call.wait_state("confirmed", PATIENCE)
        call.hangup()
        call.wait_state("disconnected", PATIENCE)
        assert td.world.state()["tenants"][0]["ai_calls"] == 1
        assert end(tenant=7).status_code == 400
        (left,) = end(tenant=0).raise_for_status().json()["tenants"]
    assert (left["calls"], left["ai_calls"], left["trunks_in_use"]) == ([], 0, {})
