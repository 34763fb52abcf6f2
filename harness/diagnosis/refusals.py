"""What a refusal's own words say it is about, and whether they are a SIP server's at all."""

from __future__ import annotations

import re
from itertools import combinations

#: The words of an operating system, not of a SIP server.
OF_THE_STACK = re.compile(r"connection (was )?(refused|reset|closed)|unreachable|errno|end of file|\(PJ_\w+\)", re.I)
#: Theirs on a connection that nobody answered, and so nobody refused.
TIMED_OUT = re.compile(r"(operation|connection) timed out|\bPJ_ETIMEDOUT", re.I)
_USER, _PASSWORD, _ADDRESS = "the user name", "the password", "the source address"
#: Who calls. A refusal may name two of these and leave open which: a registrar need not tell guessers that a user exists.
_WHO = (
    (re.compile(r"\b(unknown|no such) user|\buser not found|\b(bad|wrong|invalid|incorrect) user ?name", re.I), _USER),
    (re.compile(r"\b(bad|wrong|invalid|incorrect) password|\buser ?name ?(or|and|/) ?password", re.I), _PASSWORD),
    (re.compile(r"\baddress not allowed|\bip not allowed|\bnot in (the )?allow|\bacls?\b", re.I), _ADDRESS),
)
_WORDS = (
    (re.compile(r"trunk inactive|trunk disabled", re.I), "the trunk"),
    (re.compile(r"concurren|capacity|too many calls", re.I), "concurrency"),
    (re.compile(r"not attached|no assistant|no agent attached", re.I), "the assistant"),
    (re.compile(r"nobody|no agents?\b|logged (in|on|out)", re.I), "the agents"),
    (re.compile(r"tls required|secure transport", re.I), "the transport"),
    (re.compile(r"srtp|savp|encrypt", re.I), "the encryption"),
    (re.compile(r"\bcodec|media format", re.I), "the codec"),
    (re.compile(r"\b(no such|unknown) trunk\b|\btrunk\b.* (not found|does not exist)", re.I), "no such trunk"),
)
_OR = " or "
_SEVERAL = tuple(
    _OR.join(named) for many in range(2, len(_WHO) + 1) for named in combinations((what for _, what in _WHO), many)
)

#: What a refusal may say that it is about.
ABOUT = (*(what for _, what in (*_WHO, *_WORDS)), *_SEVERAL)


def about(reason: object) -> str | None:
    """What a refusal's own words say it is about ("the user name or the password" for both); None when they say nothing."""
    said = str(reason or "")
    who = [what for pattern, what in _WHO if pattern.search(said)]
    return _OR.join(who) or next((what for pattern, what in _WORDS if pattern.search(said)), None)


def about_one(reason: object) -> str | None:
    """The same where they name one thing alone; of several nobody knows which it is."""
    what = about(reason)
    return None if what in _SEVERAL else what


def elsewhere(what: str) -> tuple[str, ...]:
    """All else that a refusal's words can be about."""
    return tuple(other for other in ABOUT if what not in other.split(_OR))
