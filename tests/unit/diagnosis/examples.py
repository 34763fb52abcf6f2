"""One made-up case for each rule: what happened, which rule has to say so, and what the answer has to be.

``causes`` are the first causes named, in order. A list of candidates is written as a tuple in their place.
"""

from __future__ import annotations

from tests.unit.diagnosis.audio_examples import AUDIO, IDENTITY
from tests.unit.diagnosis.gladly_examples import GLADLY
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
]
