"""Commands that place calls: the permission to call, and the deployment to call."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from harness.deployment import Deployment
from harness.integrations import load
from harness.run.plugin.options import LIVE_VARIABLE, live_is_allowed, live_refusal
from harness.run.plugin.turns import in_turn
from harness.run.plugin.worlds import one_world

Live = Annotated[
    bool, typer.Option("--live", help=f"Call real platforms, which may cost money (or {LIVE_VARIABLE}=1).")
]


def may_call(file: Path, live: bool) -> Deployment:
    """The deployment of a file. Raises :class:`RefusedError` for a real platform without ``--live``."""
    deployment = load(file)
    if deployment.kind != "simulated" and not live_is_allowed(live):
        raise live_refusal(str(file), deployment.kind)
    return deployment


@contextlib.contextmanager
def complete(deployment: Deployment, file: Path, scratch: Path) -> Iterator[Deployment]:
    """The deployment to call: itself, whose phones are held meanwhile, or a tenant of a world that is up as long as this lasts."""
    if deployment.kind != "simulated":
        with in_turn([deployment]):
            yield deployment
        return
    with one_world(file, deployment, scratch) as world:
        yield world.tenants[0]
