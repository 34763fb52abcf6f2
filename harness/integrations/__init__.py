"""Integrations: one declaration each, found by the name a deployment gives.

Every package may bring one: by an entry point of the group ``call_verification.integrations``,
whose object is an :class:`~harness.integrations.base.Integration`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from harness.deployment import Deployment
from harness.deployment import file as deployment_file
from harness.deployment.grants import Grants
from harness.errors import DeploymentError, SelectionError
from harness.finding_kinds import FindingKind, RequiredFindings
from harness.integrations.base import Calls, Integration, Need, Row, Which
from harness.integrations.which import A_CALLER, TO_AI, times
from harness.support.model_words import nearest

__all__ = ["find", "load", "loadable", "names", "own_row", "own_rows", "title"]

GROUP = "call_verification.integrations"

_own_rows: dict[str, Row] = {}  #: that users have added to those of the integrations


@cache
def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def names() -> list[str]:
    """The integrations there are, sorted."""
    return sorted(_installed())


def find(name: str) -> Integration:
    """The integration of that name, custom rows included. Raises :class:`SelectionError`."""
    declared, own = _declared(name), own_rows()
    taken = {row.id for row in declared.rows}
    for row in own:
        if row.id in taken:
            raise SelectionError(
                f"own_row({row.id!r}): {name} has a row of this id; allowed: an id of its own"
            )
    return dataclasses.replace(declared, rows=(*declared.rows, *own)) if own else declared


def title(name: str) -> str:
    """The integration's title; its name where it is not installed, as evidence is also read where
    it was not made.
    """
    try:
        return _declared(name).title
    except SelectionError:
        return name


def loadable() -> Iterator[Integration]:
    """All but those that cannot be loaded: they are told of where a deployment names them, and
    spoil no other's run.
    """
    for name in names():
        try:
            _declared(name)
        except SelectionError:
            continue
        yield find(name)


@cache
def _declared(name: str) -> Integration:
    if name not in _installed():
        raise SelectionError(
            f"integration {name!r} does not exist{nearest(name, names())}; allowed: {', '.join(names())}"
        )
    try:
        found = _installed()[name].load()
    except (
        Exception
    ) as error:  # a stranger's package may do anything when it is imported, or be gone in part
        allowed = "a package that is installed whole, or none"
        raise SelectionError(
            f"integration {name!r} cannot be loaded: {type(error).__name__}: {error}; allowed: {allowed}"
        ) from error
    if not isinstance(found, Integration):
        raise SelectionError(
            f"integration {name!r}: {_installed()[name].value} is no Integration; allowed: one"
        )
    return found


def load(
    path: Path,
    environment: Mapping[str, str] | None = None,
    *,
    secrets: bool = True,
    commands: bool = False,
    grants: Grants | None = None,
) -> Deployment:
    """As :func:`harness.deployment.file.load`, and held to what the integration allows. Raises
    :class:`DeploymentError`.
    """
    deployment = deployment_file.load(
        path, environment, secrets=secrets, commands=commands, grants=grants
    )
    try:
        allowed = find(deployment.integration).transports
    except SelectionError as error:
        raise DeploymentError(f"{path}: {error}") from None
    mistakes = [
        f"trunks.{index}.transport: {deployment.integration} does not signal over {trunk.transport}; "
        f"allowed: {', '.join(allowed)}"
        for index, trunk in enumerate(deployment.trunks)
        if trunk.transport not in allowed
    ]
    if mistakes:
        raise deployment_file.mistaken(
            path, mistakes, {"trunks": [{"name": trunk.name} for trunk in deployment.trunks]}
        )
    return deployment


def own_row(
    row_id: str,
    title: str,
    *,
    required_findings: RequiredFindings,
    proves: str = "",
    which: tuple[Which, ...] = (TO_AI,),
    needs: tuple[Need, ...] = (A_CALLER,),
    seconds: float = 3.0,
    calls: int | Calls = 1,
) -> Row:
    """Add a row to every integration's, proved by the scenario marked ``@scenario(row_id)``, on the
    deployment's first trunk.

    For the ``conftest.py`` beside that scenario, which pytest reads before it plans.
    ``required_findings`` is what a case finds at least (:attr:`Row.required_findings`), ``which``
    what the number it calls has to have, ``calls`` how many times a case calls it, or which calls
    it places (:attr:`Row.calls`). Raises :class:`SelectionError` for another row's id, and for what
    is no kind of findings.
    """
    if not all(isinstance(kind, FindingKind) for kind in required_findings):
        raise SelectionError(
            f"own_row({row_id!r}): required_findings: allowed: kinds of harness.finding_kinds, as ANSWERED"
        )
    row = Row(
        id=row_id,
        scenario=row_id,
        title=title,
        proves=proves or title,
        source="own",
        which=which,
        needs=needs,
        seconds=seconds,
        calls=times(calls) if isinstance(calls, int) else calls,
        required_findings=required_findings,
    )
    known = _own_rows.setdefault(row_id, row)
    # a conftest.py that is read twice has made its functions anew
    if dataclasses.replace(known, calls=row.calls) != row:
        raise SelectionError(
            f"own_row({row_id!r}): another row has this id; allowed: an id of its own"
        )
    return known


def own_rows() -> tuple[Row, ...]:
    """Those added so far, in their order."""
    return tuple(_own_rows.values())
