"""All probes of a deployment, as rows of one table, asked at once; and what each row will need of
what they found.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from inspect import isawaitable
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, ParamSpec

from harness.deployment import Deployment, Synthflow, from_plain, is_address, to_plain
from harness.deployment.file import read
from harness.deployment.grants import Grants, demands
from harness.errors import DeploymentError, ResourceError, SelectionError
from harness.integrations import load
from harness.integrations.matrix import Case, calls_of, cases, landing_groups
from harness.run.preflight import answers, api, machine, network, reach
from harness.run.preflight.lines import (
    AUDIO,
    IN_GUIDE,
    REGISTRATION,
    WORST_LAST,
    Look,
    Name,
    ProbeKind,
    ProbeResult,
    Report,
    RowNeed,
    Status,
)
from harness.witness.ports.probes import Probing, Target, ai_end, termination

_Found = ProbeResult | Iterable[ProbeResult]
_Arguments = ParamSpec("_Arguments")


@dataclass(frozen=True)
class Probe:
    """What is looked at, and the function that makes its lines, at once or later."""

    look: Look
    lines: Callable[[], _Found | Awaitable[_Found]]
    source: str = ""  #: :attr:`~harness.run.preflight.lines.ProbeResult.source` of its lines

    @classmethod
    def of(
        cls,
        look: Look,
        lines: Callable[Concatenate[Look, _Arguments], _Found | Awaitable[_Found]],
        *arguments: _Arguments.args,
        **named: _Arguments.kwargs,
    ) -> Probe:
        """The probe whose lines ``lines`` makes of the look and these arguments."""
        return cls(look, partial(lines, look, *arguments, **named))

    async def asked(self) -> list[ProbeResult]:
        """Its lines. A probe that breaks must not hide what the others found."""
        try:
            found = self.lines()
            if isawaitable(found):
                found = await found
        except ResourceError:
            raise
        except Exception as error:
            fix = "This probe broke; what it looks at is unknown."
            look = replace(self.look, row="")
            return [look.failed(f"{type(error).__name__}: {error}", fix)]
        lines = [found] if isinstance(found, ProbeResult) else found
        return [replace(line, source=self.source) for line in lines]


def run(deployment: Deployment, asked: Iterable[Case] | None = None, **settings: Any) -> Report:
    """Probe everything that the calls of a complete deployment depend on. It takes as long as the
    slowest probe, at most about 5 s.

    The needs of rows are reported for every case, or for those ``asked`` for. ``settings`` are
    passed to :class:`~harness.witness.ports.probes.Probing`: ``resolver``, ``wall_clock``,
    ``patience``.
    """
    began = time.monotonic()
    lines = asyncio.run(_all(deployment, settings))
    return Report(
        deployment.name, tuple(lines), time.monotonic() - began, needs(deployment, lines, asked)
    )


def of_file(
    path: Path,
    environment: Mapping[str, str] | None = None,
    *,
    grants: Grants | None = None,
    **settings: Any,
) -> Report:
    """The same from a file, with a line for each secret it names. Raises :class:`DeploymentError`
    for all other mistakes.
    """
    grants = grants or Grants.given()
    environment = grants.environment() if environment is None else environment
    secret_lines = []
    missing = set()
    for name, where in variables(path).items():
        if name not in environment and not grants.reads(name):
            continue
        value = environment.get(name)
        secret_lines.append(machine.secret_line(name, where, value))
        if not value:
            missing.add(name)
    # a placeholder, so that the file loads and everything else is looked at
    deployment = load(path, {**environment, **dict.fromkeys(missing, "-")}, grants=grants)
    report = run(_without(deployment, missing), **settings)
    return replace(report, lines=(*secret_lines, *report.lines))


def variables(path: Path) -> dict[str, str]:
    """Every environment variable a file names, and where; none for a file that cannot be read
    (loading it says why).
    """
    try:
        plain = read(path)
    except DeploymentError:
        return {}
    return {one.what: one.where for one in demands(plain, path.parent) if one.kind == "env"}


def _without(deployment: Deployment, variables: set[str]) -> Deployment:
    """The deployment lacking the secrets of these variables: nothing is tried with a made-up
    password.
    """
    if not variables:
        return deployment
    plain = to_plain(deployment)
    owners = (
        *plain["trunks"],
        *plain["phones"].values(),
        *plain["assistants"].values(),
        plain.get("synthflow") or {},
    )
    for table in owners:
        for key in ("password", "api_token"):
            if table.get(f"{key}_env") in variables:
                table.pop(key, None)
    return from_plain(plain)


async def _all(deployment: Deployment, settings: dict[str, Any]) -> list[ProbeResult]:
    """Every line, in the order of the probes."""
    probing = Probing(deployment, **settings)
    # in this order: local ports are looked at before another probe uses one
    probes = [
        *_machine(probing),
        *_names(probing),
        *_ports(probing),
        *_phones(probing),
        *_http(probing),
    ]
    found = await asyncio.gather(*(probe.asked() for probe in probes))
    lines = [machine.number_line(deployment, _dialled(deployment))]
    for some in found:
        lines += some
    return [answers.by_registrar(probing, line) for line in lines]


def _dialled(deployment: Deployment) -> set[str]:
    """The numbers that harness phones dial; none where the deployment has no extensions: of these
    alone it matters who dials them, and a plan takes a tenth of a second.
    """
    if not any(group.user for group in deployment.groups.values()):
        return set()
    dialled = set()
    for case in _cases(deployment):
        calls = calls_of(case, deployment)
        dialled |= {call.number for call in calls if call.by == "the harness"}
    return dialled


def _http(probing: Probing) -> Iterator[Probe]:
    interfaces = probing.deployment.interfaces()
    names = _apis(interfaces)
    for reached in interfaces:
        look = Look(ProbeKind.API, names.get(reached.synthflow, ""))
        yield Probe.of(look, api.api_lines, replace(probing, deployment=reached))
    campaign = probing.deployment.campaign
    if campaign and campaign.trigger == "http" and campaign.url:
        yield Probe.of(Look(ProbeKind.CAMPAIGN), api.trigger_line, probing, campaign)


def _apis(interfaces: Sequence[Deployment]) -> dict[Synthflow | None, str]:
    """Whose each interface is, where the deployment has several."""
    names = {one.synthflow: f"of {', '.join(one.assistants)}" for one in interfaces}
    return names if len(names) > 1 else {}


def _names(probing: Probing) -> Iterator[Probe]:
    """The hosts' addresses, the domains' SIP services, and the trunks' allowlists."""
    for host, what in network.hosts(probing).items():
        row = REGISTRATION if what.endswith("termination") else ""
        yield Probe.of(Look(ProbeKind.DNS, host, row), network.host_line, probing, what)
    seen = set[tuple[str, str]]()
    for account in probing.deployment.accounts.values():
        service = account.domain, account.transport
        if not account.host or is_address(account.host) or service in seen:
            continue
        seen.add(service)
        look = Look(ProbeKind.SERVICE, account.domain)
        yield Probe.of(look, network.service_line, probing, account)
    for trunk in probing.deployment.trunks:
        end = ai_end(probing.deployment, trunk)
        if trunk.allowed_addresses and end:
            look = Look(ProbeKind.ALLOWLIST, trunk.name, REGISTRATION)
            yield Probe.of(look, network.allowlist_line, probing, trunk, end)


