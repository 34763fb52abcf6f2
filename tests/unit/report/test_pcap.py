from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from types import ModuleType

import pytest

from harness.calls.events import MediaState
from harness.calls.verdict import Verdict
from harness.phone.rtp_log import RtpLog, path_of, record
from harness.report import pcap
from harness.report.evidence import CaseEvidence
from harness.report.flow import arrows


@dataclass
class Packet:
    time: float
    protocol: int
    source: tuple[str, int]
    target: tuple[str, int]
    payload: bytes
    comment: str
    sequence: int = 0
    acknowledged: int = 0


def checksum(data: bytes) -> int:
    """RFC 1071, over data that includes its checksum: 0 when it is right."""
    total: int = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packets(path: Path) -> Iterator[Packet]:
    data = path.read_bytes()
    assert struct.unpack("<I", data[:4]) == (0x0A0D0D0A,)
    while data:
        kind, length = struct.unpack("<II", data[:8])
        assert struct.unpack("<I", data[length - 4 : length]) == (length,)
        body, data = data[8 : length - 4], data[length:]
        if kind == 6:
            yield packet(body)


def packet(body: bytes) -> Packet:
    _, high, low, captured, original = struct.unpack("<IIIII", body[:20])
    assert captured == original
    raw, options = body[20 : 20 + captured], body[20 + captured + -captured % 4 :]
    code, size = struct.unpack("<HH", options[:4])
    assert code == 1
    assert checksum(raw[:20]) == 0
    assert struct.unpack("!H", raw[2:4]) == (len(raw),)
    protocol, segment = raw[9], raw[20:]
    assert checksum(raw[12:20] + struct.pack("!BBH", 0, protocol, len(segment)) + segment) == 0
    hosts = [".".join(map(str, raw[at : at + 4])) for at in (12, 16)]
    ports = struct.unpack("!HH", segment[:4])
    found = Packet(
        ((high << 32) + low) / 1e6,
        protocol,
        (hosts[0], ports[0]),
        (hosts[1], ports[1]),
        segment[8:] if protocol == 17 else segment[20:],
        options[4 : 4 + size].decode(),
    )
    if protocol == 6:
        found.sequence, found.acknowledged = struct.unpack("!II", segment[4:12])
    return found


def test_each_message_is_one_packet_with_its_addresses_and_time(tmp_path: Path, samples: ModuleType) -> None:
    evidence = CaseEvidence.read(samples.failed(tmp_path / "case"))
    assert pcap.export(evidence, tmp_path / "x.pcapng") == 10

    for found, arrow in zip(packets(tmp_path / "x.pcapng"), arrows(evidence), strict=True):
        assert found.protocol == 17
        assert found.source == (arrow.source.host, arrow.source.port)
        assert found.target == (arrow.target.host, arrow.target.port)
        assert found.payload == arrow.text.encode()
        assert found.time == pytest.approx(evidence.wall(arrow.at), abs=2e-6)
        assert found.comment.startswith("/".join(arrow.numbers) + " ")


def test_names_ipv6_addresses_and_masked_numbers(tmp_path: Path, samples: ModuleType) -> None:
    with samples.playing(tmp_path / "case", samples.case_of(mask=True)) as sample:
        sample.message(
            "sent", samples.sip("OPTIONS sip:+13125550100@h SIP/2.0", "1 OPTIONS"), remote="sbc.example.com:5060"
        )
        sample.message("sent", "OPTIONS", local="[::1]:5060", remote="127.0.0.1:5060")
    pcap.export(CaseEvidence.read(tmp_path / "case"), tmp_path / "x.pcapng")
    raw = (tmp_path / "x.pcapng").read_bytes()

    assert b"sip:+1312xxx0100@h" in raw
    assert b"sbc.example.com shown as 192.0.2.1" in raw
    assert b"::1 shown as 192.0.2.2" in raw


def with_media(samples: ModuleType, directory: Path) -> CaseEvidence:
    """A caller and an agent who hear each other directly; of the caller's three packets one is lost."""
    with samples.playing(directory) as sample:
        sample.inbound()
        sample.transfer()
        caller, agent = ("127.0.2.1", 4000), ("127.0.2.2", 4004)
        for leg, here, there in (("caller.1", caller, agent), ("billing.1", agent, caller)):
            sample.event(
                MediaState,
                leg.partition(".")[0],
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
                (ip_address(caller[0]).packed, caller[1]), record(sample.now + number / 50 + 0.001, rtp(number))
            )
        log.close()
        sample.recorder.close(Verdict.PASSED, "passed")
    return CaseEvidence.read(directory)


def rtp(number: int) -> bytes:
    return struct.pack("!BBHII", 0x80, 0, number, 160 * number, 7) + b"\xff" * 160


def test_rtp_is_there_once_with_its_times(tmp_path: Path, samples: ModuleType) -> None:
    evidence = with_media(samples, tmp_path / "case")
    count = pcap.export(evidence, tmp_path / "x.pcapng")
    every = list(packets(tmp_path / "x.pcapng"))
    media = [found for found in every if found.comment in ("sent by caller.1", "received by billing.1")]

    assert count == len(every) == len(arrows(evidence)) + 3
    assert [(found.comment, found.payload) for found in media] == [
        ("received by billing.1", rtp(0)),
        ("sent by caller.1", rtp(1)),
        ("received by billing.1", rtp(2)),
    ]
    assert {(found.source, found.target) for found in media} == {(("127.0.2.1", 4000), ("127.0.2.2", 4004))}
    assert [found.time for found in every] == sorted(found.time for found in every)
    assert media[2].time - media[0].time == pytest.approx(0.04, abs=2e-6)
