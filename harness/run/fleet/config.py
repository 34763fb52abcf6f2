"""The fleet's file: its sites, what they verify, and the trunks that several deployments share."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.errors import RefusedError
from harness.support import toml_model
from harness.support.model_words import form
from harness.support.network_text import keep_secret

#: Where Redis is, for controller, workers and their runs; it may hold a password, so it stands in no file.
REDIS_VARIABLE = "HARNESS_FLEET_REDIS"

SiteName = Annotated[
    str, form(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", "letters, digits and _ . - behind the first, 40 at most")
]

#: A part of a path would be another directory to each process: a shard's, which is deleted with it, and the controller's.
Results = Annotated[
    str,
    form(r"((file|local)://)?/.*|(?!file:|local:)[^/]+://.+", "a whole path, or an address such as s3://bucket/prefix"),
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

    results: Results  #: a directory that all sites share under this path, or an address (fsspec)
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
    """The address of Redis. Raises :class:`RefusedError` if it is missing or invalid: without Redis no call is placed."""
    found = os.environ.get(REDIS_VARIABLE)
    keep_secret(found)
    if found and _is_redis(found):
        return found
    what = "holds no address (it is not shown, as it may hold a password)" if found else "is not set"
    raise RefusedError(
        f"{REDIS_VARIABLE}: {what}, so no call is placed; allowed: redis://HOST:PORT/DB, or redis://USER:PASSWORD@HOST:PORT/DB "
        "(USER may be empty; rediss:// for TLS), with what is not a letter or digit in a password percent-encoded"
    )


def _is_redis(address: str) -> bool:
    """Whether Redis clients accept the address: an unencoded / ? or # ends the password or the host (RFC 3986 section 3.2)."""
    from redis.connection import parse_url  # from the extra ``fleet``, which every caller of this function needs

    try:
        parse_url(address)  # type: ignore[no-untyped-call]
        parts = urlsplit(address)
        of_a_network = parts.scheme in ("redis", "rediss") and bool(parts.hostname)
    except ValueError:
        return False
    return of_a_network and not parts.fragment and re.fullmatch(r"/?\d*", parts.path) is not None
