"""Why a transfer or a fallback does not bring the caller to the right people."""

from __future__ import annotations

from harness.diagnosis.conditions import not_shown, unless, when
from harness.diagnosis.rule import Rule, Symptom

_LOST = when("transfer.landed", "nowhere")
_AFTER: tuple[Symptom, ...] = ("caller_id.agent", "audio.agent", "release", "other")
_RIGHT_TARGET = unless("transfer.target", "nobody's number", "another group's number")

TRANSFER: tuple[Rule, ...] = (
    Rule(
        id="transfer.number",
        cause="group-did-wrong",
        symptoms=("transfer",),
        conditions=(when("transfer.target", "nobody's number", "another group's number"),),
        consequences=_AFTER,
        because="the AI transferred to a number that is not the group's",
    ),
    Rule(
        id="transfer.group",
        cause="group-wrong",
        symptoms=("transfer",),
        essential=(when("transfer.landed", "another group"),),
        conditions=(when("transfer.target", "the group's number"),),
        consequences=_AFTER,
        because="the AI transferred to the group's number, and another group rang",
    ),
    Rule(
        id="transfer.inactive",
        cause="trunk-inactive",
        symptoms=("transfer", "other"),
        essential=(_LOST,),
        conditions=(when("transfer.answer", 503), not_shown("transfer.host", "another host")),
        consequences=_AFTER,
        because="the platform answered the AI's request with 503: the trunk is not in service",
    ),
    Rule(
        id="transfer.rejected",
        cause="refer-rejected",
        symptoms=("transfer",),
        essential=(_LOST,),
        conditions=(
            when("transfer.way", "REFER"),
            unless("transfer.answer", "accepted", "none", "challenged", 404, 480, 486, 503),
            _RIGHT_TARGET,
        ),
        consequences=_AFTER,
        because="the platform refused the REFER itself",
    ),
    Rule(
        id="transfer.address",
        cause="synthflow-ip-not-allowed",
        symptoms=("transfer",),
        essential=(_LOST,),
        conditions=(when("transfer.way", "INVITE"), when("transfer.answer", 403)),
        consequences=_AFTER,
        because="the platform refused the AI's own call with 403, before anything was rung",
    ),
    Rule(
        id="transfer.host",
        cause="termination-uri-wrong",
        symptoms=("transfer",),
        essential=(_LOST,),
        conditions=(when("transfer.way", "INVITE"), when("transfer.host", "another host")),
        consequences=_AFTER,
        because="the AI's own call went to another host than the platform's SBC",
    ),
    Rule(
        id="transfer.failed",
        cause="refer-accepted-then-failed",
        symptoms=("transfer",),
        essential=(_LOST,),
        conditions=(
            when("transfer.way", "REFER"),
            when("transfer.answer", "accepted"),
            unless("transfer.outcome", "nothing", 200, 404, 480),
            _RIGHT_TARGET,
        ),
        consequences=_AFTER,
        because="the platform accepted the REFER, and its NOTIFY said that the transfer failed",
    ),
    Rule(
        id="transfer.silent",
        cause="refer-never-notified",
        symptoms=("transfer",),
        essential=(_LOST,),
        conditions=(
            when("transfer.way", "REFER"),
            when("transfer.answer", "accepted"),
            when("transfer.outcome", "nothing"),
            _RIGHT_TARGET,
        ),
        consequences=_AFTER,
        because="the platform accepted the REFER, and never said what became of it",
    ),
    Rule(
        id="transfer.nobody",
        cause="nobody-available",
        symptoms=("transfer",),
        essential=(_LOST,),
        conditions=(when("transfer.outcome", 480), _RIGHT_TARGET),
        consequences=_AFTER,
        because="the platform took the transfer to the right number, and found nobody to ring",
    ),
    Rule(
        id="transfer.not-tried",
        cause="transfer-not-tried",
        symptoms=("transfer",),
        essential=(_LOST,),
        conditions=(
            when("transfer.asked", False),
            not_shown("audio.to_ai", "nothing", "silence", "noise", "crossed"),
        ),
        consequences=_AFTER,
        because="the AI could hear the caller, and sent neither REFER nor INVITE",
    ),
    Rule(
        id="transfer.no-audio",
        cause="transfer-no-audio",
        symptoms=("audio.agent",),
        essential=(when("transfer.landed", "the right group"), when("audio.agent", "none either way", "one way")),
        conditions=(when("audio.phase", "with the agent only"),),
        consequences=("other",),
        because="audio with the AI was right, and there is none between caller and agent",
    ),
    Rule(
        id="release.left-behind",
        cause="ai-leg-left-behind",
        symptoms=("release",),
        essential=(when("release.ai", "still up", "late"),),
        conditions=(when("transfer.landed", "the right group"),),
        because="the transfer succeeded, and the AI's leg was not ended",
    ),
    Rule(
        id="fallback.none",
        cause="fallback-missing",
        symptoms=("fallback",),
        essential=(when("caller.end", "refused", "still ringing"),),
        conditions=(
            when("instead", "nobody"),
            not_shown("fallback.landed", "another group", "the right group"),
            not_shown("fallback.configured", False),
        ),
        consequences=("final", "fallback.time", "other"),
        because="the AI could not be had, nobody else rang, and the caller was turned away",
    ),
    Rule(
        id="fallback.group",
        cause="fallback-wrong-group",
        symptoms=("fallback",),
        conditions=(when("fallback.landed", "another group"),),
        consequences=("fallback.time", "caller_id.agent", "audio.agent", "other"),
        because="when the AI could not be had, another group rang than the one configured",
    ),
    Rule(
        id="fallback.time",
        cause="ring-timeout-wrong",
        symptoms=("fallback.time",),
        essential=(when("fallback.time", "longer", "shorter"),),
        conditions=(not_shown("fallback.landed", "nowhere"),),
        because="the fallback came, but not when the configured ring timeout was over",
    ),
)
