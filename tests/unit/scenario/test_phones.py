"""A case's phones: their configuration, what they may dial, the limits, the stand-in, and OPTIONS."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.calls.events import Event, TlsHandshake, TransferProgress, TransportFailed
from harness.calls.verdict import Verdict
from harness.deployment import Deployment, from_plain, to_plain
from harness.deployment.safety import Guard
from harness.errors import RefusedError
from harness.integrations import load
from harness.phone import PhoneConfig
from harness.phone.authorities import systems_list
from harness.phone.leg import accept_every_leg
from harness.phone.rules import Rules
from harness.phone.waiter import never_came
from harness.scenario.ai import Ai
from harness.scenario.ai_calls import StandInCall
from harness.scenario.case_phones import CasePhones
from harness.scenario.endpoints import StandInEndpoint
from harness.scenario.phones import own_phone, stand_in
from harness.sip.uri import Uri
from harness.support.resources import EXAMPLES
from tests.unit.scenario.conftest import MakeContext

_FILE = EXAMPLES / "live-talkdesk.toml"


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Deployment:
    for name in ("SYNTHFLOW_API_TOKEN", "TEST_LINE_PASSWORD", "AGENT_PASSWORD", "TALKDESK_TRUNK_PASSWORD"):
        monkeypatch.setenv(name, "for-this-test")
    return load(_FILE)


@pytest.mark.parametrize(
    ("domain", "in_uris"),
    [("sbc.example", "sbc.example"), ("2001:db8::5", "[2001:db8::5]"), ("[2001:db8::5]", "[2001:db8::5]")],
)
def test_a_domain_that_is_an_ipv6_address_stands_in_brackets(deployment: Deployment, domain: str, in_uris: str) -> None:
    """RFC 3261 section 25.1: else its last group would be a port."""
    name = deployment.phones["caller"].account
    account = deployment.accounts[name].model_copy(update={"domain": domain})
    six = deployment.model_copy(update={"accounts": {**deployment.accounts, name: account}})
    assert own_phone(six, "caller").domain == in_uris


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
    account = deployment.accounts[name].model_copy(update={"transport": transport, "ca_file": of_account})
    trunk = deployment.trunks[0].model_copy(update={"transport": transport})
    place = deployment.stand_in.model_copy(update={"bind": "127.0.0.7"})
    changes = {"accounts": {**deployment.accounts, name: account}, "ca_file": of_file, "stand_in": place}
    changed = deployment.model_copy(update=changes)
    assert own_phone(changed, "caller").tls.ca_file == trusted
    assert stand_in(changed, trunk).tls.ca_file == (of_file if of_account else trusted)


@pytest.mark.parametrize(
    ("inside", "found"),
    [(["ca-certificates.crt", "0f5dc4f3.0"], "ca-certificates.crt"), (["ca-bundle.crt"], "ca-bundle.crt"), ([], None)],
)
def test_the_systems_list_may_be_in_its_directory_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: list[str], found: str | None
) -> None:
    """As Ubuntu's OpenSSL has it, and uv's Python on Debian."""
    for name in inside:
        (tmp_path / name).touch()
    paths = SimpleNamespace(cafile=None, capath=str(tmp_path))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    assert systems_list() == (found and str(tmp_path / found))


def test_phone_without_a_password_answers_no_challenge(deployment: Deployment) -> None:
    """An empty password would be tried as one, and the refusal hidden behind what that gets."""
    entry = deployment.phones["caller"].model_copy(update={"password": None})
    bare = deployment.model_copy(update={"phones": {**deployment.phones, "caller": entry}})
    assert own_phone(bare, "caller").username is None


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


@pytest.mark.parametrize(("username", "user"), [("trunk-user", "trunk-user"), (None, "stand-in")])
def test_a_deployment_of_people_alone_has_a_stand_in_all_the_same(
    deployment: Deployment, username: str | None, user: str
) -> None:
    """It registers the trunk's number, and shows that no call for people gets to the AI's place."""
    trunk = deployment.trunks[0].model_copy(
        update={"termination": "sbc.example:5060", "username": username, "password": None}
    )
    place = deployment.stand_in.model_copy(update={"bind": "192.0.2.60"})
    bare = deployment.model_copy(update={"stand_in": place, "assistants": {}})
    assert stand_in(bare, trunk).user == user
    first = next(iter(deployment.assistants.values())).did
    assert stand_in(deployment.model_copy(update={"stand_in": place}), trunk).user == first


# -- What a case's phones may dial: the numbers of the file, as the network of each phone reads them


class Pool:
    """Keeps the rules of each phone that is leased."""

    def __init__(self) -> None:
        self.rules: dict[str, Rules] = {}

    def lease(self, config: Any, *, rules: Rules, **_: object) -> Any:
        self.rules[config.name] = rules


def test_each_phone_dials_in_its_own_country(make_context: MakeContext) -> None:
    """A German telephone that calls Zurich by its national digits, 044 123 45 67, reaches Oldenburg."""
    context = make_context()
    plain = to_plain(context.deployment)
    home, abroad = context.deployment.callers[:2]
    plain["region"] = "CH"
    plain["groups"][next(iter(plain["groups"]))]["did"] = "+41441234567"
    plain["phones"][home]["number"], plain["phones"][abroad]["number"] = "+41440000101", "+4930900100"
    deployment = from_plain(plain)
    pool: Any = Pool()
    no_call: Any = None
    phones = CasePhones(deployment, context.evidence, pool, iter(()), no_call)
    for name in (home, abroad):
        phones.lease(PhoneConfig(name, "a", "example.com"), register=False)
    host = deployment.accounts[deployment.phones[home].account].domain
    for rules in pool.rules.values():
        rules.guard(f"sip:+41441234567@{host}")
    pool.rules[home].guard(f"sip:0441234567@{host}")
    with pytest.raises(RefusedError, match="'0441234567' is no number of"):
        pool.rules[abroad].guard(f"sip:0441234567@{host}")


# -- A call that waits for the deployment's own limits: until its turn comes, however many are before it, and told as a wait


# -- The AI that is ours hands a caller over, and leaves when an agent has taken the call, however long that takes


AN_AGENT_TAKES_S = 25.0


class Leg:
    """The stand-in's leg; an agent answers :data:`AN_AGENT_TAKES_S` after the REFER, and nobody waits for it in the test."""

    invite = SimpleNamespace(
        text="INVITE sip:ai@ai.example SIP/2.0\r\nVia: SIP/2.0/UDP b.example;branch=z9hG4bK1\r\nFrom: <sip:a@b.example>;tag=1\r\n"
        "To: <sip:ai@ai.example>\r\nCall-ID: 1@b.example\r\nCSeq: 1 INVITE\r\n\r\n"
    )
    closed = False
    state = "confirmed"
    successor = None

    def __init__(self, status: int) -> None:
        self.id = "stand-in.1"
        self.events: list[Event] = []
        self.status = status
        self.hung_up = False
        self.referred_to = ""

    def transfer(self, uri: str) -> None:
        """The platform accepts the REFER."""
        self.referred_to = uri

    def wait(self, goal: str, tells: Callable[[Event], bool], within: float) -> Event:
        told = TransferProgress(
            at=AN_AGENT_TAKES_S, phone="stand-in", leg=self.id, code=self.status, reason="", final=True
        )
        if within < AN_AGENT_TAKES_S or not tells(told):
            raise never_came(goal, within, self.id, "no final NOTIFY", "")
        return told

    def hangup(self) -> None:
        self.hung_up = True


