"""What a refusal's own words say it is about, and whether they are a SIP server's at all."""

from __future__ import annotations

import re
from itertools import combinations

from harness.sip.message import Message, Response
from harness.sip.reasons import REASONS
from harness.sip.why import q850, reasons, warnings

#: The words of an operating system, not of a SIP server.
OF_THE_STACK = re.compile(r"connection (was )?(refused|reset|closed)|unreachable|errno|end of file|\(PJ_\w+\)", re.I)
#: Theirs on a connection that nobody answered, and so nobody refused.
TIMED_OUT = re.compile(r"(operation|connection) timed out|\bPJ_ETIMEDOUT", re.I)
_USER, _PASSWORD, _ADDRESS = "the user name", "the password", "the source address"
_BAD = "(bad|wrong|invalid|incorrect)"
#: Who calls. A refusal may name two of these and leave open which: a registrar need not tell guessers that a user exists.
_WHO = (
    (
        re.compile(
            r"\b(unknown|no such) (user|subscriber|account)|\b(user|subscriber) (not found|does not exist)"
            rf"|\b{_BAD} user ?name|\buser ?name\b.* (mismatch|does not match)|\bforbidden auth id\b",
            re.I,
        ),
        _USER,
    ),
    (re.compile(rf"\b{_BAD} password|\buser ?name ?(or|and|/) ?password", re.I), _PASSWORD),
    (
        re.compile(
            r"\b(address|ip)( is)? not (allowed|whitelisted|authori[sz]ed)|\bacls?\b"
            r"|^(?!.*\b(number|destination|dial\w*|country|countries)\b).*\bnot in (the )?(allow|white)"  # that may be whom they call
            r"|\bip (is )?forbidden|\bunauthori[sz]ed ip\b|\b(source|peer)( is)? not (allowed|trusted|authori[sz]ed)"
            r"|\b(unknown|untrusted|unauthori[sz]ed) (source|peer)\b",
            re.I,
        ),
        _ADDRESS,
    ),
)
#: Neither of the two, and so either.
_EITHER = re.compile(rf"\b{_BAD} (auth\b|credentials)|\bauthentication fail", re.I)
NUMBER, ROUTE, CHANNELS, CONGESTION = "the number", "the route", "the channels", "congestion"
CONCURRENCY = "concurrency"
THE_AGENTS, THE_CODEC, THE_ENCRYPTION = "the agents", "the codec", "the encryption"
THE_DOMAIN = "the domain"
#: What a call is ended for, whose RTP stays away.
NO_RTP_CAME = "that no RTP came"
THE_TRUNK, THE_ADDRESS, THE_CALLERS_NUMBER = "the trunk", _ADDRESS, "the caller's number"
#: Words of somebody's own, which may be about anything.
UNREAD = "something that no rule reads"
#: Statuses that say that it is refused, and not what for (RFC 3261 sections 21.4.4 and 21.6.2).
_OPEN = (403, 603)
#: The same in the words of some stacks, which say no more than the registry's ("603 Declined": chan_sip of Asterisk).
_SAME_WORDS = {403: ("access forbidden",), 603: ("declined", "call declined")}
#: The platform knows what is asked for, and cannot carry it.
NOT_CARRIED = (ROUTE, CHANNELS, CONGESTION, CONCURRENCY)
#: Reasons of a BYE that say more than that the call was ended.
WHY_ENDED = (THE_CODEC, THE_ENCRYPTION, CHANNELS, CONGESTION, CONCURRENCY, NO_RTP_CAME)
#: How fast calls come, whatever else is said of their being too many, and not how many there are at once.
_A_RATE = r"\bcps\b|\brate limit|\b(calls?|sessions?|requests?|invites?) ?(per|/|a) ?(second|sec|s|minute|min)\b"
_WORDS = (
    (
        re.compile(
            r"\btrunk( is)? (inactive|disabled|not active|suspended|deactivated|out of service|down)\b"
            r"|\b(connection|profile)( is)? disabled\b",
            re.I,
        ),
        THE_TRUNK,
    ),
    (
        re.compile(
            rf"^(?!.*({_A_RATE})).*(concurren|capacity|too many (calls|sessions)|\bsession constraints\b"
            r"|\b(max(imum)?( number of)?|simultaneous) (calls|sessions)\b|\b(call|channel|session) limit\b)",
            re.I | re.S,
        ),
        CONCURRENCY,
    ),
    (
        re.compile(r"not attached|no assistant|no agent attached|\bnot assigned to (an|any) assistant", re.I),
        "the assistant",
    ),
    (
        re.compile(
            r"\bnobody\b(?!')|no agents?\b|\b(not|agents?|is) logged (in|on|out)\b|^logged out"
            r"|\bagents?( are| is)? (busy|unavailable|not available)\b|\bqueue( is)? (empty|full|closed)\b"
            r"|\b(business|office|opening) hours\b",
            re.I,
        ),
        THE_AGENTS,
    ),
    (re.compile(r"tls required|secure transport", re.I), "the transport"),
    # "Declined (policy)": chan_sip of Asterisk, with allowtransfer=no
    (
        re.compile(
            r"\b(refer|transfer)s? (is |are )?(not (allowed|supported|permitted)|disabled)\b|^declined \(policy\)", re.I
        ),
        "the transfer itself",
    ),
    (re.compile(r"srtp|savp|encrypt|\bcrypto\b", re.I), THE_ENCRYPTION),
    (
        re.compile(
            r"\b(rtp|media)[ _-]?(time[ _-]?out|(inactive|inactivity))|\bno (rtp|media) (received|activity)\b", re.I
        ),
        NO_RTP_CAME,
    ),
    (re.compile(r"\bcodec|media format", re.I), THE_CODEC),
    (
        re.compile(r"\bcaller[ -]?id\b|\b(originati(on|ng)|caller|calling|from) number\b|\banonym|\bwithheld\b", re.I),
        THE_CALLERS_NUMBER,
    ),
    (re.compile(r"\b(unknown|invalid|wrong|no such) (domain|realm)\b|\bdomain\b.* (not|unknown)\b", re.I), THE_DOMAIN),
    (
        re.compile(
            r"\b(no such|unknown) trunk\b|\btrunk\b.* (not found|does not exist)|\bno (matching )?trunk( found)?$"
            r"|\bnot match any (sip )?trunk",
            re.I,
        ),
        "no such trunk",
    ),
    (
        re.compile(
            r"\b(number|did|extension)( is)? (not (found|in service|provisioned|assigned|allocated)|unknown)\b"
            r"|\b(unknown|no such) (number|did|extension)\b|unallocated|unassigned number",
            re.I,
        ),
        NUMBER,
    ),
    # Gateways write the names of Q.850's causes as they please ("NO_ROUTE_DESTINATION").
    (
        re.compile(r"\bno[ _](matching |suitable )?route|\broutes? not found\b|\bunresolvable destination", re.I),
        ROUTE,
    ),
    (
        re.compile(r"\bno[ _](free )?(circuit|channel)|\ball (circuits|channels|trunks|lines)( are)? busy", re.I),
        CHANNELS,
    ),
    (re.compile(rf"congestion|\bsystem busy\b|overload|{_A_RATE}", re.I), CONGESTION),
)
#: By Q.850 cause.
_CAUSES = {1: NUMBER, 2: ROUTE, 3: ROUTE, 22: NUMBER, 25: ROUTE, 34: CHANNELS, 42: CONGESTION, 44: CHANNELS}
_CAUSES |= {58: THE_CODEC, 65: THE_CODEC, 88: THE_CODEC}
#: Of a call that was up Asterisk says 44 where RTP stays away (rtp_timeout), as it does where a channel ends otherwise.
_OF_A_CALL = {cause: what for cause, what in _CAUSES.items() if cause != 44}
#: By SIP status of a Reason: of the media alone, as what else a status is about depends on who was asked.
_STATUSES = dict.fromkeys((415, 488, 606), THE_CODEC)
#: By code of a Warning (RFC 3261 section 20.43): transport protocols such as RTP/SAVP, media formats, bandwidth.
_WARNED = {302: THE_ENCRYPTION, 305: THE_CODEC, 370: CONGESTION}
#: Statuses from which gateways derive the causes of a number that is nobody's: these add nothing to them (RFC 3398 section 8.2.6.1).
_NUMBERS = (404, 410, 485, 604)
#: What is said of a number that cannot be called (RFC 3261 sections 21.4.5, 21.4.11, 21.4.22, 21.4.23 and 21.6.3).
NO_SUCH_NUMBER = (404, 410, 484, 485, 604)
#: What is said of whoever is called: not there, or with calls enough (RFC 3261 sections 21.4.18, 21.4.24 and 21.6.1).
BUSY = (486, 600)
NOBODY_THERE = (480, *BUSY)
#: A server went wrong, or got nothing it can use from another one in time (RFC 3261 sections 21.5.1, 21.5.3 and 21.5.5).
OF_A_SERVER = (500, 502, 504)
#: The request came back to where it had been, or went over too many hops (RFC 3261 sections 21.4.20 and 21.4.21).
IN_A_CIRCLE = (482, 483)
#: Of a request that its sender gave up, or that a BYE overtook (RFC 3261 sections 9.1 and 15.1.2).
TERMINATED = 487
#: Ask elsewhere (RFC 3261 section 21.3).
REDIRECTED = (300, 301, 302, 305, 380)
#: What is said of who calls: its identity (RFC 8224 section 6.2.2), its anonymity (RFC 5079), its repute (RFC 8197, RFC 8688).
OF_THE_CALLER = (428, 433, 436, 437, 438, 607, 608)
#: What is said of the media of a call (RFC 3261 sections 21.4.13, 21.4.26 and 21.6.4).
OF_THE_MEDIA = (415, 488, 606)
#: What is said of a request by a server that took it and objects to it (RFC 3261 section 21, RFC 4028 section 6, RFC 3329
#: section 2.3, RFC 3892 section 5, RFC 6665 section 8.3.2, RFC 3312 section 8).
OF_THE_REQUEST = (
    400,
    401,
    402,
    403,
    405,
    406,
    407,
    413,
    414,
    416,
    420,
    421,
    422,
    423,
    429,
    481,
    489,
    491,
    493,
    494,
    501,
    505,
    513,
    580,
)
#: What is never said of a next hop that could not be reached: somebody took the request, or whom it leads to was found.
#: 603 is no such status: Asterisk answers so by itself where a call ends for a reason that it knows no status for.
DECIDED = (
    *OF_THE_MEDIA,
    *OF_THE_REQUEST,
    *OF_THE_CALLER,
    *NO_SUCH_NUMBER,
    *IN_A_CIRCLE,
    *BUSY,
    *REDIRECTED,
    TERMINATED,
)
_OR = " or "
_SEVERAL = tuple(
    _OR.join(named) for many in range(2, len(_WHO) + 1) for named in combinations((what for _, what in _WHO), many)
)

