"""Gladly's own: TLS by the address, its allowlist, and its X-headers."""

from __future__ import annotations

from harness.diagnosis.ai_side import FROM_OUTSIDE, IN_THE_CLEAR
from harness.diagnosis.cells import cells
from harness.diagnosis.conditions import not_shown, unless, when
from harness.diagnosis.rule import Rule
from harness.diagnosis.rules.identity import NOT_OURS

RULES: tuple[Rule, ...] = (
    Rule(
        id="gladly.in-the-clear",
        cause="tls-not-appended",
        symptoms=("reach", "route"),
        conditions=(unless("ai.saw", "nothing"), when("ai.transport", "another"), when("ai.tls_asked", False)),
        consequences=("audio", "caller_id.ai", "header.caller", "header.selector", "transfer", "other"),
        because="the INVITE reached the AI in the clear, addressed without transport=tls",
    ),
    Rule(
        id="gladly.in-the-clear.unseen",
        cause="tls-not-appended",
        symptoms=("reach",),
        conditions=(
            when("ai.saw", "nothing"),
            unless("probe.ai", "silent", "refuses"),
            unless("probe.termination", "silent", "refuses"),
            unless("probe.certificate", "expired", "wrong name", "untrusted"),
            when("platform.did", "it called the AI in the clear"),
        ),
        consequences=("audio", "caller_id.ai", "header.caller", "header.selector", "transfer", "other"),
        because="nothing came over TLS, as when the address lacks transport=tls and nobody listens in the clear",
        confidence="likely",
    ),
    Rule(
        id="gladly.unguarded",
        cause="calls-unguarded",
        symptoms=("final", "other"),
        essential=(when("access.taken", FROM_OUTSIDE),),
        conditions=(),
        because="a call from an address that is not allowed was answered, or people rang for it",
    ),
    Rule(
        id="gladly.taken-in-the-clear",
        cause="taken-in-the-clear",
        symptoms=("other",),
        essential=(when("access.taken", IN_THE_CLEAR),),
        conditions=(),
        because="a call over UDP or TCP was taken, where nothing is to be set up but over TLS",
    ),
    Rule(
        id="gladly.taken-in-the-clear.landing",
        cause="taken-in-the-clear",
        symptoms=("fallback", "transfer"),
        essential=(when("destination.clear", True), when("caller.end", "answered")),
        conditions=(
            when("access.taken", IN_THE_CLEAR),
            *(
                not_shown(f"{landing}.landed", "the right group", "another group")
                for landing in ("fallback", "transfer")
            ),
        ),
        consequences=("audio", "audio.agent", "caller_id.agent", "fallback.time", "other"),
        because="the number's destination lacks transport=tls, and the AI got its call all the same, instead of the fallback",
    ),
    Rule(
        id="gladly.caller.missing",
        cause="caller-header-missing",
        symptoms=("header.caller",),
        cells=cells("header", "AI"),
        conditions=(when("header.caller", "missing"), NOT_OURS),
        because="the INVITE to the AI has no X-Gladly-Caller-Id",
    ),
    Rule(
        id="gladly.caller.plus",
        cause="caller-header-without-plus",
        symptoms=("header.caller",),
        cells=cells("header", "AI"),
        conditions=(when("header.caller", "without its plus"), NOT_OURS),
        because="X-Gladly-Caller-Id has the caller's digits and no plus",
    ),
    Rule(
        id="gladly.caller.wrong",
        cause="caller-header-wrong",
        symptoms=("header.caller",),
        cells=cells("header", "AI"),
        conditions=(when("header.caller", "another value"), NOT_OURS),
        because="X-Gladly-Caller-Id says something else than the caller's number",
    ),
    Rule(
        id="gladly.selector.missing",
        cause="selector-missing",
        symptoms=("header.selector",),
        cells=cells("header", "AI"),
        conditions=(when("header.selector", "missing"),),
        because="the number has a topic configured, and the INVITE to the AI has no X-Gladly-Routing-Selector",
    ),
    Rule(
        id="gladly.selector.wrong",
        cause="selector-wrong",
        symptoms=("header.selector",),
        cells=cells("header", "AI"),
        conditions=(when("header.selector", "another value"),),
        because="X-Gladly-Routing-Selector says another topic than the one configured for the number",
    ),
    Rule(
        id="gladly.selector.unwanted",
        cause="selector-unwanted",
        symptoms=("header.selector",),
        cells=cells("header", "AI"),
        essential=(when("header.selector", "unexpected"),),
        conditions=(),
        because="the INVITE to the AI has an X-Gladly-Routing-Selector, and no topic is configured for the number",
    ),
    Rule(
        id="gladly.repeated",
        cause="header-repeated",
        symptoms=("header.caller",),
        cells=cells("header", "AI"),
        conditions=(when("header.caller", "there more than once"),),
        because="the INVITE to the AI has X-Gladly-Caller-Id more than once",
    ),
    Rule(
        id="gladly.repeated.selector",
        cause="header-repeated",
        symptoms=("header.selector",),
        cells=cells("header", "AI"),
        conditions=(when("header.selector", "there more than once"),),
        because="the INVITE to the AI has X-Gladly-Routing-Selector more than once",
    ),
)
