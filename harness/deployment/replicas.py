"""Deployments that have most in common, as a world's tenants have: said once, kept once. Some customers have thousands of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.deployment.model import Deployment, from_plain, to_plain


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
