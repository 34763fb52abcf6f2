"""A small request in which a test changes one thing."""

from __future__ import annotations

from harness.sip.message import Message, Request

HEAD = "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: a@b\r\nCSeq: 1 OPTIONS\r\n"


def request(
    *lines: str, start: str = "OPTIONS sip:b@h SIP/2.0", head: str = HEAD, body: str = ""
) -> Request:
    parsed = Message.parse(
        f"{start}\r\n{head}" + "".join(f"{line}\r\n" for line in lines) + f"\r\n{body}"
    )
    assert isinstance(parsed, Request)
    return parsed
