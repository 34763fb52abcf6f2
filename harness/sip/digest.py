"""Digest authentication for SIP, both sides (RFC 7616, RFC 8760, RFC 2617 without qop; RFC 3261
section 22).
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from harness.sip.grammar import SipSyntaxError, quote, split_list, unquote
from harness.sip.message import Request, Response

Algorithm = Literal["SHA-256", "MD5"]
#: What the softphones compute, the strongest first, with ``qop="auth"`` or without one
#: (docs/interop.md).
_HASHES = {"SHA-256": "sha256", "MD5": "md5"}
_BARE = frozenset({"algorithm", "nc", "stale", "qop", "userhash"})
_LIFETIME_S = 300.0  # of a nonce
_NC = re.compile(r"[0-9a-fA-F]{8}\Z")

Params = dict[str, str]
"""Parameters of a challenge or of credentials, names in lower case, values unquoted."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and the secret of it, which no log or trace shows; with ``realm`` they are good in
    that one alone.
    """

    username: str
    password: str = field(repr=False)
    realm: str | None = None


def parse(value: str) -> Params:
    """``Digest a="1", b=2`` as parameters. Raises SipSyntaxError for another scheme or broken text."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        raise SipSyntaxError(f"not Digest: {scheme!r}")
    params: Params = {}
    for part in split_list(rest):
        name, equals, text = part.partition("=")
        if not equals:
            raise SipSyntaxError(f"not a digest parameter: {part!r}")
        params[name.strip().lower()] = unquote(text)
    return params


def parse_all(values: Iterable[str]) -> list[Params]:
    """Those of the values that are Digest and can be read."""
    found: list[Params] = []
    for value in values:
        with contextlib.suppress(SipSyntaxError):
            found.append(parse(value))
    return found


def qop_of(params: Params) -> list[str]:
    """The qualities of protection that a challenge offers."""
    return [token for part in params.get("qop", "").split(",") if (token := part.strip().lower())]


def build(params: Params, *, challenge: bool = False) -> str:
    """The header value. In a challenge qop is a quoted list, in credentials a token."""
    bare = _BARE - {"qop"} if challenge else _BARE
    parts = (
        f"{name}={value}" if name in bare else f"{name}={quote(value)}"
        for name, value in params.items()
    )
    return "Digest " + ", ".join(parts)


def digest_response(credentials: Credentials, params: Params, method: str) -> str:
    """The ``response`` of RFC 7616 section 3.4.1 for the realm, nonce, uri, qop, nc and cnonce in
    ``params``.
    """
    algorithm = _HASHES[params.get("algorithm", "MD5").upper()]

    def hashed(*parts: str) -> str:
        raw = ":".join(parts).encode("utf-8", "surrogateescape")
        return hashlib.new(algorithm, raw, usedforsecurity=False).hexdigest()

    who = hashed(credentials.username, params["realm"], credentials.password)
    counted = (params["nc"], params["cnonce"], params["qop"]) if params.get("qop") else ()
    return hashed(who, params["nonce"], *counted, hashed(method, params["uri"]))


