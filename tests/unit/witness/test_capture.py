"""Captures that others made: SIP messages and RTP with its sound, whatever carries them, and no
input that breaks the reader.
"""

from __future__ import annotations

import base64
import gzip
import itertools
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dpkt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.audio.g711 import decode_alaw, decode_ulaw, encode_alaw, encode_ulaw
from harness.sip.message import Request, Response
from harness.witness.capture import Capture, CaptureError, read_capture
from tests.unit.witness.made_captures import (
    A6,
    B6,
    BEGAN,
    LINKS,
    A,
    B,
    Timed,
    fragments,
    frame,
    hep,
    invite,
    ip,
    ok,
    pcap,
    pcapng,
    rtp,
    sdp,
    speaking,
    tcp,
    udp,
)

RTP_A, RTP_B = ("192.0.2.1", 4000), ("192.0.2.2", 4002)
DESCRIBED: list[Timed] = [
    (BEGAN - 2, udp(A, B, invite(sdp(RTP_A)))),
    (BEGAN - 1, udp(B, A, ok(sdp(RTP_B)))),
]


def sound(seconds: float, law: str = "u") -> NDArray[np.int16]:
    """Noise that survives its own codec."""
    noise = np.random.default_rng(1).integers(-8000, 8000, int(seconds * 8000)).astype(np.int16)
    return decode_ulaw(encode_ulaw(noise)) if law == "u" else decode_alaw(encode_alaw(noise))


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def reader(content: bytes) -> Capture:
        path = tmp_path / "sbc.pcap"
        path.write_bytes(content)
        return read_capture(path)

    return reader


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("addresses", [(A, B), (A6, B6)], ids=["IPv4", "IPv6"])
def test_messages_of_every_link_type(
    read: Any, link: str, addresses: Sequence[tuple[str, int]]
) -> None:
    source, target = addresses
    packets = [(BEGAN, udp(source, target, invite())), (BEGAN + 0.5, udp(target, source, ok()))]
    for content in (pcap(packets, link), pcapng(packets, [link])):
        capture = read(content)
        request, response = capture.messages
        assert isinstance(request.message, Request)
        assert isinstance(response.message, Response)
        assert (request.source, request.target, request.transport) == (source, target, "udp")
        assert request.message.raw == invite()
        assert response.message.status == 200
        assert (request.at, response.at) == pytest.approx((BEGAN, BEGAN + 0.5), abs=1e-3)
        assert capture.notes == ()
        assert (capture.first, capture.last) == (request.at, response.at)


@pytest.mark.parametrize(("source", "target"), [(A, B), (A6, B6)], ids=["IPv4", "IPv6"])
def test_messages_that_homers_agents_mirror(
    read: Any, source: tuple[str, int], target: tuple[str, int]
) -> None:
    """They are read with the addresses and the time of the mirrored datagram."""
    agent, homer = ("198.51.100.1", 40000), ("198.51.100.2", 9060)
    mirrored = hep(source, target, invite(), BEGAN)
    compressed = hep(source, target, b"\x78\x9c", BEGAN, kind=16)
    capture = read(
        pcap([(BEGAN + 5, udp(agent, homer, octets)) for octets in (mirrored, compressed)])
    )
    (message,) = capture.messages
    assert (message.source, message.target, message.at) == (source, target, BEGAN)
    assert message.message.raw == invite()
    assert capture.notes == ("HEP packets without a plain payload were left out",)


def test_fragments_of_a_tunnel(read: Any) -> None:
    message = invite(sdp(RTP_A, "0", "RTP/AVP", *(f"a=x:{number}" for number in range(300))))
    for link in ("vxlan", "gretap"):
        tunnelled = dpkt.ip.IP(frame(link, udp(A, B, message))[14:])
        (captured,) = read(pcap([(BEGAN, part) for part in fragments(tunnelled, 1480)])).messages
        assert captured.message.raw == message


