"""Strangers call the simulated world, and are called by it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.audio.marks import reply_to
from harness.case.events import MarkHeard
from harness.deployment import Deployment
from harness.phone.phone import Phone
from harness.scenario.phones import own_phone
from harness.world.addresses import Block
from tests.interop.platform import SIPP
from tests.interop.sipp import Sipp, client
from tests.interop.world_calls import listener, record_of, secret, where
from tests.process.world.conftest import RunningWorld
from tools.interop.baresip import Baresip, registering
from tools.interop.processes import PATIENCE, binary, until

Lease = Callable[..., Phone]
Start = Callable[..., Baresip]
TRANSPORTS = ["udp", "tcp", "tls"]


# -- OPTIONS by sipsak


SIPSAK = ["carrier", "agents", "gate udp-ip", "gate tcp-ip", "synthflow udp-ip", "synthflow tcp-ip"]


@pytest.mark.parametrize("name", SIPSAK)
def test_sipsak_gets_its_options_answered(talkdesk: RunningWorld, name: str) -> None:
    host, port, transport = listener(talkdesk.deployments[0], name)
    command = [binary("sipsak"), "-vv", "-s", f"sip:{host}:{port}", "-E", transport]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "200 OK" in done.stdout


# -- TLS by openssl


TLS = [
    ("talkdesk", "gate tls-ip"),
    ("talkdesk", "synthflow tls-ip"),
    ("gladly", "agents"),
    ("gladly", "gate tls-ip"),
]


def s_client(
    deployment: Deployment, name: str, *arguments: str, say: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    host, port, _ = listener(deployment, name)
    command = [binary("openssl"), "s_client", "-connect", f"{host}:{port}", *arguments]
    return subprocess.run(command, input=say, capture_output=True, timeout=30, check=False)


@pytest.mark.parametrize(("world", "name"), TLS)
@pytest.mark.parametrize("version", ["tls1_2", "tls1_3"])
def test_openssl_verifies_the_certificate_and_its_name(
    request: pytest.FixtureRequest, world: str, name: str, version: str
) -> None:
    deployment = request.getfixturevalue(world).deployments[0]
    host, *_ = listener(deployment, name)
    arguments = [
        f"-{version}",
        "-CAfile",
        str(deployment.ca_file),
        "-verify_return_error",
        "-verify_ip",
        host,
    ]
    done = s_client(deployment, name, *arguments)
    assert done.returncode == 0, done.stderr.decode()
    assert b"Verify return code: 0 (ok)" in done.stdout


@pytest.mark.parametrize(
    "trust", [["-no-CAfile", "-no-CApath"], ["-verify_hostname", "elsewhere.example"]]
)
def test_openssl_refuses_an_untrusted_certificate(talkdesk: RunningWorld, trust: list[str]) -> None:
    deployment = talkdesk.deployments[0]
    arguments = ["-verify_return_error", *trust]
    if "-no-CAfile" not in trust:
        arguments += ["-CAfile", str(deployment.ca_file)]
    done = s_client(deployment, "synthflow tls-ip", *arguments)
    assert done.returncode != 0
    assert b"Verify return code: 0 (ok)" not in done.stdout


@pytest.mark.parametrize("version", ["tls1", "tls1_1"])
def test_old_tls_versions_are_refused(talkdesk: RunningWorld, version: str) -> None:
    """RFC 8996: TLS 1.0 and 1.1 MUST NOT be used."""
    done = s_client(
        talkdesk.deployments[0], "synthflow tls-ip", f"-{version}", "-cipher", "ALL:@SECLEVEL=0"
    )
    assert done.returncode != 0


# -- SIPp registers and calls


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_sipp_registers_with_digest_and_leaves(
    talkdesk: RunningWorld, tmp_path: Path, block: Block, transport: str
) -> None:
    host, port = where(talkdesk.deployments[0], "carrier", transport)
    user, password = secret(talkdesk.deployments[0], "caller-4")
    steps = [
        *client("REGISTER", user, "carrier.example", expires=60, password=password),
        *client("REGISTER", user, "carrier.example", expires=0, password=password, cseq=10),
    ]
    with Sipp(
        tmp_path,
        block[SIPP + 30],
        steps,
        target=f"{host}:{port}",
        transport=transport,
        arguments=("-auth_uri", "carrier.example"),
    ) as sipp:
        sipp.succeeds()
        challenges = sipp.received("SIP/2.0 401")
        assert challenges
        first, last = sipp.received("SIP/2.0 200")
        assert re.search(r"Contact: .*expires=60", first)
        assert not re.search(r"Contact: .*127\.", last)


@pytest.mark.parametrize(
    ("transport", "password", "uri", "status"),
    [
        ("udp", "wrong", ("-auth_uri", "carrier.example"), 403),
        ("tcp", "wrong", ("-auth_uri", "carrier.example"), 403),
        # SIPp, left alone, names its target instead of the Request-URI
        ("udp", None, (), 400),
    ],
)
def test_wrong_credentials_are_refused_and_those_for_another_uri_a_bad_request(
    talkdesk: RunningWorld,
    tmp_path: Path,
    block: Block,
    transport: str,
    password: str | None,
    uri: tuple[str, ...],
    status: int,
) -> None:
    """RFC 3261 section 22.4 (1), RFC 2617 section 3.2.2.5."""
    host, port = where(talkdesk.deployments[0], "carrier", transport)
    user, right = secret(talkdesk.deployments[0], "caller-4")
    told: Any = {"expires": 60, "password": password or right, "outcome": status}
    steps = client("REGISTER", user, "carrier.example", **told)
    with Sipp(
        tmp_path,
        block[SIPP + 31],
        steps,
        target=f"{host}:{port}",
        transport=transport,
        arguments=uri,
    ) as sipp:
        sipp.succeeds()


# -- baresip calls, and takes a transfer


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_call_with_baresip_has_audio_both_ways(
    talkdesk: RunningWorld, fresh_baresip: Start, transport: str
) -> None:
    deployment = talkdesk.deployments[0]
    host, port = where(talkdesk.deployments[0], "carrier", transport)
    user, password = secret(deployment, "caller-3")
    line = registering(user, "carrier.example", password, f"{host}:{port}", transport)
    with fresh_baresip(line, 203) as program:
        program.registers()
        program.do("dial", f"sip:{deployment.did('inbound', 'udp-ip')}@carrier.example")
        program.event("CALL_ESTABLISHED")
        record_of(
            deployment, user, lambda r: any(m["mark"] == 203 for m in r.witness("marks") or [])
        )
        voice = deployment.assistants["main"].voice
        assert voice is not None
        program.hears(voice)
        program.hears(reply_to(203))
        program.do("hangup")
        assert record_of(deployment, user, lambda r: r.over).status == "completed"


@pytest.mark.parametrize(
    ("world", "line", "agent", "transport"),
    [
        ("talkdesk", "inbound", "billing", "udp"),
        ("talkdesk", "inbound", "billing", "tcp"),
        ("talkdesk", "inbound-passed-on", "billing", "tls"),
        ("talkdesk", "inbound-warm", "billing", "udp"),
        ("gladly", "inbound", "queue", "tls"),
    ],
)
def test_baresip_takes_a_transfer_of_the_ai(
    request: pytest.FixtureRequest,
    lease: Lease,
    fresh_baresip: Start,
    world: str,
    line: str,
    agent: str,
    transport: str,
) -> None:
    running: RunningWorld = request.getfixturevalue(world)
    deployment = running.deployments[0]
    host, port = where(deployment, "agents", transport)
    user, password = secret(deployment, agent)
    domain = deployment.platform.domain
    config = own_phone(deployment, "caller", max_calls=2)
    with fresh_baresip(
        registering(user, domain, password, f"{host}:{port}", transport), 204
    ) as program:
        program.registers()
        caller = lease("caller", **{name: getattr(config, name) for name in _FIELDS})
        assert caller.register(PATIENCE).active
        leg = caller.dial(deployment.did(line, deployment.trunks[0].name))
        leg.wait_state("confirmed", PATIENCE)
        leg.wait("the AI", lambda e: isinstance(e, MarkHeard) and e.mark >= 240, PATIENCE)
        leg.send_digits("0")
        program.event("CALL_ESTABLISHED")
        last = (
            until("the call with the agent", lambda: leg.successor or leg)
            if line == "inbound-passed-on"
            else leg
        )
        last.wait(
            "the agent's mark", lambda e: isinstance(e, MarkHeard) and e.mark == 204, PATIENCE
        )
        program.hears(last.mark)
        last.hangup()
        program.event("CALL_CLOSED")


_FIELDS = (
    "user", "domain", "transport", "bind_address", "proxy", "registrar", "username", "password", "tls", "max_calls",
)  # fmt: skip
