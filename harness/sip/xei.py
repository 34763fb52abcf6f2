"""Synthflow's ``X-EI`` header: ``S.<call id>;E.<external id>;O.<original caller>;`` in any order, any subset."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message

HEADER = "X-EI"
_PASSED = re.compile(r"X-[A-Za-z0-9\-_]+\Z")
_FORBIDDEN = re.compile(r"[\r\n\x00]")


@dataclass(frozen=True, slots=True)
class Xei:
    """What an X-EI header says; None for what it leaves out."""

    call_id: str | None = None
    external_id: str | None = None
    original_caller: str | None = None

    @classmethod
    def parse(cls, text: str) -> Xei:
        """Raises SipSyntaxError for an element that is none of the three, is empty, or stands twice."""
        found: dict[str, str] = {}
        for element in text.split(";"):
            element = element.strip()
            if not element:
                continue
            letter, dot, value = element.partition(".")
            if letter not in ("S", "E", "O") or not dot or not value:
                raise SipSyntaxError(f"not an element of X-EI: {element!r}")
            if letter in found:
                raise SipSyntaxError(f"{letter} stands twice in X-EI")
            found[letter] = value
        return cls(found.get("S"), found.get("E"), found.get("O"))

    @classmethod
    def of(cls, message: Message) -> Xei | None:
        """The X-EI of a message, None without. Raises SipSyntaxError."""
        text = message.get(HEADER)
        return None if text is None else cls.parse(text)

    def __str__(self) -> str:
        parts = (("S", self.call_id), ("E", self.external_id), ("O", self.original_caller))
        for _, value in parts:
            if value is not None and (not value or ";" in value or _FORBIDDEN.search(value)):
                raise ValueError(f"X-EI cannot carry {value!r}")
        return "".join(f"{letter}.{value};" for letter, value in parts if value is not None)


def merged_with_diversion(message: Message) -> Xei | None:
    """The X-EI with an original caller taken from X-Diversion where it names none itself."""
    xei = Xei.of(message)
    diverted = message.get("X-Diversion")
    if diverted is None or (xei is not None and xei.original_caller is not None):
        return xei
    base = xei or Xei()
    return Xei(base.call_id, base.external_id, diverted.strip())


def passes(name: str, value: str) -> bool:
    """Whether Synthflow hands an ``X-`` header on: a plain name, and no CR, LF or NUL in the value."""
    return bool(_PASSED.match(name)) and not _FORBIDDEN.search(value)
