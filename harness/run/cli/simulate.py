"""``harness simulate``: the simulated world alone, for any SIP phone; also written as deployment
files of a real one.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import tomllib
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
import typer
from rich.console import Console
from rich.table import Table

from harness.deployment import Ai, Deployment, Timings, to_plain
from harness.deployment.grants import GRANT_VARIABLE, PREFIX, Grants
from harness.deployment.limits import released
from harness.errors import SelectionError, writing
from harness.integrations import load
from harness.run.cli.app import Grant, end_as_by_ctrl_c
from harness.run.cli.completion import Fault, deployment_files
from harness.run.plugin.run import TimingsName
from harness.run.plugin.worlds import alive_lock, one_world
from harness.support.files import stem_of, whole_file
from harness.support.files.own_directories import Scratch
from harness.support.terminal import SafeConsole, plain_table, program


def simulate(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A deployment file of kind simulated.",
            autocompletion=deployment_files,
        ),
    ],
    tenants: Annotated[int, typer.Option(min=1, help="How many independent copies of it.")] = 1,
    fault: Fault = None,
    timings: Annotated[
        TimingsName, typer.Option(help="Scaled down (quick), or as in the guides.")
    ] = "quick",
    as_live: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write the world there as live and stand-in deployment files."
        ),
    ] = None,
    grant: Grant = None,
) -> None:
    """Run the simulated world until Ctrl-C, and say how to call it."""
    deployment = load(file, grants=Grants.given(grant))
    if deployment.kind != "simulated":
        raise SelectionError(f"{file}: kind: is {deployment.kind!r}; allowed: simulated")
    if as_live is not None:
        tenants = max(tenants, 2)  # both files may be verified at once
    end_as_by_ctrl_c()
    console = SafeConsole(least_width=132)
    with Scratch() as scratch:
        control = scratch.path
        started = one_world(
            file,
            deployment,
            control,
            tenants=tenants,
            timings=timings,
            faults=fault or [],
            speech=as_live is not None,
        )
        until_ctrl_c = contextlib.suppress(KeyboardInterrupt)
        # the inner one lets errors of the world's end be raised
        with until_ctrl_c, started as world, until_ctrl_c:
            for number, tenant in enumerate(world.tenants, 1):
                _describe(console, tenant, f"{deployment.name}, tenant {number} of {tenants}")
            if as_live is not None:
                _write(console, as_live, world.tenants, timings)
            console.say("Ctrl-C ends it.")
            released(alive_lock(control, deployment.name))  # returns only when the world has died


def _write(
    console: SafeConsole, directory: Path, tenants: Sequence[Deployment], timings: TimingsName
) -> None:
    """Write one tenant as the live deployment and another for the stand-in; their secrets are
    printed, not written.
    """
    played: dict[Literal["live", "stand-in"], Ai] = {"live": "synthflow", "stand-in": "stand-in"}
    there = {trunk.ai for trunk in tenants[0].trunks}
    kinds = [kind for kind, ai in played.items() if ai in there]
    shown = ["export HARNESS_LIVE=1"]
    paths = []
    wanted: dict[str, None] = {}
    for world, kind in zip(tenants, kinds, strict=False):
        name, text, secrets = live_file(world, kind, world.timings_by(timings))
        path = directory / f"{stem_of(name)}.toml"
        with writing(path):
            directory.mkdir(parents=True, exist_ok=True)
            whole_file.write(path, text)
        paths.append(path)
        wanted |= {one.grant: None for one in Grants().needed(tomllib.loads(text), directory)}
        shown.append(exports(secrets))
    shown.insert(1, exports({GRANT_VARIABLE: shlex.join(wanted)}))
    console.rule("as if live: in another terminal")
    console.say("\n".join(shown))
    console.say(f"{program()} verify {shlex.join(map(str, paths))}")


def _describe(console: Console, world: Deployment, title: str) -> None:
    """Print who can call what in a tenant, and with which credentials."""
    console.rule(title)
    for table in (_phones(world), _trunks(world), _lines(world), _groups(world)):
        console.print(table)
        console.print()
    platform, synthflow = world.platform, world.synthflow
    if platform.host:
        console.print(f"platform {platform.host}:{platform.port} ({platform.domain})")
    if synthflow and synthflow.api_base:
        token = synthflow.api_token.get_secret_value() if synthflow.api_token else "none"
        trusted = synthflow.ca_file or "public"
        console.print(f"Synthflow's API {synthflow.api_base}, token {token}, CA {trusted}")
    caller = next(iter(world.phones.values()))
    account = world.accounts[caller.account]
    _, _, number = next(world.all_dids())
    console.print(
        f"To call it: give any SIP phone the account sip:{caller.aor_user}@{account.domain} with the outbound proxy "
        f"sip:{account.host}:{account.port};transport={account.transport} and dial {number}."
    )


def _phones(world: Deployment) -> Table:
    table = plain_table("phone", "account", "server", "transport", "user name", "password")
    for name, phone in world.phones.items():
        account = world.accounts[phone.account]
        table.add_row(
            name,
            f"sip:{phone.aor_user}@{account.domain}",
            f"{account.host}:{account.port}",
            account.transport,
            phone.username or phone.aor_user,
            phone.password.get_secret_value() if phone.password else "none is asked for",
        )
    return table


def _trunks(world: Deployment) -> Table:
    table = plain_table("trunk", "AI at", "transport", "authentication", "who is the AI")
    for trunk in world.trunks:
        table.add_row(
            trunk.name,
            f"{trunk.host}:{trunk.port}",
            trunk.transport,
            trunk.authentication,
            trunk.ai,
        )
    return table


def _lines(world: Deployment) -> Table:
    table = plain_table("line", "leads to", "digits", "falls back to", "numbers")
    for name, line in world.lines.items():
        target = f"group {line.group}"
        if line.assistant:
            target = f"{line.assistant} {world.assistants[line.assistant].address}"
        by_trunk = world.numbers_of_line(name)
        numbers = [f"{number} ({trunk})" for trunk, number in by_trunk.items()]
        table.add_row(
            name,
            target,
            line.press or "",
            line.fallback or "",
            "\n".join(numbers),
        )
    return table


def _groups(world: Deployment) -> Table:
    table = plain_table("group", "number", "agents")
    for name, group in world.groups.items():
        table.add_row(name, group.address or "", ", ".join(group.agents) or "none")
    return table


# -- a world as a live or stand-in deployment: what the harness would know of a real one, and no more

_HEADING = """\
# {title}
# Written for a world that runs on this machine; it is true for as long as that does. Secrets stand in the environment.

