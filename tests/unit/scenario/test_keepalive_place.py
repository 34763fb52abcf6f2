"""Whom OPTIONS asks: the platform's host, however the file writes it, at its port or at the transport's own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.deployment import Platform
from harness.scenario import cast as cast_module
from harness.scenario.cast import Cast
from harness.sip.uri import Uri
from tests.unit.scenario.conftest import MakeContext


@pytest.mark.parametrize("port", [None, 5060, 5083])
@pytest.mark.parametrize("host", ["sbc.example", "192.0.2.7", "2001:db8::5", "[2001:db8::5]"])
def test_it_is_a_uri_of_that_place(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, host: str, port: int | None
) -> None:
    context = make_context("KEEPALIVE", platform=Platform(domain="platform.example", host=host, port=port))
    asked: list[str] = []
    monkeypatch.setattr(Cast, "_agent", lambda cast, name: SimpleNamespace(name=name))

    def options(phone: Any, uri: str) -> tuple[int, str]:
        asked.append(uri)
        return 200, "OK"

    monkeypatch.setattr(cast_module, "send_options", options)
    assert Cast(context).options() == (200, "OK")
    uri = Uri.parse(asked[0])
    assert (uri.address, uri.port) == (host.strip("[]"), port)
