"""One example of each rule: what happened, and what the diagnosis says of it.

A new cause needs its entry in ``harness/diagnosis/tables``, an example for each of its rules, and ``make diagnosis-page``.
"""

from __future__ import annotations

from tests.unit.diagnosis.audio_examples import AUDIO, IDENTITY
from tests.unit.diagnosis.gladly_examples import GLADLY
from tests.unit.diagnosis.leg_examples import LEGS
from tests.unit.diagnosis.own_examples import OWN
from tests.unit.diagnosis.reach_examples import REACH, REGISTRATION, UNDECIDED, firewalls
from tests.unit.diagnosis.refused_transfer_examples import REFUSED
from tests.unit.diagnosis.rival_examples import RIVALS
from tests.unit.diagnosis.status_examples import STATUSES
from tests.unit.diagnosis.told_examples import TOLD
from tests.unit.diagnosis.transfer_examples import TRANSFER

EXAMPLES = [
    *REGISTRATION,
    *REACH,
    *UNDECIDED,
    *firewalls(),
    *AUDIO,
    *IDENTITY,
    *TRANSFER,
    *REFUSED,
    *STATUSES,
    *GLADLY,
    *RIVALS,
    *TOLD,
    *LEGS,
    *OWN,
]
