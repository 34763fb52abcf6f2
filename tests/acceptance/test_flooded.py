"""A stranger's INVITEs, 50 a second at the stand-in and as many at phones, change no verdict, and the report names who it was."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import socket
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.simulation.addresses import take_block
from tests.acceptance.outside import Outside

ROWS = ("--row=TD-INBOUND", "--row=TD-TRANSFER-BLIND", "--row=HANGUP-CALLER", "--transport=udp", "--codec=pcmu")
PER_SECOND = 50
INVITE = (
    "INVITE sip:{user}@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK-{number};rport\r\nMax-Forwards: 70\r\n"
    "From: <sip:+14155550199@{here}>;tag={number}\r\nTo: <sip:{user}@{to}>\r\nCall-ID: scan-{number}@{here}\r\n"
    "CSeq: 1 INVITE\r\nContact: <sip:x@{here}>\r\nUser-Agent: friendly-scanner\r\nContent-Type: application/sdp\r\n"
    "Content-Length: {length}\r\n\r\n{body}"
)
OFFER = "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"


class Scanner:
    """Calls whatever listens, as long as a run lasts, from an address that no file names."""

    def __init__(self, host: str, stand_in: str, evidence: Path) -> None:
        self.host = host
        self.sent = 0
        self.heard = b""  #: whatever came back, the first of it
        self._stand_in = stand_in
        self._evidence = evidence
        self._earlier = set(evidence.iterdir())  # of runs whose phones are gone
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._socket.setblocking(False)
        self._ended = threading.Event()

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Scanning, until what is within has ended."""
        thread = threading.Thread(target=self._scan)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()
            with contextlib.suppress(BlockingIOError), self._socket:
                self.heard = self._socket.recv(4096)

    def _scan(self) -> None:
        phones: list[str] = []
        turn = itertools.count()
        while not self._ended.wait(1 / PER_SECOND):
            number = next(turn)
            if number % (PER_SECOND // 5) == 0:
                phones = self._phones()
            self._invite(self._stand_in)
            if phones:
                self._invite(phones[number % len(phones)])

    def _phones(self) -> list[str]:
        """Where our phones listen, by the evidence so far."""
        found: set[str] = set()
        for run in set(self._evidence.iterdir()) - self._earlier:
            for path in run.glob("cases/*/events.jsonl"):
                with contextlib.suppress(OSError):
                    found |= set(re.findall(r'"local": ?"(127\.[\d.]+:\d+)"', path.read_text(errors="replace")))
        return sorted(found - {self._stand_in})

    def _invite(self, at: str) -> None:
        self.sent += 1
        here = f"{self.host}:{self._socket.getsockname()[1]}"
        body = OFFER.format(host=self.host)
        text = INVITE.format(user="100", to=at, here=here, number=self.sent, length=len(body), body=body)
        host, _, port = at.rpartition(":")
        with contextlib.suppress(ConnectionRefusedError, BlockingIOError):
            self._socket.sendto(text.encode(), (host, int(port)))


@pytest.fixture
def stranger() -> Iterator[str]:
    block = take_block()
    yield block[9]
    block.release()


def test_no_verdict_changes_and_the_stranger_is_named(outside: Outside, stranger: str) -> None:
    file = outside.file("stand-in")
    code, output = outside.run(file, *ROWS, "-n", "2")
    alone = outside.verdicts()
    assert (code, set(alone.values())) == (0, {"passed"}), output
    assert "strangers" not in output

    told = tomllib.loads(file.read_text())
    port = next(trunk["port"] for trunk in told["trunks"] if trunk["transport"] == "udp")
    scanner = Scanner(stranger, f"{told['stand_in']['bind']}:{port}", outside.directory / "reports")
    with scanner.at_work():
        code, output = outside.run(file, *ROWS, "-n", "2")
    assert outside.verdicts() == alone, output
    assert code == 0
    assert scanner.heard == b"", "a stranger gets no answer at all"

    summary = json.loads((outside.run_directory / "summary.json").read_text())
    (named,) = [one for one in summary["strangers"] if one["source"].partition(":")[0] == stranger]
    assert (named["methods"], named["user_agents"], named["why"]) == (["INVITE"], ["friendly-scanner"], ["address"])
    assert 0 < named["requests"] <= scanner.sent
    assert stranger in output, "the terminal names it"
    refused = [e for case in alone for e in outside.lines(case, "event") if e["kind"] == "StrangerRefused"]
    assert "stand-in" in {event["phone"] for event in refused}
    assert {event["phone"] for event in refused} - {"stand-in"}, "phones that call were called, too"
