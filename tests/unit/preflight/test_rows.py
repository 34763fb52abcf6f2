"""What each row will need, told by what was found."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.deployment import from_plain, to_plain
from harness.integrations import load
from harness.integrations.matrix import Selection, cases
from harness.run.preflight import ProbeKind, ProbeResult, Report, Status, show
from harness.run.preflight.lines import ok
from harness.run.preflight.run import needs
from harness.sip.message import Request
from harness.support.resources import examples
from tests.unit.preflight.conftest import SOON, fine, says, silent

TRANSFER = "TD-TRANSFER-BLIND"


def with_a_group(lab: Any, far: Any, *, agents: list[str]) -> None:
    """The assistant hands over to the group Billing; the agent is another phone at the same registrar."""
    lab.account["port"] = lab.account["port"] if lab.account["port"] != 1 else far.udp(_knows_callers_alone)
    lab.plain["phones"]["anna"] = {"account": "carrier", "user": "agent-anna", "password": "right"}
    lab.plain["groups"] = {"Billing": {"did": "+18155550101", "agents": agents}}
    lab.plain["assistants"]["main"] |= {"transfer": "cold", "transfer_to": "Billing"}
    lab.trunk["termination"] = f"{far.address}:{far.udp()}"
    lab.plain["stand_in"] = {"bind": "127.0.0.1"}
    lab.plain["escalation"] = {"digit": "0"}


def _knows_callers_alone(request: Request) -> Any:
    is_annas = request.method == "REGISTER" and "agent-anna" in str(request.to.uri)
    return says(404 if is_annas else 200)(request)


def answers(report: Report, row: str) -> dict[tuple[str, str], str]:
    return {(need.what, need.whose): need.answer for need in report.rows if need.row == row}


def test_a_row_is_told_whether_its_agents_are_registered(lab: Any, far: Any) -> None:
    with_a_group(lab, far, agents=["anna"])
    report = lab.report()
    found = answers(report, TRANSFER)
    assert found["callers registered", ""] == "yes"
    assert found["agents registered", "group Billing"].startswith("no (registration of anna: 404 Not Found")
    assert found["platform's end answers", "trunk udp-ip"] == "yes"
    assert found["stand-in's port free", "trunk udp-ip"] == "yes"
    inbound = answers(report, "TD-INBOUND")
    assert inbound["callers registered", ""] == "yes"
    assert not [whose for _, whose in inbound if whose == "group Billing"], "its call is to land with no agent"
    console = Console(file=io.StringIO(), width=300)
    show(console, report, all_lines=False)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    (line,) = [line for line in said.splitlines() if TRANSFER in line]
    assert "agents registered (group Billing): no" in line
    assert "callers registered" not in said, "what is there is told with --all"
    assert {
        "row": TRANSFER,
        "what": "callers registered",
        "whose": "",
        "status": "ok",
        "detail": "",
    } in report.to_plain()["rows"]


def test_what_nobody_could_look_at_is_not_known(lab: Any, far: Any) -> None:
    with_a_group(lab, far, agents=["anna"])
    lab.plain["accounts"]["agents"] = dict(lab.account)
    lab.plain["phones"]["anna"]["account"] = "agents"
    lab.account["register"] = False
    found = answers(lab.report(), TRANSFER)
    assert found["callers registered", ""] == "not known (their accounts register nowhere)"


def test_every_need_of_every_row_is_looked_for_where_a_probe_tells() -> None:
    """Each of them names a line that preflight of that file writes; a name that no line has would never be yes."""
    plain = to_plain(load(examples()["simulated-talkdesk"]))
    plain["trunks"] = [trunk | {"host": "192.0.2.9", "termination": "192.0.2.8:5060"} for trunk in plain["trunks"]]
    deployment = from_plain(plain | {"stand_in": plain["stand_in"] | {"bind": "192.0.2.7"}})
    places = [f"{t.host}:{t.port}/{t.transport}" for t in deployment.trunks]
    places += [f"{t.termination}/{t.transport}" for t in deployment.trunks]
    lines: list[ProbeResult] = [ok(ProbeKind.OPTIONS, place, "") for place in places]
    lines += [ok(ProbeKind.STAND_IN_PORT, f"192.0.2.7:{t.port}/{t.transport}", "") for t in deployment.trunks]
    lines.append(ok(ProbeKind.STAND_IN_CERTIFICATE, "", ""))
    lines += [ok(ProbeKind.REGISTRATION, name, "") for name in deployment.phones]
    lines += [ok(ProbeKind.REGISTRATION, f"trunk {t.name}", "") for t in deployment.trunks]
    lines += [ok(ProbeKind.API, "", ""), ok(ProbeKind.CAMPAIGN, "", "")]
    found = needs(deployment, lines)
    assert len({need.row for need in found}) > 15
    assert {need.status for need in found} == {Status.OK}, [need for need in found if need.status is not Status.OK]


def test_a_run_is_told_of_the_rows_it_was_asked_for(lab: Any, far: Any) -> None:
    with_a_group(lab, far, agents=["anna"])
    every = lab.report()
    asked = cases([lab.deployment()], Selection(rows=(TRANSFER,)))
    report = lab.report(asked=asked)
    assert report.rows
    assert report.rows == tuple(need for need in every.rows if need.row == TRANSFER)
    assert lab.report(asked=()).rows == ()


WARM = "TD-TRANSFER-WARM"


def to_the_ai_itself(lab: Any, far: Any, answer: Any) -> str:
    """The AI is Synthflow's own, and hands over by a call of its own to the platform's end, which answers so; where that is."""
    with_a_group(lab, far, agents=["anna"])
    lab.plain["kind"] = "live"
    lab.plain["assistants"]["main"] |= {"transfer": "warm"}
    lab.plain["stand_in"] = {}
    end = f"{far.address}:{far.udp(answer)}"
    lab.trunk.update({"ai": "synthflow", "host": far.address, "port": far.udp(), "termination": end})
    return f"{end}/udp"


@pytest.mark.parametrize(
    ("answer", "status", "words", "needed"),
    [
        (fine, Status.OK, "", "yes"),
        # its allowlist has the AI's addresses, not this machine's
        (says(403), Status.OK, "allowed addresses alone", "yes"),
        (silent, Status.WARNING, "from here", "perhaps (OPTIONS "),
    ],
)
def test_the_end_that_a_live_ai_calls_is_probed_where_a_row_needs_it(
    lab: Any, far: Any, answer: Any, status: Status, words: str, needed: str
) -> None:
    place = to_the_ai_itself(lab, far, answer)
    report = lab.report(**SOON)
    (line,) = [line for line in report.lines if line.subject == place]
    assert line.status is status
    assert words in line.detail
    assert status is Status.OK or (line.row == "Transfer fails" and "Only the AI has to reach it" in line.fix)
    assert answers(report, WARM)["platform's end answers", "trunk udp-ip"].startswith(needed)
    assert ("platform's end answers", "trunk udp-ip") not in answers(report, "TD-INBOUND"), "no call goes there"


def test_of_several_handovers_the_warm_one_alone_has_the_ai_call_the_platform() -> None:
    found = needs(load(Path(__file__).parents[2] / "acceptance" / "deployments" / "handovers.toml"), ())
    ends = {need.row for need in found if need.what == "platform's end answers"}
    assert ends == {"TD-TRANSFER-WARM"}
    groups = {need.whose for need in found if need.row == "TD-TRANSFER-BLIND" and need.what == "agents registered"}
    assert groups == {"group Rechnung & Vertrag", "group Umzüge", "group Störungsdienst"}
