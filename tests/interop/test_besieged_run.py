"""A run is besieged while it verifies: nobody gets in, nothing is enumerated, and every verdict is
what it is without.

SIPVicious, sipsak and SIPp scan, guess and flood all SIP ports of phones, stand-in and world that
the run's own evidence names; every port of the world that takes connections is asked for its
secrets over HTTP.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import re
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.case.verdict import Verdict
from harness.report.evidence import latest
from harness.report.run_directory import read_cases
from harness.world.addresses import Block
from tests.acceptance.conftest import Tree
from tests.interop.platform import SIPP
from tests.stranger import METHODS
from tools.interop.processes import binary, free_port

SCENARIOS = Path(__file__).parents[2] / "scenarios"
TALKDESK = str(SCENARIOS / "deployments" / "simulated-talkdesk.toml")
ROWS = (
    "--row",
    "TD-INBOUND",
    "--row",
    "TD-TRANSFER-BLIND",
    "--row",
    "ABANDON",
    "--transport",
    "udp",
    "--codec",
    "pcmu",
)
#: Between two attacks. A flood that takes the whole machine would show what the machine bears, not
#: who gets in.
PACE_S = 0.2
#: How the three programs and the requests below name themselves.
NAMES = re.compile(r"friendly-scanner|sipvicious|sipsak|sipp ", re.IGNORECASE)
REQUEST = (
    "{method} sip:{user}@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{number};rport\r\nMax-Forwards: 70\r\n"
    "From: <sip:+14155550101@{to}>;tag={number}\r\nTo: <sip:{user}@{to}>;tag=1\r\nCall-ID: siege-{number}\r\n"
    "CSeq: {number} {method}\r\nContact: <sip:x@{here}>\r\nRefer-To: <sip:+19005550199@{here}>\r\nEvent: presence\r\n"
    "User-Agent: friendly-scanner\r\nContent-Length: 0\r\n\r\n"
)


#: Of the world's control API, and of Synthflow's.
PATHS = [
    ("GET", "/calls"),
    ("GET", "/settings"),
    ("POST", "/faults"),
    ("DELETE", "/faults"),
    ("GET", "/v2/calls"),
    ("GET", "/v2/sip_numbers"),
]


@dataclass
class Siege:
    """What is tried against a run for as long as it lasts, from an address that no deployment names."""

    tree: Tree
    host: str
    users: Path
    sent: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)  #: what was learnt; nothing should be
    _paths: Iterator[tuple[str, str]] = field(default_factory=lambda: itertools.cycle(PATHS))
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def last(self, run: subprocess.Popen[str], *ways: Callable[[str], None]) -> None:
        """Attack until the run has ended, one way after the other, whoever has been spared so far
        first.
        """
        times: Counter[str] = Counter()
        turns = itertools.cycle(ways)
        while run.poll() is None:
            threading.Event().wait(PACE_S)
            if known := self.addresses():  # until somebody is there it is nobody's turn
                at = min(known, key=lambda address: times[address])
                times[at] += 1
                next(turns)(at)

    def addresses(self) -> list[str]:
        """Where phones and world listen for SIP over UDP, by the evidence so far; the longest known
        last.
        """
        found: dict[str, None] = {}
        for events in self.tree.path.glob("reports/*/cases/*/events.jsonl"):
            with contextlib.suppress(OSError):
                text = events.read_text(encoding="utf-8", errors="replace")
                found |= dict.fromkeys(
                    re.findall(r'"(?:local|remote)": ?"(127\.[\d.]+:\d+)"', text)
                )
        return list(reversed(found))

    def scan(self, at: str) -> None:
        host, _, port = at.partition(":")
        for method in ("OPTIONS", "INVITE"):
            said = self._program("svmap", "-m", method, "-p", port, host)
            self._learnt(
                f"svmap {method} {at}",
                re.findall(r"^\| .*(?:simulated|pjsip|harness).*$", said, re.MULTILINE),
            )

    def enumerate(self, at: str) -> None:
        names = self.users.read_text().split()
        for method in ("REGISTER", "INVITE"):
            said = self._program(
                "svwar", "--force", "-m", method, "-d", str(self.users), f"udp://{at}"
            )
            told = dict(re.findall(r"^\| (\S+) +\| (\w+) +\|$", said, re.MULTILINE))
            drawn = {kind for user, kind in told.items() if user not in (*names, "Extension")}
            self._learnt(
                f"svwar {method} {at}",
                [user for user in names if user in told and told[user] not in drawn],
            )

    def crack(self, at: str) -> None:
        user = self.users.read_text().split()[0]
        said = self._program("svcrack", "-u", user, "-r", "1-50", f"udp://{at}")
        self._learnt(f"svcrack {at}", re.findall(rf"^\| {re.escape(user)} .*$", said, re.MULTILINE))

    def flood(self, at: str) -> None:
        self._program("sipsak", "-F", "-e", "300", "-s", f"sip:100@{at}", within=3)

    def call(self, at: str) -> None:
        """SIPp's own caller; its exit code is 0 when a call of it came through."""
        port = str(free_port(self.host))
        arguments = [
            "-sn",
            "uac",
            "-i",
            self.host,
            "-p",
            port,
            "-s",
            "+13125550100",
            "-nostdin",
            "-r",
            "100",
            "-m",
            "50",
        ]
        self.sent["sipp"] += 1
        done = subprocess.run(
            [binary("sipp"), *arguments, "-recv_timeout", "500", "-timeout", "3", at],
            capture_output=True,
            timeout=60,
            check=False,
            cwd=self.users.parent,
        )
        self._learnt(f"sipp {at}", ["a call came through"] if done.returncode == 0 else [])

    def request(self, at: str) -> None:
        """What would end, redirect or fill something, outside of any call."""
        host, _, port = at.partition(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((self.host, 0))
            here = f"{self.host}:{sender.getsockname()[1]}"
            for method in (*METHODS, "UPDATE", "CANCEL"):
                text = REQUEST.format(
                    method=method, user="100", to=at, here=here, number=next(self._numbers)
                )
                sender.sendto(text.encode(), (host, int(port)))
                self.sent["request"] += 1

    def ask(self, at: str) -> None:
        """Every port of the run's processes that takes connections, for what its owners alone may
        know.
        """
        for host, port in listeners(self.tree.processes()):
            method, path = next(self._paths)
            connection = http.client.HTTPConnection(host, port, timeout=0.5)
            with (
                contextlib.suppress(OSError, http.client.HTTPException),
                contextlib.closing(connection),
            ):
                connection.request(
                    method, path, body=b"{}", headers={"Content-Type": "application/json"}
                )
                status = connection.getresponse().status
                self.sent["http"] += 1
                self._learnt(f"{method} {host}:{port}{path}", [str(status)] if status < 400 else [])

    def _program(self, program: str, *arguments: str, within: float = 5) -> str:
        self.sent[program] += 1
        bound = (
            ["-x", self.host, "-P", str(free_port("0.0.0.0"))] if program.startswith("sv") else []
        )
        command = ["timeout", str(within), binary(program), *bound, *arguments]
        environment = {**os.environ, "HOME": str(self.users.parent)}
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.users.parent,
            env=environment,
        )
        return done.stdout + done.stderr

    def _learnt(self, what: str, found: Sequence[str]) -> None:
        self.found += [f"{what}: {one}" for one in found]


