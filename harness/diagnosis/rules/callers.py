"""Why the platform refuses a caller for who it is: its credentials, a number that is withheld, or one that it may not show."""

from __future__ import annotations

from harness.diagnosis.cells import cells
from harness.diagnosis.conditions import not_shown, when
from harness.diagnosis.own import WITHHELD
from harness.diagnosis.refusals import OF_THE_CALLER, THE_CALLERS_NUMBER
from harness.diagnosis.rule import Rule
from harness.diagnosis.rules.firewalls import NOBODY_INSTEAD, NOTHING

CALLERS: tuple[Rule, ...] = (
    Rule(
        id="reach.caller-credentials",
        cause="caller-credentials-refused",
        symptoms=("reach", "final"),
        cells=cells("credentials", "caller"),
        essential=(when("caller.end", "refused"), when("final.code", 401, 407)),
        conditions=(NOTHING, not_shown("password.withheld", *WITHHELD), not_shown("caller.withheld", True)),
        consequences=("fallback", "final"),
        favours=(when("final.code", 401, 407),),
        because="the caller's INVITE was challenged, and its credentials were not accepted",
        confidence="likely",
    ),
    Rule(
        id="reach.withheld",
        cause="withheld-number-refused",
        symptoms=("reach", "final"),
        cells=cells("credentials", "caller"),
        # Who is asked for credentials by its From alone is nobody's account with an anonymous one; 433: RFC 5079, for which
        # many say 403 or 603.
        essential=(
            when("caller.end", "refused"),
            when("final.code", 401, 403, 407, 433, 603),
            when("caller.withheld", True),
        ),
        conditions=(NOTHING, not_shown("password.withheld", *WITHHELD)),
        consequences=("fallback", "final", "caller_id.withheld"),
        favours=(when("caller.withheld", True),),
        because="the caller withheld the number, and the platform refused the call before it tried anybody",
        confidence="likely",
    ),
    Rule(
        id="reach.identity",
        cause="caller-identity-refused",
        symptoms=("reach", "final"),
        essential=(when("caller.end", "refused"), when("final.code", *OF_THE_CALLER)),
        conditions=(NOTHING, NOBODY_INSTEAD, not_shown("caller.withheld", True)),
        consequences=("fallback", "final"),
        favours=(when("final.code", *OF_THE_CALLER),),
        because="the caller was refused with a status that is about who calls, and nothing reached the AI",
        confidence="likely",  # the platform may hand on what somebody behind it says
    ),
    Rule(
        id="reach.identity.said",
        cause="caller-identity-refused",
        symptoms=("reach", "final"),
        essential=(when("caller.end", "refused"), when("final.refusal", THE_CALLERS_NUMBER)),
        conditions=(NOTHING, NOBODY_INSTEAD, not_shown("caller.withheld", True)),
        consequences=("fallback", "final"),
        favours=(when("final.refusal", THE_CALLERS_NUMBER),),
        because="the caller was refused, with words about the number that the call shows, and nothing reached the AI",
        confidence="likely",
    ),
)
