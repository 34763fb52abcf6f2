"""The whole file, checked: :class:`Deployment`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
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
