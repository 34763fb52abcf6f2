"""The causes a diagnosis may name: what each is, whose it is, and how it is mended.

Their ids are those of the faults in the verification matrix; further ones stand for what real systems show besides.
``{platform}`` in the texts is the integration's own name for it.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.diagnosis.causes.audio import AUDIO
from harness.diagnosis.causes.described import Described
from harness.diagnosis.causes.identity import IDENTITY
from harness.diagnosis.causes.legs import LEGS
from harness.diagnosis.causes.manners import MANNERS
from harness.diagnosis.causes.reaching import REACHING
from harness.diagnosis.causes.registration import REGISTRATION
from harness.diagnosis.causes.transfer import TRANSFER

CAUSES: Mapping[str, Described] = {**REGISTRATION, **REACHING, **AUDIO, **IDENTITY, **TRANSFER, **LEGS, **MANNERS}

__all__ = ["CAUSES", "Described"]
