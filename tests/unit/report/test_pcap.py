"""Captures: what tshark does not tell by itself (``tests/interop/test_tshark.py`` compares them
with the wire).
"""

from __future__ import annotations

import struct
from ipaddress import ip_address
from pathlib import Path

from harness.case.events import MediaState
from harness.case.verdict import Verdict
from harness.phone.rtp_log import RtpLog, path_of, record
from harness.report import pcap
from harness.report.evidence import CaseEvidence
from harness.report.flow import arrows
from tests.unit.report import samples


def captured(evidence: CaseEvidence, path: Path) -> tuple[int, bytes]:
    """How many packets were written, and the file."""
    return pcap.export(evidence, path), path.read_bytes()


def test_each_message_is_one_packet_that_names_its_number(tmp_path: Path) -> None:
    evidence = CaseEvidence.read(samples.failed(tmp_path / "case"))
    count, raw = captured(evidence, tmp_path / "x.pcapng")
    assert count == len(arrows(evidence)) == 10
    for arrow in arrows(evidence):
        assert arrow.text.encode() in raw
        assert f"{arrow.numbers[0]} {arrow.label}; recorded by {arrow.phone}".encode() in raw
    assert b"known from the far end's own record" in raw


def test_names_ipv6_addresses_and_masked_numbers(tmp_path: Path) -> None:
    with samples.playing(tmp_path / "case", samples.case_of(mask=True)) as sample:
        sample.message(
            "sent",
            samples.sip("OPTIONS sip:+13125550100@h SIP/2.0", "1 OPTIONS"),
            remote="sbc.example.com:5060",
        )
        sample.message("sent", "OPTIONS", local="[::1]:5060", remote="127.0.0.1:5060")
    _, raw = captured(CaseEvidence.read(tmp_path / "case"), tmp_path / "x.pcapng")
    assert b"sip:+1312xxx0100@h" in raw
    assert b"sbc.example.com shown as 192.0.2.1" in raw
    assert b"::1 shown as 192.0.2.2" in raw


def with_media(directory: Path) -> CaseEvidence:
    """A caller and an agent who hear each other directly; of the caller's three packets one is
    lost.
    """
    with samples.playing(directory) as sample:
        sample.inbound()
        sample.transfer()
        caller, agent = ("127.0.2.1", 4000), ("127.0.2.2", 4004)
        for leg, here, there in (("caller.1", caller, agent), ("billing.1", agent, caller)):
            sample.event(
                MediaState,
                leg,
                active=True,
                direction="sendrecv",
                local_rtp=f"{here[0]}:{here[1]}",
                remote_rtp=f"{there[0]}:{there[1]}",
            )
        log = RtpLog(path_of(directory, "caller.1"))
        for number in range(3):
            log.sent(record(sample.now + number / 50, rtp(number)))
        log.close()
        log = RtpLog(path_of(directory, "billing.1"))
        for number in (0, 2):
            log.received(
                (ip_address(caller[0]).packed, caller[1]),
                record(sample.now + number / 50 + 0.001, rtp(number)),
            )
        log.close()
        return sample.ends(Verdict.PASSED, "passed")


def rtp(number: int) -> bytes:
    return struct.pack("!BBHII", 0x80, 0, number, 160 * number, 7) + b"\xff" * 160


def test_rtp_is_there_once(tmp_path: Path) -> None:
    """As it was received; what was sent only where no other leg of the case received it from there."""
    evidence = with_media(tmp_path / "case")
    count, raw = captured(evidence, tmp_path / "x.pcapng")
    assert count == len(arrows(evidence)) + 3
    assert [raw.count(rtp(number)) for number in range(3)] == [1, 1, 1]
    assert (raw.count(b"received by billing.1"), raw.count(b"sent by caller.1")) == (2, 1)
    assert raw.index(rtp(0)) < raw.index(rtp(1)) < raw.index(rtp(2))
