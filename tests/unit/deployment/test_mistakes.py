"""Every mistake in a deployment file is one line: file, key, what is wrong, what is allowed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from harness.deployment import OWN_PHONES
from tests.unit.deployment.example_files import Changes, loaded, mistakes, mistakes_of, written

TD, GL, LIVE_TD, LIVE_GL = "simulated-talkdesk", "simulated-gladly", "live-talkdesk", "live-gladly"
PHONE, TRUNK_0, HOTLINE = "phones.Test agent", "trunks.0 (udp-ip)", "lines.Customer hotline"
REQUEST = {"campaign.trigger": "http", "campaign.url": "https://acme.example/dial"}
URL = "https://acme.example/dial"


@pytest.mark.parametrize(
    ("example", "changes", "said"),
    [
        *(
            (
                row["example"],
                row.get("change", {}) | dict.fromkeys(row.get("without", ())),
                row["said"],
            )
            for row in tomllib.loads(
                Path(__file__).with_name("mistakes.toml").read_text(encoding="utf-8")
            )["mistake"]
        ),
        *(
            (
                LIVE_GL,
                {f"phones.{name}": {"account": "carrier", "user": "x"}},
                f"phones.{name}: a phone that the harness makes for itself is called so",
            )
            for name in sorted(OWN_PHONES)
        ),
        *(
            (GL, {place: value}, f"{place}: {value.strip()!r}: ")
            for value in ("", " \t ", "a\r\nX-Evil: b", "a\x00b", "a\u2028b")
            for place in (
                "lines.inbound.selector",
                "assistants.main.transfer_topic",
                "leave_out.GL-INBOUND",
            )
        ),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, example: str, changes: Changes, said: str) -> None:
    found = mistakes(tmp_path, example, changes)
    assert found[0].startswith(said), found


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    wrong = {"lines.inbound-warm.assistant": "cool", "groups.billing.agents": ["nobody-we-know"]}
    assert len(mistakes(tmp_path, TD, wrong)) == 2


def test_a_mistake_of_form_hides_no_unknown_name_and_no_number_that_is_there_twice(
    tmp_path: Path,
) -> None:
    """Otherwise the second round shows what could be mended in the first."""
    wrong = {
        "expect.patience_s": "long",
        "limits.calls": 3,
        "lines.inbound.announcement": 3,
        "lines.inbound.assistant": "maine",
        "assistants.main.transfer_to": "billign",
        "groups.support.did": "+18155550101",
        "phones.caller.account": "carrier-1",
    }
    found = mistakes(tmp_path, TD, wrong)
    for begins in (
        "expect.patience_s: 'long': is no number",
        "limits.calls: unknown key",
        "lines.inbound.announcement: unknown key",
        "lines.inbound.assistant: no assistant is called 'maine' (perhaps main)",
        "assistants.main.transfer_to: no group is called 'billign' (perhaps billing)",
        "groups.support.did: +18155550101 is already groups.billing.did",
        "phones.caller.account: no account is called 'carrier-1'",
    ):
        assert [line for line in found if line.startswith(begins)], (begins, found)
    assert len(found) == len(wrong)


@pytest.mark.parametrize(
    ("changes", "of"),
    [
        # the guides, "Add the SIP Number": "Enter the phone number in E.164 format (same DID
        # provisioned in Gladly)"
        ({"assistants.Ava.did": "+16465550100"}, "lines.Customer hotline.did"),
        # a group's own number is one of the platform's, which outsiders can call: a spreadsheet of
        # all numbers has it
        (
            {
                f"{HOTLINE}.assistant": None,
                f"{HOTLINE}.group": "Inbox",
                f"{HOTLINE}.did": "+18085550101",
            },
            "groups.Inbox.did",
        ),
        # a group that is one telephone
        ({"groups.Inbox.did": "+14155550112"}, "phones.Test agent.number"),
    ],
)
def test_numbers_that_have_two_roles(tmp_path: Path, changes: Changes, of: str) -> None:
    assert loaded(tmp_path, LIVE_GL, changes)
    again = {"lines.again": {"did": list(changes.values())[-1], "assistant": "Ava"}}
    assert "is already " in mistakes(tmp_path, LIVE_GL, {**changes, **again})[0]


@pytest.mark.parametrize(
    "changes",
    [
        {
            "phones.second": {"account": "carrier", "user": "office", "number": "+14155550102"},
            "phones.caller.user": "office",
        },
        {"phones.support.account": "carrier", "phones.support.user": "agent-billing"},
        {"accounts.carrier.register": False},
    ],
)
def test_callers_may_share_an_address_and_need_not_register(
    tmp_path: Path, changes: Changes
) -> None:
    assert loaded(tmp_path, LIVE_TD, changes).callers


# -- hosts and users, as vendors' consoles and tickets write them


@pytest.mark.parametrize(
    "host",
    [
        "",
        "<sip.acme.example>",
        "sip..acme.example",
        ".acme.example",
        "203.0.113.300",
        "*.acme.example",
        "sip.acme.example\u200b",
        "müller.example",
        "sip.acme.example;transport=tls",
        "203.0.113.7-203.0.113.9",
        "203.0.113.*",
        "-sip.acme.example",
        "sip:acme.example",
        "acme.example:sip",
        "acme.example:70000",
        "::1:5060:x",
        "a" * 64 + ".example",
    ],
)
@pytest.mark.parametrize(
    "place",
    [
        "trunks.0.host",
        "trunks.0.termination",
        "platform.domain",
        "platform.addresses.0",
        "safety.hosts.0",
    ],
)
def test_what_is_no_host(tmp_path: Path, place: str, host: str) -> None:
    path, entry, _ = (
        place.partition(".0") if place.count(".") == 2 and place.endswith(".0") else (place, "", "")
    )
    (line,) = mistakes(tmp_path, LIVE_GL, {path: [host] if entry else host})
    assert line.startswith(f"{place}: {host!r}: no ")
    assert "; allowed: " in line


@pytest.mark.parametrize(
    ("place", "transport", "host", "port"),
    [
        ("SBC.example", "udp", "sbc.example", 5060),
        ("SBC.example.", "tls", "sbc.example", 5061),
        ("192.0.2.1:5062", "tls", "192.0.2.1", 5062),
        ("[2001:db8::1]", "tcp", "2001:db8::1", 5060),
        ("sbc_1.acme-corp.example:1", "udp", "sbc_1.acme-corp.example", 1),
    ],
)
def test_the_host_and_the_port_of_a_termination(
    tmp_path: Path, place: str, transport: str, host: str, port: int
) -> None:
    ai = 32682 if transport == "tls" else 32681
    changes = {"trunks.0.termination": place, "trunks.0.transport": transport, "trunks.0.port": ai}
    (trunk,) = loaded(tmp_path, LIVE_TD, changes).trunks
    assert (trunk.termination_host, trunk.termination_port) == (host, port)
    brackets = f"[{host}]" if ":" in host else host
    assert trunk.is_termination(f"{brackets}:{port}")
    assert not any(map(trunk.is_termination, (f"{brackets}:{port + 1}", f"x.{host}:{port}", "")))


@pytest.mark.parametrize("address", ["203.0.113.7/33", "not an address", "203.0.113.7:5060"])
def test_an_allowed_address_is_one(tmp_path: Path, address: str) -> None:
    (said,) = mistakes(tmp_path, LIVE_GL, {"trunks.0.allowed_addresses": ["192.0.2.10", address]})
    assert said.startswith(f"trunks.0.allowed_addresses.1: {address!r}: no ")


@pytest.mark.parametrize("user", ["maria", "1001", "m.lopez+test", "%40acme", "a-b_c~d"])
def test_users(tmp_path: Path, user: str) -> None:
    assert loaded(tmp_path, LIVE_GL, {f"{PHONE}.user": user}).phones["Test agent"].user == user
    for wrong in (
        f"{user}@acme.example",
        f"sip:{user}",
        f"{user} lopez",
        f"{user}ë",
        f"<{user}>",
        f"{user}%r",
    ):
        (line,) = mistakes(tmp_path, LIVE_GL, {f"{PHONE}.user": wrong})
        assert line.startswith(
            f"{PHONE}.user: {wrong!r}: no user of a SIP address; allowed: the part before the @"
        )


# -- secrets


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"campaign.headers": {"Authorization": "Bearer hunter2"}},
            "campaign.headers.Authorization: secrets do not stand in files; allowed: "
            "campaign.headers_env.Authorization",
        ),
        *(
            ({"campaign.headers": {name: "hunter2"}}, f"campaign.headers.{name}: secrets")
            for name in ("X-Api-Key", "X-Auth")
        ),
        *(
            ({"campaign.body": body}, "campaign.body: secrets")
            for body in (
                '{"api_key": "hunter2", "to": "{customer}"}',
                '{"client_secret":"hunter2"}',
                "to={customer}&access_token=hunter2",
            )
        ),
        ({"campaign.url": "https://acme:hunter2@acme.example/dial"}, "campaign.url: secrets"),
        *(
            ({"campaign.url": f"{URL}?{query}=hunter2"}, "campaign.url: secrets")
            for query in (
                "key",
                "x-api-key",
                "page=2&token",
                "api_key",
                "x=1&access_token",
                "Signature",
                "auth",
            )
        ),
        (
            {"synthflow.api_base": "https://api.example/v2?api_key=hunter2"},
            "synthflow.api_base: secrets",
        ),
        (
            {"trunks.0.password": "hunter2"},
            "trunks.0.password: secrets do not stand in files; allowed: password_env",
        ),
    ],
)
def test_secrets_do_not_stand_in_files(tmp_path: Path, changes: Changes, said: str) -> None:
    (line,) = mistakes(tmp_path, LIVE_TD, {**REQUEST, **changes})
    assert line.startswith(said)
    assert "hunter2" not in line


@pytest.mark.parametrize(
    "changes",
    [
        *(
            {"campaign.body": body}
            for body in (
                '{"template_key": "welcome", "tokens": [], "from": "{line}"}',
                '{"token": "{customer}"}',
            )
        ),
        *(
            {"campaign.url": f"{URL}?{query}"}
            for query in (
                "sort_key=start",
                "page_token=next&groupKey=queue",
                "monkey=1",
                "tokens=3",
                "keyword=x",
                "api_key=",
                "from={line}&to={customer}",
            )
        ),
    ],
)
def test_what_is_no_secret(tmp_path: Path, changes: Changes) -> None:
    assert loaded(tmp_path, LIVE_TD, {**REQUEST, **changes}).campaign


def test_a_missing_secret_is_named_by_its_variable(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        LIVE_TD,
        {**REQUEST, "campaign.headers_env": {"Authorization": "HARNESS_CAMPAIGN_KEY"}},
    )
    (said,) = mistakes_of(path)
    variable = "campaign.headers_env.Authorization: the environment variable HARNESS_CAMPAIGN_KEY is not set"
    assert said == f"{variable}; allowed: export HARNESS_CAMPAIGN_KEY=…"


@pytest.mark.parametrize(
    "secret", ["eyJhbGciOi.J9-x", "1741798049693x8392", "hunter2", "s p", "a" * 90, "$TOKEN"]
)
@pytest.mark.parametrize("place", ["synthflow.api_token_env", f"{PHONE}.password_env"])
def test_a_secret_in_the_place_of_its_variable_is_not_shown(
    tmp_path: Path, secret: str, place: str
) -> None:
    found = mistakes(tmp_path, LIVE_GL, {place: secret})
    assert [line for line in found if "environment variable" in line and place in line]
    assert not [line for line in found if secret in line]


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://api.example/v2",
            "http://10.0.0.7/",
            "http://localhost.example/",
            "ftp://127.0.0.1/",
        ),
        *(
            "http://127.1/",
            "http://2130706433/",
            "http://[::ffff:127.0.0.1]/",
            "HTTP://api.example/",
        ),
        *("https://{line}.api.example/", "https://api.example:x/", "https://api.example\\.other/"),
        *("https://user@api.example/", "https:api.example", "https://api.example%2f.other/"),
    ],
)
@pytest.mark.parametrize(
    "place",
    ["synthflow.api_base", "assistants.Ava.api_base", "campaign.url", "platform.report.url"],
)
def test_an_address_that_http_asks_is_https_with_a_plain_host(
    tmp_path: Path, place: str, url: str
) -> None:
    """In clear a token is everybody's, and parsers disagree about the host of some of these."""
    (said,) = mistakes(tmp_path, LIVE_GL, {place: url})
    assert said.startswith(f"{place}: {url!r}: no address that HTTP can ask; allowed: https://host")


@pytest.mark.parametrize(
    "url", ["http://127.0.66.7:8080/v2", "http://localhost/", "http://[::1]:80"]
)
def test_http_in_clear_is_for_loopback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("HARNESS_GRANT", "host=*")
    assert loaded(tmp_path, LIVE_GL, {"synthflow.api_base": url}).api_base == url
