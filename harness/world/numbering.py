"""Numbers as people and devices write them, in E.164, and one that nobody has."""

from __future__ import annotations

from functools import lru_cache

from harness.deployment import Deployment
from harness.sip.identity import normalise
from harness.sip.uri import Uri


@lru_cache(maxsize=4096)
def e164(text: str, region: str) -> str | None:
    """A number as somebody in ``region`` writes it, in E.164; None when it is none."""
    return normalise(text, region)


def number_of(uri: Uri, region: str) -> str | None:
    """The number a ``sip:`` or ``tel:`` URI names, in E.164; None when its user part is no number (RFC 3261 19.1.6)."""
    return None if uri.user is None else e164(uri.user.partition(";")[0], region)


def unassigned_number(deployment: Deployment) -> str:
    """A number that nobody has: the one that the deployment names, or one that is kept for stories."""
    return deployment.numbers.no_such_number or "+12015550199"
