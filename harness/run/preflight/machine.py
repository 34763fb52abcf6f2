"""What this machine and the file must provide: free ports, secrets, callable numbers, and the certificates that harness phones show."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import phonenumbers
from cryptography import x509

from harness.deployment import Account, Deployment, StandIn, Trunk
from harness.deployment.safety import Guard, numbers_called, numbers_of
from harness.run.preflight.lines import (
    AUDIO,
    CALLER_ID,
    REGISTRATION,
    ROUTING,
    Name,
    ProbeKind,
    ProbeResult,
    failed,
    ok,
    warning,
)
from harness.support.files import user_files
from harness.support.toml_model import MOST_ALIKE
from harness.witness.ports.certificates import alternative_names_of, matches


def number_lines(deployment: Deployment) -> Iterator[ProbeResult]:
    """Every number is valid, and those that are called are allowed by the rules."""
    guard = Guard(deployment)
    numbers = sorted(set(numbers_of(deployment)))
    called = sorted(set(numbers_called(deployment)))
    extensions = sorted({group.user for group in deployment.groups.values() if group.user})
    reasons = {number: reason for number in (*called, *extensions) if (reason := guard.refusal(number))}
    odd = [n for n in numbers if n not in reasons and not phonenumbers.is_valid_number(phonenumbers.parse(n, None))]
    refused = list(_alike(reasons))
    # No row dials a phone by its user, so an extension with the digits of a short code is harmless.
    names = sorted(phone.user for phone in deployment.phones.values() if phone.user)
    emergency = [f"{name} is an emergency number" for name in names if guard.is_emergency(name)]
    if refused or emergency:
        allow = "Correct the number, or name it in safety.allow, or its country in safety.countries"
        named = f"{allow} (an emergency number never passes)." if refused else ""
        users = "Give that phone another user." if emergency else ""
        fix = " ".join(filter(None, (named, users)))
        yield failed(ProbeKind.NUMBERS, "", "; ".join(refused + emergency), ROUTING, fix)
    elif odd:
        fix = "Check them: no numbering plan has them."
        yield warning(
            ProbeKind.NUMBERS, "", "; ".join(_alike({n: f"{n} cannot be valid" for n in odd})), CALLER_ID, fix
        )
    else:
        yield ok(ProbeKind.NUMBERS, "", f"{len(numbers)} numbers, all valid and allowed")


def _alike(reasons: Mapping[str, str]) -> Iterator[str]:
    """What is said of each number, once where it is the same of many."""
    same: dict[str, list[str]] = {}
    for number, reason in reasons.items():
        same.setdefault(reason.removeprefix(number), []).append(reason)
    for found in same.values():
        if len(found) <= MOST_ALIKE:
            yield from found
        else:
            yield f"{found[0]}, and the same of {len(found) - 1} others"


def rtp_line(name: str, account: Account, calls: int) -> ProbeResult:
    """The account's range of RTP ports has room for its calls."""
    line, address = (ProbeKind.RTP_PORTS, name), account.bind or "0.0.0.0"
    if account.rtp_ports is None:
        trouble = _trouble_of_binding(socket.SOCK_DGRAM, address, 0)
        if trouble:
            return failed(*line, f"{address}: {trouble}", AUDIO, f"Correct accounts.{name}.bind.")
        return ok(*line, f"the system's own choice on {address}")
    first, last = account.rtp_ports
    free = sum(not _trouble_of_binding(socket.SOCK_DGRAM, address, port) for port in range(first, last + 1))
    needed = 2 * calls  # RTP and RTCP
    said = f"{free} of {last - first + 1} ports {first}–{last} on {address} are free"
    if free < needed:
        return failed(
            *line, f"{said}, {needed} are needed", AUDIO, f"Widen accounts.{name}.rtp_ports, or end what holds them."
        )
    return ok(*line, said)


def stand_in_line(bind: str, trunk: Trunk) -> ProbeResult:
    """The port at which a harness phone takes the AI's place."""
    line = ProbeKind.STAND_IN_PORT, f"{bind}:{trunk.port}/{trunk.transport}"
    kind = socket.SOCK_DGRAM if trunk.transport == "udp" else socket.SOCK_STREAM
    if trouble := _trouble_of_binding(kind, bind, trunk.port):
        fix = "End what listens there (another run?), or correct stand_in.bind."
        return failed(*line, trouble, ROUTING, fix)
    return ok(*line, "free")


