"""The ordinary scenarios, with ordinary deployment files, against Kamailio: once with a phone of
the harness as the AI, once with baresip, once as a platform that forwards over TLS alone.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from harness.report import pcap
from harness.report.evidence import CaseEvidence
from tests.interop.platform import Platform
from tests.interop.verifying import Verified, verify
from tools.interop.processes import binary

#: Row → how many cases of it there are.
STAND_IN = {
    "TD-INBOUND": 3,
    "TD-TRANSFER-BLIND": 3,
    "TD-TRANSFER-WARM": 3,
    "TD-SKILLS-DEPARTMENT": 3,
    "TD-FALLBACK-TIMEOUT": 3,
    "TD-FALLBACK-REFUSED": 3,
    "TD-FALLBACK-DOWN": 3,
    "TD-REGISTER-OK": 3,
    "TD-REGISTER-BADPASS": 3,
    "TD-REGISTER-NOTALLOWED": 3,
    "TD-CAPACITY": 3,
    "HANGUP-CALLER": 1,
    "HANGUP-AI": 1,
    "HANGUP-AGENT": 1,
    "ABANDON": 1,
    "HOLD": 1,
    "DTMF-RFC4733": 2,
    "DTMF-INFO": 2,
    "EARLYMEDIA": 1,
    "PRACK": 1,
    "SRTP": 1,
    "REINVITE-CODEC": 1,
    "ANONYMOUS": 1,
    "NUMBERFORMATS": 3,
    "XEI": 1,
    "TRANSFER-UNAVAILABLE": 1,
    "CONCURRENT": 1,
    "TLS-BADCERT": 3,
}
SYNTHFLOW = {
    "TD-INBOUND": 6,
    "TD-TRANSFER-BLIND": 6,
    "HANGUP-CALLER": 1,
    "HANGUP-AI": 1,
    "HANGUP-AGENT": 1,
    "REINVITE-CODEC": 1,
    "ANONYMOUS": 1,
    "NUMBERFORMATS": 3,
    "XEI": 1,
    "NOSUCHNUMBER": 1,
    "KEEPALIVE": 1,
}
GLADLY = {
    "GL-INBOUND": 1,
    "GL-HEADER-CALLER": 1,
    "GL-HEADER-SELECTOR": 3,
    "GL-TRANSFER-PLAIN": 1,
    "GL-TRANSFER-TOPIC": 1,
    "GL-FALLBACK-TIMEOUT": 1,
    "GL-FALLBACK-REFUSED": 1,
    "GL-FALLBACK-DOWN": 1,
    "GL-ALLOWLIST-LISTED": 1,
    "GL-ALLOWLIST-UNLISTED": 1,
    "GL-PLAINTEXT": 1,
    "TLS-BADCERT": 3,
}
#: Customers whose numbers lead to people: at desks, at telephones of their own, several at once,
#: behind a queue's music.
CUSTOMERS = {
    "clinic": {
        "SBC-INBOUND": 1,
        "PEOPLE": 3,
        "GROUP-RINGING": 2,
        "SBC-TRANSFER-BLIND": 1,
        "SBC-FALLBACK-TIMEOUT": 1,
        "SBC-FALLBACK-REFUSED": 1,
        "HANGUP-AGENT": 1,
    },
    "shop": {"SBC-INBOUND": 1, "PEOPLE": 2, "GROUP-RINGING": 1},
}
#: Kamailio asks the stand-in by OPTIONS, and calls it only while the last one was answered.
PROBED = {
    "SBC-INBOUND": 1,
    "HANGUP-CALLER": 1,
    "PRACK": 1,
    "SBC-FALLBACK-REFUSED": 1,
    "SBC-FALLBACK-DOWN": 1,
    "TLS-BADCERT": 3,
}
#: Cases that must not pass, with a part of their message.
SHORTCOMINGS = {
    # Kamailio 5.6 checks who signed a certificate, not whom it names (RFC 5922 section 7.2 asks for
    # both)
    f"TLS-BADCERT[kamailio-{who}]": "no INVITE is sent to the AI"
    for who in (
        "stand-in:stand-in-tls-ip-wrong-name",
        "gladly:stand-in-tls-ip-wrong-name",
        "probed:stand-in-tls-ip-wrong-name-inbound",
    )
}


def judge(run: Verified, row: str, count: int) -> None:
    """All cases of that row ended as they should."""
    found = {name: end for name, end in run.ends.items() if name.startswith(f"{row}[")}
    assert len(found) == count, sorted(found)
    for name, end in found.items():
        if name in SHORTCOMINGS:
            assert end["verdict"] == "failed", name
            assert SHORTCOMINGS[name] in end["message"]
        else:
            assert end["verdict"] == "passed", f"{name}: {end['message']}"


@pytest.fixture(scope="module")
def with_stand_in(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Verified:
    return verify(
        platform.files["stand-in"], STAND_IN, tmp_path_factory.mktemp("stand-in"), workers=2
    )


@pytest.fixture(scope="module")
def with_baresip(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Verified:
    return verify(
        platform.files["synthflow"], SYNTHFLOW, tmp_path_factory.mktemp("synthflow"), workers=2
    )


@pytest.fixture(scope="module")
def as_gladly(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Verified:
    return verify(platform.files["gladly"], GLADLY, tmp_path_factory.mktemp("gladly"))


@pytest.mark.parametrize("who", CUSTOMERS)
def test_customer_with_people_in_groups(platform: Platform, tmp_path: Path, who: str) -> None:
    verified = verify(platform.files[who], CUSTOMERS[who], tmp_path)
    for row, count in CUSTOMERS[who].items():
        judge(verified, row, count)
    if who == "clinic":
        assert platform.queue.received("INVITE"), "nobody waited with music"


def test_platform_that_calls_only_hosts_that_answer_options(
    platform: Platform, tmp_path: Path
) -> None:
    verified = verify(platform.files["probed"], PROBED, tmp_path)
    for row, count in PROBED.items():
        judge(verified, row, count)
    assert "WAITING  for an OPTIONS of the platform to the stand-in" in verified.output


@pytest.mark.xdist_group("scenarios-as-gladly")
@pytest.mark.parametrize("row", GLADLY)
def test_row_of_a_platform_that_forwards_over_tls(as_gladly: Verified, row: str) -> None:
    judge(as_gladly, row, GLADLY[row])


@pytest.mark.xdist_group("scenarios-with-stand-in")
@pytest.mark.parametrize("row", STAND_IN)
def test_row_with_a_stand_in(with_stand_in: Verified, row: str) -> None:
    judge(with_stand_in, row, STAND_IN[row])


@pytest.mark.xdist_group("scenarios-with-stand-in")
def test_calls_of_the_stand_in_were_challenged(with_stand_in: Verified) -> None:
    """RFC 3261 section 22.3: the platform asked, and the INVITE that went on to an agent had the
    right answer.
    """
    cases = with_stand_in.cases_of("TD-TRANSFER-WARM")
    assert cases
    for case in cases:
        text = (case / "events.jsonl").read_text()
        assert re.search(r"SIP/2\.0 407 Proxy Authentication Required[^\n]*CSeq: \d+ INVITE", text)
        assert 'Proxy-Authorization: Digest username=\\"synthflow-stand-in\\"' in text


@pytest.mark.xdist_group("scenarios-with-baresip")
@pytest.mark.parametrize("row", SYNTHFLOW)
def test_row_with_baresip_as_the_ai(with_baresip: Verified, row: str) -> None:
    judge(with_baresip, row, SYNTHFLOW[row])


@pytest.mark.xdist_group("scenarios-with-baresip")
def test_preflight_finds_the_platform_in_order(with_baresip: Verified) -> None:
    (report,) = json.loads((with_baresip.directory / "preflight.json").read_text())
    wrong = [line for line in report["lines"] if line["status"] != "ok"]
    assert not wrong


@pytest.mark.xdist_group("scenarios-with-baresip")
def test_tshark_finds_nothing_malformed_in_what_the_run_exported(with_baresip: Verified) -> None:
    cases = sorted(with_baresip.directory.glob("cases/*/case.json"))
    captures = [pcap.capture(CaseEvidence.read(case.parent)) for case in cases]
    assert len(captures) == len(with_baresip.ends)
    for capture in captures:
        arguments = [
            "-r",
            str(capture),
            "-d",
            "tcp.port==1-65535,sip",
            "-d",
            "udp.port==1-65535,sip",
            "-Y",
            "_ws.malformed",
        ]
        done = subprocess.run(
            [binary("tshark"), *arguments], capture_output=True, text=True, check=True
        )
        assert not done.stdout, f"{capture}: {done.stdout}"
