"""The fleet's file: its sites, what they verify, and the trunks that several deployments share."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness import toml_model
from harness.errors import RefusedError
from harness.model_words import form

#: Where Redis is, for controller, workers and their runs; it may hold a password, so it stands in no file.
REDIS_VARIABLE = "HARNESS_FLEET_REDIS"

SiteName = Annotated[
    str, form(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", "letters, digits and _ . - behind the first, 40 at most")
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Site(_Model):
    """A place that calls are placed from, with a Celery worker of its own queue."""

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

    results: str  #: a directory that all sites share, or an address such as ``s3://bucket/prefix`` (fsspec)
    sites: tuple[Site, ...] = Field(min_length=1)
    verify: tuple[Verify, ...] = Field(min_length=1)
    trunks: tuple[SharedTrunk, ...] = ()
    shard_s: float = Field(120.0, gt=0)  #: a shard's time at one site, as measured
    lease_s: float = Field(15.0, ge=1)  #: without a sign of life for so long a worker counts as lost
    patience_s: float = Field(300.0, ge=1)  #: how long cases wait for a site that may run them

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        names = [site.name for site in self.sites]
        if len(set(names)) != len(names):
            raise ValueError("sites: two have one name; allowed: a name of its own for each")
        for one in self.verify:
            for name in one.sites:
                if name not in names:
                    raise ValueError(f"verify {one.file}: no site is called {name!r}; allowed: {', '.join(names)}")
        return self

    def site(self, name: str) -> Site:
        """The site of that name. Raises ``KeyError``."""
        return {site.name: site for site in self.sites}[name]


def read(path: Path) -> Fleet:
    """The fleet of a file. Raises :class:`MistakeError` with a line for each mistake."""
    return toml_model.load(path, Fleet)


def redis_address() -> str:
    """Where Redis is. Raises :class:`RefusedError` where nobody says so: without it no call is placed."""
    if not (found := os.environ.get(REDIS_VARIABLE)):
        raise RefusedError(f"{REDIS_VARIABLE} is not set, so no call is placed; allowed: redis://HOST:PORT/DB")
    return found
