"""Single SIP requests over plain sockets: the response and its time, or why none came; and the
state of a port by them.
"""

from __future__ import annotations

import asyncio
import errno
import re
import secrets
import ssl
import time
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from cryptography import x509

from harness.deployment import Deployment, in_uri
from harness.errors import ResourceError
from harness.phone.sip_link import SipLink
from harness.sip.digest import MOST_CHALLENGES, Login, Unanswered
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Request, Response
from harness.sip.uri import registrar_uri
from harness.witness.ports.certificates import is_wildcard_of, matches, names_of
from harness.witness.ports.probes import Probing, Target, UnresolvedError, unverified, verified

#: Why no final response came. ``silent``: dropped or ignored; ``refused``: by the host or a
#: firewall; ``cut``: the connection was closed; ``unreadable``: the response is not SIP;
#: ``undecided``: only a provisional response came.
Trouble = Literal[
    "unresolved",
    "silent",
    "refused",
    "unreachable",
    "bind",
    "tls",
    "cut",
    "unreadable",
    "undecided",
]

_BRANCH = re.compile(r"branch=[^;]+")
#: OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED.
_NOT_NOW = (9, 10)
_REACH: dict[str, str | None] = {
    "unresolved": "unresolved",
    "refused": "refuses",
    "cut": "refuses",
    "tls": "refuses",
    "undecided": "answers",
    "bind": None,  # nothing was sent: the address to send from is none of this machine's
}  # all else: silent


@dataclass(frozen=True, slots=True)
class RequestOutcome:
    """What became of a request."""

    response: Response | None
    seconds: float
    trouble: Trouble | None = None
    detail: str = ""  #: of the trouble, in words
    local: tuple[str, int] | None = None
    challenged_by: str | None = None  #: the digest realm, when there was a challenge
    certificate: bytes | None = None  #: what a TLS server showed, DER
    distrust: int | None = (
        None  #: why the handshake did not take that (OpenSSL's ``X509_V_ERR_…``), with ``verified``
    )
    unanswered: Unanswered | None = (
        None  #: why the last challenge got no answer though a password is known
    )

    @property
    def code(self) -> int:
        """The status, 0 without a response."""
        return self.response.status if self.response else 0


class NoLinkError(Exception):
    """No connection; ``trouble`` says why."""

    def __init__(self, trouble: Trouble, detail: str, distrust: int | None = None) -> None:
        super().__init__(detail)
        self.trouble: Trouble = trouble
        self.detail = detail
        self.distrust = distrust


