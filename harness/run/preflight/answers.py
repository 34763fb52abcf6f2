"""OPTIONS (RFC 3261 section 11): whether a place answers, how fast, by which clock, with what codecs, and to which address."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

from harness.run.preflight import nat
from harness.run.preflight.lines import (
    AUDIO,
    OTHERS,
    REGISTRATION,
    ProbeKind,
    ProbeResult,
    Status,
    failed,
    ok,
    warning,
)
from harness.sip.message import Response
from harness.witness.clock import date_told
from harness.witness.ports.probes import Probing, Target, UnresolvedError
from harness.witness.ports.wire import RequestOutcome, exchange

SLOW_S = 0.5
_MOST_ADDRESSES = 8  # as many as the softphones know of a name
SKEW_WARNING_S = 3.0
SKEW_FAILED_S = 60.0
_ANY_ANSWER = "Any answer but 403 shows that requests get there and back."
#: A loop, or too many hops (RFC 3261 sections 21.4.20 and 21.4.21): the request was nowhere answered.
_IN_A_CIRCLE = (482, 483)
#: Static payload types that need no rtpmap (RFC 3551 table 4).
_STATIC = {"0": "PCMU", "8": "PCMA", "9": "G722", "18": "G729", "3": "GSM"}


async def asked(probing: Probing, place: Target, kind: str, domain: str) -> list[ProbeResult]:
    """OPTIONS to a place; ``kind`` is ``account``, ``termination``, ``ai``, or ``for the ai``: what it alone calls."""
    try:
        addresses = await probing.addresses(place)
    except UnresolvedError:
        return list(lines(probing, place, kind, await exchange(probing, place, "OPTIONS", "preflight", domain)))
    places = [replace(place, address=address) for address in addresses[:_MOST_ADDRESSES]]
    outcomes = await asyncio.gather(*(exchange(probing, one, "OPTIONS", "preflight", domain) for one in places))
    first = next((outcome for outcome in outcomes if outcome.response is not None), outcomes[0])
    found = lines(probing, place, kind, first)
    for one, outcome in zip(places, outcomes, strict=True):
        if outcome is not first and (line := answer_line(place, kind, outcome)).status is not Status.OK:
            found.append(_of_one_address(line, str(one.address)))
    return found


def _of_one_address(line: ProbeResult, address: str) -> ProbeResult:
    """What is wrong at one of several addresses: calls go to any of them (RFC 3263 section 4.2), so that some will fail."""
    return replace(
        line,
        status=Status.WARNING,
        detail=f"at {address}, one of its addresses: {line.detail}",
        fix=f"Calls that go there fail, or go another way late. {line.fix}",
    )


def lines(probing: Probing, place: Target, kind: str, outcome: RequestOutcome) -> list[ProbeResult]:
    """What an answer, or its absence, says."""
    found = [answer_line(place, kind, outcome)]
    if outcome.trouble == "silent":
        probing.deaf.add(place)
    if outcome.code == 403:
        probing.forbidding.add(place)
    if outcome.response is not None:
        if clock := clock_line(probing, str(place), outcome.response.get("Date")):
            found.append(clock)
        if kind not in OTHERS:
            found += [codec_line(probing, place, outcome.response), nat.address_line(probing, place, outcome)]
    return found


def answer_line(place: Target, kind: str, outcome: RequestOutcome) -> ProbeResult:
    """Reachable, refused or silent."""
    name = ProbeKind.OPTIONS, place
    caller, row = OTHERS.get(kind, ("", REGISTRATION))
    if outcome.response is not None:
        said = f"{outcome.code} {outcome.response.reason}, {outcome.seconds * 1000:.0f} ms"
        if outcome.code == 403 and caller:
            return ok(*name, f"{said}: packets arrive; it takes calls from allowed addresses alone")
        if outcome.code == 403:
            source = outcome.local[0] if outcome.local else "this machine"
            return failed(
                *name,
                f"{said}: packets arrive, but {source} is not allowed",
                REGISTRATION,
                "Add this machine's public address to the allowed IPs there. (A firewall would have been silent.)",
            )
        if outcome.code in _IN_A_CIRCLE:
            fix = "Follow the request through the routing there: it comes back to where it was, or passes too many servers."
            return warning(*name, f"{said}: it got lost on the way", row, fix)
        if outcome.code == 503:
            return warning(*name, said, row, "The server is overloaded or has no route; ask its operator.")
        if outcome.seconds > SLOW_S:
            return warning(*name, f"{said}: slow", row, "Use a region nearer to this machine, or mend the network.")
        return ok(*name, said)
    fix = {
        "silent": "Packets are dropped: open the port in the firewalls in between, for this machine's address too. "
        + _ANY_ANSWER
        + " A server that takes calls and answers no OPTIONS (RFC 3261 section 11 asks it to) looks the same.",
        "refused": "Nothing listens there: correct port and transport in the file, or start the service.",
        "cut": "Something listens there and hangs up: check the transport, and whether it wants a client's certificate.",
        "unresolved": "Mend the name first.",
        "unreadable": "Packets arrive, and something else than SIP answers: correct port and transport in the file.",
        "undecided": "Packets arrive, and nothing there decides on them: ask its operator.",
        "tls": "See the lines on TLS and its certificate.",
        "bind": "Correct bind: it has to be an address of this machine.",
    }.get(outcome.trouble or "", "Mend the network in between.")
    if caller and outcome.trouble not in ("unresolved", "bind"):
        return warning(*name, f"from here: {outcome.detail}", row, f"Only the {caller} has to reach it. {fix}")
    return failed(*name, outcome.detail, row, fix)


def by_registrar(probing: Probing, line: ProbeResult) -> ProbeResult:
    """The line on OPTIONS, weakened where the same place has answered a REGISTER from the same address."""
    if line.look is not ProbeKind.OPTIONS or line.status is not Status.FAILED:
        return line
    if line.subject in map(str, probing.deaf & probing.registrars):
        detail = f"{line.detail}; it answers REGISTER, so this silence shows nothing"
        fix = "It should answer OPTIONS (RFC 3261 section 11)"
    elif line.subject in map(str, probing.forbidding & probing.admitting):
        # the address is allowed, and the request is not (RFC 3261 section 21.4.4)
        said = line.detail.partition(":")[0]
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
    """The far end's clock against ours, where it tells the time (RFC 3261 section 20.17, RFC 9110 section 6.6.1)."""
    name = ProbeKind.CLOCK, who
    if not date:
        return None
    try:
        theirs = date_told(date)
    except (ValueError, OverflowError):
        return warning(
            *name, f"it says {date!r}", REGISTRATION, "Its Date header cannot be read; nothing depends on it."
        )
    skew = theirs - probing.wall_clock()
    said = f"{abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}" if abs(skew) >= 1 else "the same to the second"
    if abs(skew) <= SKEW_WARNING_S:
        return ok(*name, said)
    fix = (
        "Set the clock that is wrong by NTP, this machine's or the far end's: certificates, digest nonces and the search for a call's "
        "record depend on them."
    )
    kind = failed if abs(skew) > SKEW_FAILED_S else warning
    return kind(*name, said, REGISTRATION, fix)


