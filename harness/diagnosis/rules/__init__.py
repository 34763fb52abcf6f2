"""The rules: those common to every integration, and each integration's own, found by its name."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from harness.diagnosis.rule import Rule
from harness.diagnosis.rules.audio import AUDIO
from harness.diagnosis.rules.cut import CUT_UNSEEN
from harness.diagnosis.rules.dialled import DIALLED
from harness.diagnosis.rules.fallback import FALLBACK
from harness.diagnosis.rules.identity import IDENTITY
from harness.diagnosis.rules.legs import LEGS
from harness.diagnosis.rules.manners import MANNERS
from harness.diagnosis.rules.own import OWN
from harness.diagnosis.rules.reach import REACH
from harness.diagnosis.rules.registration import REGISTRATION
from harness.diagnosis.rules.release import RELEASE
from harness.diagnosis.rules.told import BY_AI, BY_PLATFORM
from harness.diagnosis.rules.transfer import TRANSFER
from harness.diagnosis.rules.transfer_answers import ANSWERED
from harness.diagnosis.rules.transfer_recorded import RECORDED
from harness.diagnosis.rules.trust import TRUST

COMMON: tuple[Rule, ...] = (
    REGISTRATION
    + LEGS
    + BY_AI
    + BY_PLATFORM
    + REACH
    + CUT_UNSEEN
    + AUDIO
    + IDENTITY
    + TRANSFER
    + ANSWERED
    + RECORDED
    + DIALLED
    + RELEASE
    + FALLBACK
    + MANNERS
    + OWN
    + TRUST
)


def rules_of(integration: str) -> tuple[Rule, ...]:
    """All that apply to an integration; one without rules of its own has the common ones."""
    name = f"{__name__}.{integration}"
    own: tuple[Rule, ...] = import_module(name).RULES if integration.isidentifier() and find_spec(name) else ()
    return COMMON + own