class Link(SipLink):
    """A socket to a place; over TLS any certificate is taken, unless ``trust`` says otherwise.

    Opening it raises :class:`NoLinkError`.
    """

    def __init__(
        self, probing: Probing, place: Target, trust: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(place.transport)
        self._probing = probing
        self._place = place
        self._trust = trust

    async def __aenter__(self) -> Self:
        place, context = self._place, None
        try:
            address = await self._probing.address(place)
        except UnresolvedError as error:
            raise NoLinkError("unresolved", str(error)) from None
        if place.transport == "tls":
            context = self._trust or unverified(place.own_pair)
        local = (place.bind, 0) if place.bind else None
        name = place.host if context else None
        try:
            async with asyncio.timeout(self._probing.patience):
                await self.open((address, place.port), local, context, name)
        except (OSError, TimeoutError, ssl.SSLError) as error:
            raise _explained(error, place) from None
        except ValueError as error:  # asyncio's, of an address and a local address of two families
            raise NoLinkError(
                "bind", f"{address} cannot be reached from {place.bind}: {error}"
            ) from None
        return self

    def request(self, method: str, uri: str, user: str, domain: str) -> Request:
        """A request outside of any dialog (RFC 3261 section 8.1.1), with ``rport`` (RFC 3581)."""
        host, port = self.local
        here = f"{in_uri(host)}:{port}"
        transport = self._place.transport
        address = f"<sip:{user}@{domain}>"
        headers = [
            (
                "Via",
                f"SIP/2.0/{transport.upper()} {here};branch=z9hG4bK{secrets.token_hex(8)};rport",
            ),
            ("Max-Forwards", "70"),
            ("From", f"{address};tag={secrets.token_hex(4)}"),
            ("To", address if method == "REGISTER" else f"<{uri}>"),
            ("Call-ID", f"{secrets.token_hex(8)}@preflight.invalid"),
            ("CSeq", f"1 {method}"),
            ("User-Agent", "call-verification-harness preflight"),
        ]
        if method == "OPTIONS":
            headers += [
                ("Accept", "application/sdp"),
                ("Contact", f"<sip:{user}@{here};transport={transport}>"),
            ]
        return Request.build(method, uri, headers)

    @staticmethod
    def again(request: Request, cseq: int) -> Request:
        """A request as :meth:`request` makes it, as the next of its Call-ID (RFC 3261 section
        22.2).
        """
        via = request.get("Via") or ""
        branch = f"branch=z9hG4bK{secrets.token_hex(8)}"
        renewed = request.without("Via", "CSeq").adding("Via", _BRANCH.sub(branch, via), top=True)
        return renewed.adding("CSeq", f"{cseq} {request.method}")

    async def ask(self, request: Request) -> Response:
        """The final response. Raises :class:`NoLinkError`."""
        seconds, is_udp = self._probing.patience, self.transport == "udp"
        instead = NoLinkError("silent", f"no answer within {seconds:g} s")
        try:
            async for found in self.exchange(request, seconds):
                if isinstance(found, SipSyntaxError):
                    instead = NoLinkError("unreadable", f"the response is not SIP: {found}")
                    if not is_udp:  # a datagram that can be read may still come
                        break
                elif (
                    isinstance(found, Response)
                    and found.call_id == request.call_id
                    and _is_to(found, request)
                ):
                    if found.is_final:
                        return found
                    came = f"{found.status} {found.reason}".rstrip()
                    instead = NoLinkError(
                        "undecided", f"{came}, and no final answer within {seconds:g} s"
                    )
        except EOFError as error:
            raise NoLinkError("cut", str(error)) from None
        except OSError as error:
            if not is_udp:
                raise NoLinkError("cut", f"the connection broke: {error}") from None
            if isinstance(error, ConnectionRefusedError):
                raise NoLinkError("refused", "the port is closed (ICMP)") from None
            raise _explained(error, self._place) from None
        raise instead


async def exchange(
    probing: Probing,
    place: Target,
    method: str,
    user: str,
    domain: str,
    login: Login | None = None,
    trust: ssl.SSLContext | None = None,
) -> RequestOutcome:
    """One request to a place and its final response; ``trust`` is for :class:`Link`.

    Challenges are answered as :class:`~harness.sip.digest.Login` has it, and over TLS only to a
    server whose certificate is trusted and made out to the place. Anybody else would get a hash to
    guess the password by.
    """
    domain = in_uri(domain)
    uri = registrar_uri(
        domain if method == "REGISTER" else place.host, _hostport(place), place.transport
    )
    began = time.monotonic()
    distrust = await _distrust(probing, place) if login and place.transport == "tls" else ""
    link = Link(probing, place, trust)
    try:
        async with link:
            request = link.request(method, uri, user, domain)
            began = time.monotonic()
            response = await link.ask(request)
            took = time.monotonic() - began
            found = RequestOutcome(response, took, local=link.local, certificate=link.certificate)
            if login is None or not response.is_challenge:
                return found
            if distrust:
                fix = "Correct the certificate there, or host or ca_file in the file."
                return replace(found, unanswered=Unanswered(distrust, fix))
            response = await _log_in(link, login, request, response)
            return replace(
                found, response=response, challenged_by=login.realm, unanswered=login.unanswered
            )
    except NoLinkError as error:
        took, shown = time.monotonic() - began, link.certificate
        return RequestOutcome(
            None, took, error.trouble, error.detail, certificate=shown, distrust=error.distrust
        )


async def _log_in(link: Link, login: Login, request: Request, response: Response) -> Response:
    """The final response when ``login`` has answered what it can; a proxy may challenge, and then
    the registrar.
    """
    for cseq in range(2, 2 + MOST_CHALLENGES):
        again = link.again(request, cseq)
        if (answered := login.answer(login.again(again), response)) is None:
            return response
        response = await link.ask(answered)
        if not response.is_challenge:
            return response
    login.unanswered = Unanswered(
        f"it has had {MOST_CHALLENGES} answers already", "Ask the registrar's operator."
    )
    return response


async def _distrust(probing: Probing, place: Target) -> str:
    """Why the server of a TLS place is not who it should be; empty when it is."""
    try:
        async with Link(probing, place, await verified(place.ca_file, place.own_pair)) as link:
            names = names_of(x509.load_der_x509_certificate(link.certificate or b""))
    except NoLinkError as error:
        return error.detail
    except ValueError:
        return "its certificate cannot be read"
    if any(matches(place.host, name) for name in names):
        return ""
    return f"its certificate is made out to {', '.join(names) or 'no host'}, not to {place.host}"


def _is_to(response: Response, request: Request) -> bool:
    """Whether it has the request's CSeq, or none that can be read: that is the far end's mistake,
    and it has answered.
    """
    try:
        return response.cseq == request.cseq
    except SipSyntaxError:
        return True


def _explained(error: Exception, place: Target) -> NoLinkError:
    """What a socket's error means. Raises :class:`ResourceError` for one that is this machine's
    own.
    """
    match error:
        case OSError(errno=errno.EMFILE | errno.ENFILE | errno.ENOBUFS | errno.ENOMEM):
            raise ResourceError(
                f"{place} cannot be looked at from this machine: {error.strerror}"
            ) from error
        case ssl.SSLCertVerificationError():
            return NoLinkError(
                "tls", f"the certificate is not trusted: {error.verify_message}", error.verify_code
            )
        case ssl.SSLError():
            return NoLinkError("tls", f"the TLS handshake failed: {error.reason or error}")
        case TimeoutError():
            return NoLinkError(
                "silent", "no answer to the connection: packets are dropped on the way"
            )
        case ConnectionRefusedError():
            return NoLinkError(
                "refused",
                "the connection was refused: nothing listens there, or a firewall rejects it",
            )
        case ConnectionError():
            return NoLinkError("cut", f"the connection was cut {error.strerror or ''}".rstrip())
        case OSError() if place.bind and _is_about_binding(error):
            return NoLinkError("bind", f"{place.bind} is no address of this machine")
        case _:
            return NoLinkError(
                "unreachable", f"it cannot be reached: {getattr(error, 'strerror', None) or error}"
            )


def _is_about_binding(error: OSError) -> bool:
    return error.errno == errno.EADDRNOTAVAIL or "bind" in str(error)


def _hostport(place: Target) -> str:
    return f"{in_uri(place.host)}:{place.port}"


# -- a port asked by itself


def ask_port(deployment: Deployment, place: Target, **settings: Any) -> dict[str, Any]:
    """A SIP port asked by itself, when calls or registrations over it fail: does it answer, and
    what certificate does it show?

    From here, that is: a firewall may let this machine through and not the platform, or the other
    way round.

    Returns ``reach`` (``answers``, ``refuses``, ``silent``, ``unresolved``; None where it could not
    be asked), ``detail``, and for TLS ``certificate`` (``valid``, ``expired``, ``wrong name``,
    ``untrusted``).

    OPTIONS (RFC 3261 section 11) has to be answered by anything but silence; on a connection, that
    it is taken is not enough, but that TLS is spoken is, where only others call: it may ask for a
    certificate that they have. A refusal is asked for twice: a connection may break by chance.
    ``settings`` go to :class:`Probing`.
    """
    return asyncio.run(_twice(Probing(deployment, **settings), place))


async def _twice(probing: Probing, place: Target) -> dict[str, Any]:
    reported = await _told(probing, place)
    return await _told(probing, place) if reported["reach"] == "refuses" else reported


async def _told(probing: Probing, place: Target) -> dict[str, Any]:
    trust = None
    if place.transport == "tls":
        trust = await verified(place.ca_file, place.own_pair, by_others=not place.by_phones)
    outcome = await exchange(
        probing, place, "OPTIONS", "probe", probing.deployment.platform.domain, trust=trust
    )
    return _reached(place, outcome) | _certificate(place, outcome)


def _reached(place: Target, outcome: RequestOutcome) -> dict[str, Any]:
    if outcome.response is not None:
        return {
            "reach": "answers",
            "detail": f"{outcome.response.status} {outcome.response.reason}",
        }
    # other callers may have the client certificate that a port requires after it has spoken TLS
    is_for_others = (
        not place.by_phones and outcome.trouble in ("tls", "cut") and _spoke_tls(outcome)
    )
    reach = _REACH.get(outcome.trouble or "", "silent")
    if outcome.distrust is not None or is_for_others:
        reach = "answers"
    elif outcome.trouble == "unreadable" and place.transport != "udp":  # it ends a connection
        reach = "refuses"
    return {"reach": reach, "detail": outcome.detail}


def _spoke_tls(outcome: RequestOutcome) -> bool:
    """Whether a server of TLS ended it: behind the handshake, or by an alert (RFC 8446 section
    6.2).
    """
    return outcome.certificate is not None or "ALERT" in outcome.detail


def _certificate(place: Target, outcome: RequestOutcome) -> dict[str, Any]:
    if outcome.distrust is not None:
        return {"certificate": "expired" if outcome.distrust in _NOT_NOW else "untrusted"}
    if outcome.certificate is None:
        return {}
    names = names_of(x509.load_der_x509_certificate(outcome.certificate))
    fits = any(matches(place.host, name) for name in names)
    # A platform may accept what softphones refuse (RFC 5922 section 7.2).
    fits = fits or (not place.by_phones and any(is_wildcard_of(place.host, name) for name in names))
    return {"certificate": "valid" if fits else "wrong name"}