def codec_line(probing: Probing, place: Target, response: Response) -> ProbeResult:
    """The codecs that calls are made with among those offered, where the answer has SDP."""
    name = ProbeKind.CODECS, place
    body = response.part("application/sdp") if response.content_type == "application/sdp" else None
    if body is None:
        accept = response.get("Accept")
        return ok(*name, f"not told (Accept: {accept})" if accept else "not told; the first call shows them")
    offered = _codecs_of(body.decode("utf-8", "replace"))
    missing = [codec.upper() for codec in probing.deployment.axes.codecs if codec.upper() not in offered]
    said = ", ".join(offered) or "none"
    if len(missing) == len(probing.deployment.axes.codecs):
        lacking = "G.711" if len(missing) > 1 else missing[0]
        fix = f"Enable {' and '.join(missing)} there: Synthflow prefers G.711."
        return failed(*name, f"{said}: no {lacking}", AUDIO, fix)
    if missing:
        return warning(*name, f"{said}: no {missing[0]}", AUDIO, f"Enable {missing[0]}, or take it out of axes.codecs.")
    return ok(*name, said)


def _codecs_of(sdp: str) -> list[str]:
    """The audio codecs of a session description, in their order."""
    named = dict(re.findall(r"^a=rtpmap:(\d+) ([^/\s]+)", sdp, re.MULTILINE))
    types = re.search(r"^m=audio \S+ \S+ (.+?)\s*$", sdp, re.MULTILINE)
    return [named.get(t, _STATIC.get(t, t)).upper() for t in (types[1].split() if types else [])]
