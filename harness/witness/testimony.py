"""A far end's witness: fields beyond the documented record (docs/simulation.md lists them).

A malformed part is left out whole: a list with one unreadable entry may lack any fact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FiniteFloat,
    NonNegativeInt,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)


class _Entry(BaseModel):
    """One of a list; more than it has to say stays with it. Numbers may be told in digits."""

    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True)


class _Mark(_Entry):
    mark: NonNegativeInt
    at: FiniteFloat
    until: FiniteFloat | None = None
    level_dbov: FiniteFloat | None = None


class _Digit(_Entry):
    digit: str
    method: str
    duration_ms: FiniteFloat | None = None


def _lower(told: object) -> object:
    return told.lower() if isinstance(told, str) else told


_Address = Annotated[str, StringConstraints(pattern=r"^(\[[^\]\s]+\]|[^:\s]+):\d{1,5}$")]  # host:port


class _Sip(_Entry):
    direction: Annotated[Literal["sent", "received"], BeforeValidator(_lower)]
    text: str
    transport: Annotated[str, BeforeValidator(_lower)] = ""
    local: _Address = ""
    remote: _Address | None = None


PARTS: Final[dict[str, TypeAdapter[Any]]] = {
    "marks": TypeAdapter(list[_Mark]),
    "digits": TypeAdapter(list[_Digit]),
    "messages": TypeAdapter(list[_Sip]),
    "codec": TypeAdapter(str),
    "assistant": TypeAdapter(str),
    "rx_packets": TypeAdapter(NonNegativeInt),
    "answered_at": TypeAdapter(FiniteFloat),
    "released_at": TypeAdapter(FiniteFloat),
}


@dataclass(frozen=True)
class Testimony:
    """The witness: ``told`` has each well-formed part; ``unread`` describes the malformed ones."""

    told: dict[str, Any] = field(default_factory=dict)
    unread: tuple[str, ...] = ()


def read(plain: object) -> Testimony:
    """Of a record's ``witness``; None and a missing part tell nothing."""
    if plain is None:
        return Testimony()
    if not isinstance(plain, dict):
        return Testimony(unread=("witness: not an object",))
    told, unread = {}, []
    for name, part in PARTS.items():
        if (value := plain.get(name)) is None:
            continue
        try:
            told[name] = part.dump_python(part.validate_python(value))
        except ValidationError as error:
            unread.append(f"witness.{name}{_where(error.errors()[0]['loc'])}: {error.errors()[0]['msg']}")
    return Testimony(told, tuple(unread))


def _where(location: Iterable[int | str]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
