"""The fleet's file, and the shards of a run: cases of one deployment, sized by how long they took
last, the longest first.
"""

from __future__ import annotations

import json
import math
import secrets
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from harness.deployment import Deployment
from harness.deployment.grants import Grants
from harness.deployment.hours import planned_at, planning_for
from harness.errors import DeploymentError, MistakeError, writing
from harness.integrations import load, matrix
from harness.integrations.matrix import Case, Selection
from harness.report import scope
from harness.support import toml_model
from harness.support.files import json_file, whole_file
from harness.support.model_words import form, nearest

SiteName = Annotated[
    str,
    form(
        r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", "letters, digits and _ . - behind the first, 40 at most"
    ),
]

#: Each process would resolve a relative path differently: in a shard's directory, which is deleted,
#: or the controller's.
Results = Annotated[
    str,
    form(
        r"((file|local)://)?/.*|(?!file:|local:)[^/]+://.+",
        "a whole path, or an address such as s3://bucket/prefix",
    ),
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Site(_Model):
    """A place that calls are placed from, with a Celery worker that serves its queue."""

    name: SiteName
    workers: int = Field(4, ge=1)  #: of its pytest-xdist


class SharedTrunk(_Model):
    """A trunk that calls of several deployments go over: its caps hold for all of them together."""

    name: SiteName
    concurrent_calls: int = Field(ge=1)
    calls_per_second: float = Field(gt=0)
    deployments: tuple[str, ...] = ("*",)  #: names, ``*`` for any part

    def carries(self, deployment: str) -> bool:
        """Whether calls of that deployment count."""
        return any(fnmatchcase(deployment, pattern) for pattern in self.deployments)


class Verify(_Model):
    """A deployment file, and who verifies it."""

    file: str  #: its path within each site's directory of deployment files, and the controller's
    sites: tuple[SiteName, ...] = ()  #: none: any site
    each: bool = False  #: every site verifies all of it; else its cases are shared out
    rows: tuple[str, ...] = ()


class Fleet(_Model):
    """A fleet."""

    results: Results  #: a directory that all sites share under this path, or an address (fsspec)
    sites: tuple[Site, ...] = Field(min_length=1)
    verify: tuple[Verify, ...] = Field(min_length=1)
    trunks: tuple[SharedTrunk, ...] = ()
    shard_s: float = Field(120.0, gt=0)  #: a shard's time at one site, as measured
    #: Without a sign of life for so long a worker counts as lost.
    lease_s: float = Field(15.0, ge=1)
    patience_s: float = Field(300.0, ge=1)  #: how long cases wait for a site that may run them

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        names = [site.name for site in self.sites]
        if len(set(names)) != len(names):
            raise ValueError("sites: two have one name; allowed: a name of its own for each")
        for one in self.verify:
            for name in one.sites:
                if name not in names:
                    unknown = f"no site is called {name!r}"
                    raise ValueError(f"verify {one.file}: {unknown}; allowed: {', '.join(names)}")
        return self

    def site(self, name: str) -> Site:
        """The site of that name. Raises ``KeyError``."""
        return {site.name: site for site in self.sites}[name]


def read_fleet(path: Path) -> Fleet:
    """The fleet of a file. Raises :class:`MistakeError` with a line for each mistake."""
    return toml_model.load(path, Fleet)


FILE = "plan.json"
DURATIONS = "durations.json"
#: Assumed seconds of a case in addition to its row's, if it was never measured.
_OVERHEAD_S = 1.0


@dataclass(frozen=True)
class Shard:
    """Cases of one deployment that one site runs in one go."""

    number: int
    file: str
    deployment: str
    hash: str  #: of what its file says
    kind: str
    cases: tuple[str, ...]
    rows: tuple[str, ...]
    sites: tuple[str, ...]  #: that may run it, the one meant for it first
    seconds: float  #: of its cases together, as measured


@dataclass(frozen=True)
class FleetPlan:
    """A run of a fleet, as it is begun; a resumed one reads it again."""

    run: str
    nonce: str
    began: float  #: seconds since the epoch
    as_of: str  #: the moment that hours are judged by, at every site and in the report (ISO 8601, with its offset)
    fleet: Fleet
    shards: tuple[Shard, ...] = field(default=())
    live: bool = False
    scenarios: str = ""

    def write(self, directory: Path) -> None:
        """Write ``plan.json``."""
        with writing(directory):
            directory.mkdir(parents=True, exist_ok=True)
            whole_file.write(directory / FILE, json_file.text(_PLAN.dump_python(self)) + "\n")


_PLAN = TypeAdapter(FleetPlan)


def read(directory: Path) -> FleetPlan:
    """The plan of a run. Raises :class:`MistakeError`."""
    try:
        return json_file.read_as(directory / FILE, _PLAN)
    except (OSError, ValueError) as error:
        raise MistakeError(
            f"{directory}: not a fleet run's directory ({error}); allowed: reports/fleet/RUN"
        ) from None


def plan(
    fleet: Fleet,
    files: Path,
    durations: Mapping[str, float],
    grants: Grants | None = None,
    *,
    live: bool,
    scenarios: str = "",
) -> FleetPlan:
    """Every case of every deployment in exactly one shard, or in one for each site. Raises what
    reading the files raises.
    """
    moment = planned_at()
    with planning_for(moment):
        shards = _all_shards(fleet, files, durations, grants)
    began = time.time()
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(began))
    return FleetPlan(
        run=f"{stamp}-{secrets.token_hex(3)}",
        nonce=secrets.token_hex(8),
        began=began,
        as_of=moment.isoformat(),
        fleet=fleet,
        shards=shards,
        live=live,
        scenarios=scenarios,
    )