def _ports(probing: Probing) -> Iterator[Probe]:
    """Ports and OPTIONS of each place, once."""
    wanted: dict[Target, tuple[str, str]] = {}
    for kind, place, domain in _wanted(probing):
        wanted.setdefault(place, (kind, domain or probing.deployment.platform.domain))
    from_here = Counter(map(str, wanted))
    for place, (kind, domain) in wanted.items():
        source = "" if from_here[str(place)] == 1 else place.bind or "any address"
        row = REGISTRATION if kind in IN_GUIDE else ""
        if place.transport != "udp":
            look = Look(ProbeKind.PORT, str(place), row)
            port = Probe.of(look, reach.port_lines, probing, place, kind)
            yield replace(port, source=source)
        look = Look(ProbeKind.OPTIONS, str(place), row)
        options = Probe.of(look, answers.asked, probing, place, kind, domain)
        yield replace(options, source=source)


def _wanted(probing: Probing) -> Iterator[tuple[str, Target, str]]:
    """The kind of each target, the target, and the domain to ask there for; the first of several
    kinds of a target counts.
    """
    deployment = probing.deployment
    for place, owners in probing.accounts.items():
        yield "account", place, deployment.accounts[owners[0]].domain
    for place in _of_the_platform(probing):
        yield "account", place, deployment.platform.domain
    outside = next((place.bind for place in probing.accounts), None)
    for trunk in deployment.trunks:
        if trunk.ai == "stand-in":
            if end := termination(deployment, trunk):
                yield "termination", end, deployment.platform.domain
            continue
        # these need not answer to this machine, so silence is only a warning
        if trunk.host and (end := ai_end(deployment, trunk, outside)):
            yield "ai", end, trunk.host
        if end := termination(deployment, trunk):
            yield "for the ai", end, deployment.platform.domain


