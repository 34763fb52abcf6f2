"""What SIP servers answer to OPTIONS (RFC 3261 section 11), and to a REGISTER without Contact,
which only asks (section 10.2.3).
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import replace

from harness.deployment import PhoneEntry, Trunk
from harness.run.preflight import network
from harness.run.preflight.lines import (
    AUDIO,
    OTHERS,
    Look,
    ProbeKind,
    ProbeResult,
    Status,
)
from harness.sip.digest import Login
from harness.sip.message import Response
from harness.witness.clock import date_told
from harness.witness.ports.probes import Probing, Target, UnresolvedError
from harness.witness.ports.wire import RequestOutcome, exchange

SLOW_S = 0.5
_MOST_ADDRESSES = 8  # as many as the softphones know of a name
SKEW_WARNING_S = 3.0
SKEW_FAILED_S = 60.0
#: Static payload types that need no rtpmap (RFC 3551 table 4).
_STATIC = {"0": "PCMU", "8": "PCMA", "9": "G722", "18": "G729", "3": "GSM"}


async def asked(
    look: Look,
    probing: Probing,
    place: Target,
    kind: str,
    domain: str,
) -> list[ProbeResult]:
    """OPTIONS to a place; ``kind`` is ``account``, ``termination``, ``ai``, or ``for the ai``: what
    it alone calls.
    """
    addresses: list[str | None] = [None]
    with suppress(UnresolvedError):  # which the request's outcome says
        addresses = [*(await probing.addresses(place))[:_MOST_ADDRESSES]]
    places = [replace(place, address=address) for address in addresses]
    outcomes = await asyncio.gather(
        *(exchange(probing, one, "OPTIONS", "preflight", domain) for one in places)
    )
    first = next((outcome for outcome in outcomes if outcome.response is not None), outcomes[0])
    found = lines(look, probing, place, kind, first)
    for one, outcome in zip(places, outcomes, strict=True):
        if outcome is first:
            continue
        line = answer_line(look, kind, outcome)
        if line.status is not Status.OK:
            # calls go to any of the addresses (RFC 3263 section 4.2), so that some will fail
            detail = f"at {one.address}, one of its addresses: {line.detail}"
            fix = f"Calls that go there fail, or go another way late. {line.fix}"
            found.append(replace(line, status=Status.WARNING, detail=detail, fix=fix))
    return found


def lines(
    look: Look,
    probing: Probing,
    place: Target,
    kind: str,
    outcome: RequestOutcome,
) -> list[ProbeResult]:
    """What an answer, or its absence, says."""
    found = [answer_line(look, kind, outcome)]
    if outcome.trouble == "silent":
        probing.deaf.add(place)
    if outcome.code == 403:
        probing.forbidding.add(place)
    if outcome.response is not None:
        if clock := clock_line(probing, look.subject, outcome.response.get("Date")):
            found.append(clock)
        if kind not in OTHERS:
            found += [
                codec_line(probing, place, outcome.response),
                network.address_line(probing, place, outcome),
            ]
    return found


def answer_line(look: Look, kind: str, outcome: RequestOutcome) -> ProbeResult:
    """Reachable, refused or silent."""
    caller = OTHERS.get(kind)
    if outcome.response is not None:
        said = f"{outcome.code} {outcome.response.reason}, {outcome.seconds * 1000:.0f} ms"
        if outcome.code == 403 and caller:
            return look.ok(f"{said}: packets arrive; it takes calls from allowed addresses alone")
        if outcome.code == 403:
            source = outcome.local[0] if outcome.local else "this machine"
            fix = "Add this machine's public address to the allowed IPs there. (A firewall would have been silent.)"
            return look.failed(f"{said}: packets arrive, but {source} is not allowed", fix)
        # a loop, too many hops (RFC 3261 sections 21.4.20 and 21.4.21), no service
        if outcome.code in (482, 483, 503):
            fix = "Its routing there leads nowhere, or the server is overloaded: ask its operator."
            return look.warning(said, fix)
        if outcome.seconds > SLOW_S:
            fix = "Use a region nearer to this machine, or repair the network."
            return look.warning(f"{said}: slow", fix)
        return look.ok(said)
    fix = _WITHOUT_ANSWER.get(outcome.trouble or "", "Repair the network in between.")
    if caller and outcome.trouble not in ("unresolved", "bind"):
        fix = f"Only the {caller} has to reach it. {fix}"
        return look.warning(f"from here: {outcome.detail}", fix)
    return look.failed(outcome.detail, fix)


#: Why no answer came to OPTIONS → what to do.
_WITHOUT_ANSWER = {
    "silent": "Packets are dropped: open the port in the firewalls in between, for this machine's address too. "
    "Any answer but 403 shows that requests get there and back. A server that takes calls and answers no OPTIONS (RFC 3261 section "
    "11 asks it to) looks the same.",
    "refused": "Nothing listens there: correct port and transport in the file, or start the service.",
    "cut": "Something listens there and hangs up: check the transport, and whether it wants a client's certificate.",
    "unresolved": "Correct the name first.",
    "unreadable": "Packets arrive, and something else than SIP answers: correct port and transport in the file.",
    "undecided": "Packets arrive, and nothing there decides on them: ask its operator.",
    "tls": "See the lines on TLS and its certificate.",
    "bind": "Correct bind: it has to be an address of this machine.",
}


def by_registrar(probing: Probing, line: ProbeResult) -> ProbeResult:
    """The line on OPTIONS, weakened where the same place has answered a REGISTER from the same
    address.
    """
    if line.look is not ProbeKind.OPTIONS or line.status is not Status.FAILED:
        return line
    if line.subject in map(str, probing.deaf & probing.registrars):
        detail = f"{line.detail}; it answers REGISTER, so this silence shows nothing"
        fix = "It should answer OPTIONS (RFC 3261 section 11)"
    elif line.subject in map(str, probing.forbidding & probing.admitting):
        # the address is allowed, and the request is not (RFC 3261 section 21.4.4)
        said, _, _ = line.detail.partition(":")
        detail = f"{said}: packets arrive; it has accepted REGISTER from the same address, and forbids only OPTIONS"
        fix = "It should answer OPTIONS as it would a call (RFC 3261 section 11.2)"
    else:
        return line
    return replace(
        line,
        status=Status.WARNING,
        detail=detail,
        fix=f"{fix}; KEEPALIVE fails without. Its calls need no answer to it.",
    )


def clock_line(probing: Probing, who: str, date: str | None) -> ProbeResult | None:
    """The far end's clock against ours, where it tells the time (RFC 3261 section 20.17, RFC 9110
    section 6.6.1).
    """
    look = Look(ProbeKind.CLOCK, who)
    if not date:
        return None
    try:
        theirs = date_told(date)
    except (ValueError, OverflowError):
        fix = "Its Date header cannot be read; nothing depends on it."
        return look.warning(f"it says {date!r}", fix)
    skew = theirs - probing.wall_clock()
    said = "the same to the second"
    if abs(skew) >= 1:
        said = f"{abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"
    if abs(skew) <= SKEW_WARNING_S:
        return look.ok(said)
    fix = (
        "Set the clock that is wrong by NTP, this machine's or the far end's: certificates, digest nonces and the search for a call's "
        "record depend on them."
    )
    if abs(skew) > SKEW_FAILED_S:
        return look.failed(said, fix)
    return look.warning(said, fix)


def codec_line(probing: Probing, place: Target, response: Response) -> ProbeResult:
    """The codecs that calls are made with among those offered, where the answer has SDP."""
    look = Look(ProbeKind.CODECS, str(place), AUDIO)
    wanted = probing.deployment.axes.codecs
    body = None
    if response.content_type == "application/sdp":
        body = response.part("application/sdp")
    if body is None:
        if accept := response.get("Accept"):
            return look.ok(f"not told (Accept: {accept})")
        return look.ok("not told; the first call shows them")
    offered = _codecs_of(body.decode("utf-8", "replace"))
    missing = [codec.upper() for codec in wanted if codec.upper() not in offered]
    said = ", ".join(offered) or "none"
    if len(missing) == len(wanted):
        lacking = "G.711" if len(missing) > 1 else missing[0]
        fix = f"Enable {' and '.join(missing)} there: Synthflow prefers G.711."
        return look.failed(f"{said}: no {lacking}", fix)
    if missing:
        fix = f"Enable {missing[0]}, or take it out of axes.codecs."
        return look.warning(f"{said}: no {missing[0]}", fix)
    return look.ok(said)


def _codecs_of(sdp: str) -> list[str]:
    """The audio codecs of a session description, in their order."""
    named = dict(re.findall(r"^a=rtpmap:(\d+) ([^/\s]+)", sdp, re.MULTILINE))
    media = re.search(r"^m=audio \S+ \S+ (.+?)\s*$", sdp, re.MULTILINE)
    if media is None:
        return []
    return [named.get(kind, _STATIC.get(kind, kind)).upper() for kind in media[1].split()]


# -- registration


async def registration_line(
    look: Look, probing: Probing, owner: PhoneEntry | Trunk, place: Target
) -> ProbeResult:
    """What the registrar says of an account: a harness phone's, or the SIP number of a trunk, at the
    Termination URI and of its domain, from the stand-in's address.
    """
    if isinstance(owner, Trunk):
        user, domain, where = owner.username or "", place.host, f"trunks.{owner.name}"
    else:
        user, where = owner.aor_user, f"phones.{look.subject}"
        domain = probing.deployment.accounts[owner.account].domain
    username = owner.username or user
    login = None
    if owner.password:
        login = Login(username, owner.password.get_secret_value(), owner.realm)
    outcome = await exchange(probing, place, "REGISTER", user, domain, login)
    response = outcome.response
    if response is None:
        fix = _NO_REGISTRATION.get(outcome.trouble or "", "Check host, port and transport.")
        return look.failed(outcome.detail, fix)
    probing.registrars.add(place)
    said = f"{response.status} {response.reason}"
    if (unanswered := outcome.unanswered) is not None:
        fix = f"{unanswered.fix} (See {where} and its account.)"
        return look.failed(f"{said}: no password was sent for it, since {unanswered.why}", fix)
    realm = f" (realm {outcome.challenged_by})" if outcome.challenged_by else ""
    match response.status:
        case code if 200 <= code < 300:
            probing.admitting.add(place)
            how = f"digest accepted{realm}" if realm else "accepted without digest, by address"
            return look.ok(f"{said}, {how}")
        case code if 300 <= code < 400:
            to = response.get("Contact") or "nowhere"
            fix = "Name that place in the file, as the account's host and port or the trunk's termination."
            return look.failed(
                f"{said}{realm}: it sends on to {to}, and the softphones follow no redirect", fix
            )
        case 400:  # some want a Contact before they look at anything else (SIPSorcery; FreeSWITCH may be set to)
            fix = "Look whether a phone registers there: some registrars take no REGISTER that asks for the bindings alone."
            return look.warning(f"{said}{realm}: whether the password is right is not known", fix)
        case 401 | 407 if not realm:
            return look.failed(f"{said}: a password is asked for", f"Give {where}.password_env.")
        case 401 | 407:
            fix = f"Check {where}: username and password."
            return look.failed(f"{said}: credentials of {username} refused{realm}", fix)
        case 403:
            if realm:
                which = f"these credentials{realm} or this address"
                fix = "Check the allowed IPs there and the password."
            else:
                which = "this address, before any password"
                fix = "Check the allowed IPs there."
            return look.failed(f"{said}: the registrar refuses {which}", fix)
        case 404:
            fix = f"Check {where}: user or number."
            return look.failed(f"{said}: it does not know {username}{realm}", fix)
        case 405 | 501:
            fix = "Set register = false, if the account needs none."
            return look.warning(f"{said}: no registrar", fix)
        case 423:
            longer = "it wants a longer interval, which the phones will give it"
            return look.ok(f"{said}{realm}: {longer}")
    return look.warning(f"{said}{realm}", "Ask the registrar's operator.")


#: Why no answer came to REGISTER → what to do.
_NO_REGISTRATION = {
    "silent": "Check the firewall (UDP/TCP 32681 or TLS 32682, and the registrar's own port).",
    "unresolved": "Check the host: it does not resolve.",
    "undecided": "Packets arrive, and nothing there decides on them: ask the registrar's operator.",
}
