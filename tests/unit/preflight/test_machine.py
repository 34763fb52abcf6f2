"""Requirements on this machine and the deployment file, and the certificates of harness phones."""

import socket
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from harness.run.preflight import ProbeKind, Status
from harness.run.preflight.machine import number_line, secret_line
from tests.unit.preflight.conftest import FAILED, OK, SOON, WARNING, check

AUDIO = "One-way or no audio"


@pytest.mark.parametrize(
    ("changes", "status", "detail", "row", "fix"),
    [
        ({}, OK, "3 numbers", "", ""),
        (
            {"numbers": {"no_such_number": "+13115550100"}},
            WARNING,
            "+13115550100 cannot be valid",
            "",
            "",
        ),
        ({"numbers": {"no_such_number": "+19005550100"}}, FAILED, "premium", "", "safety.allow"),
        (
            {"numbers": {"no_such_number": "+19005550100"}, "safety": {"allow": ["+19005550100"]}},
            OK,
            "allowed",
            "",
            "",
        ),
        ({"user": "911"}, FAILED, "911 is an emergency number", "", "another user"),
        ({"user": "9110"}, OK, "allowed", "", ""),  # an extension that no case dials
    ],
)
def test_numbers_are_valid_and_allowed(
    lab: Any, changes: dict[str, Any], status: Status, detail: str, row: str, fix: str
) -> None:
    if user := changes.get("user"):
        lab.plain["phones"]["caller"]["user"] = user
    lab.plain |= {name: value for name, value in changes.items() if name != "user"}
    check(number_line(lab.deployment()), status, detail, fix, row=row)


def test_extension_is_no_short_code_unless_a_harness_phone_dials_it(lab: Any) -> None:
    lab.plain["groups"] = {"desk": {"user": "2000"}}
    assert number_line(lab.deployment()).status is OK
    assert (
        number_line(lab.deployment(), {"2000"}).detail
        == "2000 is a short code (safety.allow may name it)"
    )


def test_only_called_numbers_need_an_allowed_country(lab: Any) -> None:
    """A German company's AI may have a US number that no case calls."""
    lab.plain["region"] = "DE"
    lab.plain["lines"] = {"inbound": {"did": "+4930901820100", "assistant": "main"}}
    lab.plain["phones"]["caller"]["number"] = "+33140205050"
    assert number_line(lab.deployment()).status is OK
    lab.plain["lines"]["abroad"] = {"did": "+33140205051", "assistant": "main"}
    line = number_line(lab.deployment())
    assert line.status is FAILED
    assert line.detail.startswith("+33140205051 belongs to FR")


def test_same_problem_of_many_numbers_is_reported_once(lab: Any) -> None:
    there = {f"n{i}": {"did": f"+4420794601{i:02}", "assistant": "main"} for i in range(40)}
    dear = {f"d{i}": {"did": f"+1900555010{i}", "assistant": "main"} for i in range(2)}
    lab.plain["lines"] = {**lab.plain["lines"], **there, **dear}
    line = number_line(lab.deployment())
    assert line.status is FAILED
    assert line.detail.count("belongs to GB") == 1
    assert "and the same of 39 others" in line.detail
    assert line.detail.count("premium") == 2


def test_rtp_ports_must_suffice(lab: Any, far: Any) -> None:
    lab.account["bind"] = far.address
    check(lab.line("RTP ports"), OK, "the system's own choice")
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind((far.address, 0))
        first = taken.getsockname()[1] - 4
        lab.account["rtp_ports"] = [first, first + 7]
        lab.plain["limits"] = {"concurrent_calls": 3}
        check(lab.line("RTP ports"), OK, f"7 of 8 ports {first}–{first + 7}")
        lab.plain["limits"] = {"concurrent_calls": 4}
        check(lab.line("RTP ports"), FAILED, "8 are needed", "rtp_ports", row=AUDIO)
    del lab.account["rtp_ports"]
    lab.account["bind"] = "192.0.2.1"
    check(
        lab.line("RTP ports"),
        FAILED,
        "no address of this machine",
        "accounts.carrier.bind",
        row=AUDIO,
    )


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_stand_in_port_must_be_free(lab: Any, far: Any, transport: str) -> None:
    lab.plain["stand_in"] = {"bind": far.address}
    with socket.socket(
        type=socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    ) as listener:
        listener.bind((far.address, 0))
        if transport == "tcp":
            listener.listen()
        lab.trunk.update({"transport": transport, "port": listener.getsockname()[1]})
        check(lab.line("stand-in port"), FAILED, "something else listens", "another run")
    check(lab.line("stand-in port"), OK, "free")


