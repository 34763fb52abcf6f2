"""Runs against a world that is up by itself: the harness is told nothing but a file and the environment, as for a real platform."""

from __future__ import annotations

import contextlib
import fcntl
import html
import json
import os
import pty
import random
import re
import select
import signal
import ssl
import subprocess
import sys
import termios
import threading
import time
from base64 import b64encode, urlsafe_b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import pytest

from harness import matrix
from harness.cli.live_file import live_file
from harness.deployment import Deployment, from_plain
from harness.integrations import load
from harness.matrix import calls_of
from harness.simulation.pki import Authority, Certificate

ROOT = Path(__file__).parents[2]
WORLD_FILE = ROOT / "scenarios" / "deployments" / "simulated-talkdesk.toml"


@dataclass
class Outside:
    """A world in a process of its own, and files about it."""

    directory: Path
    books: httpx.Client  #: the world's control API
    tenants: list[Deployment]
    secrets: dict[str, str] = field(default_factory=dict)

    def file(self, kind: Any, name: str | None = None, change: Callable[[str], str] = lambda text: text) -> Path:
        """A file for one tenant: the first is the live one, the second has the stand-in."""
        world = self.tenants[0 if kind == "live" else 1]
        own, text, secrets = live_file(world, kind, world.timings_by("quick"))
        self.secrets |= secrets
        path = self.directory / f"{name or own}.toml"
        if name:
            text = text.replace(f'name = "{own}"', f'name = "{name}"', 1)
        path.write_text(change(text))
        return path

    @property
    def environment(self) -> dict[str, str]:
        kept = {n: value for n, value in os.environ.items() if not n.startswith(("PYTEST_", "PYTHON"))}
        return kept | self.secrets | {"HARNESS_LIVE": "1"}

    def start(self, *arguments: str | Path, terminal: int | None = None) -> subprocess.Popen[str]:
        """``harness verify``; at a terminal (its file descriptor) if there is one."""
        return self.command("verify", *arguments, "--reports", self.directory / "reports", terminal=terminal)

    def command(self, *arguments: str | Path, terminal: int | None = None) -> subprocess.Popen[str]:
        """``harness …``."""

        def sit_down() -> None:
            if terminal is not None:
                fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

        return subprocess.Popen(
            [sys.executable, "-c", "from harness.cli.app import main; main()", *map(str, arguments)],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=sit_down,
        )

    def run(self, *arguments: str | Path) -> tuple[int, str]:
        return self.finished(self.start(*arguments))

    @staticmethod
    def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
        """Exit code and output."""
        try:
            output, _ = process.communicate(timeout=150)
        finally:
            process.kill()
        return process.returncode, output

    @property
    def run_directory(self) -> Path:
        return max(path for path in (self.directory / "reports").iterdir() if path.is_dir() and not path.is_symlink())

    def verdicts(self) -> dict[str, str]:
        """Of the newest run, by case."""
        found = (json.loads(path.read_text()) for path in self.run_directory.glob("cases/*/case.json"))
        return {case["id"]: case["end"]["verdict"] for case in found}

    def findings(self, case: str) -> list[dict[str, Any]]:
        return self.lines(case, "finding")

    def lines(self, case: str, kind: str) -> list[dict[str, Any]]:
        """What a case's evidence has of one kind."""
        for path in self.run_directory.glob("cases/*/case.json"):
            if json.loads(path.read_text())["id"] == case:
                lines = (path.parent / "events.jsonl").read_text().splitlines()
                return [found[kind] for line in lines if kind in (found := json.loads(line))]
        raise LookupError(case)

    def at_once(self) -> int:
        """How many cases of one deployment were under way at the same time, at most."""
        times: dict[str, list[tuple[float, int]]] = {}
        for path in self.run_directory.glob("cases/*/case.json"):
            case = json.loads(path.read_text())
            times.setdefault(case["deployment"], []).extend([(case["began"], 1), (case["end"]["at"], -1)])
        return max(max(accumulate(step for _, step in sorted(found))) for found in times.values())

    def calls_up(self) -> list[str]:
        """What the world's own books have up."""
        books = self.books.get("/calls").json()
        up = [call["name"] for tenant in books["tenants"] for call in tenant["calls"]]
        return up + [f"AI call of tenant {t['tenant']}" for t in books["tenants"] for _ in range(t["ai_calls"])]


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    directory = tmp_path_factory.mktemp("outside")
    command = [sys.executable, "-m", "harness.simulation", str(WORLD_FILE), "--tenants", "2", "--control"]
    world = subprocess.Popen(
        [*command, "--directory", str(directory / "world")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert world.stdin is not None
    assert world.stdout is not None
    try:
        ready = json.loads(world.stdout.readline())
        assert ready["event"] == "ready", ready
        with httpx.Client(base_url=ready["control"]) as books:
            yield Outside(directory, books, [from_plain(plain) for plain in ready["deployments"]])
        world.stdin.close()
        assert world.wait(20) == 0, "the world's books are not clean"
    finally:
        world.kill()
        world.wait()
        world.stdout.close()


def test_a_live_and_a_stand_in_deployment_run_green(outside: Outside) -> None:
    files = [outside.file("live"), outside.file("stand-in")]
    rows = ["TD-INBOUND", "TD-TRANSFER-BLIND", "TD-OUTBOUND-CAMPAIGN", "XEI", "TD-REGISTER-NOTALLOWED"]
    code, output = outside.run(*files, *(f"--row={row}" for row in rows), "--transport=tls", "--codec=pcmu", "-n", "4")
    assert code == 0, output
    assert outside.at_once() > 1, "cases of a real deployment run beside each other"
    verdicts = outside.verdicts()
    assert set(verdicts.values()) == {"passed"}
    assert {case.partition("[")[2].partition(":")[0] for case in verdicts} == {"live-talkdesk", "stand-in-talkdesk"}

    live = outside.findings("TD-INBOUND[live-talkdesk:synthflow-tls-ip-pcmu]")
    assert {f["strength"] for f in live if f["check"] == "audio"} == {2}, "confirmed by words, not proved by marks"
    unseen = [f for f in live if f["verdict"] == "not observable"]
    assert {f["check"] for f in unseen} == {"route.transport", "codec"}
    assert all(f["dispensable"] for f in unseen)
    own = outside.findings("TD-INBOUND[stand-in-talkdesk:stand-in-tls-ip-pcmu]")
    assert {f["strength"] for f in own if f["check"] == "audio"} == {3}
    assert not [f for f in own if f["verdict"] != "passed"]
    assert outside.calls_up() == []
    planned = {
        case.id: sum(call.by == "the harness" for call in calls_of(case, deployment))
        for deployment in (load(file, outside.secrets) for file in files)
        for case in matrix.cases([deployment])
    }
    for case in verdicts:
        dialled = [
            e for e in outside.lines(case, "event") if e["kind"] == "LegStarted" and e["direction"] == "outgoing"
        ]
        assert len(dialled) == planned[case], f"{case}: --plan shows other calls than were placed"


def test_limits_hold_over_all_workers_as_the_world_counts(outside: Outside) -> None:
    def few(text: str) -> str:
        for old, new in {
            "concurrent_calls = 200": "concurrent_calls = 2",
            "calls_per_second = 200.0": "calls_per_second = 1.0",
        }.items():
            assert old in text
            text = text.replace(old, new)
        return text

    rows = ("--row=TD-INBOUND", "--row=HANGUP-CALLER", "--auth=ip", "--codec=pcmu")
    process = outside.start(outside.file("stand-in", "limited", few), *rows, "-n", "4", "--preflight=off")
    most = 0
    while process.poll() is None:
        up = Counter(
            name.split()[0] for name in outside.calls_up()
        )  # each call is up at the carrier and at the platform
        most = max(most, *up.values(), 0)
        time.sleep(0.02)
    code, output = outside.finished(process)
    assert code == 0, output
    assert 0 < most <= 2
    events = [event for case in outside.verdicts() for event in outside.lines(case, "event")]
    begun = [e["at"] for e in events if e["kind"] == "LegStarted" and e["direction"] == "outgoing"]
    assert len(begun) >= 4
    assert max(begun) - min(begun) >= len(begun) - 2, "one a second, and one second for what the machine holds up"


def test_secrets_are_in_no_file_of_a_run(outside: Outside) -> None:
    """Byte by byte and in every spelling, in what the runs of this module left behind and said, those that failed included."""
    live, own = outside.file("live"), outside.file("stand-in")
    code, output = outside.run(live, own, "--row=XEI", "-n", "1")
    assert code == 0, output
    assert len(outside.secrets) >= 20
    said = [output]
    for arguments in (
        ("preflight", live, own, "--all"),
        (
            "call",
            outside.tenants[0].did("inbound", "udp-ip"),
            "--deployment",
            live,
            "--seconds",
            "1",
            "--directory",
            outside.directory / "calls",
        ),
    ):
        code, output = outside.finished(outside.command(*arguments))
        assert code == 0, output
        said.append(output)
    wrong = {name: f"wr0ng+{number}/=&\"'%é" for number, name in enumerate(outside.secrets)}
    right, outside.secrets = outside.secrets, wrong
    try:
        mistaken: tuple[tuple[str | Path, ...], ...] = (
            ("preflight", live, own),
            (
                "verify",
                live,
                own,
                "--row=XEI",
                "--preflight=tell",
                "-n",
                "1",
                "--reports",
                outside.directory / "reports",
            ),
        )
        for command in mistaken:
            code, output = outside.finished(outside.command(*command))
            assert code != 0, output
            said.append(output)
    finally:
        outside.secrets = right
    needles = {needle for secret in (*right.values(), *wrong.values()) for needle in spellings(secret)}
    files = [path for path in outside.directory.rglob("*") if path.is_file() and "world" not in path.parts]
    assert len(files) > 40
    leaks = [str(path) for path in files if any(needle in path.read_bytes() for needle in needles)]
    assert leaks == []
    assert not any(needle in output.encode() for needle in needles for output in said)
    # they hold numbers, and what people said
    runs = [path for kept in ("reports", "calls") for path in (outside.directory / kept).rglob("*")]
    assert len(runs) > 40
    assert [
        str(path) for path in runs if path.stat(follow_symlinks=False).st_mode & 0o077 and not path.is_symlink()
    ] == []


def spellings(secret: str) -> Iterator[bytes]:
    """As it is, as URLs, JSON and digests of user and password have it, and as a part of any base64 text."""
    raw = secret.encode()
    yield from (
        raw,
        quote(secret).encode(),
        quote_plus(secret).encode(),
        raw.hex().encode(),
        raw.hex().upper().encode(),
    )
    yield from (
        json.dumps(secret)[1:-1].encode(),
        json.dumps(secret, ensure_ascii=False)[1:-1].encode(),
        html.escape(secret).encode(),
    )
    for before in range(3):
        for encoded in (b64encode(bytes(before) + raw), urlsafe_b64encode(bytes(before) + raw)):
            # the characters at both ends depend on what stands beside it
            yield encoded.rstrip(b"=")[(before * 4 + 2) // 3 + (before > 0) : -1 - (before > 0)]


# -- a load

LOAD = ["--cps", "5"]


def test_a_load_is_verified_by_words_and_by_marks(outside: Outside) -> None:
    """The stand-in hears marks; what a live AI heard its transcripts say when the calls are over."""
    for kind, strength in (("live", 2), ("stand-in", 3)):
        reports = outside.directory / f"load-{kind}"
        code, output = outside.finished(
            outside.command("load", outside.file(kind), *LOAD, "--calls", "2", "--for", "0", "--reports", reports)
        )
        assert code == 0, output
        (run,) = (reports / "load").iterdir()
        found = json.loads((run / "load.json").read_text())
        assert [call["verdict"] for call in found["calls"]] == ["passed", "passed"]
        lines = map(json.loads, next(run.glob("cases/*/events.jsonl")).read_text().splitlines())
        audio = [line["finding"] for line in lines if line.get("finding", {}).get("check") == "audio"]
        assert {finding["strength"] for finding in audio} == {strength}
        assert len(audio) >= 4, "both ways, of two calls"
    assert outside.calls_up() == []


def test_a_load_that_is_stopped_leaves_no_call_up(outside: Outside) -> None:
    reports = outside.directory / "load-stopped"
    process = outside.command(
        "load", outside.file("stand-in"), *LOAD, "--calls", "3", "--step", "2", "--for", "60", "--reports", reports
    )
    try:
        while len(outside.calls_up()) < 3:
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, output
    assert outside.calls_up() == []
    (run,) = (reports / "load").iterdir()
    found = json.loads((run / "load.json").read_text())
    assert found["interrupted"]
    assert all(call["ended"] for call in found["calls"])


# -- a campaign that a person starts

CAMPAIGN = ["--row=TD-OUTBOUND-CAMPAIGN", "--transport=udp", "--auth=ip", "--codec=pcmu", "-n", "1"]


def by_hand(text: str) -> str:
    assert 'trigger = "http"' in text
    return text.replace('trigger = "http"', 'trigger = "manual"').replace(
        "manual_within_s = 180.0", "manual_within_s = 60.0"
    )


@dataclass
class Terminal:
    """A run at a terminal, and who sits there."""

    process: subprocess.Popen[str]
    screen: int

    def reads(self, pattern: bytes) -> re.Match[bytes]:
        """Until that is on the screen; fails when the run ends before."""
        said = b""
        while not (found := re.search(pattern, said)):
            if not select.select([self.screen], [], [], 0.2)[0]:
                if self.process.poll() is not None:
                    pytest.fail(f"it ended, having said {said!r} and {self.process.communicate()[0]}")
                continue
            said += os.read(self.screen, 4096)
        return found


@contextlib.contextmanager
def at_a_terminal(outside: Outside, *arguments: str | Path) -> Iterator[Terminal]:
    screen, terminal = pty.openpty()  # kept open here: Linux says EIO while nobody has the other side
    process = outside.start(*arguments, terminal=terminal)
    try:
        yield Terminal(process, screen)
    finally:
        process.kill()
        process.communicate()
        os.close(terminal)
        os.close(screen)


def test_a_campaign_is_started_by_who_sits_at_the_terminal(outside: Outside) -> None:
    world = outside.tenants[0]
    assert world.campaign is not None
    assert world.campaign.url is not None
    with at_a_terminal(outside, outside.file("live", "by-hand", by_hand), *CAMPAIGN) as sitting:
        asked = sitting.reads(rb">>> .*have the campaign of (\+\d+) call (\+\d+) now")
        line, customer = (number.decode() for number in asked.groups())
        answer = httpx.post(world.campaign.url, json={"from": line, "to": customer})
        assert answer.status_code == 202
        output, _ = sitting.process.communicate(timeout=100)
        assert sitting.process.returncode == 0, output
    assert set(outside.verdicts().values()) == {"passed"}


def test_nobody_is_asked_to_start_a_campaign(outside: Outside) -> None:
    file = outside.file("live", "by-nobody", by_hand)
    with at_a_terminal(outside, file, *CAMPAIGN, "--no-manual") as sitting:
        output, _ = sitting.process.communicate(timeout=100)
        assert select.select([sitting.screen], [], [], 0)[0] == [], "nothing is said there"
        assert sitting.process.returncode == 1
    assert set(outside.verdicts().values()) == {"not observable"}, output
    assert "nobody is there to do it" in output


# -- an API in trouble


class Trouble(ThreadingHTTPServer):
    """Stands between the harness and the world's API, by HTTPS as well, and answers some requests itself."""

    daemon_threads = True

    def __init__(self, world: Deployment, kind: str, certificate: Certificate) -> None:
        assert world.synthflow is not None
        assert world.synthflow.api_base is not None
        self.kind = kind
        self.asked = 0
        context = ssl.create_default_context(cafile=world.synthflow.ca_file)
        self.behind = httpx.Client(base_url=world.synthflow.api_base, verify=context)
        super().__init__(("127.0.0.1", 0), _Handler)
        secured = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        secured.load_cert_chain(certificate.certificate, certificate.key)
        self.socket = secured.wrap_socket(self.socket, server_side=True)

    @property
    def base(self) -> str:
        return f"https://127.0.0.1:{self.server_port}/v2"


class _Handler(BaseHTTPRequestHandler):
    server: Trouble

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked += 1
        match self.server.kind:
            case "500":
                self._say(500, b'{"status": "error"}')
            case "429":
                first = self.server.asked % 2 == 1
                if first:
                    self._say(429, b"{}", ("Retry-After", "0.05"))
                else:
                    self._pass_on()
            case "dies":
                if "/calls/" in self.path:  # once the call has been found
                    self._say(500, b"{}")
                else:
                    self._pass_on()
            case "silent":
                time.sleep(30)
            case "not-json":
                self._say(200, b"<html>maintenance</html>")
            case "renamed":
                self._pass_on(lambda text: text.replace('"phone_number_to"', '"to"').replace('"status"', '"state"'))

    def _pass_on(self, change: Callable[[str], str] = lambda text: text) -> None:
        found = self.server.behind.get(
            self.path.removeprefix("/v2"), headers={"Authorization": self.headers["Authorization"]}
        )
        self._say(found.status_code, change(found.text).encode())

    def _say(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


#: Every kind there is, one by one: tests/unit/far_end/test_api_troubles.py.
TROUBLES = {
    "429": "passed",  # it asked to wait, and was waited for
    "500": "not observable",
    "dies": "not observable",
    "silent": "not observable",
    "not-json": "not observable",
    "renamed": "not observable",
}


def test_an_api_in_trouble_lowers_the_strength_and_fails_no_call(outside: Outside) -> None:
    authority = Authority(outside.directory / "world" / "trouble")
    certificate = authority.issue("trouble", ["127.0.0.1"])
    servers = {kind: Trouble(outside.tenants[0], kind, certificate) for kind in TROUBLES}
    for server in servers.values():
        threading.Thread(target=server.serve_forever, daemon=True).start()
    real = outside.tenants[0].synthflow
    assert real is not None

    def troubled(kind: str) -> Callable[[str], str]:
        changes = {
            f'"{real.api_base}"': f'"{servers[kind].base}"',
            f'API_TOKEN"\nca_file = "{real.ca_file}"': f'API_TOKEN"\nca_file = "{authority.ca_file}"',
            "patience_s = 4.0": "patience_s = 2.0",
            "transcript_within_s = 10.0": "transcript_within_s = 1.0",
            "timeout_s = 5.0": "timeout_s = 0.5",
        }

        def change(text: str) -> str:
            for old, new in changes.items():
                assert old in text
                text = text.replace(old, new)
            return text

        return change

    try:
        files = [outside.file("live", kind, troubled(kind)) for kind in TROUBLES]
        code, output = outside.run(
            *files, "--row=TD-INBOUND", "--transport=udp", "--auth=ip", "--codec=pcmu", "-n", "1", "--preflight=tell"
        )
    finally:
        for server in servers.values():
            server.shutdown()
            server.server_close()
            server.behind.close()
    verdicts = {case.partition("[")[2].partition(":")[0]: verdict for case, verdict in outside.verdicts().items()}
    assert verdicts == TROUBLES, output
    assert code == 1
    for kind, server in servers.items():
        assert server.asked, kind
    blind = outside.findings("TD-INBOUND[500:synthflow-udp-ip-pcmu]")
    heard = {f["measured"]["towards"]: f["strength"] for f in blind if f["check"] == "audio"}
    assert heard["caller"] == 1, "sound at the caller indicates"
    assert heard["ai"] <= 1, (
        "of what the AI hears its RTCP indicates something if a report was due, and else nothing is known"
    )
    assert not [f for f in blind if f["verdict"] == "failed"]
    assert outside.calls_up() == []


# -- a runner that is killed

BUSY_ROWS = [f"--row={row}" for row in ("HOLD", "CONCURRENT", "TD-TRANSFER-BLIND", "TD-TRANSFER-WARM")]


@pytest.mark.parametrize("kind", ["verify, alone", "verify, with workers", "call"])
def test_a_killed_runner_leaves_no_call_up(outside: Outside, kind: str) -> None:
    """SIGKILL at random moments, four of each kind; the phones' processes hang up, as the world's own books show."""
    chance = random.Random(kind)
    file = outside.file("stand-in" if kind.startswith("verify") else "live")
    workers = "2" if kind == "verify, with workers" else "0"
    for _ in range(4):
        if kind == "call":
            number = outside.tenants[0].did("inbound", "udp-ip")
            process = outside.command("call", number, "--deployment", file, "--seconds", "30")
        else:
            process = outside.start(file, *BUSY_ROWS, "-n", workers, "--preflight=off")
        try:
            while not outside.calls_up():
                assert process.poll() is None, process.communicate()[0]
                time.sleep(0.05)
            time.sleep(chance.uniform(0.0, 1.5))
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=30)  # the pipe closes when the last of its children is gone
        finally:
            process.kill()
        deadline = time.monotonic() + 10.0
        while (left := outside.calls_up()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert left == []