def _all_shards(
    fleet: Fleet, files: Path, durations: Mapping[str, float], grants: Grants | None
) -> tuple[Shard, ...]:
    """The shards of all deployments, the longest first, numbered from 1."""
    names: dict[str, str] = {}
    shards: list[Shard] = []
    for verify in fleet.verify:
        deployment = load(files / verify.file, secrets=False, grants=grants)
        if names.setdefault(deployment.name, verify.file) != verify.file:
            raise DeploymentError(
                f"{verify.file}: name: {deployment.name!r} is another file's too; allowed: one of its own"
            )
        cases = matrix.cases([deployment], Selection(rows=verify.rows))
        able = verify.sites or tuple(site.name for site in fleet.sites)
        places = [(name,) for name in able] if verify.each else [able]
        for sites in places:
            shards += _shards(fleet, verify, deployment, cases, sites, durations)
    if mistakes := list(_unlimited(fleet, names)):
        raise MistakeError("\n".join(mistakes))
    shards.sort(key=lambda shard: -shard.seconds)
    return tuple(replace(shard, number=number) for number, shard in enumerate(shards, 1))


def _unlimited(fleet: Fleet, names: Collection[str]) -> Iterator[str]:
    """A cap that matches no deployment is a misspelt name: the trunk would carry more than it may."""
    for number, trunk in enumerate(fleet.trunks):
        if not any(map(trunk.carries, names)):
            said = ", ".join(f"{name!r}{nearest(name, names)}" for name in trunk.deployments)
            where = f"trunks.{number}.deployments ({trunk.name})"
            allowed = f"allowed: {', '.join(names)}, with * for any part"
            yield f"{where}: {said or '[]'} is none of those that are verified; {allowed}"


def _shards(
    fleet: Fleet,
    verify: Verify,
    deployment: Deployment,
    cases: Sequence[Case],
    sites: tuple[str, ...],
    durations: Mapping[str, float],
) -> Iterator[Shard]:
    """Longest processing time first: the longest case goes to the shard with the least work so far."""
    seconds = {case.id: durations.get(case.id, case.row.seconds + _OVERHEAD_S) for case in cases}

    def work(chosen: Iterable[Case]) -> float:
        return sum(seconds[case.id] for case in chosen)

    at_once = min(fleet.site(site).workers for site in sites)
    wanted = math.ceil(sum(seconds.values()) / at_once / fleet.shard_s)
    # each site has a world of its own; a real deployment is one site's at a time
    if deployment.kind == "simulated":
        wanted = max(wanted, len(sites))
    count = min(len(cases), wanted)
    bins: list[list[Case]] = [[] for _ in range(count)]
    for case in sorted(cases, key=lambda case: -seconds[case.id]):
        min(bins, key=work).append(case)
    digest = scope.digest(scope.content_of(deployment))
    for chosen in bins:
        yield Shard(
            number=0,
            file=verify.file,
            deployment=deployment.name,
            hash=digest,
            kind=deployment.kind,
            cases=tuple(case.id for case in chosen),
            rows=tuple(sorted({case.row.id for case in chosen})),
            sites=sites,
            seconds=round(work(chosen), 3),
        )


def read_durations(file: Path) -> dict[str, float]:
    """Seconds of each case in its last run; empty without measurements."""
    try:
        return {str(case): float(seconds) for case, seconds in json_file.read(file).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def write_durations(file: Path, measured: Iterable[tuple[str, float]]) -> None:
    """Remember how long cases took."""
    known = read_durations(file) | {case: round(seconds, 3) for case, seconds in measured}
    file.parent.mkdir(parents=True, exist_ok=True)
    whole_file.write(file, json.dumps(known, indent=1) + "\n")