class DigestClient:
    """Answers challenges with one user's credentials, and counts the uses of each nonce."""

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self._challenges: dict[str, Params] = {}
        self._counts: dict[str, int] = {}
        self._strongest: dict[
            str, int
        ] = {}  # realm → rank of the best algorithm it has challenged with

    def answer(
        self, request: Request, response: Response, challenges: Iterable[Params] | None = None
    ) -> Request | None:
        """``request`` with the answer to the 401 or 407 in it, the CSeq untouched; to one of these
        ``challenges``, if given.

        None when nothing can be answered: no challenge understood, one of another realm than the
        credentials are for, a weaker algorithm than that realm has asked for before (RFC 7616
        section 5.7, a downgrade), or the same credentials were refused already (a new nonce without
        ``stale=true`` means a wrong password, section 3.3).
        """
        proxy = response.status == 407
        header = "Proxy-Authorization" if proxy else "Authorization"
        if challenges is None:
            challenges = parse_all(
                response.get_all("Proxy-Authenticate" if proxy else "WWW-Authenticate")
            )
        # RFC 7616 section 3.7 leaves the choice of the strongest to the client.
        challenge = min(filter(self._can_answer, challenges), key=_rank, default=None)
        if challenge is None:
            return None
        realm, rank = challenge["realm"], _rank(challenge)
        if rank > self._strongest.get(realm, rank):
            return None
        self._strongest[realm] = rank
        tried = any(params.get("realm") == realm for params in parse_all(request.get_all(header)))
        if tried and challenge.get("stale", "").lower() != "true":
            return None
        self._challenges[header] = challenge
        return self._authorise(request, header)

    def _can_answer(self, challenge: Params) -> bool:
        is_mine = self.credentials.realm in (None, challenge.get("realm"))
        return (
            is_mine
            and "realm" in challenge
            and bool(challenge.get("nonce"))
            and _is_computed(challenge)
        )

    def again(self, request: Request) -> Request:
        """``request`` with fresh credentials for the challenges known, which saves a round trip."""
        for header in self._challenges:
            request = self._authorise(request, header)
        return request

    def _authorise(self, request: Request, header: str) -> Request:
        challenge = self._challenges[header]
        nonce = challenge["nonce"]
        params: Params = {
            "username": self.credentials.username,
            "realm": challenge["realm"],
            "nonce": nonce,
            "uri": request.request_uri,
        }
        if "algorithm" in challenge:
            params["algorithm"] = challenge["algorithm"]
        if qop_of(challenge):
            self._counts[nonce] = self._counts.get(nonce, 0) + 1
            params |= {
                "qop": "auth",
                "nc": f"{self._counts[nonce]:08x}",
                "cnonce": secrets.token_hex(8),
            }
        params["response"] = digest_response(self.credentials, params, request.method)
        if "opaque" in challenge:
            params["opaque"] = challenge["opaque"]
        return request.without(header).adding(header, build(params))


def _rank(challenge: Params) -> int:
    """How late a challenge's algorithm comes in the order of preference."""
    return [*_HASHES].index(challenge.get("algorithm", "MD5").upper())


def _is_computed(challenge: Params) -> bool:
    offered = qop_of(challenge)
    return challenge.get("algorithm", "MD5").upper() in _HASHES and (
        not offered or "auth" in offered
    )


class CredentialCheck(Enum):
    """The result of checking a request's credentials."""

    ACCEPTED = "accepted"
    MISSING = "no credentials for this realm"
    MALFORMED = "malformed credentials"
    STALE = "the nonce is no longer valid"
    REPLAYED = "the nonce count was used before"
    WRONG_ALGORITHM = "another algorithm than challenged"
    WRONG_QOP = "another quality of protection than challenged"
    WRONG_URI = "the uri is not the request's"
    UNKNOWN_USER = "unknown user"
    WRONG_PASSWORD = "wrong password"


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome, and the user it is about (None when no credentials named one)."""

    outcome: CredentialCheck
    username: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether the request may go on."""
        return self.outcome is CredentialCheck.ACCEPTED

    @property
    def stale(self) -> bool:
        """Whether the next challenge says stale=true: the password may be right."""
        return self.outcome in (CredentialCheck.STALE, CredentialCheck.REPLAYED)


