"""What a customer's file leaves nobody to tell: faults that nobody sees, and causes that leave the
same evidence.

``docs/live.md`` says the same to who writes such a file. Everything here is argued; nothing is here
for being missed.
"""

from __future__ import annotations

from typing import Final

from harness.deployment import Deployment
from harness.integrations.matrix import Case
from tools.selfproof.plan import UNDECIDED

#: The platform does without the AI, and says to nobody why.
_WITHOUT_THE_AI: Final = frozenset({"route-missing", "no-g711", "codecs-stripped-to-ai"})
#: Why an AI may have been done without: what it was offered and what it said stands in its own
#: record and in the platform's log alone.
_UNSEEN_AT_THE_AI: Final = frozenset(
    {
        *(
            "route-wrong-did",
            "route-wrong-trunk",
            "route-missing",
            "trunk-transport-mismatch",
            "tls-not-appended",
        ),
        *(
            "assistant-not-attached",
            "concurrency-exhausted",
            "no-g711",
            "srtp-mismatch",
            "platform-refuses-caller",
        ),
        *("username-wrong", "password-wrong", "credentials-not-sent", "trunk-inactive"),
    }
)
#: What the AI asked for, and what it was told, stands there as well: at the phones nobody rings,
#: and the caller stays.
_FAILED_REFERS: Final = frozenset(
    {"refer-rejected", "refer-accepted-then-failed", "refer-never-notified"}
)
_UNSEEN_TRANSFERS: Final = _FAILED_REFERS | {
    *("another-device-answered", "group-did-wrong", "trunk-inactive", "synthflow-ip-not-allowed"),
    *("transfer-call-challenged", "termination-uri-wrong", "transfer-not-tried"),
}
#: A firewall that drops takes its time, one that rejects does not: it tells where nobody knows when
#: the platform gave up.
_FIREWALLS: Final = frozenset(
    f"firewall-{port}{how}"
    for port in ("udp-32681", "tcp-32681", "tls-32682")
    for how in ("", "-rejected")
)


def is_unseen(fault: str, case: Case, deployment: Deployment) -> bool:
    """Whether nobody can see the fault: without the AI's interface, any voice may be the AI's.

    Who answers in its place is seen where that is a harness phone, or nobody. A stranger of the
    group, or its voicemail, is heard as the AI would be. And a fallback that leads to the right
    people does not show whether the AI was asked before.
    """
    if not _is_blind(deployment) or fault not in _WITHOUT_THE_AI:
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
        found |= _FIREWALLS
    if _is_blind(deployment) and fault in _WITHOUT_THE_AI:
        found |= _UNSEEN_AT_THE_AI | _FIREWALLS
    if _is_blind(deployment) and fault in _FAILED_REFERS:
        found |= _UNSEEN_TRANSFERS
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
