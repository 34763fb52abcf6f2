"""What a refusal's own words say it is about, and whether they are a SIP server's at all."""

from __future__ import annotations

import re

#: The words of an operating system, not of a SIP server.
OF_THE_STACK = re.compile(r"connection (was )?(refused|reset|closed)|unreachable|errno|end of file|\(PJ_\w+\)", re.I)
#: Theirs on a connection that nobody answered, and so nobody refused.
TIMED_OUT = re.compile(r"(operation|connection) timed out|\bPJ_ETIMEDOUT", re.I)
_WORDS = (
    (re.compile(r"unknown user|no such user|user not found", re.I), "the user name"),
    (re.compile(r"wrong password|bad password|invalid password", re.I), "the password"),
    (re.compile(r"address not allowed|ip not allowed|not in (the )?allow|acl", re.I), "the source address"),
    (re.compile(r"trunk inactive|trunk disabled", re.I), "the trunk"),
    (re.compile(r"concurren|capacity|too many calls", re.I), "concurrency"),
    (re.compile(r"not attached|no assistant|no agent attached", re.I), "the assistant"),
    (re.compile(r"nobody|no agents?\b|logged (in|on|out)", re.I), "the agents"),
    (re.compile(r"tls required|secure transport", re.I), "the transport"),
    (re.compile(r"srtp|savp|encrypt", re.I), "the encryption"),
    (re.compile(r"\bcodec|media format", re.I), "the codec"),
    (re.compile(r"\b(no such|unknown) trunk\b|\btrunk\b.* (not found|does not exist)", re.I), "no such trunk"),
)

#: What a refusal may say that it is about.
ABOUT = tuple(what for _, what in _WORDS)


def about(reason: object) -> str | None:
    """What a refusal's own words say it is about; None when they say nothing."""
    return next((what for pattern, what in _WORDS if pattern.search(str(reason or ""))), None)