class DigestServer:
    """Challenges and verifies for one realm.

    ``password_of`` gives a user's password, or None. ``proxy`` chooses 407 and its headers over
    401. Nonces live five minutes of ``clock``; each nonce count is good once.
    """

    def __init__(
        self,
        realm: str,
        password_of: Callable[[str], str | None],
        *,
        algorithm: Algorithm = "MD5",
        proxy: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.realm = realm
        self.algorithm: Algorithm = algorithm
        self.proxy = proxy
        self._password_of = password_of
        self._clock = clock
        self._nonces: dict[str, tuple[float, set[int]]] = {}

    @property
    def status(self) -> int:
        """The status that goes with a challenge: 401 or 407."""
        return 407 if self.proxy else 401

    def challenge(self, *, stale: bool = False) -> tuple[str, str]:
        """Header name and value of a challenge with a new nonce."""
        now = self._clock()
        for nonce in [n for n, (born, _) in self._nonces.items() if now - born > _LIFETIME_S]:
            del self._nonces[nonce]
        nonce = secrets.token_hex(16)
        self._nonces[nonce] = (now, set())
        params = {"realm": self.realm, "nonce": nonce, "algorithm": self.algorithm, "qop": "auth"}
        if stale:
            params["stale"] = "true"
        header = "Proxy-Authenticate" if self.proxy else "WWW-Authenticate"
        return header, build(params, challenge=True)

    def verify(self, request: Request) -> Checked:
        """Check the credentials of ``request`` against what was challenged."""
        params = self._credentials(request)
        if params is None:
            return Checked(CredentialCheck.MISSING)
        username = params.get("username")
        if any(name not in params for name in ("username", "nonce", "uri", "response")):
            return Checked(CredentialCheck.MALFORMED, username)
        # The challenge decides, never the client: else a weaker computation could be chosen for us.
        if params.get("algorithm", "MD5").upper() != self.algorithm:
            return Checked(CredentialCheck.WRONG_ALGORITHM, username)
        if params.get("qop") != "auth" or "cnonce" not in params or "nc" not in params:
            return Checked(CredentialCheck.WRONG_QOP, username)
        if not _NC.match(params["nc"]):
            return Checked(CredentialCheck.MALFORMED, username)
        if params["uri"] != request.request_uri:
            return Checked(CredentialCheck.WRONG_URI, username)
        return Checked(self._check(params, request), username)

    def _check(self, params: Params, request: Request) -> CredentialCheck:
        password = self._password_of(params["username"])
        if password is None:
            return CredentialCheck.UNKNOWN_USER
        credentials = Credentials(params["username"], password)
        expected = digest_response(credentials, params, request.method)
        given = params["response"].lower().encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(expected.encode(), given):
            return CredentialCheck.WRONG_PASSWORD
        born, used = self._nonces.get(params["nonce"], (float("-inf"), set()))
        if self._clock() - born > _LIFETIME_S:
            return CredentialCheck.STALE
        count = int(params["nc"], 16)
        if count in used:
            return CredentialCheck.REPLAYED
        used.add(count)
        return CredentialCheck.ACCEPTED

    def _credentials(self, request: Request) -> Params | None:
        given = parse_all(request.get_all("Proxy-Authorization" if self.proxy else "Authorization"))
        return next((params for params in given if params.get("realm") == self.realm), None)


ANY_REALM = "*"
#: So many challenges in a row have an answer: a proxy's, a registrar's, and a nonce of each that
#: has grown old.
MOST_CHALLENGES = 4
_HEADERS = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Why a challenge got no answer though a password is known, and what to do."""

    why: str
    fix: str


class Login:
    """One user's password for a ``realm``, for any (:data:`ANY_REALM`), or for the one that asks
    first, as a softphone uses it.

    What a softphone could not answer is not answered here either: what was seen to work would not
    work in a call.
    """

    def __init__(self, username: str, password: str, realm: str | None) -> None:
        self.realm: str | None = None  #: which was answered last, or asked last
        self.unanswered: Unanswered | None = None
        self._mine, self._is_configured = realm or None, bool(realm)
        self._client = DigestClient(Credentials(username, password))

    def again(self, request: Request) -> Request:
        """``request`` with the answers to the challenges so far."""
        return self._client.again(request)

    def answer(self, request: Request, response: Response) -> Request | None:
        """``request`` with an answer to the 401 or 407; None where it gets none, or has refused one
        already.
        """
        challenges = parse_all(response.get_all(_HEADERS[response.status]))
        asked = [params for params in challenges if "realm" in params]
        self.realm = asked[0]["realm"] if asked else None
        if self._mine is None:
            self._mine = self.realm
        mine = [params for params in asked if self._mine in (ANY_REALM, params["realm"])]
        answerable = [*filter(_is_computed, mine)]
        self.unanswered = None if answerable else self._why_not(asked, mine)
        if not answerable:
            return None
        self.realm = answerable[-1]["realm"]
        return self._client.answer(request, response, answerable)

    def _why_not(self, asked: list[Params], mine: list[Params]) -> Unanswered:
        if not asked:
            return Unanswered(
                "no digest challenge stands in it", "A 401 or 407 has one (RFC 3261 section 22)."
            )
        if not mine:
            how = "is configured" if self._is_configured else "asked first"
            why = f"the realm is {asked[0]['realm']}, and {self._mine} {how}"
            return Unanswered(
                why, 'Correct realm in the file; realm = "*" answers every realm that asks.'
            )
        wanted = " or ".join(map(_wanted, mine))
        why = f"it asks for {wanted}; the softphones compute MD5 and SHA-256, with qop auth or none"
        return Unanswered(why, "Allow one of these there.")


def _wanted(params: Params) -> str:
    algorithm, offered = params.get("algorithm", "MD5"), qop_of(params)
    return f"{algorithm} with qop {', '.join(offered)}" if offered else algorithm