@pytest.mark.parametrize(("status", "leaves"), [(200, True), (486, False)])
def test_it_leaves_when_an_agent_has_answered_whenever_that_is(
    make_context: MakeContext, status: int, leaves: bool
) -> None:
    context = make_context("TD-TRANSFER-BLIND", "stand-in")
    leg: Any = Leg(status)
    trunk = context.deployment.trunks[0]
    phone: Any = SimpleNamespace(name="stand-in")
    talk = StandInCall(context, leg, phone, trunk, "+12065550100", None)  # type: ignore[arg-type]
    talk.digits = lambda count, within: ("0", ["rfc4733"], [160])  # type: ignore[method-assign]
    group: Any = SimpleNamespace(name="billing", address="+18155550101")
    talk.hand_over(group, "cold")
    context.background.join(5.0)
    assert leg.hung_up is leaves


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=20))
@example("returns & refunds")
@example("Rückfragen")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_topic_is_written_as_a_uri_takes_it(make_context: MakeContext, topic: str) -> None:
    """RFC 3261 section 19.1.1: what a header of a URI cannot hold as it is is escaped."""
    context = make_context("TD-TRANSFER-BLIND", "stand-in")
    leg: Any = Leg(200)
    trunk = context.deployment.trunks[0].model_copy(update={"termination": "sbc.example:5061"})
    phone: Any = SimpleNamespace(name="stand-in")
    talk = StandInCall(context, leg, phone, trunk, "+12065550100", None)  # type: ignore[arg-type]
    talk.digits = lambda count, within: ("0", ["rfc4733"], [160])  # type: ignore[method-assign]
    group: Any = SimpleNamespace(name="returns", address=next(iter(context.deployment.groups.values())).did)
    talk.hand_over(group, "cold", topic=topic)
    context.background.join(5.0)
    assert Uri.parse(leg.referred_to).header("X-Gladly-Routing-Selector") == topic
    Guard(context.deployment.model_copy(update={"trunks": (trunk,)}))(leg.referred_to)


# -- A certificate is refused by whom it was shown to: a platform that never connected has refused none


INVITED = SimpleNamespace(
    id="stand-in.1", events=[SimpleNamespace(at=12.0)], phone=SimpleNamespace(is_ours=accept_every_leg)
)


def handshake(at: float, *, failed: bool = True) -> Event:
    return TlsHandshake(at=at, phone="stand-in", remote="127.0.0.1:40004", failed=failed)


@pytest.mark.parametrize(
    ("events", "incoming", "verdict"),
    [
        ([handshake(11.0)], [], Verdict.PASSED),
        ([handshake(11.0, failed=False)], [], Verdict.PASSED),  # some look at the certificate once they are connected
        ([handshake(11.0, failed=False)], [INVITED], Verdict.FAILED),
        ([], [INVITED], Verdict.FAILED),
        ([handshake(9.0)], [], Verdict.NOT_OBSERVABLE),  # of a call before
        (
            [TransportFailed(at=11.0, phone="stand-in", transport="tls", remote="x", reason="y")],
            [],
            Verdict.NOT_OBSERVABLE,
        ),
        ([], [], Verdict.NOT_OBSERVABLE),  # a trunk that is taken for down, since an earlier call failed
    ],
)
def test_who_is_shown_it(make_context: MakeContext, events: list[Event], incoming: list[Any], verdict: Verdict) -> None:
    context = make_context(ai="stand-in")
    ai = Ai(context)
    phone: Any = SimpleNamespace(events=events, incoming=incoming)
    ai._endpoint = StandInEndpoint(context, phone, context.trunk)
    of: Any = SimpleNamespace(began=10.0)
    ai.was_refused_for_its_certificate(of)
    (found,) = context.evidence.findings
    assert (found.check, found.verdict) == ("route.not_reached", verdict)


# -- Whom OPTIONS asks: the platform's host, however the file writes it, at its port or at the transport's own
