"""What a refusal's own words and codes say it is about (``tables/refusals.toml``), and whether a
SIP server said them at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from harness.case.model import CallMessage
from harness.diagnosis.facts import table
from harness.sip.message import REASONS, Response
from harness.sip.why import q850, reasons, warnings

#: The words of an operating system, not of a SIP server.
OF_THE_STACK = re.compile(
    r"connection (was )?(refused|reset|closed)|unreachable|errno|end of file|\(PJ_\w+\)", re.I
)
#: Its words for a connection that was never answered, and so not refused.
TIMED_OUT = re.compile(r"(operation|connection) timed out|\bPJ_ETIMEDOUT", re.I)
#: The status of a request that its sender gave up, or that a BYE overtook (RFC 3261 sections 9.1
#: and 15.1.2).
TERMINATED = 487
#: Statuses from which gateways derive the Q.850 causes of an unknown number: such a cause adds
#: nothing (RFC 3398 section 8.2.6.1).
_UNKNOWN_NUMBER = (404, 410, 485, 604)
#: Statuses that do not say why a request is refused (RFC 3261 sections 21.4.4 and 21.6.2), with the
#: phrases of stacks that say no more than the standard one ("603 Declined": chan_sip of Asterisk).
_PLAIN = {403: ("", "access forbidden"), 603: ("", "declined", "call declined")}
_OR = " or "
NO_RTP_CAME: Final = "that no RTP came"


@cache
def _patterns(kind: str) -> Mapping[str, re.Pattern[str]]:
    patterns = {}
    for what, parts in table("refusals")[kind].items():
        patterns[what] = re.compile("|".join(parts), re.I)
    return patterns


def _matches(kind: str, words: str) -> list[str]:
    return [what for what, pattern in _patterns(kind).items() if pattern.search(words)]


def _coded(kind: str, code: int | None) -> str | None:
    found: str | None = table("refusals")[kind].get(str(code))
    return found


def about(reason: object) -> str | None:
    """What the words of a refusal are about ("the user name or the password" for both); None if
    they do not say.
    """
    words = str(reason or "")
    callers = _matches("callers", words)
    if callers:
        return _OR.join(callers)
    others = _matches("credentials", words) or _matches("words", words)
    return others[0] if others else None


def of_message(answer: Response) -> str | None:
    """What a response is about: by its reason phrase and Warning text, else by Warning code, Q.850
    cause and Reason text (RFC 3326).
    """
    warned = warnings(answer)
    for words in (answer.reason, *(warning.text for warning in warned)):
        if (found := about(words)) is not None:
            return found
    given = [_coded("warnings", warning.code) for warning in warned]
    given.append(_coded("q850", q850(answer)))
    given += [about(reason.text) for reason in reasons(answer)]
    first = next(filter(None, given), None)
    return None if first == "the number" and answer.status in _UNKNOWN_NUMBER else first


def of_refusal(answer: Response) -> str | None:
    """What a response is about; "something that no rule reads" if it has a phrase of its own beside
    a status that does not say why.
    """
    known = (REASONS.get(answer.status, "").lower(), *_PLAIN.get(answer.status, ()))
    unread = answer.status in _PLAIN and answer.reason.strip().lower() not in known
    return of_message(answer) or ("something that no rule reads" if unread else None)


def is_for_want_of_rtp(bye: CallMessage) -> bool:
    """Whether the Reason of a BYE says so, as Kamailio with rtpengine and FreeSWITCH write it."""
    return any(about(reason.text) == NO_RTP_CAME for reason in reasons(bye.message))


def one(what: str | None) -> str | None:
    """The reason; None if it names several things and leaves open which is meant."""
    return None if what is not None and _OR in what else what
