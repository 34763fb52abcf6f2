"""A run as of a real platform, whose AI has an API in trouble."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from harness.deployment import Deployment, Synthflow
from harness.world.pki import Authority, Certificate
from tests.acceptance.outside import Outside


class Trouble(ThreadingHTTPServer):
    """Stands between the harness and the world's API, by HTTPS as well, and answers some requests
    itself.
    """

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
                self._pass_on(
                    lambda text: text.replace('"agent_phone_number"', '"to"').replace(
                        '"call_status"', '"state"'
                    )
                )
            case "denies":
                self._say(401, b"{}", reason=f"Denied {self.headers['Authorization']}")
            case "quotes":
                self._pass_on(self._quoting, reason=f"OK {self.headers['Authorization']}")

    def _quoting(self, text: str) -> str:
        """The answer with the token in each record: as a value, as a key, within the transcript,
        and escaped.
        """
        credential = self.headers["Authorization"]
        token = credential.removeprefix("Bearer ")

        def quoted(plain: Any) -> Any:
            if isinstance(plain, list):
                return [quoted(item) for item in plain]
            if not isinstance(plain, dict):
                return plain
            more = {
                "asked_by": credential,
                token: "key",
                "link": f"https://api.example/?token={quote(token, safe='')}",
            }
            transcript = (
                {"transcript": f"{plain['transcript']} {token}"} if plain.get("transcript") else {}
            )
            return (
                {name: quoted(item) for name, item in plain.items()}
                | transcript
                | (more if "call_id" in plain else {})
            )

        return json.dumps(quoted(json.loads(text))).replace(token[:1], f"\\u{ord(token[0]):04x}", 1)

    def _pass_on(
        self, change: Callable[[str], str] = lambda text: text, reason: str | None = None
    ) -> None:
        found = self.server.behind.get(
            self.path.removeprefix("/v2"), headers={"Authorization": self.headers["Authorization"]}
        )
        self._say(found.status_code, change(found.text).encode(), reason=reason)

    def _say(
        self, status: int, body: bytes, *headers: tuple[str, str], reason: str | None = None
    ) -> None:
        self.send_response(status, reason)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


#: Every kind there is, one by one: tests/unit/witness/test_api_troubles.py.
TROUBLES = {
    "429": "passed",  # it asked to wait, and was waited for
    "500": "not observable",
    "dies": "not observable",
    "silent": "not observable",
    "not-json": "not observable",
    "renamed": "not observable",
}
#: In the file of an API that answers nothing useful. One that does is given all its time, however
#: busy this machine is.
SOON = {
    "patience_s = 4.0": "patience_s = 2.0",
    "transcript_within_s = 10.0": "transcript_within_s = 1.0",
    "timeout_s = 5.0": "timeout_s = 0.5",
}


def of_trouble(
    server: Trouble, authority: Authority, real: Synthflow, more: dict[str, str]
) -> Callable[[str], str]:
    """Makes a file one of a deployment whose API is that server."""
    changes = {
        f'"{real.api_base}"': f'"{server.base}"',
        f'API_TOKEN"\nca_file = "{real.ca_file}"': f'API_TOKEN"\nca_file = "{authority.ca_file}"',
    } | more

    def change(text: str) -> str:
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        return text

    return change


@contextlib.contextmanager
def troubles(
    outside: Outside, kinds: Iterable[str]
) -> Iterator[tuple[dict[str, Trouble], Authority, Synthflow]]:
    """A server of each kind, and the authority of their certificates."""
    authority, real = (
        Authority(outside.directory / "world" / "trouble"),
        outside.tenants[0].synthflow,
    )
    assert real is not None
    certificate = authority.issue("trouble", ["127.0.0.1"])
    servers = {kind: Trouble(outside.tenants[0], kind, certificate) for kind in kinds}
    for server in servers.values():
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield servers, authority, real
    finally:
        for server in servers.values():
            server.shutdown()
            server.server_close()
            server.behind.close()


@pytest.mark.nightly
def test_failing_api_weakens_the_evidence_and_fails_no_call(outside: Outside) -> None:
    with troubles(outside, TROUBLES) as (servers, authority, real):
        files = [
            outside.file(
                "live",
                kind,
                of_trouble(server, authority, real, SOON if TROUBLES[kind] != "passed" else {}),
            )
            for kind, server in servers.items()
        ]
        code, output = outside.run(
            *files,
            "--row=TD-INBOUND",
            "--transport=udp",
            "--auth=ip",
            "--codec=pcmu",
            "-n",
            "1",
            "--preflight=tell",
        )
    verdicts = {
        case.partition("[")[2].partition(":")[0]: verdict
        for case, verdict in outside.verdicts().items()
    }
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


@pytest.mark.nightly
def test_token_echoed_by_the_api_is_redacted_everywhere(outside: Outside) -> None:
    """``401 Denied Bearer <token>``, or the token within a record: terminal, preflight, evidence
    and every view showed it.
    """
    narrow = ("--row=TD-INBOUND", "--transport=udp", "--auth=ip", "--codec=pcmu", "-n", "1")
    with troubles(outside, ("denies", "quotes")) as (servers, authority, real):
        files = [
            outside.file(
                "live", kind, of_trouble(server, authority, real, SOON if kind == "denies" else {})
            )
            for kind, server in servers.items()
        ]
        (token,) = {value for name, value in outside.secrets.items() if name.endswith("API_TOKEN")}
        said = [outside.run(*files, *narrow, "--preflight=tell")[1]]
        run = outside.run_directory
        commands: list[list[str | Path]] = [
            ["preflight", *files],
            ["report", run, "--zip", "all", "--csv"],
            ["signoff", run],
        ]
        commands += [["explain", case] for case in run.glob("cases/*")]
        said += [outside.harness(*command)[1] for command in commands]
    assert all(server.asked for server in servers.values())
    assert outside.verdicts().keys() == {
        f"TD-INBOUND[{kind}:synthflow-udp-ip-pcmu]" for kind in servers
    }
    assert "401 Denied Bearer REDACTED" in " ".join(said[0].split())
    assert any("REDACTED" in path.read_text() for path in run.glob("cases/*quotes*/events.jsonl"))
    needles = {token.encode(), quote(token, safe="").encode()}
    assert [
        str(path)
        for path in run.rglob("*")
        if path.is_file() and any(n in _unpacked(path) for n in needles)
    ] == []
    assert [text for text in said if any(needle.decode() in text for needle in needles)] == []


def _unpacked(path: Path) -> bytes:
    """The octets of a file, and of all files in an archive."""
    if path.suffix != ".zip":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return b"".join(map(archive.read, archive.namelist()))
