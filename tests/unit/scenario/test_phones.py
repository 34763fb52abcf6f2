"""What a phone of a deployment is told to be."""

from __future__ import annotations

import ssl
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from harness.deployment import Account, Deployment, Platform
from harness.integrations import load
from harness.phone.authorities import systems_list
from harness.scenario.phones import own_phone, stand_in
from harness.support.resources import EXAMPLES

_FILE = EXAMPLES / "live-talkdesk.toml"


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Deployment:
    for name in ("SYNTHFLOW_API_TOKEN", "TEST_LINE_PASSWORD", "AGENT_PASSWORD", "TALKDESK_TRUNK_PASSWORD"):
        monkeypatch.setenv(name, "for-this-test")
    return load(_FILE)


def test_phone_has_the_credentials_of_its_entry(deployment: Deployment) -> None:
    phone = own_phone(deployment, "caller")
    assert (phone.username, phone.password) == (phone.user, "for-this-test")


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


def test_a_phone_shows_the_certificate_of_its_account(deployment: Deployment) -> None:
    assert (own_phone(deployment, "caller").tls.certificate, own_phone(deployment, "caller").tls.private_key) == (
        None,
        None,
    )
    name = deployment.phones["caller"].account
    account = deployment.accounts[name].model_copy(update={"certificate": "a.pem", "private_key": "a.key"})
    shown = own_phone(deployment.model_copy(update={"accounts": {**deployment.accounts, name: account}}), "caller").tls
    assert (shown.certificate, shown.private_key, shown.verify) == ("a.pem", "a.key", True)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"certificate": "a.pem"}, "private_key is missing; allowed: certificate and private_key, or neither"),
        ({"private_key": "a.key"}, "certificate is missing; allowed"),
        (
            {"certificate": "a.pem", "private_key": "a.key", "transport": "tcp"},
            "certificate: not used over tcp",
        ),
    ],
)
def test_an_account_has_a_certificate_with_its_key_on_tls_alone(fields: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Account.model_validate({"domain": "carrier.example", "transport": "tls", **fields})


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


def test_in_a_lab_strangers_are_answered(deployment: Deployment) -> None:
    assert own_phone(deployment.model_copy(update={"strangers": "answer"}), "caller").accepts_from is None


@pytest.mark.parametrize("place", ["10.0.0.0/33", "", "sip.example.com:5060", "[::1]:5060", "two words"])
def test_what_is_no_source_of_calls_is_refused(place: str) -> None:
    with pytest.raises(ValidationError, match="allowed: an address, a network"):
        Platform(domain="acme.example", addresses=(place,))


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
