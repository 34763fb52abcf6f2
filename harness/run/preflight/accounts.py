"""Registration, as far as it goes without changing anything: a REGISTER without Contact (RFC 3261 section 10.2.3)."""

from __future__ import annotations

from collections.abc import Callable

from harness.deployment import PhoneEntry, Trunk
from harness.run.preflight.lines import REGISTRATION, Name, ProbeKind, ProbeResult, failed, ok, warning
from harness.sip.grammar import SipSyntaxError
from harness.sip.login import Login
from harness.sip.message import Response
from harness.witness.ports.probes import Probing, Target
from harness.witness.ports.wire import RequestOutcome, exchange


async def phone_line(probing: Probing, name: str, phone: PhoneEntry, place: Target) -> ProbeResult:
    """One of the harness's phones at its registrar."""
    domain, username = probing.deployment.accounts[phone.account].domain, phone.username or phone.aor_user
    outcome = await _register(probing, place, phone.aor_user, domain, username, phone)
    return _line(name, f"phones.{name}", username, outcome)


async def trunk_line(probing: Probing, trunk: Trunk, place: Target) -> ProbeResult:
    """The SIP number of a trunk, at the Termination URI and of its domain, from the stand-in's address."""
    username = trunk.username or ""
    outcome = await _register(probing, place, username, place.host, username, trunk)
    return _line(f"trunk {trunk.name}", f"trunks.{trunk.name}", username, outcome)


async def _register(
    probing: Probing, place: Target, user: str, domain: str, username: str, owner: PhoneEntry | Trunk
) -> RequestOutcome:
    login = Login(username, owner.password.get_secret_value(), owner.realm) if owner.password else None
    outcome = await exchange(probing, place, "REGISTER", user, domain, login)
    if outcome.response is not None:
        probing.registrars.add(place)
        if outcome.response.is_success:
            probing.admitting.add(place)
    return outcome


#: Why no answer came → what to do.
_WITHOUT_ANSWER = {
    "silent": "Check the firewall (UDP/TCP 32681 or TLS 32682, and the registrar's own port).",
    "unresolved": "Check the host: it does not resolve.",
    "undecided": "Packets arrive, and nothing there decides on them: ask the registrar's operator.",
}
_NO_REGISTRAR = warning, ": no registrar", "Set register = false, if the account needs none."
#: A final status → how the line ends, what the status says of the account, and what to do. Others are a warning.
_ANSWERS: dict[int, tuple[Callable[..., ProbeResult], str, str]] = {
    # some want a Contact before they look at anything else (SIPSorcery; FreeSWITCH may be set to)
    400: (
        warning,
        "{realm}: whether the password is right is not known",
        "Look whether a phone registers there: some registrars take no REGISTER that asks for the bindings alone.",
    ),
    401: (failed, ": credentials of {username} refused{realm}", "Check {where}: username and password."),
    404: (failed, ": it does not know {username}{realm}", "Check {where}: user or number."),
    405: _NO_REGISTRAR,
    501: _NO_REGISTRAR,
}
_ANSWERS[407] = _ANSWERS[401]


def _line(whose: str, where: str, username: str, outcome: RequestOutcome) -> ProbeResult:
    """What the registrar's final answer, or its absence, says of the account."""
    name = ProbeKind.REGISTRATION, whose
    response = outcome.response
    if response is None:
        fix = _WITHOUT_ANSWER.get(outcome.trouble or "", "Check host, port and transport.")
        return failed(*name, outcome.detail, REGISTRATION, fix)
    said = f"{response.status} {response.reason}"
    if (unanswered := outcome.unanswered) is not None:
        fix = f"{unanswered.fix} (See {where} and its account.)"
        return failed(*name, f"{said}: no password was sent for it, since {unanswered.why}", REGISTRATION, fix)
    realm = f" (realm {outcome.challenged_by})" if outcome.challenged_by else ""
    match response.status:
        case code if 200 <= code < 300:
            how = f"digest accepted{realm}" if realm else "accepted without digest, by address"
            return ok(*name, f"{said}, {how}")
        case code if 300 <= code < 400:
            return _sent_on(name, f"{said}{realm}", response)
        case 401 | 407 if not realm:
            return failed(*name, f"{said}: a password is asked for", REGISTRATION, f"Give {where}.password_env.")
        case 403:
            which = f"these credentials{realm} or this address" if realm else "this address, before any password"
            fix = "Check the allowed IPs there" + (" and the password." if realm else ".")
            return failed(*name, f"{said}: the registrar refuses {which}", REGISTRATION, fix)
        case 423:
            return ok(*name, f"{said}{realm}: it wants a longer interval, which the phones will give it")
    kind, detail, fix = _ANSWERS.get(response.status, (warning, "{realm}", "Ask the registrar's operator."))
    values = {"username": username, "realm": realm, "where": where}
    return kind(*name, said + detail.format(**values), REGISTRATION, fix.format(**values))


def _sent_on(name: Name, said: str, response: Response) -> ProbeResult:
    """A redirection, and where it leads (RFC 3261 section 21.3)."""
    try:
        contact = response.contact
    except SipSyntaxError:
        contact = None
    if contact is None:
        fix = "Ask the registrar's operator."
        return failed(*name, f"{said}: it sends elsewhere, and does not say where", REGISTRATION, fix)
    place = f"{contact.uri.host}:{contact.uri.effective_port}"
    fix = "Name that place in the file, as the account's host and port or the trunk's termination."
    return failed(*name, f"{said}: it sends on to {place}, and the softphones follow no redirect", REGISTRATION, fix)
