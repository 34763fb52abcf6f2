"""Ports that have to be open, and the certificates behind them (RFC 5922 for the names)."""

from __future__ import annotations

import asyncio
import datetime
import ssl
import time
from dataclasses import dataclass

from cryptography import x509

from harness.run.preflight.lines import REGISTRATION, ROUTING, TRANSFER, ProbeKind, ProbeResult, failed, ok, warning
from harness.witness.ports.certificates import alternative_names_of, is_wildcard_of, matches, names_of
from harness.witness.ports.probes import Probing, Target, UnresolvedError, unverified, verified
from harness.witness.ports.wire import NoLinkError, explained

_SOON = datetime.timedelta(days=21)
_MOMENT_S = 0.5  #: in which a server has looked at a client's certificate
#: ``X509_V_FLAG_NO_CHECK_TIME``: expiry has a line of its own. The ssl module has no name for it.
_NO_CHECK_TIME = 0x200000


@dataclass(frozen=True, slots=True)
class Ground:
    """How hard a closed port is to be taken: a trunk's own far end may be closed to everybody but the platform."""

    row: str
    hard: bool
    fix: str


def ground(kind: str, place: Target) -> Ground:
    """Of an account's or the platform's port, of the AI's (``ai``), or of the platform's that the AI calls (``for the ai``)."""
    if kind == "ai":
        return Ground(
            ROUTING,
            False,
            f"The platform has to reach {place}: check the trunk's port and transport, and the firewall between them "
            "(UDP/TCP 32681 or TLS 32682).",
        )
    if kind == "for the ai":
        return Ground(
            TRANSFER,
            False,
            f"The AI has to reach {place}, its Termination URI: check its port and transport, and the platform's allowlist.",
        )
    return Ground(
        REGISTRATION,
        True,
        f"Open {place} in the firewalls in between, or correct host, port and transport in the file.",
    )


async def port_lines(probing: Probing, place: Target, kind: str) -> list[ProbeResult]:
    """Probe a TCP connection, and for TLS the handshake and the certificate. UDP ports are judged by their answers."""
    name, on = (ProbeKind.PORT, place), ground(kind, place)
    try:
        address = await probing.address(place)
    except UnresolvedError:
        return []  # the line on its name says so
    began = time.monotonic()
    try:
        async with asyncio.timeout(probing.patience):
            _, writer = await asyncio.open_connection(
                address, place.port, local_addr=(place.bind, 0) if place.bind else None
            )
    except (OSError, TimeoutError) as error:
        detail = explained(error, place).detail
        return [
            failed(*name, detail, on.row, on.fix) if on.hard else warning(*name, f"from here: {detail}", on.row, on.fix)
        ]
    took = time.monotonic() - began
    writer.transport.abort()
    lines = [ok(*name, f"open, {took * 1000:.0f} ms")]
    if place.transport == "tls":
        lines += await certificate_lines(probing, place, address, on)
    return lines


async def certificate_lines(probing: Probing, place: Target, address: str, on: Ground) -> list[ProbeResult]:
    """Handshake and protocol, chain, name, expiry: a line each."""
    name = ProbeKind.TLS, place
    try:
        version, encoded = await _shake(probing, place, address, _as_its_callers(unverified(place.own_pair), place))
    except NoLinkError as error:
        return [await _no_handshake(probing, place, address, error, on)]
    certificate = x509.load_der_x509_certificate(encoded)
    return [
        ok(*name, version),
        await _chain(probing, place, address, certificate, on),
        _name(place, certificate),
        _expiry(probing, place, certificate),
    ]


def _as_its_callers(context: ssl.SSLContext, place: Target) -> ssl.SSLContext:
    """With what those who call there speak: our softphones' library no more than TLS 1.2, others any version."""
    if place.by_phones:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


async def _shake(
    probing: Probing, place: Target, address: str, context: ssl.SSLContext, *, stays: bool = False
) -> tuple[str, bytes]:
    """The protocol and the certificate (DER). Raises :class:`NoLinkError`.

    ``stays``: the connection has to be there a moment later. At TLS 1.3 a client is through before the server has looked at its
    certificate (RFC 8446 section 2).
    """
    try:
        async with asyncio.timeout(probing.patience):
            reader, writer = await asyncio.open_connection(
                address,
                place.port,
                ssl=context,
                server_hostname=place.host,
                local_addr=(place.bind, 0) if place.bind else None,
            )
    except (OSError, TimeoutError) as error:
        raise explained(error, place) from None
    try:
        if stays and await _ends(reader):
            raise NoLinkError("cut", "the connection was cut after the handshake")
        session: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return str(session.version()), session.getpeercert(binary_form=True) or b""
    finally:
        writer.transport.abort()


