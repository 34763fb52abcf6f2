"""A tenant's deployment with what a customer's file has and a simulated one leaves out: addresses, passwords, ports."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from harness.deployment import Deployment, from_plain, to_plain
from harness.world.addresses import Block
from harness.world.hosts import Host


def with_addresses(deployment: Deployment, block: Block) -> Deployment:
    """The deployment with addresses and passwords, which are known before anything listens."""
    plain = to_plain(deployment)
    plain.pop("simulated", None)  # not for those outside
    for trunk in plain["trunks"]:
        trunk["host"] = block[Host.SYNTHFLOW if trunk["ai"] == "synthflow" else Host.STAND_IN]
        trunk["allowed_addresses"] = [block[Host.SYNTHFLOW], block[Host.STAND_IN]]
        if trunk.get("username"):
            trunk["password"] = _password()
    for phone in plain["phones"].values():
        phone["username"] = phone.get("user") or phone["number"]
        phone["password"] = _password()
    for index, account in enumerate(plain["accounts"].values()):
        account["bind"] = block[Host.FIRST_PHONE + index]
    return from_plain(plain)


def filled_in(
    deployment: Deployment, accounts: Mapping[str, Mapping[str, Any]] | None = None, **values: Any
) -> Deployment:
    """The deployment with these values, by dotted path with ``__`` for the dot; ``accounts`` have names of the user's own."""
    plain = to_plain(deployment)
    for name, account in (accounts or {}).items():
        plain["accounts"][name] |= account
    for path, value in values.items():
        *parents, last = path.split("__")
        place = plain
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return from_plain(plain)


def _password() -> str:
    return secrets.token_urlsafe(12)
