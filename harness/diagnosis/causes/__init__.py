"""The causes a diagnosis may name: what each is, whose it is, and how it is mended.

Their ids are those of the faults in the verification matrix; further ones stand for what real systems show besides.
``{platform}`` in the texts is the integration's own name for it.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness import integrations
from harness.diagnosis.causes.audio import AUDIO
from harness.diagnosis.causes.described import Described
from harness.diagnosis.causes.identity import IDENTITY
from harness.diagnosis.causes.legs import LEGS
from harness.diagnosis.causes.manners import MANNERS
from harness.diagnosis.causes.own import OWN
from harness.diagnosis.causes.reaching import REACHING
from harness.diagnosis.causes.registration import REGISTRATION
from harness.diagnosis.causes.transfer import TRANSFER
from harness.errors import SelectionError

CAUSES: Mapping[str, Described] = {
    **REGISTRATION,
    **REACHING,
    **AUDIO,
    **IDENTITY,
    **TRANSFER,
    **LEGS,
    **MANNERS,
    **OWN,
}


def told(cause: str, integration: str) -> dict[str, str]:
    """What is said of a cause at that integration's platform: ``title``, ``issue``, ``fix``, ``link`` and ``owner``."""
    described = CAUSES[cause]
    try:
        found = integrations.find(integration)
        guide, platform = found.guide, found.title
    except SelectionError:
        guide, platform = "", "the platform"
    section = described.section.get(integration, "")
    return {
        "title": described.title,
        "issue": described.issue,
        "fix": described.fix.format(platform=platform),
        "link": f"{guide}#{section}" if guide and section else guide,
        "owner": described.owner,
    }


__all__ = ["CAUSES", "Described", "told"]
