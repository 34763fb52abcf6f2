"""``harness simulate``: the simulated world alone, for people to call with any SIP phone."""

from __future__ import annotations

import contextlib
import shlex
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from harness.deployment import Ai, Deployment
from harness.deployment.limits import released
from harness.errors import SelectionError, unwritable
from harness.integrations import load
from harness.run.cli.lists import fault_names
from harness.run.cli.live_file import exports, live_file
from harness.run.plugin.run import TimingsName
from harness.run.plugin.worlds import alive_lock, one_world
from harness.support.files import whole_file
from harness.support.files.names import stem_of
from harness.support.files.own_directories import Scratch
from harness.support.terminal import SafeConsole

_WIDTH = 132


def simulate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A deployment file of kind simulated.")],
    tenants: Annotated[int, typer.Option(min=1, help="How many independent copies of it.")] = 1,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[@LINE]", help="Inject this fault (repeatable).", autocompletion=fault_names),
    ] = None,
    timings: Annotated[TimingsName, typer.Option(help="Scaled down (quick), or as in the guides.")] = "documented",
    as_live: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the world there as live and stand-in deployment files."),
    ] = None,
) -> None:
    """Run the simulated world until Ctrl-C, and say how to call it."""
    deployment = load(file)
    if deployment.kind != "simulated":
        raise SelectionError(f"{file}: kind: is {deployment.kind!r}; allowed: simulated")
    if as_live is not None:
        tenants = max(tenants, 2)  # both files may be verified at once
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = SafeConsole(highlight=False)
    console.width = max(_WIDTH, console.width)  # a narrow terminal wraps the lines; nothing may be cut off here
    with Scratch() as scratch:
        control = scratch.path
        until_ctrl_c = contextlib.suppress(KeyboardInterrupt)
        started = one_world(file, deployment, control, tenants=tenants, timings=timings, faults=fault or [])
        with until_ctrl_c, started as world, until_ctrl_c:  # the inner one, so that faults of its end are raised
            for number, tenant in enumerate(world.tenants, 1):
                _describe(console, tenant, f"{deployment.name}, tenant {number} of {tenants}")
            if as_live is not None:
                _write(console, as_live, world.tenants, timings)
            console.print("Ctrl-C ends it.")
            console.file.flush()
            released(alive_lock(control, deployment.name))  # returns only when the world has died


def _write(console: Console, directory: Path, tenants: Sequence[Deployment], timings: TimingsName) -> None:
    """One tenant is the live one, another is for the stand-in; their secrets are shown here and written nowhere."""
    played: dict[Literal["live", "stand-in"], Ai] = {"live": "synthflow", "stand-in": "stand-in"}
    there = {trunk.ai for trunk in tenants[0].trunks}
    kinds = [kind for kind, ai in played.items() if ai in there]
    shown = ["export HARNESS_LIVE=1"]
    paths = []
    for world, kind in zip(tenants, kinds, strict=False):
        name, text, secrets = live_file(world, kind, world.timings_by(timings))
        path = directory / f"{stem_of(name)}.toml"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            whole_file.write(path, text)
        except OSError as error:
            raise unwritable(path, error) from error
        paths.append(path)
        shown.append(exports(secrets))
    console.rule("as if live: in another terminal")
    console.print("\n".join(shown), soft_wrap=True, markup=False)
    console.print(f"harness verify {shlex.join(map(str, paths))}", soft_wrap=True, markup=False)


def _describe(console: Console, world: Deployment, title: str) -> None:
    console.rule(title)
    phones = Table("phone", "account", "server", "transport", "user name", "password", box=None, pad_edge=False)
    for name, phone in world.phones.items():
        account = world.accounts[phone.account]
        phones.add_row(
            name,
            f"sip:{phone.aor_user}@{account.domain}",
            f"{account.host}:{account.port}",
            account.transport,
            phone.username or phone.aor_user,
            phone.password.get_secret_value() if phone.password else "none is asked for",
        )
    trunks = Table("trunk", "AI at", "transport", "authentication", "who is the AI", box=None, pad_edge=False)
    for trunk in world.trunks:
        trunks.add_row(trunk.name, f"{trunk.host}:{trunk.port}", trunk.transport, trunk.authentication, trunk.ai)
    lines = Table("line", "leads to", "digits", "falls back to", "numbers", box=None, pad_edge=False)
    for name, line in world.lines.items():
        target = f"{line.assistant} {world.assistants[line.assistant].did}" if line.assistant else f"group {line.group}"
        numbers = "\n".join(f"{number} ({trunk})" for trunk, number in world.numbers_of_line(name).items())
        lines.add_row(name, target, line.press or "", line.fallback or "", numbers)
    groups = Table("group", "number", "agents", box=None, pad_edge=False)
    for name, group in world.groups.items():
        groups.add_row(name, group.address or "", ", ".join(group.agents) or "none")
    for table in (phones, trunks, lines, groups):
        console.print(table)
        console.print()
    if world.platform.host:
        console.print(f"platform {world.platform.host}:{world.platform.port} ({world.platform.domain})")
    if world.synthflow and world.synthflow.api_base:
        token = world.synthflow.api_token.get_secret_value() if world.synthflow.api_token else "none"
        console.print(
            f"Synthflow's API {world.synthflow.api_base}, token {token}, CA {world.synthflow.ca_file or 'public'}"
        )
    caller, (_, _, number) = next(iter(world.phones.values())), next(world.all_dids())
    account = world.accounts[caller.account]
    console.print(
        f"To call it: give any SIP phone the account sip:{caller.aor_user}@{account.domain} with the outbound proxy "
        f"sip:{account.host}:{account.port};transport={account.transport} and dial {number}."
    )
