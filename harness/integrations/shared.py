"""Rows that every platform in front of an AI has: under ids of its own, or, those of good practice,
the same for all.
"""

from __future__ import annotations

from typing import Any

from harness.integrations.base import Row
from harness.integrations.rows import row, rows, table

_SHARED = table("shared")["shared"]
_PRACTICE = rows("practice")

#: What acceptance plans for SIP trunks check besides the guides; and what they check of a TLS
#: trunk's certificates.
PRACTICE, TRANSPORT_PRACTICE = _PRACTICE["practice"], _PRACTICE["transport"]


def _row(name: str, prefix: str, people: str = "", **keys: Any) -> Row:
    """The shared row of that name under the platform's prefix; ``keys`` are further keys of its
    table.
    """
    plain = {"scenario": name, **_SHARED[name], **keys}
    return row(
        f"{prefix}-{name}",
        plain | {key: plain[key].replace("{people}", people) for key in ("title", "proves")},
    )


def inbound(
    prefix: str,
    *,
    proves: str,
    title: str = "An outside call reaches the AI",
    source: str,
    section: str = "",
    menus: bool = False,
) -> Row:
    """An outside call reaches the AI; ``menus``: also by numbers with a menu, where no row of its
    own proves those.
    """
    which = ["TO_AI"] if menus else ["TO_AI", "PLAIN"]
    return _row(
        "INBOUND", prefix, source=source, section=section, title=title, proves=proves, which=which
    )


def blind_transfer(prefix: str, people: str, *, source: str, section: str = "") -> Row:
    """The AI hands the caller over by REFER; ``people`` is what the platform calls a group."""
    return _row("TRANSFER-BLIND", prefix, people, source=source, section=section)


def warm_transfer(prefix: str, people: str, *, source: str, section: str = "") -> Row:
    """The AI calls the group and joins the caller to it."""
    return _row("TRANSFER-WARM", prefix, people, source=source, section=section)


def untaken_transfers(prefix: str, people: str) -> tuple[Row, ...]:
    """The caller hangs up between the transfer and the agent's answer; or no agent answers, or it
    is out of the group's hours, and another group takes over.
    """
    names = ("TRANSFER-ABANDON", "TRANSFER-OVERFLOW", "TRANSFER-CLOSED")
    return tuple(_row(name, prefix, people) for name in names)


def fallbacks(prefix: str, people: str, *, source: str, section: str = "") -> tuple[Row, ...]:
    """The AI does not answer, refuses, or cannot be reached: the caller is with the fallback group."""
    names = ("FALLBACK-TIMEOUT", "FALLBACK-REFUSED", "FALLBACK-DOWN")
    return tuple(_row(name, prefix, people, source=source, section=section) for name in names)


def registrations(
    prefix: str, platform: str, *, source: str, attach: str = "", troubleshooting: str = ""
) -> tuple[Row, ...]:
    """The SIP number registers at the platform, or must not; ``platform`` is whose list of
    addresses it is, as ``Acme's``.
    """
    sections = {
        "REGISTER-OK": attach,
        "REGISTER-BADPASS": troubleshooting,
        "REGISTER-NOTALLOWED": troubleshooting,
    }
    return tuple(
        _row(name, prefix, platform, source=source, section=section)
        for name, section in sections.items()
    )
