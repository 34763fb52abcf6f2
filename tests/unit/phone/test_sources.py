"""The addresses from which a phone accepts requests."""

from __future__ import annotations

import socket

import pytest

from harness.phone import PhoneConfig


def networks(places: tuple[str, ...]) -> list[str] | None:
    return PhoneConfig("alice", "101", "example.com", accepts_from=places).accepted_networks()


def test_addresses_networks_and_names_become_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(
        name: str, *_: object, **__: object
    ) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        if name != "sip.example.com":
            raise socket.gaierror
        return [(2, 2, 0, "", ("198.51.100.4", 0)), (2, 2, 0, "", ("198.51.100.5", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    places = (
        "192.0.2.1",
        "203.0.113.9/24",
        "[2001:db8::1]",
        "sip.example.com",
        "nobody.example.com",
        "192.0.2.1",
    )
    assert networks(places) == [
        "192.0.2.1/32",
        "203.0.113.0/24",
        "2001:db8::1/128",
        "198.51.100.4",
        "198.51.100.5",
    ]


def test_a_failed_lookup_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(
        [
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure"),
            [(2, 2, 0, "", ("198.51.100.6", 0))],
        ]
    )

    def resolve(name: str, *_: object, **__: object) -> object:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert networks(("slow.example.com",)) == []
    assert networks(("slow.example.com",)) == ["198.51.100.6"]
    assert networks(("slow.example.com",)) == ["198.51.100.6"]  # and not a third time
