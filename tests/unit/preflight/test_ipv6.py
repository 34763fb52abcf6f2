"""A far end that is reached over IPv6: by its address, not by a name with only an AAAA record."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.run.preflight import ProbeKind, Report, Status
from harness.sip.message import Request, Response
from tests.unit.preflight.conftest import FarEnd, Lab, fine


@pytest.fixture
def far(tmp_path: Path) -> Iterator[FarEnd]:
    far = FarEnd(tmp_path, "::1")
    yield far
    far.close()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[FarEnd]:
    far = FarEnd(tmp_path)
    yield far
    far.close()


def status(report: Report, look: ProbeKind) -> list[Status]:
    return [line.status for line in report.lines if line.look is look]


@pytest.mark.parametrize("host", ["::1", "[::1]"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_by_its_address(lab: Lab, far: FarEnd, transport: str, host: str) -> None:
    port = far.udp() if transport == "udp" else far.stream()
    lab.account.update({"host": host, "port": port, "transport": transport, "bind": "::1"})
    report = lab.report()
    assert not report.failed
    assert status(report, ProbeKind.OPTIONS) == status(report, ProbeKind.REGISTRATION) == [Status.OK]
    assert report.line(f"address [::1]:{port}/{transport}").detail == "::1, no address translation"
    options = next(request for request in far.requests if request.method == "OPTIONS")
    assert options.via.host == "[::1]"
    assert options.uri.host == "[::1]"


@pytest.mark.parametrize("received", ["::1", "[::1]"])
def test_a_far_end_may_write_what_it_has_seen_either_way(lab: Lab, far: FarEnd, received: str) -> None:
    """RFC 5118 section 4.5: without brackets by RFC 3261's grammar, with them all the same."""

    def answer(request: Request) -> Response:
        said = Response.to_request(request, 200, tag="far")
        return said.setting("Via", f"{request.get('Via')};received={received}")

    port = far.udp(answer)
    lab.account.update({"host": "::1", "port": port, "bind": "::1"})
    assert lab.report().line(f"address [::1]:{port}/udp").detail == "::1, no address translation"


def test_a_name_without_ipv4_is_none_to_the_softphones(lab: Lab, far: FarEnd, elsewhere: FarEnd) -> None:
    lab.account.update({"host": "sip.carrier.example", "port": far.udp()})
    lab.settings["resolver"] = elsewhere.dns({("sip.carrier.example", "AAAA"): ["::1"]})
    report = lab.report()
    line = report.line("DNS sip.carrier.example")
    assert (line.status, line.detail[:17]) == (Status.FAILED, "AAAA ::1: no IPv4")
    assert status(report, ProbeKind.OPTIONS) == status(report, ProbeKind.REGISTRATION) == [Status.FAILED]
    assert far.requests == []


def test_the_ais_own_host_may_have_ipv6_alone(lab: Lab, far: FarEnd, elsewhere: FarEnd) -> None:
    """The platform calls it, over IPv4 or IPv6."""
    lab.account.update({"host": elsewhere.address, "port": elsewhere.udp()})
    lab.trunk.update({"ai": "synthflow", "host": "ai.example", "port": far.udp(fine)})
    lab.settings["resolver"] = elsewhere.dns({("ai.example", "AAAA"): ["::1"]})
    report = lab.report()
    assert report.line("DNS ai.example").detail == "AAAA ::1"
    assert not report.failed


@pytest.mark.parametrize(
    ("account", "said"),
    [
        ({"bind": "::1", "host": "127.0.0.1"}, "not both IPv6"),
        ({"bind": "127.0.0.1", "host": "::1"}, "not both IPv6"),
        ({"bind": "::1", "host": "sip.carrier.example"}, "look names up in IPv4 alone"),
        ({"host": "[::1]", "srtp": "optional"}, "not to be had over IPv6"),
        ({"host": "::1", "stun_server": "stun.example:3478"}, "none over IPv6"),
    ],
)
def test_what_the_softphones_cannot_do_is_refused_in_the_file(lab: Lab, account: dict[str, str], said: str) -> None:
    lab.account.update(account)
    with pytest.raises(ValueError, match=said):
        lab.deployment()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_an_address_of_another_family_than_the_local_one(lab: Lab, far: FarEnd, transport: str) -> None:
    lab.trunk["termination"] = "[::1]:5060"
    lab.trunk["transport"] = transport
    lab.plain["stand_in"] = {"bind": "127.0.0.1"}
    lines = [line for line in lab.report(patience=1.5).lines if line.look in (ProbeKind.OPTIONS, ProbeKind.PORT)]
    assert not [line for line in lines if "probe broke" in line.fix]