@pytest.mark.parametrize(
    ("packet", "note"),
    [
        (ip(A, B, 50, bytes(40)), "packets of IP protocol 50 (ESP) were left out"),
        (ip(A, B, 99, bytes(40)), "packets of IP protocol 99 were left out"),
        (b"\x88\xe5" + bytes(40), "packets of EtherType 0x88e5 were left out"),
        (ip(A, B, 47, b"\0\0\x88\xff" + bytes(40)), "packets of GRE protocol 0x88ff were left out"),
    ],
    ids=["encrypted", "unknown protocol", "MACsec", "GRE"],
)
def test_packets_that_are_not_read_are_counted(read: Any, packet: Any, note: str) -> None:
    """A capture of nothing else looked empty."""
    described = pcap([*DESCRIBED, *[(BEGAN, udp(A, B, invite()))] * 2])
    octets = frame("ethernet", packet) if not isinstance(packet, bytes) else bytes(12) + packet
    record = struct.pack("=IIII", int(BEGAN), 0, len(octets), len(octets)) + octets
    assert read(described + 3 * record).notes == (f"{note} (3 times)",)


def test_everyday_packets_without_calls_need_no_note(read: Any) -> None:
    arp = bytes(12) + b"\x08\x06" + bytes(dpkt.arp.ARP())
    icmp = frame("ethernet", ip(A, B, 1, b"\x03\x03\0\0\0\0\0\0" + bytes(udp(B, A, invite()))))
    records = (
        struct.pack("=IIII", int(BEGAN), 0, len(each), len(each)) + each for each in (arp, icmp)
    )
    capture = read(pcap(DESCRIBED) + b"".join(records))
    assert (len(capture.messages), capture.notes) == (2, ())


def test_a_capture_without_calls_says_what_it_has(read: Any) -> None:
    geneve = [(BEGAN, udp(A, ("192.0.2.2", 6081), bytes(60)))] * 3
    dns = [(BEGAN, udp(A, ("192.0.2.2", 53), bytes(30)))]
    assert read(pcap([*geneve, *dns])).notes == (
        "neither SIP nor RTP was found; most packets went to udp port 6081 (3), udp port 53 (1)",
    )
    assert read(pcap([])).notes == ("neither SIP nor RTP was found; no packet of UDP or TCP",)


def test_a_compressed_capture_is_read(read: Any) -> None:
    content = gzip.compress(pcap(DESCRIBED), mtime=0)
    assert [len(read(whole).messages) for whole in (content, content + b"\0\0")] == [2, 2]
    torn = read(gzip.compress(pcapng(DESCRIBED * 200), 1)[:-400])
    assert len(torn.messages) > 100
    assert torn.notes[0].startswith("the compressed file is damaged, or ends early")


