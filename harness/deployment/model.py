"""The whole file, checked: :class:`Deployment`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Self, overload

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

    From then on this process redacts the deployment's secrets in text from the network, and masks
    its numbers.
    """
    _keep_secrets(plain)
    return Deployment.model_validate(plain)


def _keep_secrets(*of: dict[str, Any]) -> None:
    shown: list[str] = []
    secrets = [value for plain in of for value in _leaves(plain, shown) if value]
    text = "\0".join(shown)
    for secret in secrets:
        if secret not in text:  # a password that is the user name is in every message
            keep_secret(secret)
    remember(filter(_E164.fullmatch, shown))


def _leaves(plain: Any, shown: list[str], key: str = "") -> Iterator[str]:
    """Each secret; every other text, keys included, is appended to ``shown``."""
    if isinstance(plain, dict):
        for name, value in plain.items():
            shown.append(str(name))
            if name == "headers_secret":
                yield from value.values()
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
    """JSON-ready data with its secrets, for the pipe to another process of this run; never for a
    file.
    """
    return deployment.model_dump(mode="json", by_alias=True, exclude_none=True)


class Replicas(Sequence[Deployment]):
    """A deployment as often as a world has tenants, each with its own addresses and secrets.

    Each is checked when it is first asked for, since a worker uses few of them; of all of them the
    secrets are redacted and the numbers masked from the beginning.
    """

    def __init__(self, plain: Sequence[dict[str, Any]]) -> None:
        """``plain``: JSON-ready data with secrets, as :func:`replicas_to_plain` makes it."""
        self.plain = plain
        self._checked: dict[int, Deployment] = {}
        _keep_secrets(*plain)

    def __len__(self) -> int:
        return len(self.plain)

    @overload
    def __getitem__(self, index: int) -> Deployment: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Deployment]: ...
    def __getitem__(self, index: int | slice) -> Deployment | Sequence[Deployment]:
        """Raises ``ValueError`` for one that contradicts itself."""
        if isinstance(index, slice):
            return [self[one] for one in range(len(self))[index]]
        number = range(len(self))[index]
        if number not in self._checked:
            self._checked[number] = Deployment.model_validate(
                {**self.plain[0], **self.plain[number]}
            )
        return self._checked[number]

    def at(self, site: str) -> Replicas:
        """The same at that site."""
        first, *others = self.plain
        return Replicas([{**first, "site": site}, *others])


def replicas_to_plain(replicas: Sequence[Deployment]) -> Sequence[dict[str, Any]]:
    """JSON-ready data with their secrets, as :func:`to_plain` makes it: the first whole, the
    others' fields that differ.
    """
    if isinstance(replicas, Replicas):
        return replicas.plain
    if not replicas:
        return []
    first = to_plain(replicas[0])
    said = [first]
    for replica in replicas[1:]:
        plain = to_plain(replica)
        said.append(
            {name: plain.get(name) for name in first | plain if plain.get(name) != first.get(name)}
        )
    return said
