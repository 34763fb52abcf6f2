"""What a customer's file leaves nobody to tell: faults that nobody sees, and causes that leave the
same evidence.

``docs/live.md`` says the same to who writes such a file. Everything here is argued; nothing is here
for being missed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from harness.deployment import Deployment
from harness.integrations.matrix import Case
from tools import read_toml
from tools.selfproof.plan import UNDECIDED

_LISTS: Final = {
    name: frozenset(faults)
    for name, faults in read_toml(Path(__file__).with_suffix(".toml")).items()
}


def is_unseen(fault: str, case: Case, deployment: Deployment) -> bool:
    """Whether nobody can see the fault: without the AI's interface, any voice may be the AI's.

    Who answers in its place is seen where that is a harness phone, or nobody. A stranger of the
    group, or its voicemail, is heard as the AI would be. And a fallback that leads to the right
    people does not show whether the AI was asked before.
    """
    if not _is_blind(deployment) or fault not in _LISTS["without_the_ai"]:
        return False
    entry = deployment.lines[case.line or ""]
    if case.row.moment == "fallback":
        return entry.fallback is not None
    own = next((name for name, group in deployment.groups.items() if group.agents), None)
    name = entry.fallback or (own if fault == "route-missing" else None)
    if name is None:
        return False
    group = deployment.groups[name]
    return not group.present and (group.voicemail or not (group.agents or group.empty))


def not_told_apart(fault: str, case: Case, deployment: Deployment) -> frozenset[str]:
    """The causes that cannot be told from the fault's with the evidence of such a file; none where
    it has to be named first.
    """
    lists = [
        each.among
        for each in UNDECIDED
        if each.covers(fault, case.row.id, deployment.integration, dict(case.axes))
    ]
    found = frozenset().union(*lists)
    if found and _has_no_moment(case, deployment):
        found |= _LISTS["firewalls"]
    if _is_blind(deployment) and fault in _LISTS["without_the_ai"]:
        found |= _LISTS["unseen_at_the_ai"] | _LISTS["firewalls"]
    if _is_blind(deployment) and fault in _LISTS["failed_refers"]:
        found |= _LISTS["failed_refers"] | _LISTS["unseen_transfers"]
    return found


def _is_blind(deployment: Deployment) -> bool:
    return deployment.kind == "live" and deployment.api_base is None


def _has_no_moment(case: Case, deployment: Deployment) -> bool:
    """Whether nobody knows when the platform went on without the AI: no agent of the harness rings,
    or a menu comes before.
    """
    entry = deployment.lines[case.line or ""]
    rings = entry.fallback is not None and bool(deployment.groups[entry.fallback].present)
    return bool(entry.press) or not rings
