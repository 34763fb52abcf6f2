"""Why a transfer reaches nobody, by what the platform answered it with, and what it told of it later (RFC 3515)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.diagnosis.cells import cells
from harness.diagnosis.conditions import not_shown, unless, when
from harness.diagnosis.refusals import (
    IN_A_CIRCLE,
    NO_SUCH_NUMBER,
    NOBODY_THERE,
    NUMBER,
    OF_A_SERVER,
    REDIRECTED,
    TERMINATED,
    THE_AGENTS,
    UNREAD,
)
from harness.diagnosis.rule import Rule
from harness.diagnosis.rules.transfer import (
    AFTER,
    AGAIN,
    CARRIED,
    GROUP_IS_THERE,
    LOST,
    NOT_OF_THE_SENDER,
    NOT_RECORDED,
    NOT_REFUSED_THERE,
    RIGHT_TARGET,
)
from harness.diagnosis.transfer import ENDED_FIRST, HUNG_UP, NOT_ALLOWED, NOT_DUE, NOTHING, OVER, PROVISIONAL, RINGS

_NOT_REFUSED = ("accepted", "none", "never sent", "challenged", PROVISIONAL, ENDED_FIRST)
_TIMED_OUT, _NO_SUCH_CALL = 408, 481
#: Statuses that say something else than that the request is refused (RFC 3261 section 21).
_OTHERWISE = (*NO_SUCH_NUMBER, *NOBODY_THERE, *IN_A_CIRCLE, *REDIRECTED, *OF_A_SERVER, _TIMED_OUT, 503)

_UNANSWERED = Rule(
    id="transfer.unanswered",
    cause="transfer-unanswered",
    symptoms=("transfer",),
    cells=cells("timing", "REFER", "AI's call"),
    essential=(LOST, when("transfer.answer", "none")),
    conditions=(when("transfer.host", "the trunk's"), RIGHT_TARGET),
    consequences=AFTER,
    because="the AI sent its transfer to the right place, and when the case gave up no answer at all had come back",
)
_UNKNOWN_NUMBER = Rule(
    id="transfer.unknown-number",
    cause="number-unknown-at-platform",
    symptoms=("transfer",),
    cells=cells("number", "REFER", "AI's call"),
    essential=(LOST, when("transfer.answer", *NO_SUCH_NUMBER)),
    conditions=(RIGHT_TARGET, GROUP_IS_THERE, CARRIED, NOT_OF_THE_SENDER),
    consequences=AFTER,
    because="the group's number was asked for, and the platform answered as for a number it does not know; one without a route looks "
    "so, too",
    confidence="likely",
)
_NOBODY = Rule(
    id="transfer.nobody",
    cause="nobody-available",
    symptoms=("transfer",),
    essential=(LOST, when("transfer.outcome", 480)),
    conditions=(RIGHT_TARGET, GROUP_IS_THERE, CARRIED, NOT_OF_THE_SENDER),
    consequences=AFTER,
    because="the platform took the transfer to the right number, and its NOTIFY said 480: whom it leads to cannot be rung at the "
    "moment",
    confidence="likely",
)
#: Said of the request alone (RFC 3261 sections 21.4.4, 21.4.6, 21.5.2, RFC 3515 section 2.4.2).
_OF_THE_REFER = when("transfer.answer", 403, 405, 501, 603)
_REJECTED = Rule(
    id="transfer.rejected",
    cause="refer-rejected",
    symptoms=("transfer",),
    essential=(LOST,),
    conditions=(
        when("transfer.way", "REFER"),
        _OF_THE_REFER,
        not_shown("transfer.credentials", True),  # 403 may be for these
        not_shown("refer.passed_on", True),
        not_shown("transfer.refusal", UNREAD),
        NOT_RECORDED,
        RIGHT_TARGET,
        CARRIED,
        NOT_OF_THE_SENDER,
    ),
    consequences=AFTER,
    because="the platform refused the REFER itself",
)
_LEFT_RINGING = replace(
    _UNANSWERED,
    id="transfer.left-ringing",
    cause="transfer-left-ringing",
    essential=(LOST, when("transfer.answer", PROVISIONAL)),
    conditions=(RIGHT_TARGET, NOT_REFUSED_THERE),
    because="the platform took the transfer (1xx), and when the case gave up no agent's phone had rung and nothing final had come",
)
_SILENT = Rule(
    id="transfer.silent",
    cause="refer-never-notified",
    symptoms=("transfer",),
    cells=cells("timing", "REFER"),
    essential=(LOST,),
    conditions=(
        when("transfer.way", "REFER"),
        when("transfer.answer", "accepted"),
        when("transfer.outcome", NOTHING),
        not_shown("transfer.passed_on", True),
        NOT_RECORDED,
        RIGHT_TARGET,
    ),
    consequences=AFTER,
    because="the platform accepted the REFER, and when the case gave up had not said what became of it",
)
_IN_A_CIRCLE = Rule(
    id="transfer.circle",
    cause="routed-in-a-circle",
    symptoms=("transfer",),
    essential=(LOST, when("transfer.answer", *IN_A_CIRCLE)),
    conditions=(RIGHT_TARGET,),
    consequences=AFTER,
    because="the transfer came back to where it had been, or went over too many hops (482, 483)",
    confidence="likely",
)
_CALL_REFUSED = Rule(
    id="transfer.call-refused",
    cause="transfer-call-refused",
    symptoms=("transfer",),
    essential=(LOST, when("transfer.way", "INVITE")),
    conditions=(
        unless("transfer.answer", *_NOT_REFUSED, *_OTHERWISE, 403, TERMINATED, 603),
        RIGHT_TARGET,
        CARRIED,
        NOT_OF_THE_SENDER,
        NOT_REFUSED_THERE,
    ),
    consequences=AFTER,
    because="the platform answered the AI's own call to the right number with a refusal",
)

_FAILED = Rule(
    id="transfer.failed",
    cause="refer-accepted-then-failed",
    symptoms=("transfer",),
    essential=(LOST,),
    conditions=(
        when("transfer.way", "REFER"),
        when("transfer.answer", "accepted"),
        when("transfer.failed", True),
        unless("transfer.outcome", *NO_SUCH_NUMBER, 480, *IN_A_CIRCLE),
        NOT_RECORDED,
        RIGHT_TARGET,
        CARRIED,
        NOT_OF_THE_SENDER,
        NOT_REFUSED_THERE,
        not_shown("transfer.passed_on", True),
    ),
    consequences=AFTER,
    because="the platform accepted the REFER, and its NOTIFY said that the transfer failed",
)


def _though_it_is_there() -> Iterator[Rule]:
    """The answer was said of the target, and a call to the same number from elsewhere rang it: it was for who asked."""
    of_the_target = (*NO_SUCH_NUMBER, *NOBODY_THERE)
    not_later = not_shown("transfer.failed", True)
    for rule, fact, asked, conditions in (
        (_CALL_REFUSED, "transfer.answer", when("transfer.way", "INVITE"), ()),
        (_REJECTED, "transfer.answer", when("transfer.way", "REFER"), (not_later,)),
        (_FAILED, "transfer.outcome", when("transfer.failed", True), ()),
    ):
        for name, said in (("", when(fact, *of_the_target)), (".said", when("transfer.refusal", NUMBER, THE_AGENTS))):
            yield replace(
                rule,
                id=f"{rule.id}.though-there{name}",
                essential=(LOST, asked, said, when("again.group", "the right group")),
                conditions=(RIGHT_TARGET, NOT_REFUSED_THERE, *conditions),
                because="the platform said that nobody is there, or that the number is nobody's, and a second call to the same number "
                "made the group's agents ring",
                confidence="likely",
            )


ANSWERED: tuple[Rule, ...] = (
    _REJECTED,
    replace(
        _REJECTED,
        id="transfer.rejected.authenticated",
        essential=(LOST, when("transfer.way", "REFER"), _OF_THE_REFER, when("transfer.credentials", True)),
        conditions=(RIGHT_TARGET, CARRIED, NOT_OF_THE_SENDER),
        because="the platform refused the REFER, which showed credentials that it may have been refused for",
        confidence="likely",
    ),
    replace(
        _REJECTED,
        id="transfer.rejected.handed-on",
        essential=(LOST, when("refer.passed_on", True)),  # as declared, whoever sees the REFER
        conditions=(when("transfer.way", "REFER"), _OF_THE_REFER, RIGHT_TARGET, CARRIED, NOT_OF_THE_SENDER),
        because="the REFER was refused, by the platform or on the caller's side, to which it hands REFERs on",
        confidence="likely",
    ),
    replace(
        _REJECTED,
        id="transfer.rejected.as-written",
        essential=(
            LOST,
            when("transfer.way", "REFER"),
            unless("transfer.answer", *_NOT_REFUSED, *_OTHERWISE, 403, 405, _NO_SUCH_CALL, 501, 603),
        ),
        conditions=(RIGHT_TARGET, CARRIED, NOT_OF_THE_SENDER),
        because="the platform answered the REFER with a refusal, which may be of this REFER as the AI writes it",
        confidence="likely",
    ),
    replace(
        _REJECTED,
        id="transfer.rejected.in-words",
        essential=(LOST, when("transfer.refusal", UNREAD)),
        conditions=(when("transfer.way", "REFER"), RIGHT_TARGET),
        because="the platform refused the REFER, and says for what in words of its own, which may name something else",
        confidence="likely",
    ),
    replace(
        _REJECTED,
        id="transfer.rejected.later",
        essential=(LOST, when("transfer.outcome", NOT_ALLOWED)),
        conditions=(RIGHT_TARGET,),
        because="the platform accepted the REFER, and ended the subscription to its outcome as one that nobody allows",
        confidence="likely",
    ),
    Rule(
        id="transfer.no-such-call",
        cause="transfer-outside-the-call",
        symptoms=("transfer",),
        essential=(LOST, when("transfer.way", "REFER"), when("transfer.answer", _NO_SUCH_CALL)),
        conditions=(),
        consequences=AFTER,
        because="the platform answered the REFER with 481: it knows no call of that Call-ID and tags (RFC 3261 section 12.2.2)",
        confidence="likely",  # or whoever it handed the REFER on to
    ),
    Rule(
        id="transfer.server",
        cause="transfer-server-fails",
        symptoms=("transfer",),
        essential=(LOST, when("transfer.answer", *OF_A_SERVER)),
        conditions=(RIGHT_TARGET, CARRIED, NOT_OF_THE_SENDER, not_shown("transfer.way", "dialled")),
        consequences=AFTER,
        because="the platform answered the AI's request with the error of a server, its own or one behind it",
        confidence="likely",
    ),
    Rule(
        id="transfer.redirected",
        cause="transfer-redirected",
        symptoms=("transfer",),
        essential=(LOST, when("transfer.answer", *REDIRECTED)),
        conditions=(RIGHT_TARGET, not_shown("transfer.way", "dialled")),
        consequences=AFTER,
        because="the platform answered the AI's request with 3xx, and nothing shows that the AI asked at the address named there",
    ),
    _IN_A_CIRCLE,
    replace(
        _IN_A_CIRCLE,
        id="transfer.circle.notified",
        essential=(LOST, when("transfer.outcome", *IN_A_CIRCLE)),
        because="the platform's NOTIFY said that the transfer came back to where it had been, or went over too many hops (482, 483)",
    ),
    _FAILED,
    replace(
        _FAILED,
        id="transfer.failed.by-caller",
        essential=(LOST, when("transfer.passed_on", True)),
        conditions=tuple(each for each in _FAILED.conditions if each.fact != "transfer.passed_on"),
        because="the platform handed the REFER on, and the call that the caller's phone placed on it was not taken, as its NOTIFY said",
        confidence="likely",  # by the platform, or by the caller's carrier
    ),
    _SILENT,
    replace(
        _SILENT,
        id="transfer.silent.over",
        essential=(LOST, when("transfer.outcome", OVER)),
        conditions=(not_shown("transfer.passed_on", True), RIGHT_TARGET),
        because="the platform accepted the REFER, and ended the subscription to its outcome without telling any (RFC 3515 section "
        "2.4.7)",
    ),
    Rule(
        id="transfer.untrue",
        cause="transfer-said-done",
        symptoms=("transfer",),
        essential=(LOST, when("transfer.outcome", 200)),
        conditions=(
            RIGHT_TARGET,
            when("answered.elsewhere", False),  # the 200 may be true, of a device that nobody here sees
            not_shown("again.group", *AGAIN),
        ),
        consequences=AFTER,
        because="the platform's NOTIFY said 200, and no agent's phone rang",
    ),
    _NOBODY,
    replace(
        _NOBODY,
        id="transfer.nobody.at-once",
        essential=(LOST, when("transfer.answer", *NOBODY_THERE)),
        because="the platform answered the transfer to the right number with 480, 486 or 600: whom it leads to cannot be rung at the "
        "moment",
    ),
    replace(
        _NOBODY,
        id="transfer.nobody.said",
        essential=(LOST, when("transfer.refusal", THE_AGENTS)),
        conditions=(RIGHT_TARGET, GROUP_IS_THERE, not_shown("transfer.answer", 403)),
        because="the platform took the transfer to the right number, and says that nobody is there to be rung",
        confidence="certain",
    ),
    replace(
        _NOBODY,
        id="transfer.nobody.forbidden",
        # Of a call of the AI's own it may be the AI that has not logged in.
        essential=(
            LOST,
            when("transfer.way", "REFER"),
            when("transfer.refusal", THE_AGENTS),
            when("transfer.answer", 403),
        ),
        conditions=(RIGHT_TARGET, GROUP_IS_THERE),
        because="the platform refused the transfer to the right number with 403, and says that somebody is not there, or not logged in",
    ),
    _UNKNOWN_NUMBER,
    replace(
        _UNKNOWN_NUMBER,
        id="transfer.unknown-number.notified",
        cells=cells("number", "REFER"),
        essential=(LOST, when("transfer.outcome", *NO_SUCH_NUMBER)),
        because="the AI named the group's number, and the platform's NOTIFY answered as for a number it does not know",
    ),
    *_though_it_is_there(),
    _UNANSWERED,
    replace(
        _UNANSWERED,
        id="transfer.unanswered.timeout",
        essential=(LOST, when("transfer.way", "REFER"), when("transfer.answer", _TIMED_OUT)),
        conditions=(RIGHT_TARGET,),
        because="the REFER was answered 408: whoever had it on the way got no answer to it in time (RFC 3261 section 16.7)",
        confidence="likely",
    ),
    replace(
        _UNANSWERED,
        id="transfer.unanswered.ended",
        essential=(LOST, when("transfer.answer", ENDED_FIRST)),
        conditions=(RIGHT_TARGET,),
        because="no answer to the REFER had come when the call was ended, which its 487 tells (RFC 3261 section 15.1.2)",
        confidence="likely",
    ),
    _LEFT_RINGING,
    replace(
        _LEFT_RINGING,
        id="transfer.left-ringing.ended",
        cells=cells("timing", "AI's call"),
        essential=(LOST, when("transfer.way", "INVITE"), when("transfer.answer", _TIMED_OUT, TERMINATED)),
        because="the platform gave the AI's call to the group up by itself (408, 487), and no agent's phone had rung",
        confidence="likely",
    ),
    replace(
        _LEFT_RINGING,
        id="transfer.left-ringing.untold",
        cells=cells("timing", "REFER"),
        essential=(LOST, when("transfer.answer", "accepted"), when("transfer.outcome", NOT_DUE)),
        conditions=(RIGHT_TARGET, NOT_REFUSED_THERE, not_shown("transfer.passed_on", True)),
        because="the platform accepted the REFER, of which no NOTIFY was to follow (RFC 4488, RFC 7614), and no agent's phone rang",
        confidence="likely",
    ),
    replace(
        _LEFT_RINGING,
        id="transfer.left-ringing.notified",
        cells=cells("timing", "REFER"),
        essential=(LOST, when("transfer.outcome", RINGS)),
        because="the platform's NOTIFY said that it rings, no agent's phone of ours did, and nothing final came",
        confidence="likely",
    ),
    replace(
        _LEFT_RINGING,
        id="transfer.left-ringing.hung-up",
        cells=cells("timing", "REFER"),
        essential=(LOST, when("transfer.answer", "accepted"), when("transfer.outcome", HUNG_UP)),
        because="the platform accepted the REFER and ended the AI's call, told no outcome, and no agent's phone rang",
        confidence="likely",
    ),
    _CALL_REFUSED,
    replace(
        _CALL_REFUSED,
        id="transfer.call-declined",
        essential=(LOST, when("transfer.way", "INVITE"), when("transfer.answer", 603)),
        conditions=(RIGHT_TARGET, CARRIED, NOT_OF_THE_SENDER, NOT_REFUSED_THERE),
        because="the platform declined the AI's own call to the right number, or somebody there whom it rang did",
        confidence="likely",
    ),
)
