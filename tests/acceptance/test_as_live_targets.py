"""Whom a file may have called, at a carrier that writes down every request: files about a world that
is up by itself, with targets that nobody may call.
"""

from __future__ import annotations

import threading
import tomllib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tomli_w

from harness.sip.message import Request
from tests.acceptance.outside import Outside
from tests.sip_peer import SipPeer

#: Of several kinds and writings; the property tests in tests/unit/safety draw the rest.
FORBIDDEN = (
    "911", "9-1-1", "(911)", "911,,1", "911;phone-context=us", "110", "0110", "*31112", "19005551234", "1-900-555-1234",
    "011449091234567", "5551212;rn=+19005551234",
)  # fmt: skip
HARMLESS = "maria"
LINE = {"trunk": "udp-ip", "assistant": "main", "fallback": "reception"}


class RecordingCarrier(SipPeer):
    """Registers everybody, connects nobody, and keeps the user of each INVITE and REFER."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1")
        self.asked: list[str] = []
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ends.is_set():
            message = self.next(0.1)
            if not isinstance(message, Request) or message.method == "ACK":
                continue
            if message.method in ("INVITE", "REFER"):
                self.asked.append(str(message.uri.user))
            is_call = message.method == "INVITE"
            contact = [("Contact", f"{value};expires=300") for value in message.get_all("Contact")]
            self.respond(message, 404 if is_call else 200, [] if is_call else contact)

    def close(self) -> None:
        self._ends.set()
        self._thread.join()
        self.sip.close()


@pytest.fixture
def carrier() -> Iterator[RecordingCarrier]:
    carrier = RecordingCarrier()
    yield carrier
    carrier.close()


def changed(edit: Callable[[dict[str, Any]], None]) -> Callable[[str], str]:
    """A change of a file's text: of what it says, as TOML reads it."""

    def change(text: str) -> str:
        plain = tomllib.loads(text)
        edit(plain)
        return tomli_w.dumps(plain)

    return change


def at(carrier: RecordingCarrier, *users: str) -> Callable[[dict[str, Any]], None]:
    """The phones at that carrier, and a line for each of these users instead of the file's own."""

    def edit(plain: dict[str, Any]) -> None:
        place = {"transport": "udp", "host": carrier.host, "port": carrier.port}
        plain["accounts"]["carrier"] |= place
        lines = enumerate(users)
        plain["lines"] = {f"line-{number}": {"user": user, **LINE} for number, user in lines}
        del plain["campaign"]
        plain |= {"depth": "every-number", "axes": {"codecs": ["pcmu"]}}

    return edit


def test_no_invite_to_a_forbidden_line_leaves(outside: Outside, carrier: RecordingCarrier) -> None:
    file = outside.file("live", "lines", changed(at(carrier, HARMLESS, *FORBIDDEN)))
    asked = ("verify", file, "--row=TD-INBOUND")
    code, output = outside.harness(*asked, "--plan")
    assert code == 0, output
    assert output.count("REFUSED: ") == len(FORBIDDEN)
    code, output = outside.harness(*asked, "-n", "2", "--reports", outside.directory / "stopped")
    assert (code, carrier.asked) == (1, []), output
    assert "an emergency number never" in output
    kept = outside.directory / "targets"
    code, output = outside.harness(*asked, "--preflight=off", "-n", "2", "--reports", kept)
    assert code != 0, output
    assert set(carrier.asked) == {HARMLESS}, "the carrier would have seen the others"


@pytest.mark.parametrize("user", [HARMLESS, *FORBIDDEN[::3]])
def test_no_invite_by_hand_to_a_forbidden_line_leaves(
    outside: Outside, carrier: RecordingCarrier, user: str
) -> None:
    file = outside.file("live", "by-hand", changed(at(carrier, user)))
    code, output = outside.harness("call", user, "--deployment", file)
    assert (code, carrier.asked) == ((1, [user]) if user == HARMLESS else (2, [])), output


def test_no_referral_to_a_forbidden_group_leaves(outside: Outside) -> None:
    """The stand-in, as the AI, would send the REFER or, in a warm transfer, the INVITE."""

    def edit(plain: dict[str, Any]) -> None:
        del plain["groups"]["billing"]["did"]
        plain["groups"]["billing"]["user"] = "1-900-555-1234"

    file = outside.file("stand-in", "groups", changed(edit))
    rows = ["--row=TD-TRANSFER-BLIND", "--row=TD-TRANSFER-WARM"]
    only = ["--transport=udp", "--auth=ip", "--codec=pcmu"]
    code, output = outside.run(file, *rows, *only, "--preflight=off", "-n", "2")
    assert code != 0, output
    verdicts = outside.verdicts()
    assert len(verdicts) >= 2
    assert "passed" not in verdicts.values()
    for case in verdicts:
        messages = [e for e in outside.events(case) if e["kind"] == "SipMessage"]
        sent = [e["text"].partition("\r\n")[0] for e in messages if e["direction"] == "sent"]
        assert any(line.startswith("INVITE ") for line in sent), "the caller's own"
        assert not [line for line in sent if line.startswith("REFER ") or "900" in line]
