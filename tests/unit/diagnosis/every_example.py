"""Every example of a rule: in these modules, and those of checks whose findings a rule explains."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.checks import check_examples
from tests.unit.diagnosis.audio_examples import AUDIO, IDENTITY
from tests.unit.diagnosis.leg_examples import GLADLY, LEGS
from tests.unit.diagnosis.own_examples import OWN
from tests.unit.diagnosis.reach_examples import (
    REACH,
    REGISTRATION,
    RIVALS,
    TOLD,
    UNDECIDED,
)
from tests.unit.diagnosis.stories import Expected, heard
from tests.unit.diagnosis.transfer_examples import REFUSED, STATUSES, TRANSFER


def explained(check: check_examples.Example) -> Expected:
    """A check's finding in a call in which all else is right."""
    example, finding = heard(), check.wrong[0]()
    assert finding is not None
    example.findings.append(replace(finding, at=example.now))
    return Expected(check.rule, example, check.answer)


EXAMPLES = [
    *REGISTRATION,
    *REACH,
    *UNDECIDED,
    *AUDIO,
    *IDENTITY,
    *TRANSFER,
    *REFUSED,
    *STATUSES,
]
EXAMPLES += [
    *GLADLY,
    *RIVALS,
    *TOLD,
    *LEGS,
    *OWN,
    *map(explained, (e for e in check_examples.EXAMPLES if e.rule)),
]
