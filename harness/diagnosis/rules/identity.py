"""Why the caller's number does not arrive."""

from __future__ import annotations

from collections.abc import Iterator

from harness.diagnosis.cells import cells
from harness.diagnosis.conditions import not_shown, when
from harness.diagnosis.rule import Rule

#: What arrives is not what the caller's phone itself had sent.
NOT_OURS = not_shown("caller_id.own", True)
_SHOWN = (
    ("from-anonymous", "anonymous", "From is anonymous though the caller withheld nothing"),
    ("from-trunk-did", "a number of the deployment's own", "From names a number of the platform's or the AI's own"),
    ("from-national", "in another form", "From has the caller's number, written in another form than agreed"),
    ("from-other-number", "another number", "From names a number that belongs to nobody in this call"),
)


def _from() -> Iterator[Rule]:
    for cause, shown, because in _SHOWN:
        yield Rule(
            id=f"caller_id.{cause}",
            cause=cause,
            symptoms=("caller_id.ai", "caller_id.agent"),
            cells=cells("identity", "AI"),
            conditions=(when("caller_id.ai", shown), NOT_OURS, not_shown("caller_id.form", "national")),
            because=because,
        )


IDENTITY: tuple[Rule, ...] = (
    *_from(),
    Rule(
        id="caller_id.form",
        cause="number-format-differs",
        symptoms=("caller_id.ai", "caller_id.agent"),
        cells=cells("identity", "AI"),
        essential=(when("caller_id.form", "national"), when("caller_id.ai", "in another form")),
        conditions=(NOT_OURS,),
        because="From has the caller's number, and not in national form, which the deployment file asks for",
    ),
    Rule(
        id="caller_id.own",
        cause="caller-number-not-sent",
        symptoms=("caller_id.ai", "caller_id.agent"),
        cells=cells("identity", "AI"),
        essential=(when("caller_id.own", True),),
        conditions=(),
        consequences=("header.caller",),  # the platform fills it with what it got
        because="From has what the caller's own INVITE has in its From, and that is not the number that the file has for this phone",
    ),
    Rule(
        id="caller_id.from-without-number",
        cause="from-anonymous",
        symptoms=("caller_id.ai", "caller_id.agent"),
        cells=cells("identity", "AI"),
        conditions=(when("caller_id.ai", "no number"), NOT_OURS),
        because="From has no number in its address, though the caller withheld none",
    ),
    Rule(
        id="caller_id.pai",
        cause="pai-stripped",
        symptoms=("caller_id.withheld",),
        cells=cells("identity", "AI"),
        conditions=(when("caller_id.asserted", "absent"), not_shown("caller_id.ai", "shown, though withheld")),
        because="a withheld number travels in P-Asserted-Identity, and the INVITE to the AI has none",
    ),
)
