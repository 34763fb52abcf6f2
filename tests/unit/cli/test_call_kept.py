"""What ``harness call`` keeps of a call, and where."""

from __future__ import annotations

import io
import time
from pathlib import Path
from types import ModuleType

import pytest

from harness.deployment.safety import Guard
from harness.run.cli.call import _Attempt, _kept
from harness.support.terminal import SafeConsole
from tests.unit.phone_events import sip_message


def test_numbers_and_digest_answers_never_reach_the_disk(tmp_path: Path, runs: ModuleType) -> None:
    """A carrier is sent it, and a password can be tried against such an answer."""
    deployment = runs.live()
    caller = deployment.callers[0]
    number = deployment.phones[caller].number
    kept = tmp_path / "call"
    attempt = _Attempt(SafeConsole(file=io.StringIO()), deployment, Guard(deployment), caller, kept, tmp_path)
    text = (
        f"INVITE sip:{number}@example.com SIP/2.0\r\nFrom: <sip:{number}@example.com>;tag=a\r\n"
        'Authorization: Digest username="u", realm="r", nonce="n", uri="sip:x", response="0123456789abcdef0123456789abcdef"\r\n\r\n'
    )
    message = sip_message("sent", text, leg=f"{caller}.1")
    attempt._recorder.event(message)
    written = b"".join(path.read_bytes() for path in kept.rglob("*") if path.is_file())
    assert b"INVITE" in written
    assert number.removeprefix("+").encode() not in written
    assert b"0123456789abcdef" not in written


def test_two_calls_of_one_second_have_a_directory_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one began the first one's evidence anew."""
    monkeypatch.setattr(time, "strftime", lambda pattern: "call-20261101T013000")
    assert [_kept(tmp_path / "calls").name for _ in range(3)] == [
        f"call-20261101T013000{end}" for end in ("", "-2", "-3")
    ]
