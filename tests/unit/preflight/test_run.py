"""All probes at once, and the needs of each row."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from harness.deployment import Deployment, from_plain, to_plain
from harness.integrations import load
from harness.integrations.matrix import Selection, cases
from harness.run.preflight import ProbeKind, ProbeResult, Report, Status
from harness.run.preflight.lines import Look
from harness.run.preflight.run import needs
from harness.sip.message import Request, Response
from harness.support.resources import examples
from tests.unit.preflight.conftest import FAILED, OK, SOON, check, fine, printed, says, silent

TRANSFER, WARM, INBOUND = "TD-TRANSFER-BLIND", "TD-TRANSFER-WARM", "TD-INBOUND"


def test_probes_run_concurrently(lab: Any, far: Any) -> None:
    """The far end answers only when every probe has sent its request."""
    seen: set[str] = set()

    def together(request: Request) -> Response | None:
        seen.add(request.call_id)
        return fine(request) if len(seen) >= 16 else None

    lab.account["port"] = far.udp(together)
    for number in range(7):
        lab.plain["accounts"][f"another-{number}"] = {**lab.account, "port": far.udp(together)}
        lab.plain["phones"][f"phone-{number}"] = {
            "account": f"another-{number}",
            "user": f"user-{number}",
        }
    answered = [
        line
        for line in lab.report().lines
        if line.look in (ProbeKind.OPTIONS, ProbeKind.REGISTRATION)
    ]
    assert len(answered) == 16
    assert not [line for line in answered if line.status is FAILED]


def test_broken_probe_hides_no_other(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> ProbeResult:
        raise ZeroDivisionError("unexpected")

    monkeypatch.setattr("harness.run.preflight.machine.rtp_line", broken)
    check(lab.line("RTP ports of carrier"), FAILED, "ZeroDivisionError")
    check(lab.line("OPTIONS"), OK, "200")


@pytest.mark.parametrize("at_a_carrier", [False, True])
def test_platform_port_is_probed_for_agents_phones(lab: Any, far: Any, at_a_carrier: bool) -> None:
    """KEEPALIVE sends OPTIONS there from an agent's phone; agents at a carrier's telephone do not."""
    number = {"number": "+14155550102"} if at_a_carrier else {"user": "agent-anna"}
    lab.plain["phones"]["anna"] = {"account": "carrier", "password": "right", **number}
    lab.plain["groups"] = {"people": {"did": "+13125550177", "agents": ["anna"]}}
    lab.plain["platform"].update(host=far.address, port=far.udp(says(403)))
    names = {line.name: line for line in lab.report().lines}
    asked = names.get(f"OPTIONS {far.address}:{lab.plain['platform']['port']}/udp")
    assert (asked and asked.status) is (None if at_a_carrier else FAILED)


# -- what each row needs


def with_a_group(lab: Any, far: Any) -> None:
    """The assistant transfers to the group Billing, whose agent's phone is unknown to the
    registrar.
    """

    def knows_callers_alone(request: Request) -> Any:
        is_annas = request.method == "REGISTER" and "agent-anna" in str(request.to.uri)
        return says(404 if is_annas else 200)(request)

    lab.account["port"] = far.udp(knows_callers_alone)
    lab.plain["phones"]["anna"] = {"account": "carrier", "user": "agent-anna", "password": "right"}
    lab.plain["groups"] = {"Billing": {"did": "+18155550101", "agents": ["anna"]}}
    lab.plain["assistants"]["main"] |= {"transfer": "cold", "transfer_to": "Billing"}
    lab.trunk["termination"] = f"{far.address}:{far.udp()}"
    lab.plain["stand_in"] = {"bind": "127.0.0.1"}
    lab.plain["escalation"] = {"digit": "0"}


def needed(report: Report, row: str) -> dict[tuple[str, str], str]:
    return {(need.what, need.whose): need.answer for need in report.rows if need.row == row}


def test_row_needs_name_unregistered_agents(lab: Any, far: Any) -> None:
    with_a_group(lab, far)
    report = lab.report()
    found = needed(report, TRANSFER)
    assert found["callers registered", ""] == "yes"
    assert found["agents registered", "group Billing"].startswith(
        "no (registration of anna: 404 Not Found"
    )
    assert found["platform's end answers", "trunk udp-ip"] == "yes"
    assert found["stand-in's port free", "trunk udp-ip"] == "yes"
    assert ("agents registered", "group Billing") not in needed(report, INBOUND), (
        "its call is to land with no agent"
    )
    said = printed(report)
    (line,) = [line for line in said.splitlines() if TRANSFER in line]
    assert "agents registered (group Billing): no" in line
    assert "callers registered" not in said, "what is there is told with --all"
    as_plain = {
        "row": TRANSFER,
        "what": "callers registered",
        "whose": "",
        "status": "ok",
        "detail": "",
    }
    assert as_plain in report.to_plain()["rows"]
    asked = cases([lab.deployment()], Selection(rows=(TRANSFER,)))
    assert lab.report(asked=asked).rows == tuple(
        need for need in report.rows if need.row == TRANSFER
    )


def test_need_without_a_probe_is_not_known(lab: Any, far: Any) -> None:
    with_a_group(lab, far)
    lab.plain["accounts"]["agents"] = dict(lab.account)
    lab.plain["phones"]["anna"]["account"] = "agents"
    lab.account["register"] = False
    assert (
        needed(lab.report(), TRANSFER)["callers registered", ""]
        == "not known (their accounts register nowhere)"
    )


def test_every_need_names_an_existing_line() -> None:
    """A need without such a line would never be met."""
    plain = to_plain(load(examples()["simulated-talkdesk"]))
    plain["trunks"] = [
        trunk | {"host": "192.0.2.9", "termination": "192.0.2.8:5060"} for trunk in plain["trunks"]
    ]
    deployment = from_plain(plain | {"stand_in": plain["stand_in"] | {"bind": "192.0.2.7"}})
    places = [f"{t.host}:{t.port}/{t.transport}" for t in deployment.trunks]
    places += [f"{t.termination}/{t.transport}" for t in deployment.trunks]
    looks = [(ProbeKind.OPTIONS, place) for place in places]
    looks += [
        (ProbeKind.STAND_IN_PORT, f"192.0.2.7:{t.port}/{t.transport}") for t in deployment.trunks
    ]
    looks += [(ProbeKind.REGISTRATION, name) for name in deployment.phones]
    looks += [(ProbeKind.REGISTRATION, f"trunk {t.name}") for t in deployment.trunks]
    looks += [
        (kind, "") for kind in (ProbeKind.STAND_IN_CERTIFICATE, ProbeKind.API, ProbeKind.CAMPAIGN)
    ]
    found = needs(deployment, [Look(kind, subject).ok("") for kind, subject in looks])
    assert len({need.row for need in found}) > 15
    assert {need.status for need in found} == {Status.OK}, [
        need for need in found if need.status is not Status.OK
    ]


def test_interfaces_are_listed_once_for_all_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each list copies the deployment for each number: 22 ms of a run's start."""
    deployment, listed = load(examples()["simulated-talkdesk"]), Mock(return_value=[])
    monkeypatch.setattr(Deployment, "interfaces", listed)
    assert needs(deployment, [])
    listed.assert_called_once_with()