def address_line(where: str, address: str) -> ProbeResult:
    """An address that a harness phone is bound to."""
    line = ProbeKind.STAND_IN_PORT, f"{where} {address}"
    if trouble := _trouble_of_binding(socket.SOCK_DGRAM, address, 0):
        return failed(*line, trouble, REGISTRATION, f"Correct {where}: it has to be an address of this machine.")
    return ok(*line, "an address of this machine")


def _trouble_of_binding(kind: socket.SocketKind, address: str, port: int) -> str:
    """Why the port cannot be had, empty when it can."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as trial:
        if kind == socket.SOCK_STREAM:  # connections of an earlier run may linger (TIME_WAIT); a listener may not
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "something else listens there"
            return "no address of this machine" if error.errno == errno.EADDRNOTAVAIL else str(error.strerror)
    return ""


def secret_line(variable: str, where: str, value: str | None) -> ProbeResult:
    """A secret is in the environment, and is one line."""
    name = ProbeKind.SECRET, variable
    if not value:
        return failed(*name, f"not set; {where} needs it", REGISTRATION, f"export {variable}=…")
    if value != value.strip() or not value.isprintable():
        fix = "Set it again without the spaces or line breaks around it."
        return failed(*name, "it has spaces or line breaks in it that no password has", REGISTRATION, fix)
    return ok(*name, "set")


# -- certificates that harness phones show on TLS

CERTIFICATE = (ProbeKind.STAND_IN_CERTIFICATE, "")
_FIX = "Name a certificate and its key in [stand_in], PEM files; the platform has to trust it."


def certificate_line(place: StandIn, hosts: Collection[str], at: float) -> ProbeResult:
    """Whether there is one, with its own key, that counts ``at`` that time and is made out to ``hosts``, the trunks'."""
    if (pair := place.own_pair) is None:
        missing = "private_key" if place.certificate else "certificate"
        return failed(
            *CERTIFICATE, f"stand_in.{missing} is missing: no TLS connection is set up without it", ROUTING, _FIX
        )
    looked_at = _look(CERTIFICATE, *pair, at, _FIX)
    if isinstance(looked_at, ProbeResult):
        return looked_at
    shown, until = looked_at
    names = alternative_names_of(shown) or []
    if strange := [host for host in hosts if not any(matches(host, name) for name in names)]:
        said = f"made out to {', '.join(names) or 'no host'}, and the trunk calls {', '.join(strange)}"
        return warning(
            *CERTIFICATE, said, ROUTING, "A platform that looks at names (RFC 5922) refuses it: have one made out."
        )
    return ok(*CERTIFICATE, until)


def own_certificate_line(subject: str, account: Account, at: float) -> ProbeResult:
    """Whether what an account's phones show to a server that asks (mutual TLS) has its own key, and counts ``at`` that time."""
    assert account.own_pair is not None
    name = (ProbeKind.OWN_CERTIFICATE, subject)
    looked_at = _look(name, *account.own_pair, at, "Name a certificate and its key in the account, PEM files.")
    return looked_at if isinstance(looked_at, ProbeResult) else ok(*name, looked_at[1])


def _look(name: Name, certificate: str, key: str, at: float, fix: str) -> ProbeResult | tuple[x509.Certificate, str]:
    """The certificate, and until when it counts; or what is wrong with it."""
    try:
        pair = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pair.load_cert_chain(certificate, key, password="")  # else it asks at the terminal for one
        shown = x509.load_pem_x509_certificate(user_files.read(Path(certificate), user_files.PEM))
    except (OSError, ValueError) as error:
        said = str(error) or type(error).__name__
        return failed(*name, f"{certificate} with {key}: {said}", ROUTING, fix)
    begins, ends = shown.not_valid_before_utc, shown.not_valid_after_utc
    if not begins <= datetime.fromtimestamp(at, UTC) <= ends:
        return failed(*name, f"counts from {begins:%Y-%m-%d} until {ends:%Y-%m-%d}", ROUTING, "Renew the certificate.")
    return shown, f"with its key, until {ends:%Y-%m-%d}"
