"""Every mistake in a deployment file is one line: file, key, what is wrong, what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from harness.deployment import OWN_PHONES, Deployment, Trunk, from_plain, to_plain
from harness.errors import DeploymentError
from harness.integrations import load
from harness.support.resources import EXAMPLES
from tests.unit.deployment.edits import SECRETS, TRUNKS, Edit, mistakes, swapped


@pytest.mark.parametrize("url", ["acme.example/dial", "ftp://acme.example/dial", "https://acme.example:99999/dial", ""])
def test_a_campaigns_url_is_one_that_http_can_ask(tmp_path: Path, url: str) -> None:
    campaign = f'\n[campaign]\ntrigger = "http"\nurl = "{url}"\n'
    [said] = mistakes(tmp_path, "live-talkdesk", lambda text: text + campaign)
    assert said.startswith(f"campaign.url: {url!r}: ")
    assert said.endswith("; allowed: https://host/path, or http://…")


def test_a_campaign_needs_its_url_and_its_secrets(tmp_path: Path) -> None:
    campaign = '\n[campaign]\ntrigger = "http"\nheaders_env = { Authorization = "CAMPAIGN_KEY" }\n'
    assert mistakes(tmp_path, "live-talkdesk", lambda text: text + campaign) == [
        "campaign.url: is missing; allowed: a value (only a simulated deployment leaves it out)",
        "campaign.headers_env.Authorization: the environment variable CAMPAIGN_KEY is not set; allowed: export CAMPAIGN_KEY=…",
    ]


def test_a_number_that_leads_to_two_places_is_told_what_is_wrong(tmp_path: Path) -> None:
    """Both were there, and the message said that one was needed."""
    name, entry = '[lines.both]\ndid = "+12135550171"\nassistant = "main"\n', 'group = "billing"\n'
    (said,) = mistakes(tmp_path, "simulated-talkdesk", lambda text: f"{text}\n{name}{entry}")
    assert said.startswith("lines.both: assistant and group are both there; allowed: one of them")
    (said,) = mistakes(
        tmp_path, "simulated-talkdesk", lambda text: f'{text}\n{name}dids = {{ udp-ip = "+12135550172" }}\n'
    )
    assert said.startswith("lines.both: did and dids are both there; allowed: one of them")


def test_a_phone_that_does_not_register_is_nobody_s_to_call(tmp_path: Path) -> None:
    """The platform would be blamed that no call lands there."""
    campaign = '\n[campaign]\ntrigger = "http"\nurl = "https://acme.example/dial"\n'
    said = mistakes(
        tmp_path,
        "live-talkdesk",
        lambda text: text + campaign,
        swapped("[accounts.carrier]", "[accounts.carrier]\nregister = false"),
        swapped("[accounts.agents]", "[accounts.agents]\nregister = false"),
    )
    away = "has register = false; allowed: a phone of an account that registers"
    assert said[-1] == f"campaign.customer: caller cannot be called: accounts.carrier {away}"
    assert said[0] == f"groups.billing.agents: billing cannot be called: accounts.agents {away}"
    assert {line.partition(".agents: ")[0] for line in said[:-1]} == {
        f"groups.{name}" for name in ("billing", "support", "reception")
    }


def test_who_only_calls_need_not_register(tmp_path: Path) -> None:
    file = tmp_path / "file.toml"
    text = (EXAMPLES / "live-talkdesk.toml").read_text()
    file.write_text(swapped("[accounts.carrier]", "[accounts.carrier]\nregister = false")(text))
    assert load(file, dict.fromkeys(SECRETS, "secret")).callers


def test_whose_results_these_are(tmp_path: Path) -> None:
    file, secrets = tmp_path / "file.toml", dict.fromkeys(SECRETS, "secret")
    text = (EXAMPLES / "live-gladly.toml").read_text()
    file.write_text(text)
    assert load(file, secrets).site == "local"
    assert load(file, {**secrets, "HARNESS_SITE": "berlin"}).site == "berlin"
    file.write_text('site = "Seattle 2"\n' + text)
    assert load(file, secrets).site == "Seattle 2"
    assert load(file, {**secrets, "HARNESS_SITE": "berlin"}).site == "berlin", "one file, many sites"
    (said,) = mistakes(tmp_path, "live-gladly", environment={**secrets, "HARNESS_SITE": "a/b"})
    assert said.startswith("site (HARNESS_SITE): 'a/b'")


@pytest.mark.parametrize(
    "name",
    ["simulated-talkdesk", "simulated-gladly", "simulated-generic", "live-talkdesk", "live-gladly", "live-large"],
)
def test_the_files_that_come_with_the_project_are_right(name: str) -> None:
    deployment = load(EXAMPLES / f"{name}.toml", dict.fromkeys([*SECRETS, *TRUNKS], "secret"))
    assert deployment.name == name
    assert from_plain(to_plain(deployment)) == deployment


@pytest.mark.parametrize(
    ("name", "edit", "said"),
    [
        (
            "simulated-talkdesk",
            swapped('domain = "acme.talkdesk.example"\n', 'domain = "acme.talkdesk.example"\nregister = true\n'),
            "platform.register: unknown key; allowed: addresses, domain, host, port, report",
        ),
        (
            "live-talkdesk",
            swapped('did = "+13125550100"', 'did = "312-555-0100"'),
            "lines.inbound.did: '312-555-0100' is not E.164; allowed: + and country code, e.g. +12065550100; read in US it is "
            "+13125550100",
        ),
        (
            "simulated-talkdesk",
            swapped('transport = "udp"\nport = 32681', 'transport = "udp"\nport = 32682'),
            "trunks.0 (udp-ip): port 32682 does not fit transport udp; allowed: 32681",
        ),
        (
            "simulated-gladly",
            swapped('transport = "tls"\nport = 32682', 'transport = "tcp"\nport = 32681'),
            "trunks.0.transport (tls-ip): gladly does not signal over tcp; allowed: tls",
        ),
        (
            "simulated-talkdesk",
            swapped('did = "+18155550102"', 'did = "+18155550101"'),
            "groups.support.did: +18155550101 is already groups.billing.did; allowed: a number of its own for each role",
        ),
        (
            "simulated-talkdesk",
            swapped('assistant = "warm"', 'assistant = "cool"'),
            "lines.inbound-warm.assistant: no assistant is called 'cool'; allowed: main, warm, warm-agent, warm-fixed, "
            "warm-header, spanish, sales, orders, to-nobody, early-media, never-answers, unavailable, busy, declines",
        ),
        (
            "simulated-talkdesk",
            swapped('username = "synthflow-udp"\n', ""),
            'trunks.1 (udp-digest): username is missing; allowed: the one of authentication = "digest", with password_env',
        ),
        (
            "simulated-talkdesk",
            swapped('username = "synthflow-udp"\n', 'username = "synthflow-udp"\npassword = "hunter2"\n'),
            "trunks.1.password (udp-digest): secrets do not stand in files; allowed: password_env, the name of an environment variable",
        ),
        (
            "simulated-talkdesk",
            swapped('name = "udp-digest"', 'name = "udp-ip"'),
            "trunks: two trunks have one name; allowed: a name of its own for each",
        ),
        (
            "live-talkdesk",
            swapped('host = "sip.us.synthflow.example"', ""),
            "trunks.0.host: is missing; allowed: a value (only a simulated deployment leaves it out)",
        ),
        (
            "live-gladly",
            swapped('name = "live-gladly"', 'name = "live-gladly"\nca_file = "/nowhere/ca.pem"'),
            "ca_file: no such file '/nowhere/ca.pem'; allowed: a PEM file with a certificate, from where this one is",
        ),
        (
            "live-gladly",
            swapped('prompt = "agent-please-en"', 'prompt = "agent-please"'),
            "escalation.prompt: no prompt is called 'agent-please'; allowed: agent-please-de, agent-please-en, agent-please-es, "
            "agent-please-fr, announcement-not-in-service-en, connecting-you-en, goodbye-en, hello-en, how-can-i-help-en, "
            "voicemail-greeting-en, or a WAV file (….wav)",
        ),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, name: str, edit: Edit, said: str) -> None:
    found = mistakes(tmp_path, name, edit)
    assert said in found


def test_a_wrong_choice_says_what_there_is_to_choose(tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, "simulated-talkdesk", swapped('kind = "simulated"', 'kind = "imaginary"'))
    assert found == "kind: 'imaginary': is none of them; allowed: simulated, stand-in, live"


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        "simulated-talkdesk",
        swapped('assistant = "warm"', 'assistant = "cool"'),
        swapped('agents = ["billing"]', 'agents = ["nobody-we-know"]'),
    )
    assert len(found) == 2


def test_a_missing_secret_is_named_by_its_variable(tmp_path: Path) -> None:
    environment = dict.fromkeys(SECRETS, "secret") | {"SYNTHFLOW_API_TOKEN": ""}
    found = mistakes(tmp_path, "live-gladly", environment=environment)
    assert found == [
        "synthflow.api_token_env: the environment variable SYNTHFLOW_API_TOKEN is not set; allowed: export SYNTHFLOW_API_TOKEN=…"
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"name = ", "not TOML: Invalid value (at end of document)"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "file.toml"
    path.write_bytes(content)
    with pytest.raises(DeploymentError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: {said}")
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match=r"^no such file: .*nosuch\.toml; allowed: .*simulated-gladly"):
        load(tmp_path / "nosuch.toml")


def test_who_calls_nobody_needs_no_secrets() -> None:
    assert load(EXAMPLES / "live-large.toml", {}, secrets=False).trunks[0].password_env == "TRUNK_US_EAST_PASSWORD"


def test_secrets_do_not_show_in_what_is_printed() -> None:
    deployment = load(EXAMPLES / "live-talkdesk.toml", dict.fromkeys(SECRETS, "hunter2"))
    assert "hunter2" not in repr(deployment)
    assert "hunter2" not in str(deployment.model_dump())
    assert _count(to_plain(deployment), "hunter2") == 6  # a trunk, the API, four phones: only for the pipe to a worker


def _count(value: Any, wanted: str) -> int:
    if isinstance(value, dict):
        return sum(_count(item, wanted) for item in value.values())
    if isinstance(value, list):
        return sum(_count(item, wanted) for item in value)
    return int(value == wanted)


def test_a_line_has_a_number_on_each_trunk_or_one_on_one() -> None:
    deployment: Deployment = load(EXAMPLES / "simulated-talkdesk.toml")
    assert deployment.did("inbound", "udp-ip") == "+13125550100"
    assert deployment.did("inbound", "tls-ip-stand-in") == "+13125550108"
    with pytest.raises(KeyError):
        deployment.did("people", "tls-ip")
    numbers = [number for _, _, number in deployment.all_dids()]
    assert len(numbers) == len(set(numbers)) == sum(len(line.dids) or 1 for line in deployment.lines.values())


@pytest.mark.parametrize(
    "place",
    ["sip:acme.talkdesk.example:5060", "acme.talkdesk.example:sip", "acme.example:70000", "::1", "a b", "acme;lr"],
)
def test_a_termination_is_a_host_and_a_port(tmp_path: Path, place: str) -> None:
    edit = swapped('"acme.talkdesk.example:5061"', f'"{place}"')
    assert mistakes(tmp_path, "live-talkdesk", edit) == [
        f"trunks.0.termination: {place!r}: no host; allowed: sbc.example, sbc.example:5061, [2001:db8::1]:5061"
    ]
    edit = swapped("[limits]", f'[safety]\nhosts = ["{place}"]\n\n[limits]')
    assert [line.partition(": ")[0] for line in mistakes(tmp_path, "live-talkdesk", edit)] == ["safety.hosts.0"]


@pytest.mark.parametrize(
    ("place", "transport", "host", "port"),
    [
        ("SBC.example", "udp", "sbc.example", 5060),
        ("SBC.example", "tls", "sbc.example", 5061),
        ("192.0.2.1:5062", "tls", "192.0.2.1", 5062),
        ("[2001:db8::1]", "tcp", "2001:db8::1", 5060),
    ],
)
def test_the_host_and_the_port_of_a_termination(
    place: str, transport: Literal["udp", "tcp", "tls"], host: str, port: int
) -> None:
    port_of_the_ai = 32682 if transport == "tls" else 32681
    trunk = Trunk(name="t", transport=transport, port=port_of_the_ai, termination=place)
    assert (trunk.termination_host, trunk.termination_port) == (host, port)
    brackets = f"[{host}]" if ":" in host else host
    assert trunk.is_termination(place)
    assert trunk.is_termination(f"{brackets}:{port}")
    assert not trunk.is_termination(f"{brackets}:{port + 1}")
    assert not trunk.is_termination(f"x.{host}:{port}")
    assert not trunk.is_termination("")


@pytest.mark.parametrize(
    "limit", ["calls_per_second", "seconds_per_call", "seconds_per_run", "cost_per_minute", "cost_per_run"]
)
@pytest.mark.parametrize("value", ["inf", "nan", "-inf"])
def test_a_limit_is_a_number_that_something_can_reach(tmp_path: Path, limit: str, value: str) -> None:
    """TOML has inf; a call that lasts so long would be hung up by nobody."""

    def edit(text: str) -> str:
        head, table, rest = text.partition("[limits]\n")
        kept = [line for line in rest.splitlines() if not line.startswith(f"{limit} ")]
        return "\n".join([f"{head}{table}{limit} = {value}", *kept])

    [said] = mistakes(tmp_path, "live-talkdesk", edit)
    assert said.startswith(f"limits.{limit}: {value}")


@pytest.mark.parametrize("secret", ["eyJhbGciOi.J9-x", "1741798049693x8392", "hunter2", "s p", "a" * 90, "$TOKEN"])
@pytest.mark.parametrize(
    "place", ['api_token_env = "SYNTHFLOW_API_TOKEN"', 'password_env = "TEST_LINE_PASSWORD"\n\n[phones."Test agent"]']
)
def test_a_secret_in_the_place_of_its_variable_is_not_shown(tmp_path: Path, secret: str, place: str) -> None:
    key, _, rest = place.partition(" = ")
    found = mistakes(
        tmp_path, "live-gladly", swapped(place, f'{key} = "{secret}"' + rest.partition('"')[2].partition('"')[2])
    )
    assert [line for line in found if "environment variable" in line and key in line]
    assert not [line for line in found if secret in line]


LATER = [
    ('region = "US"', 'region = "XX"', "region: 'XX': no country; allowed: two letters, e.g. US, DE or GB"),
    ('name = "live-gladly"', 'name = ""', "name: '': is empty; allowed: text"),
    ('codecs = ["pcmu"]', "codecs = []", "axes: codecs: none is named; allowed: pcmu, pcma or both"),
    ("port = 5061", "port = 70000", "platform.port: 70000: is too large; allowed: a whole number from 1 to 65535"),
    ('"acme.sip.gladly.example:5061"', '"acme.example:sip"', "trunks.0.termination: 'acme.example:sip': no host;"),
    ('"acme.sip.gladly.example:5061"', '"sip:acme.example:5061"', "trunks.0.termination: 'sip:acme.example:5061': no host;"),
    ('"sip.us.synthflow.example"', '"sip.us.synthflow.example:32682"', "trunks.0.host: 'sip.us.synthflow.example:32682': no host;"),
    ('"sip.us.synthflow.example"', '""', "trunks.0.host: '': no host; allowed: a name or an address"),
    ('domain = "carrier.example"', 'domain = "sip:carrier.example"', "accounts.carrier.domain: 'sip:carrier.example': no host;"),
    ('agents = ["Test agent"]', 'agents = ["Test agent", "Test agent"]', "groups.Inbox: agents: one is named twice; allowed: once"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "said"), LATER)
def test_what_would_break_later_is_a_mistake_of_the_file(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    (line,) = [one for one in mistakes(tmp_path, "live-gladly", swapped(right, wrong)) if "environment" not in one]
    assert line.startswith(said)


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::7", "[2001:db8::7]", "sbc-1.acme.example", "localhost"])
def test_hosts_as_they_are_written(tmp_path: Path, host: str) -> None:
    place = f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host
    text = (EXAMPLES / "live-gladly.toml").read_text(encoding="utf-8")
    text = text.replace('"sip.us.synthflow.example"', f'"{host}"').replace(
        '"acme.sip.gladly.example:5061"', f'"{place}:5061"'
    )
    file = tmp_path / "x.toml"
    file.write_text(text, encoding="utf-8")
    (trunk,) = load(file, secrets=False).trunks
    assert (trunk.host, trunk.termination_port) == (host, 5061)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (swapped("port = 5060", "port = true"), "platform.port: true: is no number; allowed: a number"),
        (
            swapped("max_concurrent_calls = 3", "max_concurrent_calls = true"),
            "trunks.0.max_concurrent_calls: true: is no number; allowed: a number",
        ),
        (
            swapped('codecs = ["pcmu", "pcma"]', 'codecs = "pcmu, pcma"'),
            "axes.codecs: is no list; allowed: a list of values in [ ]",
        ),
        (
            swapped('kind = "live" ', 'kind = "stand-in" '),
            'kind: no trunk has a harness phone in the AI\'s place; allowed: ai = "stand-in" at a trunk, or kind = "live"',
        ),
        (
            swapped("[lines.", '[lines.""]\ndid = "+13125550199"\nassistant = "main"\n[lines.'),
            "lines: one has no name; allowed: a name for each",
        ),
        (
            swapped('api_token_env = "SYNTHFLOW_API_TOKEN"', 'ca_file = "nowhere.pem"'),
            "synthflow.ca_file: no such file 'nowhere.pem'; allowed: a PEM file with a certificate, from where this one is",
        ),
        (
            lambda text: text + '\n[stand_in.bad_certificates.expired]\ncertificate = "a.pem"\nprivate_key = "/"\n',
            "stand_in.bad_certificates.expired.certificate: no such file 'a.pem'; allowed: a PEM file with a certificate, from where "
            "this one is",
        ),
    ],
)
def test_what_was_taken_for_something_else(tmp_path: Path, edit: Edit, said: str) -> None:
    assert mistakes(tmp_path, "live-talkdesk", edit)[0] == said


@pytest.mark.parametrize("name", sorted(OWN_PHONES))
def test_a_phone_is_called_as_none_that_the_harness_makes_for_itself(tmp_path: Path, name: str) -> None:
    """Two of one name would be one in the evidence."""
    what = "a phone that the harness makes for itself is called so; allowed: another name"
    assert mistakes(tmp_path, "live-gladly", lambda text: text.replace("Test agent", name)) == [
        f"phones.{name}: {what}"
    ]


def test_one_trunk_that_is_no_list(tmp_path: Path) -> None:
    [said] = mistakes(tmp_path, "live-gladly", swapped("[[trunks]]", "[trunks]"))
    assert said == "trunks: is no list; allowed: a list of tables, each headed [[trunks]]"


@pytest.mark.parametrize("address", ["203.0.113.7/33", "not an address", "203.0.113.7:5060"])
def test_an_allowed_address_is_one(tmp_path: Path, address: str) -> None:
    [said] = mistakes(tmp_path, "live-gladly", swapped('"192.0.2.11"', f'"{address}"'))
    assert said.startswith(f"trunks.0.allowed_addresses.1: {address!r}: no ")


@pytest.mark.parametrize("cell", ["1.3125E+10", "1,31255E+10", "1.3125550E10"])
def test_a_number_that_a_spreadsheet_has_spoilt(tmp_path: Path, cell: str) -> None:
    [said] = mistakes(tmp_path, "live-gladly", swapped("+16465550100", cell))
    assert said == (
        f"lines.Customer hotline.did: {cell!r}: a spreadsheet made a number of it, and lost digits; "
        "allowed: the column as text, each with its plus"
    )


@pytest.mark.parametrize("written", ['["US", "GB"]', "1", '{ main = "US" }', '"us"'])
def test_a_region_that_is_none_beside_a_number_that_is_none(tmp_path: Path, written: str) -> None:
    """A number in another form is read in the region, whatever that is: of a list there was a traceback."""
    wrong = (swapped('region = "US"', f"region = {written}"), swapped("+16465550100", "(646) 555-0100"))
    region, did = mistakes(tmp_path, "live-gladly", *wrong)
    assert region.startswith("region: ")
    assert did == (
        "lines.Customer hotline.did: '(646) 555-0100' is not E.164; allowed: + and country code, e.g. +12065550100"
    )
