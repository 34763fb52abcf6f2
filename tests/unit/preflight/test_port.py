"""A single port probed after a failed call: it answers, is silent or refuses, and its certificate."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from harness.witness.ports.probes import Target
from harness.witness.ports.wire import ask_port as ask
from tests.unit.preflight.conftest import SOON, FarEnd, Lab, says, silent


def told(
    lab: Lab, far: FarEnd, port: int, transport: Any = "udp", bind: Any = None, **settings: Any
) -> Any:
    """Probe a port of ``far``, from the address ``bind``."""
    place = Target(far.address, port, transport, bind, far.ca_file)
    return ask(lab.deployment(), place, **(lab.settings | settings))


def test_port_answers_is_silent_or_refuses(lab: Lab, far: FarEnd) -> None:
    assert told(lab, far, far.udp(says(403))) == {"reach": "answers", "detail": "403 Forbidden"}
    assert told(lab, far, far.udp(silent), **SOON)["reach"] == "silent"
    assert told(lab, far, far.stream(), "tcp")["reach"] == "answers"
    assert told(lab, far, far.stream(silent), "tcp", **SOON)["reach"] == "silent", (
        "a connection is not enough"
    )
    assert told(lab, far, far.stream(hang_up=True), "tcp")["reach"] == "refuses"


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_unbindable_local_address_is_not_silence(lab: Lab, far: FarEnd, transport: str) -> None:
    """As with the stand_in.bind of another machine: nothing was sent, so no firewall dropped it."""
    assert told(lab, far, far.closed_port(), transport)["reach"] == "refuses"
    found = told(lab, far, far.closed_port(), transport, bind="192.0.2.1")
    assert found["reach"] is None
    assert "192.0.2.1 is no address of this machine" in found["detail"]


@pytest.mark.parametrize(
    ("options", "worth"),
    [
        ({}, "valid"),
        ({"days": -1, "starts": -90}, "expired"),
        ({"days": 30, "starts": 5}, "expired"),
        ({"names": ("sip.other.example",)}, "wrong name"),
        ({"signed_by": "stranger"}, "untrusted"),
    ],
)
def test_certificate_is_classified(
    lab: Lab, far: FarEnd, options: dict[str, Any], worth: str
) -> None:
    found = told(lab, far, far.tls(**options), "tls")
    assert (found["reach"], found["certificate"]) == ("answers", worth)


@pytest.mark.parametrize(("by_phones", "worth"), [(True, "wrong name"), (False, "valid")])
def test_wildcard_certificate_counts_for_softphones_only(
    lab: Lab, far: FarEnd, by_phones: bool, worth: str
) -> None:
    lab.resolves({("sip.acme.example", "A"): [far.address]})
    port = far.tls(names=("*.acme.example",))
    place = Target("sip.acme.example", port, "tls", ca_file=far.ca_file, by_phones=by_phones)
    assert ask(lab.deployment(), place, **lab.settings)["certificate"] == worth


@pytest.mark.parametrize("behind_the_handshake", [False, True])
def test_port_that_requires_a_client_certificate_answers(
    lab: Lab, far: FarEnd, behind_the_handshake: bool
) -> None:
    """A firewall sends no TLS alert (RFC 8446 section 6.2) and no certificate request (section
    4.4.2).
    """

    async def alert(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            await reader.read(1)
            writer.write(b"\x15\x03\x03\0\2\2\x28")  # fatal, handshake_failure
            while await reader.read(65536):
                pass
        writer.transport.abort()

    if behind_the_handshake:
        versions = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
        port = far.tls(versions=versions, is_mutual=True)
    else:
        port = far._serve(alert, None)
    place = Target(far.address, port, "tls", ca_file=far.ca_file, by_phones=False)
    found = ask(lab.deployment(), place, **lab.settings)
    assert found["reach"] == "answers", found
    assert (
        ask(lab.deployment(), replace(place, by_phones=True), **lab.settings)["reach"] == "refuses"
    )
