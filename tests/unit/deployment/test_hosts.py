"""Hosts, sources of calls and users of SIP addresses, as vendors' consoles and tickets write them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.deployment import Deployment
from harness.errors import DeploymentError
from harness.integrations import load
from harness.support.resources import EXAMPLES

FILE = EXAMPLES / "live-gladly.toml"
#: What is no host, be it alone, with a port, or among addresses.
NONE_AT_ALL = (
    "<sip.acme.example>",
    "sip..acme.example",
    ".acme.example",
    "203.0.113.300",
    "203.0.113",
    "*.acme.example",
    "sip.acme.example\u200b",
    "\u202asip.acme.example",
    "müller.example",
    "sip.acme.example?x=1",
    "sip.acme.example;transport=tls",
    "203.0.113.7-203.0.113.9",
    "203.0.113.*",
    "203.0.113.7,203.0.113.8",
    "-sip.acme.example",
    "'sip.acme.example'",
    "a" * 64 + ".example",
)


def deployment(directory: Path, table: str, key: str, value: Any) -> Deployment:
    plain = tomllib.loads(FILE.read_text(encoding="utf-8"))
    found = plain["trunks"][0] if table == "trunks" else plain[table]
    if table == "phones":
        found = next(phone for phone in found.values() if "number" in phone)
    found[key] = value
    path = directory / "d.toml"
    path.write_text(tomli_w.dumps(plain), encoding="utf-8")
    return load(path, secrets=False)


@pytest.mark.parametrize("place", NONE_AT_ALL)
@pytest.mark.parametrize(
    ("table", "key", "form", "said"),
    [
        ("trunks", "host", "{}", "trunks.0.host"),
        ("trunks", "termination", "{}", "trunks.0.termination"),
        ("trunks", "termination", "{}:5061", "trunks.0.termination"),
        ("platform", "domain", "{}", "platform.domain"),
        ("platform", "addresses", ["{}"], "platform.addresses.0"),
    ],
)
def test_what_is_no_host(tmp_path: Path, place: str, table: str, key: str, form: Any, said: str) -> None:
    written = [form[0].format(place)] if isinstance(form, list) else form.format(place)
    shown = written[0] if isinstance(written, list) else written
    with pytest.raises(DeploymentError) as caught:
        deployment(tmp_path, table, key, written)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{tmp_path / 'd.toml'}: {said}: {shown!r}: no ")
    assert "; allowed: " in line


_LABELS = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,20}[A-Za-z0-9])?", fullmatch=True)
_NAMES = st.builds(
    lambda labels, last: ".".join([*labels, last]),
    st.lists(_LABELS, max_size=4),
    st.from_regex("[a-z]{2,9}", fullmatch=True),
)


@given(name=_NAMES, port=st.none() | st.integers(1, 65535), dot=st.sampled_from(["", "."]))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_names_are_taken_and_a_dot_behind_them_says_no_more(
    tmp_path: Path, name: str, port: int | None, dot: str
) -> None:
    behind = "" if port is None else f":{port}"
    (trunk,) = deployment(tmp_path, "trunks", "termination", f"{name}{dot}{behind}").trunks
    assert trunk.termination == f"{name}{behind}"
    assert trunk.is_termination(f"{name}{behind}")
    assert deployment(tmp_path, "platform", "domain", f"{name}{dot}").platform.domain == name
    assert deployment(tmp_path, "platform", "addresses", [f"{name}{dot}"]).platform.addresses == (name,)


@pytest.mark.parametrize(
    "user", ["maria@acme.example", "sip:maria@acme.example", "maria lopez", "zoë", "", "<maria>", "ma%ria"]
)
def test_what_is_no_user(tmp_path: Path, user: str) -> None:
    with pytest.raises(DeploymentError) as caught:
        deployment(tmp_path, "phones", "user", user)
    (line,) = str(caught.value).splitlines()
    assert f".user: {user!r}: no user of a SIP address; allowed: the part before the @" in line


@pytest.mark.parametrize("user", ["maria", "1001", "m.lopez+test", "%40acme", "a-b_c~d"])
def test_what_is_one(tmp_path: Path, user: str) -> None:
    found = deployment(tmp_path, "phones", "user", user)
    assert user in {phone.user for phone in found.phones.values()}


def test_a_number_without_quotes_is_told_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match=r'442079460101: is no text; allowed: text, in quotes \("…"\)'):
        deployment(tmp_path, "phones", "number", 442079460101)
