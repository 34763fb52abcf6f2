"""The whole file, checked: :class:`Deployment`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import Any, Self

from pydantic import model_validator

from harness.deployment.consistency import require_consistent
from harness.deployment.tables import Tables
from harness.support.mask import remember
from harness.support.network_text import keep_secret

_E164 = re.compile(r"\+\d{7,15}")


class Deployment(Tables):
    """One customer's set-up, checked."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        require_consistent(self)
        return self


def from_plain(plain: dict[str, Any]) -> Deployment:
    """A filled-in deployment from the data the world printed (or :func:`to_plain` made).

    From then on this process redacts the deployment's secrets in text from the network, and masks its numbers.
    """
    shown: list[str] = []
    secrets = [value for value in _leaves(plain, shown) if value]
    for secret in secrets:
        if not any(secret in text for text in shown):  # as a password that is the user name: it is in every message
            keep_secret(secret)
    remember(filter(_E164.fullmatch, shown))
    return Deployment.model_validate(plain)


def _leaves(plain: Any, shown: list[str], key: str = "") -> Iterator[str]:
    """Each secret; every other text, keys included, is appended to ``shown``."""
    if isinstance(plain, dict):
        for name, value in plain.items():
            shown.append(str(name))
            if name == "headers_env":
                yield from (os.environ.get(str(variable), "") for variable in value.values())
            else:
                yield from _leaves(value, shown, str(name))
    elif isinstance(plain, (list, tuple)):
        for value in plain:
            yield from _leaves(value, shown, key)
    elif isinstance(plain, str):
        if key in ("password", "api_token"):
            yield plain
        else:
            shown.append(plain)


def to_plain(deployment: Deployment) -> dict[str, Any]:
    """JSON-ready data with its secrets, for the pipe to another process of this run; never for a file."""
    return deployment.model_dump(mode="json", by_alias=True, exclude_none=True)


def replicas_to_plain(replicas: Sequence[Deployment]) -> list[dict[str, Any]]:
    """JSON-ready data with their secrets, as :func:`to_plain` makes it: the first whole, the others' fields that differ."""
    if not replicas:
        return []
    first = to_plain(replicas[0])
    said = [first]
    for replica in replicas[1:]:
        plain = to_plain(replica)
        said.append({name: plain.get(name) for name in first | plain if plain.get(name) != first.get(name)})
    return said


def replicas_from_plain(said: Sequence[dict[str, Any]]) -> list[Deployment]:
    """The inverse of :func:`replicas_to_plain`; what they have in common is one object."""
    replicas: list[Deployment] = []
    for differs in said:
        replica = from_plain({**said[0], **differs})
        if replicas:
            common = Deployment.model_fields.keys() - differs.keys()
            replica = replica.model_copy(update={name: getattr(replicas[0], name) for name in common})
        replicas.append(replica)
    return replicas
