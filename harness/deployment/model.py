"""The whole file, checked: :class:`Deployment`."""

from __future__ import annotations

from typing import Any, Self

from pydantic import model_validator

from harness.deployment.consistency import require_consistent
from harness.deployment.tables import Tables


class Deployment(Tables):
    """One customer's set-up, checked."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        require_consistent(self)
        return self


def from_plain(plain: dict[str, Any]) -> Deployment:
    """A filled-in deployment from the data the world printed (or :func:`to_plain` made)."""
    return Deployment.model_validate(plain)


def to_plain(deployment: Deployment) -> dict[str, Any]:
    """JSON-ready data with its secrets, for the pipe to another process of this run; never for a file."""
    return deployment.model_dump(mode="json", by_alias=True, exclude_none=True)
