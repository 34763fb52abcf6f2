"""What ``harness call`` keeps of a real deployment's call."""

from __future__ import annotations

import io
from pathlib import Path
from types import ModuleType

from harness.cli.call import _Attempt
from harness.events import SipMessage
from harness.safety import Guard
from harness.terminal import SafeConsole


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
    message = SipMessage(
        at=1.0,
        phone=caller,
        leg=None,
        direction="sent",
        transport="udp",
        local="192.0.2.1:5060",
        remote="192.0.2.2:5060",
        text=text,
    )
    attempt._recorder.event(message)
    written = b"".join(path.read_bytes() for path in kept.rglob("*") if path.is_file())
    assert b"INVITE" in written
    assert number.removeprefix("+").encode() not in written
    assert b"0123456789abcdef" not in written
