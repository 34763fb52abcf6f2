"""Integrations × rows × axes → cases with stable ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from harness import integrations
from harness.deployment import Deployment, Trunk
from harness.errors import SelectionError
from harness.integrations.base import Row

#: Parts of a deployment that only the running world knows; a simulated file has them all once it is filled in.
_FILLED_IN_LATER = {"stand_in.bind", "stand_in.stranger_bind", "stand_in.bad_certificates", "platform.host"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row in one cell of its axes, for one deployment."""

    row: Row
    deployment: str
    integration: str
    trunk: str
    axes: dict[str, str] = field(hash=False)
    title: str
    link: str

    @property
    def id(self) -> str:
        """Stable across runs: row, deployment and the cell."""
        return f"{self.row.id}[{self.deployment}:{'-'.join(self.axes.values())}]"

    @property
    def line(self) -> str | None:
        """The deployment's line it dials: its row's, or the one its own axis chooses."""
        match self.row.id:
            case "TD-TRANSFER-BLIND" if self.axes["refer"] == "passed-on":
                return "inbound-passed-on"
            case "TD-TRANSFER-WARM" if self.axes["caller_id"] != "original":
                return f"inbound-warm-{self.axes['caller_id']}"
            case "GL-HEADER-SELECTOR":
                selector = self.axes["selector"]
                return "inbound" if selector == "none" else f"inbound-{selector}"
            case _:
                return self.row.line

    def plain(self) -> dict[str, Any]:
        """JSON-ready data for evidence and reports."""
        return {
            "id": self.id,
            "row": self.row.id,
            "integration": self.integration,
            "deployment": self.deployment,
            "axes": dict(self.axes),
            "title": self.title,
            "description": self.row.proves,
            "source": self.row.source,
            "link": self.link,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the user asked for; an empty tuple means everything."""

    rows: tuple[str, ...] = ()
    transports: tuple[str, ...] = ()
    authentication: tuple[str, ...] = ()
    codecs: tuple[str, ...] = ()
    ais: tuple[str, ...] = ()

    def admits(self, case: Case) -> bool:
        """Whether the case lies within the selection; an axis the case lacks is judged by its trunk's value."""
        wanted = (
            (self.rows, case.row.id),
            (self.transports, case.axes["transport"]),
            (self.authentication, case.axes["authentication"]),
            (self.codecs, case.axes.get("codec", "")),
            (self.ais, case.axes["ai"]),
        )
        return all(not allowed or value in allowed or value == "" for allowed, value in wanted)


def cases(deployments: Iterable[Deployment], selection: Selection = Selection()) -> list[Case]:
    """All selected cases. Raises :class:`SelectionError` for a row or value that none of the deployments has."""
    deployments = list(deployments)
    for deployment in deployments:
        rows = [row.id for row in integrations.find(deployment.integration).rows]
        _all_known("leave_out", tuple(deployment.leave_out), rows, [deployment], prefix="")
        named = tuple(row for row in deployment.expect.unseen if row != "*")
        _all_known("expect.unseen", named, rows, [deployment], prefix="")
    known: dict[str, set[str]] = {
        "row": {row.id for d in deployments for row in integrations.find(d.integration).rows},
        "transport": {trunk.transport for d in deployments for trunk in d.trunks},
        "auth": {trunk.authentication for d in deployments for trunk in d.trunks},
        "codec": {codec for d in deployments for codec in d.axes.codecs},
        "ai": {trunk.ai for d in deployments for trunk in d.trunks},
    }
    asked = {
        "row": selection.rows,
        "transport": selection.transports,
        "auth": selection.authentication,
        "codec": selection.codecs,
        "ai": selection.ais,
    }
    for what, values in asked.items():
        _all_known(what, values, known[what], deployments)
    found = [case for d in deployments for case in _of_deployment(d, selection.rows) if selection.admits(case)]
    if not found:
        raise SelectionError(
            "no case is left by --row, --transport, --auth, --codec and --ai together; allowed: fewer of them"
        )
    return found


def _all_known(
    what: str, values: Sequence[str], known: Iterable[str], deployments: Sequence[Deployment], prefix: str = "--"
) -> None:
    for value in values:
        if value in known:
            continue
        elsewhere = [
            name
            for name in integrations.names()
            if what == "row" and any(row.id == value for row in integrations.find(name).rows)
        ]
        names = ", ".join(d.name for d in deployments)
        hint = f" (it is a row of {elsewhere[0]})" if elsewhere else ""
        raise SelectionError(f"{prefix}{what} {value}: not in {names}{hint}; allowed: {', '.join(sorted(known))}")


def _of_deployment(deployment: Deployment, asked_rows: Sequence[str]) -> Iterator[Case]:
    integration = integrations.find(deployment.integration)
    for row in integration.rows:
        if row.opt_in and row.id not in asked_rows:
            continue
        if row.id in deployment.leave_out:
            continue
        if row.line is not None and row.line not in deployment.lines:
            continue
        if not all(_has(deployment, need) for need in row.needs):
            continue
        for trunk, axes in _cells(row, deployment):
            case = Case(
                row=row,
                deployment=deployment.name,
                integration=deployment.integration,
                trunk=trunk.name,
                axes=axes,
                title=row.title,
                link=integration.link(row),
            )
            if case.line is None or case.line in deployment.lines:
                yield case


def _has(deployment: Deployment, dotted: str) -> bool:
    if deployment.kind == "simulated" and dotted in _FILLED_IN_LATER:
        return True
    found: Any = deployment
    for part in dotted.split("."):
        found = found.get(part) if isinstance(found, dict) else getattr(found, part, None)
    return bool(found)


def _cells(row: Row, deployment: Deployment) -> Iterator[tuple[Trunk, dict[str, str]]]:
    """The cells that mean something: Synthflow over every axis, a stand-in once for each transport."""
    for ai in ("synthflow", "stand-in"):
        if row.seats not in ("both", ai):
            continue
        trunks = [
            trunk
            for trunk in deployment.trunks
            if trunk.ai == ai and trunk.transport in row.transports and _authenticates(row, trunk)
        ]
        if row.over == "default":
            trunks = trunks[:1]
        codecs = deployment.axes.codecs if ai == "synthflow" and row.over == "trunks" else deployment.axes.codecs[:1]
        for index, (trunk, codec) in enumerate(product(trunks, codecs if row.codecs else codecs[:1])):
            for variant in _variants(row, deployment, everything=index == 0 and ai == "synthflow"):
                axes = {"ai": ai, "transport": trunk.transport, "authentication": trunk.authentication}
                if row.codecs:
                    axes["codec"] = codec
                yield trunk, axes | variant


def _authenticates(row: Row, trunk: Trunk) -> bool:
    # a phone cannot challenge, so a stand-in's trunk takes calls by address; it may still have credentials to register with
    return trunk.authentication in row.authentication or (trunk.ai == "stand-in" and trunk.username is not None)


def _variants(row: Row, deployment: Deployment, *, everything: bool) -> Iterator[dict[str, str]]:
    """The values of the row's own axes: full axes always multiply, the others only in the first cell."""
    allowed = {"refer": deployment.axes.refer, "ask": deployment.escalation.ways}
    axes = [(name, [v for v in values if v in allowed.get(name, values)]) for name, values in row.variants]
    full = [[(name, value) for value in values] for name, values in axes if name in row.full]
    for chosen in product(*full):
        fixed = {name: values[0] for name, values in axes} | dict(chosen)
        yield fixed
    if everything:
        for name, values in axes:
            if name not in row.full:
                for value in values[1:]:
                    yield {n: v[0] for n, v in axes} | {name: value}
