"""A case's phones: their configuration, and the stand-in that hands its caller over."""

from __future__ import annotations

import math
import ssl
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.deployment import Deployment
from harness.deployment.safety import Guard
from harness.integrations import load
from harness.phone import PhoneConfig
from harness.phone.config import system_authorities
from harness.phone.rules import Rules
from harness.scenario.ai_calls import StandInCall
from harness.scenario.case_phones import CasePhones
from harness.scenario.ends import Digit
from harness.scenario.phones import own_phone, stand_in
from harness.sip.uri import Uri
from harness.support.resources import EXAMPLES
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import CALLER, ScriptedLeg, invite, states

_FILE = EXAMPLES / "live-talkdesk.toml"


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Deployment:
    for name in (
        "HARNESS_SYNTHFLOW_API_TOKEN",
        "HARNESS_TEST_LINE_PASSWORD",
        "HARNESS_AGENT_PASSWORD",
        "HARNESS_TALKDESK_TRUNK_PASSWORD",
    ):
        monkeypatch.setenv(name, "for-this-test")
    return load(_FILE)


SYSTEMS = "/the/systems/list.pem"


@pytest.mark.parametrize(
    ("transport", "of_file", "of_account", "trusted"),
    [
        ("tls", None, None, SYSTEMS),  # docs/deployment.md
        ("tls", "file.pem", None, "file.pem"),
        ("tls", "file.pem", "account.pem", "account.pem"),
        ("tcp", None, None, None),
    ],
)
def test_whom_phones_trust(
    deployment: Deployment,
    monkeypatch: pytest.MonkeyPatch,
    transport: str,
    of_file: str | None,
    of_account: str | None,
    trusted: str | None,
) -> None:
    paths = SimpleNamespace(cafile=SYSTEMS, capath=None)
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    name = deployment.phones["caller"].account
    account = deployment.accounts[name].model_copy(
        update={"transport": transport, "ca_file": of_account}
    )
    trunk = deployment.trunks[0].model_copy(update={"transport": transport})
    place = deployment.stand_in.model_copy(update={"bind": "127.0.0.7"})
    changes = {
        "accounts": {**deployment.accounts, name: account},
        "ca_file": of_file,
        "stand_in": place,
    }
    changed = deployment.model_copy(update=changes)
    assert own_phone(changed, "caller").tls.ca_file == trusted
    assert stand_in(changed, trunk).tls.ca_file == (of_file if of_account else trusted)


@pytest.mark.parametrize(
    ("inside", "found"),
    [
        (["ca-certificates.crt", "0f5dc4f3.0"], "ca-certificates.crt"),
        (["ca-bundle.crt"], "ca-bundle.crt"),
        ([], None),
    ],
)
def test_the_systems_list_may_be_in_its_directory_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: list[str], found: str | None
) -> None:
    """As Ubuntu's OpenSSL has it, and uv's Python on Debian."""
    for name in inside:
        (tmp_path / name).touch()
    paths = SimpleNamespace(cafile=None, capath=str(tmp_path))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    assert system_authorities() == (found and str(tmp_path / found))


def test_phones_take_calls_from_the_hosts_of_their_deployment_alone(deployment: Deployment) -> None:
    platform = deployment.platform.model_copy(update={"addresses": ("198.51.100.0/24",)})
    trunk = deployment.trunks[0].model_copy(
        update={"termination": "[2001:db8::5]:5060", "allowed_addresses": ("192.0.2.7",)}
    )
    told = deployment.model_copy(update={"platform": platform, "trunks": (trunk,)})
    assert own_phone(told, "caller").accepts_from == (
        "sip.acme.talkdesk.example",
        "198.51.100.0/24",
        "sip.carrier.example",
        "sip.us.synthflow.example",
        "2001:db8::5",
        "192.0.2.7",
    )


# -- The stand-in hands a caller over, and leaves when an agent has taken the call, however long that takes


