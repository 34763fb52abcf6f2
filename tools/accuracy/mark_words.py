"""Make the marks' words: ``python -m tools.accuracy.mark_words > harness/audio/mark_words.txt``.

The table is frozen, because a recording of today has to name the same legs tomorrow; this script
says where it comes from, and a test makes it again and compares.

A word is eight tones in a circle: low, high, low, high … Words are taken from the Reed-Solomon code
of length 8 and dimension 4 over the field of 9 elements (nine low tones, nine high ones). Two words
of it agree in three of eight places at most, and the code is cyclic: turning a word by one symbol
(two places) gives a word of the code again. So two marks, however turned against each other, share
at most three of eight tones, hence at most one whole symbol of four; any two symbols name the word.
"""

from __future__ import annotations

import itertools
import sys

COUNT = 512

#: 700 or 920 Hz with 1665 Hz lie close to the DTMF pairs of 697 and 941 Hz with 1633 Hz.
EXCLUDED = frozenset({(2, 1), (4, 1)})

Word = tuple[int, ...]  #: low 0, high 0, low 1, high 1 …

# The field of 9 elements: a + bi with i² = -1 over the integers modulo 3, written as the number a +
# 3b.
_Element = int
_PRIMITIVE: _Element = 1 + 3 * 1  # 1 + i has order 8, so its powers are all elements but zero


def _add(x: _Element, y: _Element) -> _Element:
    return (x + y) % 3 + 3 * ((x // 3 + y // 3) % 3)


def _multiply(x: _Element, y: _Element) -> _Element:
    a, b, c, d = x % 3, x // 3, y % 3, y // 3
    return (a * c - b * d) % 3 + 3 * ((a * d + b * c) % 3)


def _code() -> list[Word]:
    """All 6561 words: the values of each polynomial of degree 3 or less at the powers of the
    primitive element.
    """
    points = [1]
    while len(points) < 8:
        points.append(_multiply(points[-1], _PRIMITIVE))
    words = []
    for coefficients in itertools.product(range(9), repeat=4):
        word = []
        for point in points:
            value = 0
            for coefficient in coefficients:
                value = _add(_multiply(value, point), coefficient)
            word.append(value)
        words.append(tuple(word))
    return words


def make_words() -> list[Word]:
    """The words, in the order of their ids."""
    words: list[Word] = []
    for word in _code():
        turned = [word[2 * k :] + word[: 2 * k] for k in range(4)]
        if word == min(turned) and len(set(turned)) == 4 and _steps(word) and _allowed(word):
            words.append(word)
    # Neighbours in the code resemble each other; spread, the first marks of a run differ as much as
    # any.
    stride = next(s for s in range(len(words) * 5 // 8, len(words)) if _coprime(s, len(words)))
    return [words[k * stride % len(words)] for k in range(COUNT)]


def _steps(word: Word) -> bool:
    """Whether both tones change from each symbol to the next, so that a boundary is heard in either
    band.
    """
    return all(word[k] != word[(k + 2) % 8] for k in range(8))


def _allowed(word: Word) -> bool:
    return EXCLUDED.isdisjoint(zip(word[::2], word[1::2], strict=True))


def _coprime(a: int, b: int) -> bool:
    while b:
        a, b = b, a % b
    return a == 1


def source() -> str:
    """The text of ``mark_words.txt``."""
    words = [" ".join(f"{w[k]}{w[k + 1]}" for k in range(0, 8, 2)) for w in make_words()]
    return "\n".join([*_HEAD, *words, ""])


_HEAD = (
    "# The words of the marks, frozen: `python -m tools.accuracy.mark_words` made them, not to be edited. A word is four symbols; a",
    "# symbol is the index of its low tone and of its high tone. The words in their order are marks 0 to 511.",
)


if __name__ == "__main__":
    sys.stdout.write(source())