@pytest.mark.parametrize(
    ("answer", "status", "words", "answered"),
    [
        (fine, Status.OK, "", "yes"),
        # its allowlist has the AI's addresses, not this machine's
        (says(403), Status.OK, "allowed addresses alone", "yes"),
        (silent, Status.WARNING, "from here", "perhaps (OPTIONS "),
    ],
)
def test_platform_end_for_a_live_ai_is_probed_where_a_row_needs_it(
    lab: Any, far: Any, answer: Any, status: Status, words: str, answered: str
) -> None:
    """The live AI transfers by a new call to the platform's end, which gives this answer."""
    with_a_group(lab, far)
    lab.plain["assistants"]["main"] |= {"transfer": "warm"}
    lab.plain["stand_in"] = {}
    end = f"{far.address}:{far.udp(answer)}"
    lab.trunk.update(
        {"ai": "synthflow", "host": far.address, "port": far.udp(), "termination": end}
    )
    report = lab.report(**SOON)
    (line,) = [line for line in report.lines if line.subject == f"{end}/udp"]
    check(line, status, words, "", row="" if status is Status.OK else "Registration fails")
    assert needed(report, WARM)["platform's end answers", "trunk udp-ip"].startswith(answered)
    assert ("platform's end answers", "trunk udp-ip") not in needed(report, INBOUND), (
        "no call goes there"
    )


def test_a_place_that_is_looked_at_from_several_addresses_has_a_line_for_each_with_its_source(
    lab: Any, far: Any
) -> None:
    """They were equal lines."""
    lab.plain["accounts"]["branch"] = {**lab.account, "bind": "127.0.0.1"}
    lab.plain["phones"]["branch"] = {"account": "branch", "number": "+14155550102"}
    names = [line.name for line in lab.report().lines if line.look is ProbeKind.OPTIONS]
    place = f"OPTIONS {far.address}:{lab.account['port']}/udp"
    assert names == [f"{place} from any address", f"{place} from 127.0.0.1"]
