"""Answers to pjsip's lookups, through its own structures."""

from __future__ import annotations

import ctypes
import ipaddress
import socket
import struct
import threading
from typing import Any

import pytest

from harness.phone.child import names
from harness.phone.child.names import Names, Trouble
from harness.phone.child.pjlib import Text

Answer = tuple[int, list[tuple[int, str, int]]]


class Asker:
    """pjsip's side."""

    def __init__(self, *, ipv6: bool = False) -> None:
        self.woken = threading.Event()
        self.told: list[Trouble] = []
        self.answers: list[Answer] = []
        self.faults: list[str] = []
        self.names = Names(ipv6, self.woken.set, self.told.append, self.faults.append)
        self._found = names._Found(self._take)

    def asks(self, host: str, kind: int = 1, flag: int = 0, port: int = 0) -> list[Answer]:
        """The answers so far."""
        text = ctypes.create_string_buffer(host.encode())
        target = names._Target(
            flag, kind, Text(ctypes.cast(text, ctypes.c_char_p), len(text) - 1), port
        )
        answer = ctypes.cast(self._found, ctypes.c_void_p).value
        self.names._resolver.resolve(None, None, ctypes.byref(target), None, answer)
        return self.answers

    def waits(self) -> list[Answer]:
        assert self.woken.wait(5)
        self.names.tick(0.0)
        return self.answers

    def _take(self, status: int, _token: Any, address: Any) -> None:
        found = names._Addresses.from_address(address)
        told = []
        for record in found.entry[: found.count]:
            raw = bytes(record.address)
            six = record.length == 28
            assert int.from_bytes(raw[:2], "little") == (socket.AF_INET6 if six else socket.AF_INET)
            host = str(ipaddress.ip_address(raw[8:24] if six else raw[4:8]))
            told.append((record.type, host, int.from_bytes(raw[2:4], "big")))
        self.answers.append((status, told))


@pytest.mark.parametrize(
    ("kind", "flag", "port", "told"),
    [
        (1, 0, 5070, (1, "192.0.2.1", 5070)),
        (1, 0, 0, (1, "192.0.2.1", 5060)),
        (2, 1, 0, (2, "192.0.2.1", 5060)),
        (3, 3, 0, (3, "192.0.2.1", 5061)),
        (0, 0, 0, (1, "192.0.2.1", 5060)),
        (0, 1, 0, (2, "192.0.2.1", 5060)),
        (0, 3, 0, (3, "192.0.2.1", 5061)),
    ],
)
def test_an_address_needs_no_lookup(
    kind: int, flag: int, port: int, told: tuple[int, str, int]
) -> None:
    """RFC 3263 section 4.1 and 4.2: the named transport, else that of the flags; the named port,
    else its default.
    """
    assert Asker().asks("192.0.2.1", kind, flag, port) == [(0, [told])]


@pytest.mark.parametrize(
    ("version", "octets", "place"),
    [("2.15.1", 44, 0), ("2.16", 64, 16), ("2.17", 64, 16), ("2.17-dev", 64, 16), ("3.0", 64, 16)],
)
@pytest.mark.parametrize("host", ["192.0.2.1", "[2001:db8::1]"])
def test_records_are_laid_out_as_the_version_of_pjproject_has_them(
    version: str, octets: int, place: int, host: str
) -> None:
    """``pjsip_server_address_record`` begins with the name since 2.16, or else with the type."""
    found: list[tuple[int, bytes]] = []

    def take(_status: int, _token: Any, address: int) -> None:
        (count,) = struct.unpack("=I", ctypes.string_at(address, 4))
        first = address + (8 if place else 4)
        record = ctypes.string_at(first, octets)
        if place:
            pointer, length = struct.unpack_from("=QQ", record)
            assert ctypes.string_at(pointer, length).decode() == host.strip("[]")
        kind, _, _, family, port = struct.unpack_from("=IIIH2s", record, place)
        found.append((count, port))
        assert kind == (129 if family == socket.AF_INET6 else 1)

    asker = Asker(ipv6=True)
    asker.names._addresses = names._addresses_of(version)
    asker._found = names._Found(take)
    asker.asks(host, port=5070)
    assert (found, asker.faults) == ([(1, (5070).to_bytes(2, "big"))], [])


def test_a_name_is_looked_up_in_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []
    go = threading.Event()

    def look_up(host: str, _port: None, family: int, _kind: int) -> list[Any]:
        asked.append((host, family))
        go.wait(5)
        return [(0, 0, 0, "", (address, 0)) for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1")]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    asker = Asker()
    assert asker.asks("sip.example.com") == []
    assert asker.asks("sip.example.com", port=5070) == []
    asker.names.tick(float("inf"))
    asker.names.tick(float("inf"))
    assert [(trouble.name, trouble.problem, trouble.denied) for trouble in asker.told] == [
        ("sip.example.com", "no answer yet", False)
    ]
    go.set()
    # One question for both.
    assert asker.waits() == [
        (0, [(1, "192.0.2.1", port), (1, "192.0.2.2", port)]) for port in (5060, 5070)
    ]
    assert asked == [("sip.example.com", socket.AF_INET)]
    assert [trouble.problem for trouble in asker.told] == ["no answer yet", ""]


def test_lookups_are_limited_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: go.wait(10) and [])
    asker, before = Asker(), threading.active_count()
    for number in range(300):
        asker.asks(f"{number}.example.com")
    assert threading.active_count() - before == 64
    asker.names.tick(0.0)
    assert [(trouble.problem, trouble.denied) for trouble in asker.told] == [
        ("more than 64 names were asked for at once", False)
    ] * (300 - 64)
    go.set()


@pytest.mark.parametrize("name", ["a\0b", "\ufffd", "x" * 64 + ".example", "."])
def test_an_invalid_name_is_denied(name: str) -> None:
    asker = Asker()
    asker.asks(name)
    asker.waits()
    assert [(trouble.name, trouble.denied) for trouble in asker.told] == [(name, True)]
