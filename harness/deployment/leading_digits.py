"""How far a number fits a numbering plan that has not got it.

``re`` only says whether a whole number fits. phonenumbers' patterns have few forms (digits, sets,
groups, alternatives, counts), and every part of them can be completed, so the digits that lead
farthest into a pattern are those that the number shares with one of the plan.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, replace
from functools import lru_cache

_DIGITS = "0123456789"
_TOKEN = re.compile(r"\(\?:|[()|?]|\\d|\[[^]]*\]|[0-9]|\{[0-9]+(?:,[0-9]+)?\}")


@dataclass(frozen=True, slots=True)
class _Part:
    what: frozenset[str] | _Choice
    least: int = 1
    most: int = 1


@dataclass(frozen=True, slots=True)
class _Choice:
    sequences: tuple[tuple[_Part, ...], ...]


@lru_cache(maxsize=1024)  # the regions of one country code have patterns in common
def shared_digits(pattern: str, digits: str) -> int:
    """How many leading digits a number has in common with numbers of the pattern, at most."""
    walk = _Walk(digits)
    walk.through(_parsed(pattern), {0})
    return walk.farthest


class _Walk:
    """The positions between the digits that a pattern can lead to."""

    def __init__(self, digits: str) -> None:
        self._digits = digits
        self.farthest = 0

    def through(self, choice: _Choice, starts: set[int]) -> set[int]:
        ends: set[int] = set()
        for sequence in choice.sequences:
            at = starts
            for part in sequence:
                at = self._repeated(part, at)
            ends |= at
        return ends

    def _repeated(self, part: _Part, at: set[int]) -> set[int]:
        ends = set(at) if part.least == 0 else set()
        for count in range(1, part.most + 1):
            at = self._once(part.what, at)
            if count >= part.least:
                ends |= at
        return ends

    def _once(self, what: frozenset[str] | _Choice, at: set[int]) -> set[int]:
        if isinstance(what, _Choice):
            return self.through(what, at)
        ends = {place + 1 for place in at if self._digits[place : place + 1] in what}
        self.farthest = max(self.farthest, *ends, 0)
        return ends


@lru_cache(maxsize=1024)
def _parsed(pattern: str) -> _Choice:
    tokens = deque(_TOKEN.findall(pattern))
    assert "".join(tokens) == pattern, f"a form that no plan had: {pattern}"
    return _choice(tokens)


def _choice(tokens: deque[str]) -> _Choice:
    sequences: list[list[_Part]] = [[]]
    while tokens and (token := tokens.popleft()) != ")":
        if token == "|":
            sequences.append([])
        elif token == "?":
            sequences[-1][-1] = replace(sequences[-1][-1], least=0)
        elif token.startswith("{"):
            counts = [int(count) for count in re.findall("[0-9]+", token)]
            sequences[-1][-1] = replace(sequences[-1][-1], least=counts[0], most=counts[-1])
        elif token.startswith("("):
            sequences[-1].append(_Part(_choice(tokens)))
        else:
            members = (digit for digit in _DIGITS if re.fullmatch(token, digit))
            sequences[-1].append(_Part(frozenset(members)))
    return _Choice(tuple(map(tuple, sequences)))
