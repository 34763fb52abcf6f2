"""Why an AI that a call got to only rang: it does not answer, or it was not given the time that is agreed on."""

from __future__ import annotations

from dataclasses import replace

from harness.diagnosis.cells import cells
from harness.diagnosis.conditions import not_shown, unless, when
from harness.diagnosis.rule import Rule
from harness.diagnosis.rules.refused import ALL_LATER

ANSWERS_ARRIVE = not_shown("ai.unheard", True)
_ONE_CALL = not_shown("limit.tried", True)  # of several calls one rings, and another falls back
_RANG_FOR_A_WHILE = (when("ai.saw", "rang"), unless("instead.when", "at once"), ANSWERS_ARRIVE)
_RANG = Rule(
    id="reach.rang",
    cause="ai-never-answers",
    symptoms=("reach",),
    cells=cells("timing", "AI"),
    conditions=(*_RANG_FOR_A_WHILE, not_shown("instead.early", True)),
    consequences=ALL_LATER,
    favours=(when("instead.when", "after waiting"),),
    because="the call got there and rang until the platform gave up",
)

RINGING: tuple[Rule, ...] = (
    _RANG,
    Rule(
        id="reach.rang.at-once",
        cause="ring-timeout-wrong",
        symptoms=("reach",),
        essential=(when("ai.saw", "rang"), when("instead.when", "at once"), unless("instead", "nobody")),
        conditions=(_ONE_CALL,),
        consequences=ALL_LATER,
        because="the call got there and rang, and the platform's agents rang within a second: it did not wait for the AI to answer",
        confidence="likely",
    ),
    Rule(
        id="reach.rang.early",
        cause="ring-timeout-wrong",
        symptoms=("reach",),
        essential=(when("instead.early", True),),
        conditions=(*_RANG_FOR_A_WHILE, _ONE_CALL),
        consequences=ALL_LATER,
        because="the call got there and rang, and the platform gave it up before the ring timeout that is agreed on was over",
        confidence="likely",
    ),
    replace(
        _RANG,
        id="reach.rang.or-early",
        essential=(when("instead.early", True),),
        conditions=_RANG_FOR_A_WHILE,
        because="the call got there and rang until the platform gave up, which was sooner than agreed: more time might not have helped",
        confidence="possible",
    ),
)