#: Who is refused for who it is.
WHO = (*(what for _, what in _WHO), *_SEVERAL)
#: What a refusal may say that it is about.
ABOUT = (*(what for _, what in (*_WHO, *_WORDS)), *_SEVERAL)


def about(reason: object) -> str | None:
    """What a refusal's own words say it is about ("the user name or the password" for both); None when they say nothing."""
    said = str(reason or "")
    who = [what for pattern, what in _WHO if pattern.search(said)]
    who = who or ([_USER, _PASSWORD] if _EITHER.search(said) else [])
    return _OR.join(who) or next((what for pattern, what in _WORDS if pattern.search(said)), None)


def of_message(answer: Response) -> str | None:
    """The same of a whole response: its reason phrase, its Warning, the Q.850 cause and the text of its Reason (RFC 3326)."""
    in_words = next(filter(None, map(about, [answer.reason, *(warning.text for warning in warnings(answer))])), None)
    warned = next(filter(None, (_WARNED.get(warning.code) for warning in warnings(answer))), None)
    given = (
        warned
        or _CAUSES.get(q850(answer) or 0)
        or next(filter(None, (about(reason.text) for reason in reasons(answer))), None)
    )
    return in_words or (None if given == NUMBER and answer.status in _NUMBERS else given)


def of_refusal(answer: Response) -> str | None:
    """The same, and :data:`UNREAD` where a status that leaves open what for has a phrase of its own, which is not read."""
    known = ("", REASONS.get(answer.status, "").lower(), *_SAME_WORDS.get(answer.status, ()))
    standard = answer.reason.strip().lower() in known
    return of_message(answer) or (UNREAD if answer.status in _OPEN and not standard else None)


def of_hangup(bye: Message) -> str | None:
    """What a BYE's Reason says that the call was ended for (RFC 3326): a gateway's Q.850 cause, a status, or its text."""
    for reason in reasons(bye):
        in_words, cause = about(reason.text), reason.cause or 0
        is_status = reason.protocol.upper() == "SIP"
        found = in_words or _STATUSES.get(cause) if is_status else _OF_A_CALL.get(cause) or in_words
        if found is not None:
            return found
    return None


def one(what: str | None) -> str | None:
    """It where it is one thing alone; of several nobody knows which is meant."""
    return None if what in _SEVERAL else what


def elsewhere(what: str) -> tuple[str, ...]:
    """All else that a refusal's words can be about."""
    return tuple(other for other in ABOUT if what not in other.split(_OR))
