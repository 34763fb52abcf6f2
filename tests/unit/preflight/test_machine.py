"""What is looked at on this machine and in the file."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.run.preflight import Status
from harness.run.preflight.machine import number_lines, secret_line
from harness.witness.ports.wire import Link
from tests.unit.preflight.conftest import FarEnd, Lab
from tests.unit.preflight.probing import FAILED, OK, WARNING, check


def test_numbers(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp()
    check(lab.line("numbers"), OK, "3 numbers")
    lab.plain["numbers"] = {"no_such_number": "+13115550100"}
    check(lab.line("numbers"), WARNING, "+13115550100 cannot be valid", "Caller ID missing")
    lab.plain["numbers"] = {"no_such_number": "+19005550100"}
    check(lab.line("numbers"), FAILED, "premium", "Calls not reaching Synthflow", "safety.allow")
    lab.plain["safety"] = {"allow": ["+19005550100"]}
    check(lab.line("numbers"), OK, "allowed")
    lab.plain["phones"]["caller"]["user"] = "911"
    check(lab.line("numbers"), FAILED, "911 is an emergency number")
    lab.plain["phones"]["caller"]["user"] = "9110"  # an extension, which nobody dials
    check(lab.line("numbers"), OK, "allowed")


def test_a_number_that_nobody_calls_may_be_anywhere(lab: Any) -> None:
    """A German company's AI has an American number, which no case calls: preflight refused it, and the plan did not."""
    lab.plain["region"] = "DE"
    lab.plain["lines"] = {"inbound": {"did": "+4930901820100", "assistant": "main"}}
    lab.plain["phones"]["caller"]["number"] = "+33140205050"
    (line,) = number_lines(lab.deployment())
    assert line.status is OK, line
    del lab.plain["phones"]["caller"]
    lab.plain["campaign"] = {"trigger": "manual"}
    (line,) = number_lines(lab.deployment())
    assert line.status is OK, "nobody is there to be called"
    lab.plain["lines"]["abroad"] = {"did": "+33140205051", "assistant": "main"}
    (line,) = number_lines(lab.deployment())
    assert line.status is FAILED
    assert line.detail.startswith("+33140205051 belongs to FR")


def test_what_is_wrong_with_many_numbers_is_said_once(lab: Any) -> None:
    """Of three hundred of three countries the line filled screens."""
    assistant = next(iter(lab.plain["assistants"]))
    there = {f"n{i}": {"did": f"+4420794601{i:02}", "assistant": assistant} for i in range(40)}
    dear = {f"d{i}": {"did": f"+1900555010{i}", "assistant": assistant} for i in range(2)}
    lab.plain["lines"] = {**lab.plain["lines"], **there, **dear}
    (line,) = number_lines(lab.deployment())
    assert line.status is FAILED
    assert line.detail.count("belongs to GB") == 1
    assert (
        "+442079460100 belongs to GB, and the deployment to US (safety.countries may name it), and the same of 39 others"
        in line.detail
    )
    assert line.detail.count("premium") == 2
    assert "safety.countries" in line.fix


@given(st.from_regex(r"[2-8][0-9]{1,4}", fullmatch=True))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_extensions_are_no_numbers_that_anybody_calls(lab: Any, extension: str) -> None:
    """An agent's user at a PBX is an extension, and as such often a short code of the public network's, too."""
    lab.plain["phones"]["caller"]["user"] = extension
    (line,) = number_lines(lab.deployment())
    assert line.status is OK, line


def test_rtp_ports(lab: Any, far: Any) -> None:
    lab.account.update({"port": far.udp(), "bind": far.address})
    check(lab.line("RTP ports"), OK, "the system's own choice")
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind((far.address, 0))
        port = taken.getsockname()[1]
        first = port - 4
        lab.account["rtp_ports"] = [first, first + 7]
        lab.plain["limits"] = {"concurrent_calls": 3}
        check(lab.line("RTP ports"), OK, f"7 of 8 ports {first}–{first + 7}")
        lab.plain["limits"] = {"concurrent_calls": 4}
        check(lab.line("RTP ports"), FAILED, "8 are needed", "One-way or no audio", "rtp_ports")
    del lab.account["rtp_ports"]
    lab.account["bind"] = "192.0.2.1"
    check(lab.line("RTP ports"), FAILED, "no address of this machine", "One-way or no audio", "accounts.carrier.bind")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_stand_ins_port(lab: Any, far: Any, transport: str) -> None:
    lab.account["port"] = far.udp()
    lab.plain["stand_in"] = {"bind": far.address}
    with socket.socket(type=socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM) as listener:
        listener.bind((far.address, 0))
        if transport == "tcp":
            listener.listen()
        lab.trunk.update({"transport": transport, "port": listener.getsockname()[1]})
        check(
            lab.line("stand-in port"), FAILED, "something else listens", "Calls not reaching Synthflow", "another run"
        )
    check(lab.line("stand-in port"), OK, "free")


def test_a_port_that_a_probe_of_ours_has_is_free(lab: Lab, far: FarEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system chooses, it may choose that one: where its range has been widened, 32681 as well."""
    lab.plain["stand_in"] = {"bind": far.address}
    port = lab.trunk["port"] = far.closed_port()
    lab.account.update({"bind": far.address, "port": far.udp()})
    opened: list[tuple[str, int]] = []
    open_udp = Link._open_udp

    async def there(link: Link, address: str, local: tuple[str, int] | None) -> None:
        if local == (far.address, 0):
            local = far.address, 0 if opened else port
            opened.append(local)
        await open_udp(link, address, local)

    monkeypatch.setattr(Link, "_open_udp", there)
    check(lab.line("stand-in port"), OK, "free")
    assert opened


@pytest.mark.parametrize(
    ("value", "status"), [("s3cret", OK), ("", FAILED), (None, FAILED), (" s3cret", FAILED), ("s3cret\n", FAILED)]
)
def test_secrets(value: str | None, status: Status) -> None:
    line = secret_line("TRUNK_PASSWORD", "trunks.0.password_env", value)
    assert line.status is status
    assert "s3cret" not in str(line)
    if value is None:
        check(line, FAILED, "trunks.0.password_env needs it", "Registration fails", "export TRUNK_PASSWORD=")
