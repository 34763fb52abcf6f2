"""What can be wrong with a leg, and on which: the table of symptom × place, and why some of its cells cannot be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

#: What can be wrong with a leg.
Kind = Literal[
    "identity",
    "number",
    "codec",
    "digits",
    "header",
    "media to it",
    "media from it",
    "credentials",
    "release",
    "limit",
    "timing",
]

#: Whose leg it is. ``REFER`` and ``AI's call`` are the two ways to a transfer's target.
Place = Literal["caller", "AI", "REFER", "AI's call", "fallback", "customer"]

Cell = tuple[Kind, Place]

KINDS: tuple[Kind, ...] = get_args(Kind)
PLACES: tuple[Place, ...] = get_args(Place)
#: Where an agent of ours takes part.
AGENTS: tuple[Place, ...] = ("REFER", "AI's call", "fallback")

_NO_DIGITS = "no row presses digits towards an agent or a campaign's customer"
_OWN_ACCOUNT = (
    "the platform calls a registered phone of ours; one that cannot register breaks the case before it begins"
)

#: Why a cell has no rule.
UNTOLD: Mapping[Cell, str] = {
    ("identity", "caller"): "a caller dials, and is shown nobody's number",
    ("digits", "REFER"): _NO_DIGITS,
    ("digits", "AI's call"): _NO_DIGITS,
    ("digits", "fallback"): _NO_DIGITS,
    ("digits", "customer"): _NO_DIGITS,
    ("header", "caller"): "nothing is agreed on headers that a caller gets",
    ("header", "fallback"): "nothing is agreed on headers that a fallback's agent gets",
    ("header", "customer"): "nothing is agreed on headers that a campaign's customer gets",
    ("credentials", "fallback"): _OWN_ACCOUNT,
    ("credentials", "customer"): _OWN_ACCOUNT,
    ("limit", "REFER"): "a row transfers one call, and fills no group",
    ("limit", "AI's call"): "a row transfers one call, and fills no group",
    ("limit", "customer"): "a campaign's row calls one customer",
    (
        "timing",
        "customer",
    ): "when a campaign dials is the platform's affair; that it never does is the cell of its number",
}


def cells(kind: Kind, *places: Place) -> tuple[Cell, ...]:
    """The cells of one kind at these places."""
    return tuple((kind, place) for place in places)