async def _ends(reader: asyncio.StreamReader) -> bool:
    """Whether the far end hangs up at once."""
    try:
        async with asyncio.timeout(_MOMENT_S):
            return not await reader.read(1)
    except TimeoutError:
        return False
    except OSError:
        return True


async def _no_handshake(probing: Probing, place: Target, address: str, error: NoLinkError, on: Ground) -> ProbeResult:
    try:
        version, _ = await _shake(probing, place, address, unverified(place.own_pair), stays=True)
    except NoLinkError:
        detail, fix = (
            f"no handshake: {error.detail}",
            "Check that the port speaks TLS at all (32682 does, 32681 does not); where it asks for a client's certificate, "
            "that the file names one that it trusts (certificate and private_key).",
        )
        if not place.by_phones:  # it may be open to those who call there, and ask for the certificate that they have
            return warning(ProbeKind.TLS, place, f"from here: {detail}", on.row, on.fix)
    else:
        if not place.by_phones:  # where any version will do, it is the first that failed by chance
            return warning(ProbeKind.TLS, place, f"one handshake of two: {error.detail}", on.row, on.fix)
        detail, fix = f"only {version}; the softphones speak TLS 1.2 at most", "Allow TLS 1.2 there."
    return failed(ProbeKind.TLS, place, detail, on.row, fix)


async def _chain(
    probing: Probing, place: Target, address: str, certificate: x509.Certificate, on: Ground
) -> ProbeResult:
    name = ProbeKind.CHAIN, place
    context = _as_its_callers(await verified(place.ca_file, place.own_pair, by_others=not place.by_phones), place)
    context.verify_flags |= _NO_CHECK_TIME
    issuer = certificate.issuer.rfc4514_string()
    try:
        await _shake(probing, place, address, context)
    except NoLinkError as error:
        whom = place.ca_file or "the system's list of authorities"
        own = ": it is signed by itself" if certificate.issuer == certificate.subject else f", issuer {issuer}"
        if not place.by_phones:
            fix = "Install a certificate of a public authority there, unless its callers are known to trust the present one."
            return warning(*name, f"from here: not trusted by {whom}{own}", on.row, fix)
        return failed(
            *name,
            f"not trusted by {whom}{own}",
            REGISTRATION,
            "Install a certificate of a trusted authority there with its whole chain, or name the authority in ca_file."
            + ("" if error.trouble == "tls" else f" ({error.detail})"),
        )
    return ok(*name, f"trusted, issuer {issuer}")


def _name(place: Target, certificate: x509.Certificate) -> ProbeResult:
    name, names = (ProbeKind.CERTIFICATE_NAME, place), names_of(certificate)
    if any(matches(place.host, candidate) for candidate in names):
        said = f"made out to {place.host}"
        if place.by_phones or alternative_names_of(certificate) is not None:
            return ok(*name, said)
        said += ", by its common name alone, which not all clients accept (RFC 5922 section 7.1)"
        fix = f"Have {place.host} among its alternative names, unless its callers are known to accept it."
        return warning(*name, said, REGISTRATION, fix)
    shown = ", ".join(names) or certificate.subject.rfc4514_string()
    said = f"made out to {shown}, not to {place.host}"
    fix = f"Use the host the certificate names, or have one made out to {place.host}"
    if wide := next((candidate for candidate in names if is_wildcard_of(place.host, candidate)), None):
        said = f"made out to {wide}: SIP takes no wildcard (RFC 5922 section 7.2)"
        said += ", and the softphones refuse it" if place.by_phones else ""
        fix = f"Have a certificate made out to {place.host}"
    if place.by_phones:
        return failed(*name, said, REGISTRATION, f"{fix}.")
    # a Termination URI may be an address (Talkdesk's guide), and its callers may check no name, or another one
    return warning(*name, said, REGISTRATION, f"{fix}, unless its callers are known to accept it.")


def _expiry(probing: Probing, place: Target, certificate: x509.Certificate) -> ProbeResult:
    name = ProbeKind.EXPIRY, place
    now = datetime.datetime.fromtimestamp(probing.wall_clock(), datetime.UTC)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    until = f"until {ends:%Y-%m-%d}"
    if now < begins:
        return failed(
            *name, f"valid from {begins:%Y-%m-%d} only", REGISTRATION, "Check both clocks and the certificate."
        )
    if now > ends:
        return failed(*name, f"expired on {ends:%Y-%m-%d}", REGISTRATION, "Renew the certificate.")
    if ends - now < _SOON:
        days = (ends - now).days
        return warning(*name, f"{until}: {days} days left", REGISTRATION, "Renew the certificate in time.")
    return ok(*name, until)