def _of_the_platform(probing: Probing) -> Iterator[Target]:
    """The platform's address, to which agents' phones send OPTIONS (KEEPALIVE), except those at a
    carrier's telephone.
    """
    deployment = probing.deployment
    host, port = deployment.platform.host, deployment.platform.port
    if not host or not port:
        return
    names = set()
    for group in deployment.groups.values():
        agents = [deployment.phones[agent] for agent in group.agents]
        names |= {agent.account for agent in agents if agent.number is None}
    for name in sorted(names):
        account = deployment.accounts[name]
        ca_file = account.ca_file or deployment.ca_file
        yield Target(host, port, account.transport, account.bind, ca_file, account.own_pair)


def _phones(probing: Probing) -> Iterator[Probe]:
    """A registration of each phone that registers, and of each trunk that does so as the stand-in."""
    deployment = probing.deployment
    for name, phone in deployment.phones.items():
        account = deployment.accounts[phone.account]
        place = probing.account_place(account)
        if account.register_ and place is not None:
            if phone.bind:
                place = replace(place, bind=phone.bind)
            look = Look(ProbeKind.REGISTRATION, name)
            yield Probe.of(look, answers.registration_line, probing, phone, place)
    for trunk in deployment.trunks:
        if trunk.ai != "stand-in" or not trunk.username:
            continue
        if place := termination(deployment, trunk):
            look = Look(ProbeKind.REGISTRATION, f"trunk {trunk.name}", REGISTRATION)
            yield Probe.of(look, answers.registration_line, probing, trunk, place)


def _machine(probing: Probing) -> Iterator[Probe]:
    """What this machine must have: the library for speech, ports, addresses, certificates."""
    deployment, now = probing.deployment, probing.wall_clock()
    calls = deployment.limits.concurrent_calls
    yield Probe.of(Look(ProbeKind.SPEECH, row=AUDIO), machine.speech_lines)
    for name, account in deployment.accounts.items():
        yield Probe.of(Look(ProbeKind.RTP_PORTS, name, AUDIO), machine.rtp_line, account, calls)
        if pair := account.own_pair:
            look, where = Look(ProbeKind.OWN_CERTIFICATE, name), f"[accounts.{name}]"
            yield Probe.of(look, machine.certificate_line, where, pair, (), now)
        if account.stun_server:
            yield Probe.of(Look(ProbeKind.STUN, name), network.stun_line, probing, account)
    yield from _stand_in(deployment, now)
    for where, address in _own_addresses(deployment):
        look = Look(ProbeKind.STAND_IN_PORT, f"{where} {address}")
        yield Probe.of(look, machine.address_line, where, address)


def _stand_in(deployment: Deployment, now: float) -> Iterator[Probe]:
    """The stand-in's ports, each once, and its certificate where a trunk has TLS."""
    bind = deployment.stand_in.bind
    if not bind:
        return
    stand_ins = [trunk for trunk in deployment.trunks if trunk.ai == "stand-in"]
    for trunk in {(trunk.port, trunk.transport): trunk for trunk in stand_ins}.values():
        look = Look(ProbeKind.STAND_IN_PORT, f"{bind}:{trunk.port}/{trunk.transport}")
        yield Probe.of(look, machine.stand_in_line, bind, trunk)
    if on_tls := [trunk for trunk in stand_ins if trunk.transport == "tls"]:
        hosts = sorted({trunk.host for trunk in on_tls if trunk.host})
        look, pair = Look(ProbeKind.STAND_IN_CERTIFICATE), deployment.stand_in.own_pair
        yield Probe.of(look, machine.certificate_line, "[stand_in]", pair, hosts, now)


def _own_addresses(deployment: Deployment) -> Iterator[tuple[str, str]]:
    """Addresses of this machine that phones are bound to, besides those of accounts and of the
    stand-in.
    """
    if stranger := deployment.stand_in.stranger_bind:
        yield "stand_in.stranger_bind", stranger
    for name, phone in deployment.phones.items():
        if phone.bind:
            yield f"phones.{name}.bind", phone.bind


# -- what each row needs

_UNASKED = "nothing was asked"
_NOWHERE = "their accounts register nowhere"
_NO_TERMINATION = "no termination is known"


class _Need(NamedTuple):
    """One need of a case."""

    what: str
    whose: str
    names: tuple[Name, ...]  #: of the lines that show it
    why_unknown: str = _UNASKED  #: without such lines


#: The lines on a SIP port.
_OF_A_PORT = (
    ProbeKind.PORT,
    ProbeKind.TLS,
    ProbeKind.CHAIN,
    ProbeKind.CERTIFICATE_NAME,
    ProbeKind.EXPIRY,
    ProbeKind.OPTIONS,
)