def test_a_small_file_does_not_unpack_without_end(
    read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.witness.packets.MOST_UNPACKED", 10_000)
    with pytest.raises(CaptureError, match="unpacked it is larger than"):
        read(gzip.compress(pcap(DESCRIBED * 100)))


def test_interfaces_of_one_file_with_different_link_types(read: Any) -> None:
    packets = [(BEGAN, udp(A, B, invite())), (BEGAN, udp(B, A, ok()))]
    assert len(read(pcapng(packets, ["ethernet", "sll2"])).messages) == 2


@given(st.data())
def test_fragments_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    source, target = data.draw(st.sampled_from([(A, B), (A6, B6)]))
    message = invite(sdp(RTP_A, "0", "RTP/AVP", *(f"a=x:{number}" for number in range(300))))
    parts = fragments(udp(source, target, message), 8 * data.draw(st.integers(3, 120)))
    order = data.draw(st.permutations(parts)) + parts[:1]  # one came twice
    path = tmp_path_factory.getbasetemp() / "fragments.pcap"
    path.write_bytes(
        pcap([(BEGAN, part) for part in order], data.draw(st.sampled_from(list(LINKS))))
    )
    (captured,) = read_capture(path).messages
    assert captured.message.raw == message
    assert captured.source == source


@given(st.data())
def test_tcp_segments_in_any_order_and_cut_anywhere(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    said = [
        invite(sdp(RTP_A), f"{number}@192.0.2.1") for number in range(data.draw(st.integers(1, 4)))
    ]
    stream, first = b"\r\n\r\n".join(said), data.draw(st.sampled_from([100, 0xFFFFFF00]))
    cuts = sorted({0, len(stream), *data.draw(st.lists(st.integers(0, len(stream)), max_size=12))})
    segments = [(begin, stream[begin:end]) for begin, end in itertools.pairwise(cuts)]
    again = data.draw(
        st.lists(st.tuples(st.integers(0, len(stream) - 1), st.integers(1, 500)), max_size=4)
    )
    segments += [(begin, stream[begin : begin + length]) for begin, length in again]
    packets = [(BEGAN, tcp(A, B, first - 1, b"", dpkt.tcp.TH_SYN))]
    packets += [
        (BEGAN + 1, tcp(A, B, first + begin, part))
        for begin, part in data.draw(st.permutations(segments))
    ]
    path = tmp_path_factory.getbasetemp() / "tcp.pcap"
    path.write_bytes(pcap(packets))
    capture = read_capture(path)
    assert [captured.message.raw for captured in capture.messages] == said
    assert {captured.transport for captured in capture.messages} == {"tcp"}
    assert not capture.notes


def test_tcp_goes_on_after_a_segment_that_the_capture_lacks(read: Any) -> None:
    whole = [invite(call_id=f"{number}@192.0.2.1") for number in range(3)]
    begins = [0, len(whole[0]), len(whole[0]) + len(whole[1])]
    packets = [(BEGAN + number, tcp(A, B, 1 + begins[number], whole[number])) for number in (0, 2)]
    capture = read(pcap(packets))
    assert [captured.message.call_id for captured in capture.messages] == [
        "0@192.0.2.1",
        "2@192.0.2.1",
    ]
    assert capture.notes == ("TCP segments from 192.0.2.1 to 192.0.2.2 are missing in the capture",)


@pytest.mark.parametrize(("law", "payload_type"), [("u", 0), ("a", 8)])
@pytest.mark.parametrize("described", [DESCRIBED, []], ids=["with SDP", "without"])
def test_sound_and_times_of_a_stream(
    read: Any, law: str, payload_type: int, described: list[Timed]
) -> None:
    spoken = sound(1.0, law)
    (stream,) = read(
        pcap(described + speaking(RTP_A, RTP_B, spoken, payload_type=payload_type))
    ).streams
    (heard,) = stream.sounds()
    assert np.array_equal(heard.samples, spoken)
    assert heard.at == pytest.approx(BEGAN, abs=1e-3)
    assert (stream.source, stream.target, stream.packets, stream.lost) == (RTP_A, RTP_B, 50, 0)
    assert [name for _, name in stream.codecs] == [{"u": "PCMU", "a": "PCMA"}[law]]
    assert stream.call_ids == ({"a1@192.0.2.1"} if described else frozenset())


def test_a_file_longer_than_what_is_buffered(read: Any) -> None:
    packets = speaking(RTP_A, RTP_B, sound(20.0))
    for content in (pcap(packets), pcapng(packets)):
        assert [stream.packets for stream in read(content).streams] == [1000]


def test_lost_late_and_repeated_packets(read: Any) -> None:
    spoken = sound(1.0)
    packets = speaking(RTP_A, RTP_B, spoken)
    packets[20], packets[21] = packets[21], packets[20]
    del packets[30:32]
    jittered = [
        (at + 0.015 * (number % 3), packet)
        for number, (at, packet) in enumerate([*packets, packets[9]])
    ]
    (stream,) = read(pcap(jittered)).streams
    (heard,) = stream.sounds()
    spoken[30 * 160 : 32 * 160] = 0
    assert np.array_equal(heard.samples, spoken)
    assert (stream.packets, stream.lost) == (48, 2)


def test_a_new_ssrc_is_a_new_stream_and_a_new_payload_type_is_named(read: Any) -> None:
    first = speaking(RTP_A, RTP_B, sound(0.4))
    second = speaking(RTP_A, RTP_B, sound(0.4, "a"), BEGAN + 3, 8, sequence=65_520, ssrc=0x1234)
    third = speaking(RTP_A, RTP_B, sound(0.4), BEGAN + 5, ssrc=9)
    one, other = read(pcap(DESCRIBED + first + second + third)).streams
    assert [name for _, name in one.codecs] == ["PCMU", "PCMA"]
    assert (one.ssrc, other.ssrc) == (0x1234, 9)
    assert [heard.at for heard in one.sounds()] == pytest.approx([BEGAN, BEGAN + 3], abs=1e-3)


def test_what_is_not_rtp_makes_no_stream(read: Any) -> None:
    dns = [
        udp(
            A,
            ("192.0.2.9", 53),
            struct.pack("!6H", 0x8000 + n, 0x100, 1, 0, 0, 0) + b"\1a\0\0\1\0\1",
        )
        for n in range(30)
    ]
    stun = [udp(RTP_A, RTP_B, struct.pack("!HHI", 1, 0, 0x2112A442) + bytes(12))] * 30
    rtcp = [udp(RTP_A, RTP_B, struct.pack("!BBHI", 0x80, 200, 6, n) + bytes(20)) for n in range(30)]
    few = [udp(RTP_A, RTP_B, rtp(n, n * 160, bytes(160))) for n in range(5)]
    packets = [(BEGAN + number, packet) for number, packet in enumerate([*dns, *stun, *rtcp, *few])]
    assert read(pcap(packets)).streams == ()


def test_other_codecs_and_missing_keys_are_notes(read: Any) -> None:
    described = [
        (BEGAN - 1, udp(B, A, ok(sdp(RTP_B, "96", "RTP/AVP", "a=rtpmap:96 opus/48000/2"))))
    ]
    capture = read(pcap(described + speaking(RTP_A, RTP_B, sound(0.1), payload_type=96)))
    assert capture.notes == ("RTP from 192.0.2.1:4000 to 192.0.2.2:4002: OPUS is not decoded",)
    described = [(BEGAN - 1, udp(B, A, ok(sdp(RTP_B, "0", "RTP/SAVP"))))]
    capture = read(pcap(described + speaking(RTP_A, RTP_B, sound(0.1))))
    (stream,) = capture.streams
    assert stream.is_encrypted
    assert not list(stream.sounds())
    assert "encrypted (SRTP), and the capture has no key" in capture.notes[0]


def test_srtp_with_the_senders_key_in_the_capture(read: Any) -> None:
    # Packet and key of libsrtp's own test (srtp_validate, AES_CM_128_HMAC_SHA1_80)
    key = base64.b64encode(
        bytes.fromhex("e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6")
    ).decode()
    packet = bytes.fromhex(
        "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb"
    )
    lines = ("a=rtpmap:15 PCMU/8000", f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}")
    offered = udp(A, B, invite(sdp(RTP_A, "15", "RTP/SAVP", *lines)))
    (stream,) = read(pcap([(BEGAN - 1, offered), (BEGAN, udp(RTP_A, RTP_B, packet))])).streams
    (heard,) = stream.sounds()
    assert np.array_equal(heard.samples, decode_ulaw(b"\xab" * 16))
    assert stream.is_encrypted


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not a capture"),
        (b"RIFF....WAVEfmt ", "is not a capture"),
        (b"\xa1\xb2\xc3\xd4\0\2\0\4", "is not a capture"),
    ],
)
def test_another_file_is_one_line(read: Any, content: bytes, words: str) -> None:
    with pytest.raises(CaptureError, match=words) as raised:
        read(content)
    assert "\n" not in str(raised.value)
    assert "sbc.pcap" in str(raised.value)
    with pytest.raises(CaptureError, match="cannot be read"):
        read_capture(Path("/nowhere/sbc.pcap"))


def test_a_file_that_ends_early_is_read_to_there(read: Any) -> None:
    packets = [(BEGAN, udp(A, B, invite())), (BEGAN + 1, udp(B, A, ok()))]
    for content, note in (
        (pcap(packets), "where the file ends"),
        (pcapng(packets), "within a block"),
    ):
        capture = read(content[:-20])
        assert len(capture.messages) == 1
        assert note in capture.notes[0]


def test_tls_and_snap_lengths_are_notes(read: Any) -> None:
    packets = [
        (BEGAN, tcp(A, B, 1, b"\x16\x03\x01\0\x05hello")),
        (BEGAN, udp(A, B, invite(sdp(RTP_A)))),
    ]
    content = pcap(packets, "raw")
    short = content[:-100]
    head = len(content) - len(bytes(packets[1][1])) - 16
    short = short[: head + 8] + struct.pack("<I", len(short) - head - 16) + short[head + 12 :]
    notes = read(short).notes
    assert notes[0].startswith("TLS cannot be read")
    assert "snap length" in notes[1]
