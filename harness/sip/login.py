"""A password's way through digest challenges, as a softphone goes it (RFC 3261 section 22, RFC 7616, RFC 8760).

What a softphone could not answer is not answered here either: what was seen to work would not work in a call.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.sip.digest import Credentials, DigestClient, Params, parse
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Request, Response

ANY_REALM = "*"
#: So many challenges in a row have an answer: a proxy's, a registrar's, and a nonce of each that has grown old.
MOST_CHALLENGES = 4
#: What the softphones compute, with ``qop="auth"`` or without one (docs/interop.md).
_ALGORITHMS = ("MD5", "SHA-256")
_HEADERS = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}
_COMPUTED = "the softphones compute MD5 and SHA-256, with qop auth or none"


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Why a challenge got no answer though a password is known, and what to do."""

    why: str
    fix: str


class Login:
    """One user's password for a ``realm``, for any (:data:`ANY_REALM`), or for the one that asks first."""

    def __init__(self, username: str, password: str, realm: str | None) -> None:
        self.realm: str | None = None  #: which was answered last, or asked last
        self.unanswered: Unanswered | None = None
        self._mine, self._is_configured = realm or None, bool(realm)
        self._client = DigestClient(Credentials(username, password))

    def again(self, request: Request) -> Request:
        """``request`` with the answers to the challenges so far."""
        return self._client.again(request)

    def answer(self, request: Request, response: Response) -> Request | None:
        """``request`` with an answer to the 401 or 407; None where it gets none, or has refused one already."""
        header = _HEADERS[response.status]
        asked = [(value, params) for value in response.get_all(header) if (params := _read(value))]
        self.realm = asked[0][1]["realm"] if asked else None
        self.unanswered = self._why_not([params for _, params in asked])
        if self.unanswered is not None:
            return None
        answerable = response.without(header)
        for value, params in asked:
            if self._is_mine(params) and _is_computed(params):
                answerable, self.realm = answerable.adding(header, value), params["realm"]
        return self._client.answer(request, answerable)

    def _why_not(self, asked: list[Params]) -> Unanswered | None:
        if not asked:
            return Unanswered("no digest challenge stands in it", "A 401 or 407 has one (RFC 3261 section 22).")
        if self._mine is None:
            self._mine = asked[0]["realm"]
        mine = [params for params in asked if self._is_mine(params)]
        if not mine:
            how = "is configured" if self._is_configured else "asked first"
            why = f"the realm is {asked[0]['realm']}, and {self._mine} {how}"
            return Unanswered(why, 'Correct realm in the file; realm = "*" answers every realm that asks.')
        if not any(map(_is_computed, mine)):
            wanted = " or ".join(_wanted(params) for params in mine)
            return Unanswered(f"it asks for {wanted}; {_COMPUTED}", "Allow one of these there.")
        return None

    def _is_mine(self, params: Params) -> bool:
        return self._mine in (ANY_REALM, params["realm"])


def _read(value: str) -> Params | None:
    """A digest challenge; None for another scheme, broken text, or one without the realm that it has to have."""
    try:
        params = parse(value)
    except SipSyntaxError:
        return None
    return params if "realm" in params else None


def _is_computed(params: Params) -> bool:
    return params.get("algorithm", "MD5").upper() in _ALGORITHMS and ("auth" in _qop(params) or not _qop(params))


def _qop(params: Params) -> list[str]:
    return [token for part in params.get("qop", "").split(",") if (token := part.strip().lower())]


def _wanted(params: Params) -> str:
    algorithm = params.get("algorithm", "MD5")
    return f"{algorithm} with qop {', '.join(_qop(params))}" if _qop(params) else algorithm
