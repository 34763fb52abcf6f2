"""Which digest challenges a phone's password answers (RFC 3261 section 22, RFC 7616, RFC 8760).

pjsip would answer the first challenge that it can compute, in any realm. A challenge that must not be answered is removed from
the response before pjsip sees it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from harness.calls.events import WithheldBy

ANY: Final = "*"

_REALM: Final = re.compile(r'[\s,]realm[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_ALGORITHM: Final = re.compile(r'[\s,]algorithm[ \t]*=[ \t]*"?([^\s,"]+)', re.IGNORECASE)
_QOP: Final = re.compile(r'[\s,]qop[ \t]*=[ \t]*"?([^"]*)', re.IGNORECASE)
_STRENGTH: Final = {"MD5": 0, "SHA-256": 1}  # the algorithms that pjsip computes (docs/interop.md)


@dataclass(frozen=True, slots=True)
class Withheld:
    """A challenge that gets no answer, and why."""

    realm: str
    algorithm: str
    why: str
    rule: WithheldBy


class Challenges:
    """Decides which challenges one phone answers: those of ``realm``; all for :data:`ANY`; without a realm, those of the first realm.

    The first realm is learnt separately for REGISTER and for other requests: registrar and proxy may have different realms, but
    other servers must not get the password's digest. Of a realm's algorithms the strongest is answered, and never a weaker one
    afterwards (RFC 7616 section 5.7).
    """

    def __init__(self, realm: str) -> None:
        self._realm = realm
        self._learnt: dict[bool, str] = {}  # by whether it was a REGISTER
        self._strongest: dict[str, int] = {}

    def withheld(self, method: str, offered: Sequence[str]) -> list[Withheld | None]:
        """For each challenge of a response, why it gets no answer, or None."""
        read = [_read(text) for text in offered]
        if not read:
            return []
        mine = self._realm or self._learnt.setdefault(method == "REGISTER", read[0][0])
        for realm, algorithm in read:
            if mine in (ANY, realm):
                self._strongest[realm] = max(_STRENGTH.get(algorithm, -1), self._strongest.get(realm, -1))
        return [self._why_not(mine, realm, algorithm) for realm, algorithm in read]

    def _why_not(self, mine: str, realm: str, algorithm: str) -> Withheld | None:
        if mine not in (ANY, realm):
            rule: WithheldBy = "realm configured" if self._realm else "first realm"
            how = "is configured" if self._realm else "asked first"
            return Withheld(realm, algorithm, f"its realm is {realm}, and {mine} {how}", rule)
        if 0 <= _STRENGTH.get(algorithm, -1) < self._strongest[realm]:
            why = f"it asks for {algorithm}, and has asked for a stronger algorithm"
            return Withheld(realm, algorithm, why, "stronger algorithm")
        return None


def _read(text: str) -> tuple[str, str]:
    """The realm and algorithm; ``qop="auth-int"`` alone, which pjsip does not support, counts as a different algorithm."""
    realm, algorithm, qop = _REALM.search(text), _ALGORITHM.search(text), _QOP.search(text)
    name = algorithm.group(1).upper() if algorithm else "MD5"
    offered = [token.strip().lower() for token in qop.group(1).split(",") if token.strip()] if qop else []
    is_computed = "auth" in offered or not offered
    return realm.group(1) if realm else "", name if is_computed else f"{name} with {', '.join(offered)}"
