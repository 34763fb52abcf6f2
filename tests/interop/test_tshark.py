"""tshark looks at what crosses the wire and at what the harness exports of it: the same messages,
the same RTP.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from harness.case.events import Event, RtpStatistics, SipMessage
from harness.case.recorder import CaseRecorder
from harness.case.verdict import Verdict
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from harness.phone.pool import PhonePool
from harness.report import pcap
from harness.report.evidence import CaseEvidence
from harness.scenario.phones import own_phone
from harness.world.addresses import Block
from tests.interop.capture import NOWHERE, Capture, Stream, fields, read, streams
from tests.interop.encounter import DID, encounter, evidence_of, with_sipp
from tests.interop.platform import PHONES, SIPP
from tests.interop.sipp import (
    Sipp,
    pause,
    receive,
    request,
    respond,
    respond_within_dialog,
    response,
    sdp,
    speak,
)
from tests.process.phone.conftest import media_of
from tests.process.world.conftest import RunningWorld
from tools.interop.processes import PATIENCE

Lease = Callable[..., Phone]
_ALL_SIP = ("-d", "tcp.port==1-65535,sip")

CALL = [
    receive("INVITE"),
    respond("180 Ringing"),
    respond("200 OK", sdp(), repeat=True),
    receive("ACK"),
    speak(),
]
CHANGE = [request("INVITE", 10, sdp("0 101", version=2)), response(200), request("ACK", 10)]
GOODBYE = [receive("BYE"), respond_within_dialog("200 OK")]


def heads(file: Path) -> list[tuple[str, ...]]:
    """Start line, Call-ID and CSeq of each SIP message."""
    names = ("sip.Request-Line", "sip.Status-Line", "sip.Call-ID", "sip.CSeq")
    return fields(file, "sip", *names, decode=["tcp.port==1-65535,sip"])


def nothing_malformed(file: Path, *rtp_ports: int) -> None:
    rules = [argument for port in rtp_ports for argument in ("-d", f"udp.port=={port},rtp")]
    # What says that a capture is under way comes from any port, for which tshark may know a
    # protocol of its own.
    told = read(file, *_ALL_SIP, *rules, "-Y", f"_ws.malformed and not udp.port == {NOWHERE}")
    assert not told, told


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_export_has_what_crossed_the_wire(
    tmp_path: Path, block: Block, pool: PhonePool, marks: Iterator[int], transport: str
) -> None:
    sipp_host, host = block[SIPP + 36], block[PHONES + 36]
    with (
        Sipp(
            tmp_path / "sipp",
            sipp_host,
            [*CALL, pause(200), *CHANGE, *GOODBYE],
            transport=transport,
        ) as sipp,
        Capture(tmp_path / "capture", [sipp_host]) as capture,
        encounter(
            tmp_path, pool, marks, with_sipp(tmp_path, host, (sipp_host, sipp.port), transport)
        ) as met,
    ):
        call = met.caller().dial(DID)
        met.cast.expect(call).answered()
        call.leg.wait("the ACK of the re-INVITE", _reinvite_is_over, within=PATIENCE)
        call.hang_up()
        sipp.succeeds()
        call.leg.wait_closed(PATIENCE)
        wire = capture.stop()
    exported = tmp_path / "exported.pcapng"
    pcap.export(evidence_of(tmp_path), exported)
    assert heads(exported) == heads(wire)
    assert len(heads(wire)) == 9
    if transport == "udp":  # to the octet
        assert fields(exported, "sip", "udp.payload") == fields(wire, "sip", "udp.payload")
    addresses = ("ip.src", "ip.dst", f"{transport}.srcport", f"{transport}.dstport")
    rules = ["tcp.port==1-65535,sip"]
    assert fields(exported, "sip", *addresses, decode=rules) == fields(
        wire, "sip", *addresses, decode=rules
    )
    nothing_malformed(exported)
    nothing_malformed(wire)


def _reinvite_is_over(event: object) -> bool:
    # messages that cross each other may be in another order at another place: nothing is under way
    # when the BYE is sent
    return (
        isinstance(event, SipMessage)
        and event.text.startswith("ACK ")
        and "CSeq: 10 ACK" in event.text
    )


def test_export_of_a_tls_call_is_read_as_plain_sip(
    tmp_path: Path, talkdesk: RunningWorld, lease: Lease
) -> None:
    """What crossed the wire inside TLS, tshark reads in the export alone; its comments say so."""
    deployment = talkdesk.deployments[0]
    config = own_phone(deployment, "caller-2")
    host, _, port = str(config.proxy).partition(":")
    caller = lease(
        "caller",
        user=config.user,
        domain=config.domain,
        transport="tls",
        tls=config.tls,
        proxy=f"{host}:{int(port) + 1}",
        username=config.username,
        password=config.password,
    )
    leg = caller.dial(deployment.did("inbound", "udp-ip"))
    leg.wait_state("confirmed", PATIENCE)
    leg.hangup()
    leg.wait_closed(PATIENCE)
    exported = tmp_path / "exported.pcapng"
    pcap.export(_recorded(tmp_path, leg.events), exported)
    told = fields(
        exported,
        "sip",
        "sip.Request-Line",
        "sip.Status-Line",
        "frame.comment",
        decode=["tcp.port==1-65535,sip"],
    )
    assert [(request or status) for request, status, _ in told] == [
        m.text.splitlines()[0] for m in leg.messages
    ]
    assert all("inside TLS" in comment for *_, comment in told)
    nothing_malformed(exported)


def _recorded(directory: Path, events: Iterable[Event]) -> CaseEvidence:
    """The evidence of a case that has seen these events."""
    words = ("id", "row", "integration", "deployment", "title", "description", "source", "link")
    recorder = CaseRecorder(
        directory / "recorded", {**dict.fromkeys(words, "tls"), "axes": {}, "mask": False}
    )
    for event in events:
        recorder.event(event)
    recorder.close(Verdict.PASSED, "")
    return CaseEvidence.read(directory / "recorded")


# -- RTP

_PACKET_MS = 20.0


def agree(seen: Stream, packets: int, lost: int | None = None) -> None:
    """Within 1 % of the packets that were sent."""
    most = max(1.0, 0.01 * (seen.packets + seen.lost))
    assert abs(seen.packets - packets) <= most, (seen, packets)
    if lost is not None:
        assert abs(seen.lost - lost) <= most, (seen, lost)


def lost_within(numbers: list[int], packets: int) -> set[int]:
    """How many are missing among ``packets`` that came one after another.

    tshark sees a packet that comes before the phone's stream begins or after it ended, and the gap
    beside it.
    """
    spans = [
        numbers[begin : begin + packets] for begin in range(max(1, len(numbers) - packets + 1))
    ]
    return {(span[-1] - span[0]) % 65536 + 1 - len(span) for span in spans}


def of(found: list[Stream], source: str, target: str) -> Stream:
    """The stream between two hosts."""
    (stream,) = [
        s for s in found if s.source.startswith(f"{source}:") and s.target.startswith(f"{target}:")
    ]
    return stream


def last_statistics(leg: Leg) -> RtpStatistics:
    statistics = leg.statistics()
    assert statistics is not None
    return statistics


def rtp(file: Path, ports: Sequence[int], source: str) -> list[tuple[str, ...]]:
    """Sequence number, timestamp, marker, payload type, SSRC and payload of each RTP packet from a
    host.
    """
    names = ("rtp.seq", "rtp.timestamp", "rtp.marker", "rtp.p_type", "rtp.ssrc", "rtp.payload")
    rules = [f"udp.port=={port},rtp" for port in ports]
    return fields(file, f"rtp and ip.src=={source}", *names, decode=rules)


def test_exported_rtp_is_what_crossed_the_wire(
    tmp_path: Path, block: Block, pool: PhonePool, marks: Iterator[int]
) -> None:
    """Both directions, packet by packet; and by tshark's own count nothing in it is lost, and it
    comes as evenly.
    """
    sipp_host, host = block[SIPP + 39], block[PHONES + 39]
    with (
        Sipp(tmp_path / "sipp", sipp_host, [*CALL, *GOODBYE]) as sipp,
        Capture(tmp_path / "capture", [sipp_host]) as capture,
        encounter(tmp_path, pool, marks, with_sipp(tmp_path, host, (sipp_host, sipp.port))) as met,
    ):
        call = met.caller().dial(DID)
        call.leg.wait("a mark for some seconds", _counts(call.leg, 200), within=PATIENCE)
        call.hang_up()
        sipp.succeeds()
        call.leg.wait_closed(PATIENCE)
        wire = capture.stop()
    exported = tmp_path / "exported.pcapng"
    pcap.export(evidence_of(tmp_path), exported)
    media = media_of(call.leg, 0.0)
    ports = [int(address.rpartition(":")[2]) for address in (media.local_rtp, media.remote_rtp)]
    for source, target in ((sipp_host, host), (host, sipp_host)):
        on_the_wire = rtp(wire, ports, source)
        assert len(on_the_wire) >= 150
        assert rtp(exported, ports, source) == on_the_wire[: len(rtp(exported, ports, source))]
        seen, told = (of(streams(file, *ports), source, target) for file in (wire, exported))
        agree(seen, told.packets, told.lost)
    nothing_malformed(exported, *ports)


@pytest.mark.parametrize("lost", [0, 11], ids=["all-there", "some-lost"])
def test_rtp_counters_and_jitter_agree(
    tmp_path: Path, block: Block, lease: Lease, lost: int
) -> None:
    """RTP that comes unevenly, and not all of it: packets, loss and jitter within 1 %, by the fifth
    call at the latest.

    SIPp signals, and an uneven sender talks in its place. tshark has the kernel's time of a packet,
    the phone the time when it got round to reading it: a busy machine shows there.
    """
    differences = []
    for number in range(5):
        directory = tmp_path / str(number)
        sipp_host, host = block[SIPP + 37], block[PHONES + 37]
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
            Capture(directory / "capture", [sipp_host]) as capture,
        ):
            sender.bind((sipp_host, 0))
            answer = respond("200 OK", sdp(port=str(sender.getsockname()[1])), repeat=True)
            with Sipp(
                directory / "sipp", sipp_host, [receive("INVITE"), answer, receive("ACK"), *GOODBYE]
            ) as sipp:
                leg = lease("caller", bind_address=host).dial(f"sip:ai@{sipp_host}:{sipp.port}")
                media = media_of(leg, PATIENCE)
                _send_unevenly(sender, media.local_rtp, lost)
                leg.hangup()
                leg.wait_closed(PATIENCE)
                sipp.succeeds()
                wire = capture.stop()
        ports = [int(address.rpartition(":")[2]) for address in (media.local_rtp, media.remote_rtp)]
        found, counted = streams(wire, *ports), last_statistics(leg)
        heard = of(found, sipp_host, host)
        assert heard.lost == lost
        assert counted.rx_reordered == 0
        agree(heard, counted.rx_packets, counted.rx_lost)
        agree(of(found, host, sipp_host), counted.tx_packets)
        nothing_malformed(wire, *ports)
        assert heard.mean_jitter_ms > 4
        differences.append(abs(heard.mean_jitter_ms - counted.rx_jitter_ms) / heard.mean_jitter_ms)
        if differences[-1] <= 0.01:
            return
    raise AssertionError(f"jitter differs by {differences}")


_UNEVEN_MS = (0, 11, 3, 14, 6, 0, 9)  # how late each packet of seven is


def _send_unevenly(sender: socket.socket, target: str, lost: int, packets: int = 250) -> None:
    """PCMU, some of the packets left out, the others late by turns."""
    host, _, port = target.rpartition(":")
    begin = time.monotonic()
    for number in range(packets):
        if lost and number % (packets // lost) == 7 and number // (packets // lost) < lost:
            continue
        late = _UNEVEN_MS[number % len(_UNEVEN_MS)]
        time.sleep(max(0.0, begin + (number * _PACKET_MS + late) / 1000 - time.monotonic()))
        header = struct.pack("!BBHII", 0x80, 0, 7000 + number, 160 * number, 0x51BB)
        sender.sendto(header + bytes([0xFF]) * 160, (host, int(port)))


def _counts(leg: Leg, packets: int) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, RtpStatistics) and event.rx_packets >= packets


def test_rtp_loss_agrees(tmp_path: Path, talkdesk: RunningWorld, lease: Lease) -> None:
    deployment = talkdesk.deployments[0]
    config = own_phone(deployment, "caller-2")
    with (
        talkdesk.fault("heavy-loss", "inbound"),
        Capture(tmp_path / "capture", [config.bind_address]) as capture,
    ):
        caller = lease("caller", **{name: getattr(config, name) for name in _FIELDS})
        leg = caller.dial(deployment.did("inbound", "udp-ip"))
        leg.wait("statistics of some seconds", _counts(leg, 200), within=PATIENCE)
        leg.hangup()
        leg.wait_closed(PATIENCE)
        wire = capture.stop()
    media = media_of(leg, 0.0)
    ports = [int(address.rpartition(":")[2]) for address in (media.local_rtp, media.remote_rtp)]
    (seen,) = [s for s in streams(wire, *ports) if s.target == media.local_rtp]
    counted = last_statistics(leg)
    assert seen.lost > 10
    agree(seen, counted.rx_packets)
    host, _, port = media.local_rtp.rpartition(":")
    only = f"rtp and ip.dst=={host} and udp.dstport=={port}"
    numbers = [
        int(number) for (number,) in fields(wire, only, "rtp.seq", decode=[f"udp.port=={port},rtp"])
    ]
    assert counted.rx_lost in lost_within(numbers, counted.rx_packets), (seen, counted)
    nothing_malformed(wire, *ports)


_FIELDS = ("user", "domain", "transport", "bind_address", "proxy", "username", "password")


def test_digits_are_telephone_events_to_tshark(tmp_path: Path, block: Block, lease: Lease) -> None:
    """RFC 4733: each digit one event, its end said three times (section 2.5.1.4), durations in
    order.
    """
    sipp_host, host = block[SIPP + 38], block[PHONES + 38]
    with (
        Sipp(tmp_path / "sipp", sipp_host, [*CALL, *GOODBYE]) as sipp,
        Capture(tmp_path / "capture", [sipp_host]) as capture,
    ):
        leg = lease("caller", bind_address=host).dial(f"sip:ai@{sipp_host}:{sipp.port}")
        media = media_of(leg, PATIENCE)
        leg.send_digits("12#A*", duration_ms=160)
        leg.wait("five digits' time", _counts(leg, 100), within=PATIENCE)
        leg.hangup()
        leg.wait_closed(PATIENCE)
        sipp.succeeds()
        wire = capture.stop()
    port = int(media.local_rtp.rpartition(":")[2])
    rules = [f"udp.port=={port},rtp", "rtp.pt==101,rtpevent"]
    names = ("rtpevent.event_id", "rtpevent.end_of_event", "rtpevent.duration", "rtp.timestamp")
    events = fields(wire, f"rtpevent and ip.src=={host}", *names, decode=rules)
    began = list(dict.fromkeys(timestamp for *_, timestamp in events))
    digits = [next(number for number, *_, at in events if at == timestamp) for timestamp in began]
    assert digits == ["1", "2", "11", "12", "10"]
    for timestamp in began:
        ends = [
            int(length) for _, end, length, at in events if at == timestamp and end in ("1", "True")
        ]
        assert len(ends) == 3
        assert len(set(ends)) == 1
        assert ends[0] == 160 * 8
