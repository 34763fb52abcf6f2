"""What each row of a deployment will need, told by what the probes found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.deployment import Deployment
from harness.errors import SelectionError
from harness.integrations.matrix import Case, calls_of, cases, landing_groups
from harness.run.preflight import api, own_certificate
from harness.run.preflight.lines import Name, ProbeKind, ProbeResult, RowNeed, Status
from harness.witness.ports.probes import Target, ai_end, termination

#: A thing that a row needs, whose it is, the lines that show whether it is there, and why it is not known where there are none.
_Need = tuple[str, str, tuple[Name, ...], str]

_UNASKED = "nothing was asked"
_NOWHERE = "their accounts register nowhere"
#: What tells of a port that SIP goes to.
_OF_A_PORT = (
    ProbeKind.PORT,
    ProbeKind.TLS,
    ProbeKind.CHAIN,
    ProbeKind.CERTIFICATE_NAME,
    ProbeKind.EXPIRY,
    ProbeKind.OPTIONS,
)
_WORST_LAST = (Status.OK, Status.WARNING, Status.FAILED)


def needs(
    deployment: Deployment, lines: Sequence[ProbeResult], asked: Iterable[Case] | None = None
) -> tuple[RowNeed, ...]:
    """Row by row, in the matrix's order: every thing that its cases need, once; of those ``asked`` for, where a run says them."""
    found: dict[tuple[str, str, str], RowNeed] = {}
    for case in _cases(deployment) if asked is None else asked:
        for what, whose, names, why in _of_case(case, deployment):
            if (key := (case.row.id, what, whose)) not in found:
                status, detail = _told([line for line in lines if (line.look, line.subject) in names], why)
                found[key] = RowNeed(*key, status, detail)
    return tuple(found.values())


def _cases(deployment: Deployment) -> list[Case]:
    try:
        return cases([deployment])
    except SelectionError:  # a file that no row has a case of is looked at all the same
        return []


def _told(lines: Sequence[ProbeResult], why: str) -> tuple[Status | None, str]:
    if not lines:
        return None, why
    worst = max(lines, key=lambda line: _WORST_LAST.index(line.status))
    return worst.status, "" if worst.status is Status.OK else f"{worst.name}: {worst.detail}"


def _of_case(case: Case, deployment: Deployment) -> Iterator[_Need]:
    yield from _of_phones(case, deployment)
    trunk = deployment.trunk(case.trunk)
    of = f"trunk {trunk.name}"
    if trunk.ai == "stand-in":
        here = ProbeKind.STAND_IN_PORT, f"{deployment.stand_in.bind}:{trunk.port}/{trunk.transport}"
        yield "stand-in's port free", of, (here,), _UNASKED
        if trunk.transport == "tls":
            yield "stand-in's certificate in order", "", (own_certificate.NAME,), _UNASKED
        yield "platform's end answers", of, _at(termination(deployment, trunk)), "no termination is known"
    elif case.row.moment != "people":  # whose calls never get there
        yield "AI's end answers", of, _at(ai_end(deployment, trunk)), "no host is known"
        if _the_ai_calls(case, deployment):
            yield "platform's end answers", of, _at(termination(deployment, trunk)), "no termination is known"
        yield "AI's records can be read", "", ((ProbeKind.API, ""),), "no API is declared: its side is not observed"
    if case.row.moment == "registration" and trunk.ai == "stand-in":
        yield "credentials taken", of, ((ProbeKind.REGISTRATION, of),), "the trunk has no user name"
    if case.row.moment == "campaign":
        yield "campaign can be started", "", (api.CAMPAIGN,), "somebody has to start it by hand"


def _the_ai_calls(case: Case, deployment: Deployment) -> bool:
    """Whether the AI itself sends requests to the platform, outside the caller's call: a REFER goes within it."""
    handover = case.handover(deployment)
    calls = any(call.by == "the AI" for call in calls_of(case, deployment))
    return case.row.moment == "registration" or (calls and handover is not None and handover.transfer == "warm")


def _of_phones(case: Case, deployment: Deployment) -> Iterator[_Need]:
    calls = calls_of(case, deployment)
    callers = {call.who for call in calls if call.who in deployment.phones}
    if case.row.moment == "campaign":
        callers.add(deployment.customer)
    if callers:
        yield "callers registered", "", _accounts(callers), _NOWHERE
    for name in dict.fromkeys(landing_groups(case, deployment)):
        group = deployment.groups[name]
        if deployment.is_reported(name):
            yield "platform's report", f"group {name}", (), "it is read after a call"
        elif not group.empty:
            yield "agents registered", f"group {name}", _accounts(group.present), _UNASKED


def _accounts(phones: Iterable[str]) -> tuple[Name, ...]:
    return tuple((ProbeKind.REGISTRATION, phone) for phone in sorted(phones))


def _at(place: Target | None) -> tuple[Name, ...]:
    return tuple((kind, str(place)) for kind in _OF_A_PORT) if place else ()