def needs(
    deployment: Deployment, lines: Sequence[ProbeResult], asked: Iterable[Case] | None = None
) -> tuple[RowNeed, ...]:
    """Row by row, in the matrix's order: every thing that its cases need, once; of those ``asked``
    for, where a run says them.
    """
    found: dict[tuple[str, str, str], RowNeed] = {}
    apis = _apis(deployment.interfaces())
    for case in _cases(deployment) if asked is None else asked:
        for need in _needs_of_case(case, deployment, apis):
            key = case.row.id, need.what, need.whose
            if key not in found:
                showing = [line for line in lines if (line.look, line.subject) in need.names]
                status, detail = _worst_of(showing, need.why_unknown)
                found[key] = RowNeed(*key, status, detail)
    return tuple(found.values())


def _cases(deployment: Deployment) -> list[Case]:
    try:
        return cases([deployment])
    except SelectionError:  # preflight also works without cases
        return []


def _worst_of(lines: Sequence[ProbeResult], why: str) -> tuple[Status | None, str]:
    if not lines:
        return None, why
    worst = max(lines, key=lambda line: WORST_LAST.index(line.status))
    if worst.status is Status.OK:
        return worst.status, ""
    return worst.status, f"{worst.name}: {worst.detail}"


def _needs_of_case(
    case: Case, deployment: Deployment, apis: Mapping[Synthflow | None, str]
) -> Iterator[_Need]:
    """What a case needs of its trunk, of the AI's side, and of a campaign."""
    yield from _needs_of_phones(case, deployment)
    trunk = deployment.trunk(case.trunk)
    of = f"trunk {trunk.name}"
    platform_end = _at(termination(deployment, trunk))
    if trunk.ai == "stand-in":
        here = ProbeKind.STAND_IN_PORT, f"{deployment.stand_in.bind}:{trunk.port}/{trunk.transport}"
        yield _Need("stand-in's port free", of, (here,))
        if trunk.transport == "tls":
            certificate = ProbeKind.STAND_IN_CERTIFICATE, ""
            yield _Need("stand-in's certificate in order", "", (certificate,))
        yield _Need("platform's end answers", of, platform_end, _NO_TERMINATION)
    elif case.row.moment != "people":  # whose calls do not reach it
        yield _Need("AI's end answers", of, _at(ai_end(deployment, trunk)), "no host is known")
        if _the_ai_calls(case, deployment):
            yield _Need("platform's end answers", of, platform_end, _NO_TERMINATION)
        reached = deployment.reached_over(case.trunk, case.line)
        interface = ProbeKind.API, apis.get(reached.synthflow, "")
        unobserved = "no API is declared: its side is not observed"
        yield _Need("AI's records can be read", "", (interface,), unobserved)
    if case.row.moment == "registration" and trunk.ai == "stand-in":
        login = ProbeKind.REGISTRATION, of
        yield _Need("credentials taken", of, (login,), "the trunk has no user name")
    if case.row.moment == "campaign":
        start = ProbeKind.CAMPAIGN, ""
        by_hand = "somebody has to start it by hand"
        yield _Need("campaign can be started", "", (start,), by_hand)


def _the_ai_calls(case: Case, deployment: Deployment) -> bool:
    """Whether the AI itself sends requests to the platform, outside the caller's call: a REFER goes
    within it.
    """
    if case.row.moment == "registration":
        return True
    if not any(call.by == "the AI" for call in calls_of(case, deployment)):
        return False
    handover = case.handover(deployment)
    return handover is not None and handover.transfer == "warm"


def _needs_of_phones(case: Case, deployment: Deployment) -> Iterator[_Need]:
    """The callers that must be registered, and the agents with whom its calls are to land."""
    calls = calls_of(case, deployment)
    callers = {call.who for call in calls if call.who in deployment.phones}
    if case.row.moment == "campaign":
        callers.add(deployment.customer)
    if callers:
        yield _Need("callers registered", "", _accounts(callers), _NOWHERE)
    for name in dict.fromkeys(landing_groups(case, deployment)):
        group, whose = deployment.groups[name], f"group {name}"
        if deployment.is_reported(name):
            yield _Need("platform's report", whose, (), "it is read after a call")
        elif not group.empty:
            yield _Need("agents registered", whose, _accounts(group.present))


def _accounts(phones: Iterable[str]) -> tuple[Name, ...]:
    return tuple((ProbeKind.REGISTRATION, phone) for phone in sorted(phones))


def _at(place: Target | None) -> tuple[Name, ...]:
    return tuple((kind, str(place)) for kind in _OF_A_PORT) if place else ()
