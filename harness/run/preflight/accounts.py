"""Registration, as far as it goes without changing anything: a REGISTER without Contact (RFC 3261 section 10.2.3)."""

from __future__ import annotations

from harness.deployment import PhoneEntry, Trunk
from harness.run.preflight.lines import REGISTRATION, ProbeKind, ProbeResult, failed, ok, warning
from harness.sip.grammar import SipSyntaxError
from harness.sip.login import Login
from harness.witness.ports.probes import Probing, Target
from harness.witness.ports.wire import RequestOutcome, exchange


async def phone_line(probing: Probing, name: str, phone: PhoneEntry, place: Target) -> ProbeResult:
    """One of the harness's phones at its registrar."""
    account = probing.deployment.accounts[phone.account]
    password = phone.password.get_secret_value() if phone.password else None
    username = phone.username or phone.aor_user
    login = Login(username, password, phone.realm) if password is not None else None
    outcome = await _register(probing, place, phone.aor_user, account.domain, login)
    return _line(name, f"phones.{name}", username, outcome)


async def trunk_line(probing: Probing, trunk: Trunk, place: Target) -> ProbeResult:
    """The SIP number of a trunk, at the Termination URI and of its domain, from the stand-in's address."""
    password = trunk.password.get_secret_value() if trunk.password else None
    username = trunk.username or ""
    login = Login(username, password, trunk.realm) if password is not None else None
    outcome = await _register(probing, place, username, place.host, login)
    return _line(f"trunk {trunk.name}", f"trunks.{trunk.name}", username, outcome)


async def _register(probing: Probing, place: Target, user: str, domain: str, login: Login | None) -> RequestOutcome:
    outcome = await exchange(probing, place, "REGISTER", user, domain, login)
    if outcome.response is not None:
        probing.registrars.add(place)
        if outcome.response.is_success:
            probing.admitting.add(place)
    return outcome


def _line(whose: str, where: str, username: str, outcome: RequestOutcome) -> ProbeResult:
    name = ProbeKind.REGISTRATION, whose
    response = outcome.response
    if response is None:
        row_fix = {
            "silent": "Check the firewall (UDP/TCP 32681 or TLS 32682, and the registrar's own port).",
            "unresolved": "Check the host: it does not resolve.",
            "undecided": "Packets arrive, and nothing there decides on them: ask the registrar's operator.",
        }
        return failed(
            *name, outcome.detail, REGISTRATION, row_fix.get(outcome.trouble or "", "Check host, port and transport.")
        )
    said = f"{response.status} {response.reason}"
    if (unanswered := outcome.unanswered) is not None:
        fix = f"{unanswered.fix} (See {where} and its account.)"
        return failed(*name, f"{said}: no password was sent for it, since {unanswered.why}", REGISTRATION, fix)
    return _judged(name, where, username, said, outcome, response.status)


def _judged(
    name: tuple[ProbeKind, str], where: str, username: str, said: str, outcome: RequestOutcome, status: int
) -> ProbeResult:
    """What the registrar's final answer says of the account."""
    realm = f" (realm {outcome.challenged_by})" if outcome.challenged_by else ""
    match status:
        case code if 200 <= code < 300:
            how = f"digest accepted{realm}" if outcome.challenged_by else "accepted without digest, by address"
            return ok(*name, f"{said}, {how}")
        case code if 300 <= code < 400:
            return _sent_on(name, f"{said}{realm}", outcome)
        case 401 | 407 if outcome.challenged_by is None:
            return failed(*name, f"{said}: a password is asked for", REGISTRATION, f"Give {where}.password_env.")
        case 401 | 407:
            return failed(
                *name,
                f"{said}: credentials of {username} refused{realm}",
                REGISTRATION,
                f"Check {where}: username and password.",
            )
        case 403:
            which = (
                f"these credentials{realm} or this address"
                if outcome.challenged_by
                else "this address, before any password"
            )
            return failed(
                *name,
                f"{said}: the registrar refuses {which}",
                REGISTRATION,
                "Check the allowed IPs there" + (" and the password." if outcome.challenged_by else "."),
            )
        case 404:
            return failed(
                *name, f"{said}: it does not know {username}{realm}", REGISTRATION, f"Check {where}: user or number."
            )
        case 400:  # some want a Contact before they look at anything else (SIPSorcery; FreeSWITCH may be set to)
            fix = "Look whether a phone registers there: some registrars take no REGISTER that asks for the bindings alone."
            return warning(*name, f"{said}{realm}: whether the password is right is not known", REGISTRATION, fix)
        case 405 | 501:
            return warning(
                *name, f"{said}: no registrar", REGISTRATION, "Set register = false, if the account needs none."
            )
        case 423:
            return ok(*name, f"{said}{realm}: it wants a longer interval, which the phones will give it")
        case _:
            return warning(*name, f"{said}{realm}", REGISTRATION, "Ask the registrar's operator.")


def _sent_on(name: tuple[ProbeKind, str], said: str, outcome: RequestOutcome) -> ProbeResult:
    """A redirection, and where it leads (RFC 3261 section 21.3)."""
    try:
        contact = outcome.response.contact if outcome.response else None
    except SipSyntaxError:
        contact = None
    if contact is None:
        fix = "Ask the registrar's operator."
        return failed(*name, f"{said}: it sends elsewhere, and does not say where", REGISTRATION, fix)
    place = f"{contact.uri.host}:{contact.uri.effective_port}"
    fix = "Name that place in the file, as the account's host and port or the trunk's termination."
    return failed(*name, f"{said}: it sends on to {place}, and the softphones follow no redirect", REGISTRATION, fix)