def listeners(pids: Iterator[int]) -> set[tuple[str, int]]:
    """The TCP sockets on which these processes listen (proc(5), /proc/net/tcp)."""
    inodes = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            inodes |= {os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[3] == "0A" and f"socket:[{words[9]}]" in inodes:
            address, _, port = words[1].partition(":")
            found.add((socket.inet_ntoa(bytes.fromhex(address)[::-1]), int(port, 16)))
    return found


@pytest.fixture
def besieged(tmp_path: Path, block: Block) -> Callable[..., tuple[int, str, Siege]]:
    """Run these cases, attacked until they have ended: exit code, what the run said, and the siege."""

    def besieged(*arguments: str) -> tuple[int, str, Siege]:
        (tmp_path / "tmp").mkdir()
        outside = tmp_path / "outside"
        outside.mkdir()
        users = outside / "users.txt"
        users.write_text("agent-billing\n+14155550101\n+13125550100\n+12065550100\n100\nadmin\n")
        tree = Tree(tmp_path)
        (tmp_path / "scenarios").symlink_to(SCENARIOS)
        given = ("--deployment", TALKDESK, "--reports", "reports", "-n", "2", "--world-control")
        run = tree.start(*given, *ROWS, *arguments)
        siege = Siege(tree, block[SIPP + 8], users)
        attackers = [
            threading.Thread(target=siege.last, args=(run, siege.crack)),
            threading.Thread(target=siege.last, args=(run, siege.scan)),
            threading.Thread(target=siege.last, args=(run, siege.enumerate)),
            threading.Thread(target=siege.last, args=(run, siege.request, siege.call, siege.flood)),
            threading.Thread(target=siege.last, args=(run, siege.ask)),
        ]
        for attacker in attackers:
            attacker.start()
        try:
            code, output = tree.finished(run, within=400)
        finally:
            run.kill()
            for attacker in attackers:
                attacker.join()
        tree.nothing_left()
        return code, output, siege

    return besieged


def findings(tree: Tree, verdict: Verdict) -> set[str]:
    """The checks that ended so, in any case: in its last attempt, as one that the machine broke is
    made again.
    """
    last = latest(read_cases(tree.run_directory))
    return {
        finding.check for case in last for finding in case.findings if finding.verdict is verdict
    }


@pytest.mark.parametrize(
    ("fault", "code", "failed"), [("", 0, set()), ("from-anonymous", 1, {"caller_id"})]
)
def test_verdicts_hold_under_attack(
    besieged: Callable[..., tuple[int, str, Siege]], fault: str, code: int, failed: set[str]
) -> None:
    ended, output, siege = besieged(*(("--fault", fault) if fault else ()))
    assert ended == code, output
    assert findings(siege.tree, Verdict.FAILED) == failed
    assert findings(siege.tree, Verdict.BROKEN) == set()
    assert siege.found == []
    for program in ("svmap", "svwar", "svcrack", "sipsak", "sipp", "request", "http"):
        assert siege.sent[program], f"{program} has tried nothing: {siege.sent}"

    text = "".join(
        path.read_text() for path in siege.tree.path.glob("reports/*/cases/*/events.jsonl")
    )
    refused = [line for line in text.splitlines() if '"StrangerRefused"' in line]
    assert any(NAMES.search(line) for line in refused), "no phone was reached by the siege"
    taken = [line for line in text.splitlines() if '"SipMessage"' in line and NAMES.search(line)]
    assert taken == []