class Transferring(ScriptedLeg):
    """A leg whose REFER is accepted; its outcome comes after 25 s."""

    def __init__(self, status: int = 200) -> None:
        super().__init__(invite(CALLER), name="ai.1")
        self.referred_to, self.status = "", status

    def wait_state(self, state: str, within: float) -> Any:
        """It is confirmed."""

    def transfer(self, uri: str) -> None:
        self.referred_to = uri

    def transfer_outcome(self, within: float, *, outlives_call: bool = True) -> int:
        return self.status if within >= 25.0 else 0


def test_the_case_s_first_call_tells_the_phones_when_it_was_placed(
    make_context: MakeContext,
) -> None:
    context = make_context()
    leased: list[Rules] = []
    pool: Any = SimpleNamespace(lease=lambda config, *, rules, **_: leased.append(rules))
    gate: Any = SimpleNamespace(admit=lambda within: None)
    phones = CasePhones(context.deployment, context.evidence, pool, iter(()), gate)
    phones.lease(PhoneConfig(name="agent", user="agent", domain="example.com"))
    (rules,) = leased
    assert rules.first_placed() == -math.inf
    began = time.monotonic()
    assert rules.admit is not None
    rules.admit(1.0)
    first = rules.first_placed()
    rules.admit(1.0)
    assert began <= rules.first_placed() == first


class Joined(Transferring):
    """A leg that can be joined to another one."""

    def bridge(self, other: Any) -> None:
        self.did.append(other)


def handed_over(
    make_context: MakeContext,
    made: Any,
    how: str = "cold",
    phone: Any = None,
    topic: str | None = None,
) -> tuple[Any, StandInCall]:
    """The case whose stand-in has handed its caller over, and the stand-in's call."""
    context = make_context("TD-TRANSFER-BLIND", "stand-in")
    trunk = context.deployment.trunks[0].model_copy(update={"termination": "sbc.example:5061"})
    context.deployment = context.deployment.model_copy(update={"trunks": (trunk,)})
    peer: Any = None
    talk = StandInCall(context, made, phone, trunk, "main", peer)
    talk.digits = lambda count, within: [Digit("0", "rfc4733", 160)]  # type: ignore[method-assign]
    group: Any = SimpleNamespace(
        name="billing", address=next(iter(context.deployment.groups.values())).did
    )
    talk.hand_over(group, how, topic=topic)
    return context, talk


@pytest.mark.parametrize(("state", "ends"), [("disconnected", ["BYE"]), ("confirmed", [])])
def test_a_stand_in_ends_its_call_to_a_queue_that_has_answered_when_the_caller_is_gone(
    make_context: MakeContext, state: str, ends: list[str]
) -> None:
    onward, made = Joined(), Joined()
    phone = SimpleNamespace(dial=lambda uri, identity: onward)
    context, talk = handed_over(make_context, made, "warm", phone)
    context.background.join(5.0)
    assert made.did == [onward]
    made.told += states(state, leg=made.id)
    talk.give_up()
    assert onward.did == ends


@pytest.mark.parametrize(("status", "leaves"), [(200, True), (486, False)])
def test_a_stand_in_leaves_when_an_agent_has_answered(
    make_context: MakeContext, status: int, leaves: bool
) -> None:
    made: Any = Transferring(status)
    handed_over(make_context, made)[0].background.join(5.0)
    assert made.did == ["BYE"] * leaves


@pytest.mark.parametrize("topic", ["billing", "returns & refunds", "Rückfragen", "a?b=c;d"])
def test_a_topic_is_escaped_in_the_refer_to_uri(make_context: MakeContext, topic: str) -> None:
    """RFC 3261 section 19.1.1."""
    made: Any = Transferring()
    context, _ = handed_over(make_context, made, topic=topic)
    context.background.join(5.0)
    assert Uri.parse(made.referred_to).header("X-Gladly-Routing-Selector") == topic
    Guard(context.deployment)(made.referred_to)