"""
_TITLES = {
    "live": "As if live: the AI is Synthflow's own, and tells of a call by its record alone.",
    "stand-in": "As if before the AI is bought: a phone of the harness takes its place on the trunk's address.",
}


def live_file(
    world: Deployment, kind: Literal["live", "stand-in"], timings: Timings
) -> tuple[str, str, dict[str, str]]:
    """Name, TOML text and the secrets (environment variable → value) of one tenant of a world, as a
    deployment of ``kind``.

    ``timings`` are those the world runs with.
    """
    plain = to_plain(world)
    plain["kind"] = kind
    own_name = world.name.removeprefix("simulated").strip("-")
    plain["name"] = f"{kind}-{own_name}" if own_name else kind
    plain["timings"] = {name: getattr(timings, name) for name in Timings.model_fields}
    wanted = "synthflow" if kind == "live" else "stand-in"
    plain["trunks"] = [trunk for trunk in plain["trunks"] if trunk["ai"] == wanted]
    kept = {trunk["name"] for trunk in plain["trunks"]}
    for name, line in list(plain["lines"].items()):
        line["dids"] = {trunk: did for trunk, did in line.get("dids", {}).items() if trunk in kept}
        has_did = line.get("did") is not None and line.get("trunk") in {None, *kept}
        if not line["dids"] and not has_did:
            del plain["lines"][name]
    for name, assistant in plain["assistants"].items():
        plain["assistants"][name] = _without_empty(assistant)
    if kind == "live":
        plain["stand_in"] = {}
        for assistant in plain["assistants"].values():
            assistant.pop("voice", None)
        if "synthflow" in plain:  # otherwise its API is not used
            plain["synthflow"] |= {
                "witness": ["record"],
                "transcript": "after",
                "transcript_within_s": 10.0,
                "poll_s": 0.2,
                "prepare": True,
            }
        plain["expect"]["strength"] = "proved" if world.records_calls else "confirmed"
    else:
        plain.pop("synthflow", None)
    secrets = _without_secrets(plain)
    text = _HEADING.format(title=_TITLES[kind]) + tomli_w.dumps(_without_empty(plain))
    return plain["name"], text, secrets


def _without_secrets(plain: dict[str, Any]) -> dict[str, str]:
    """Replace each secret by the name of an environment variable; returns the variables' values."""
    secrets: dict[str, str] = {}

    def move(table: dict[str, Any], key: str, *words: str) -> None:
        value = table.pop(key, None)
        if value is not None:
            variable = _variable("_".join((plain["name"], *words)), secrets)
            table[f"{key}_env"] = variable
            secrets[variable] = value

    for trunk in plain["trunks"]:
        move(trunk, "password", "trunk", trunk["name"], "password")
    for name, phone in plain["phones"].items():
        move(phone, "password", "phone", name, "password")
    if "synthflow" in plain:
        move(plain["synthflow"], "api_token", "api", "token")
    return secrets


def _variable(words: str, taken: Container[str]) -> str:
    """An unused variable name that a POSIX shell accepts (ASCII letters, digits and underscores)."""
    plain = PREFIX + re.sub(r"[^A-Za-z0-9]+", "_", words).upper()
    name, number = plain, 1
    while name in taken:
        number += 1
        name = f"{plain}_{number}"
    return name


def _without_empty(plain: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in plain.items() if value not in ({}, None)}


def exports(secrets: dict[str, str]) -> str:
    """Lines for a shell, or an ``.env`` file."""
    return "\n".join(
        f"export {variable}={shlex.quote(value)}" for variable, value in secrets.items()
    )
