"""A password's way through digest challenges, as a softphone goes it (RFC 3261 section 22, RFC 7616, RFC 8760).

What a softphone could not answer is not answered here either: what was seen to work would not work in a call.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.sip.digest import Credentials, DigestClient, Params, parse_all, qop_of
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
        challenges = parse_all(response.get_all(_HEADERS[response.status]))
        asked = [params for params in challenges if "realm" in params]
        self.realm = asked[0]["realm"] if asked else None
        self.unanswered = self._why_not(asked)
        if self.unanswered is not None:
            return None
        answerable = [params for params in asked if self._is_mine(params) and _is_computed(params)]
        self.realm = answerable[-1]["realm"]
        return self._client.answer(request, response, answerable)

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


def _is_computed(params: Params) -> bool:
    offered = qop_of(params)
    return params.get("algorithm", "MD5").upper() in _ALGORITHMS and (not offered or "auth" in offered)


def _wanted(params: Params) -> str:
    algorithm, offered = params.get("algorithm", "MD5"), qop_of(params)
    return f"{algorithm} with qop {', '.join(offered)}" if offered else algorithm