def test_bind_must_be_an_address_of_this_machine(lab: Any) -> None:
    lab.plain["stand_in"] = {"stranger_bind": "192.0.2.77"}
    lab.plain["phones"]["caller"]["bind"] = "192.0.2.78"
    found = {line.name: line for line in lab.report(**SOON).lines}
    for where in ("stand_in.stranger_bind 192.0.2.77", "phones.caller.bind 192.0.2.78"):
        check(found[f"stand-in port {where}"], FAILED, "no address of this machine")


@pytest.mark.parametrize(
    ("value", "status"),
    [("s3cret", OK), ("", FAILED), (None, FAILED), (" s3cret", FAILED), ("s3cret\n", FAILED)],
)
def test_secret_must_be_one_clean_line(value: str | None, status: Status) -> None:
    line = secret_line("HARNESS_TRUNK_PASSWORD", "trunks.0.password_env", value)
    assert line.status is status
    assert "s3cret" not in str(line)


# -- certificates that harness phones show

HOST = "ai.example"


def shown(lab: Any, far: Any, certificate: str | None, key: str | None) -> Any:
    """The line on the stand-in's certificate."""
    lab.trunk.update({"transport": "tls", "port": far.closed_port(), "host": HOST})
    lab.plain["stand_in"] = {"bind": far.address, "certificate": certificate, "private_key": key}
    return lab.line("stand-in certificate")


@pytest.mark.parametrize(
    ("names", "days", "status", "said"),
    [
        ((HOST,), {}, OK, "with its key, until"),
        ((HOST,), {"days": 3}, WARNING, " days left"),
        ((HOST,), {"days": -1, "starts": -9}, FAILED, "counts from "),
        ((HOST,), {"starts": 1}, FAILED, "counts from "),
        (("*.example",), {}, WARNING, f"made out to *.example, and the trunk calls {HOST}"),
        ((), {}, WARNING, f"the trunk calls {HOST}"),
    ],
)
def test_stand_in_certificate_must_be_valid_for_the_trunk(
    lab: Any, far: Any, names: tuple[str, ...], days: dict[str, int], status: Status, said: str
) -> None:
    """Otherwise the platform would be blamed."""
    file = far.pem(names, **days)
    check(shown(lab, far, file, file), status, said)


@pytest.mark.parametrize(
    ("certificate", "key", "said"),
    [
        (None, "good", "certificate or private_key is missing"),
        ("good", None, "certificate or private_key is missing"),
        ("good", "other.key", "KEY_VALUES_MISMATCH"),
        ("good", "locked.key", ""),
        ("empty.pem", "empty.pem", ""),
        ("none.pem", "none.pem", "No such file"),
    ],
)
def test_unusable_stand_in_certificate_fails(
    lab: Any, far: Any, tmp_path: Path, certificate: str | None, key: str | None, said: str
) -> None:
    good = far.pem((HOST,))
    (tmp_path / "empty.pem").touch()
    made = ec.generate_private_key(ec.SECP256R1())
    for name, encryption in (
        ("other.key", NoEncryption()),
        ("locked.key", BestAvailableEncryption(b"secret")),
    ):
        (tmp_path / name).write_bytes(
            made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
        )
    own, own_key = (
        name and (good if name == "good" else str(tmp_path / name)) for name in (certificate, key)
    )
    check(shown(lab, far, own, own_key), FAILED, said, "[stand_in]")


@pytest.mark.parametrize("has_one", [True, False])
def test_mutual_tls_uses_the_accounts_certificate(lab: Any, far: Any, has_one: bool) -> None:
    port = far.tls(is_mutual=True)
    lab.account.update({"transport": "tls", "port": port})
    if has_one:
        lab.account["certificate"] = lab.account["private_key"] = far.pem((HOST,))
    found = lab.lines()
    assert (ProbeKind.OWN_CERTIFICATE in found) is has_one
    if has_one:
        assert {
            found[look].status
            for look in (ProbeKind.OWN_CERTIFICATE, ProbeKind.TLS, ProbeKind.OPTIONS)
        } == {OK}
        assert far.requests, "requests are sent over that connection"
    else:
        check(found[ProbeKind.TLS], FAILED, "handshake", fix="(certificate and private_key)")
