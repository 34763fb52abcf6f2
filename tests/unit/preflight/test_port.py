"""A port asked by itself: what answers, what is silent, what refuses, and what a certificate is worth."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from harness.sip.message import Response
from harness.witness.ports.probes import Target
from harness.witness.ports.wire import ask_port as ask
from tests.unit.preflight.conftest import SOON, FarEnd, Lab, silent


def told(lab: Lab, far: FarEnd, port: int, transport: Any = "udp", **more: Any) -> Any:
    """What comes of a port of ``far``; of that at another ``host``; asked from an address to ``bind``."""
    place = Target(more.pop("host", far.address), port, transport, more.pop("bind", None), far.ca_file)
    return ask(lab.deployment(), place, **(lab.settings | more))


def test_any_answer_is_one_but_silence_is_none(lab: Lab, far: FarEnd) -> None:
    refusing = far.udp(lambda request: Response.to_request(request, 403, tag="far"))
    assert told(lab, far, refusing) == {"reach": "answers", "detail": "403 Forbidden"}
    assert told(lab, far, far.udp(silent), **SOON)["reach"] == "silent"


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_a_port_that_could_not_be_asked_is_not_silent(lab: Lab, far: FarEnd, transport: str) -> None:
    """As from the stand_in.bind of another machine, which a live file was made from: no firewall drops what was never sent."""
    context = far.certificate() if transport == "tls" else None
    port = far.udp() if transport == "udp" else far.stream(context=context)
    found = told(lab, far, port, transport, bind="192.0.2.1")
    assert found["reach"] is None
    assert "192.0.2.1 is no address of this machine" in found["detail"]


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_a_port_where_nobody_is_refuses(lab: Lab, far: FarEnd, transport: str) -> None:
    assert told(lab, far, far.closed_port(), transport)["reach"] == "refuses"


def test_a_connection_that_is_taken_is_not_enough(lab: Lab, far: FarEnd) -> None:
    assert told(lab, far, far.stream(), "tcp")["reach"] == "answers"
    assert told(lab, far, far.stream(silent), "tcp", **SOON)["reach"] == "silent"
    assert told(lab, far, far.stream(hang_up=True), "tcp")["reach"] == "refuses"


@pytest.mark.parametrize(
    ("options", "worth"),
    [
        ({}, "valid"),
        ({"days": -1, "starts": -90}, "expired"),
        ({"days": 30, "starts": 5}, "expired"),
        ({"names": ("sip.other.example",)}, "wrong name"),
        ({"names": ()}, "wrong name"),
        ({"signed_by": "stranger"}, "untrusted"),
        ({"signed_by": "self"}, "untrusted"),
    ],
)
def test_what_a_certificate_is_worth(lab: Lab, far: FarEnd, options: dict[str, Any], worth: str) -> None:
    port = far.stream(context=far.certificate(**options))
    found = told(lab, far, port, "tls")
    assert (found["reach"], found["certificate"]) == ("answers", worth)


@pytest.mark.parametrize(("by_phones", "worth"), [(True, "wrong name"), (False, "valid")])
def test_a_wildcard_is_no_cause_where_the_caller_may_take_it(
    lab: Lab, far: FarEnd, by_phones: bool, worth: str
) -> None:
    lab.settings["resolver"] = far.dns({("sip.acme.example", "A"): [far.address]})
    port = far.stream(context=far.certificate(names=("*.acme.example",)))
    place = Target("sip.acme.example", port, "tls", ca_file=far.ca_file, by_phones=by_phones)
    assert ask(lab.deployment(), place, **lab.settings)["certificate"] == worth


def test_a_port_that_asks_for_a_certificate_which_its_callers_have_is_not_closed(lab: Lab, far: FarEnd) -> None:
    """No firewall ends a handshake by an alert (RFC 8446 section 6.2), which is how a server turns down who shows none."""

    async def alert(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            await reader.read(1)
            writer.write(b"\x15\x03\x03\0\2\2\x28")  # fatal, handshake_failure
            while await reader.read(65536):
                pass
        writer.transport.abort()

    place = Target(far.address, far._serve(alert, None), "tls", ca_file=far.ca_file, by_phones=False)
    found = ask(lab.deployment(), place, **lab.settings)
    assert found["reach"] == "answers", found
    assert "ALERT_HANDSHAKE_FAILURE" in found["detail"]
    assert ask(lab.deployment(), replace(place, by_phones=True), **lab.settings)["reach"] == "refuses"


def test_nor_is_one_that_asks_behind_the_handshake(lab: Lab, far: FarEnd) -> None:
    """As at TLS 1.3 (RFC 8446 section 4.4.2)."""
    context = far.certificate(versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(far.ca_file)
    place = Target(far.address, far.stream(context=context), "tls", ca_file=far.ca_file, by_phones=False)
    found = ask(lab.deployment(), place, **lab.settings)
    assert (found["reach"], found["certificate"]) == ("answers", "valid")
    assert ask(lab.deployment(), replace(place, by_phones=True), **lab.settings)["reach"] == "refuses"
