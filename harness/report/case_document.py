"""A case's data beside its log: the form of ``case.json`` and of ``witness.json``."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict

from harness import integrations
from harness.case.events import Event
from harness.case.verdict import Finding, Verdict
from harness.deployment import Deployment, Kind
from harness.diagnosis.result import DiagnosisDocument
from harness.integrations.matrix import CaseAbout, name_hash
from harness.support.mask import mask_text


class Names(TypedDict):
    """What a deployment says of the names and numbers in the evidence of its cases."""

    kind: Kind  # of the deployment
    site: str  # masked like the deployment's name
    hosts: dict[str, str]  # address: what ladders call it
    voices: dict[str, str]  # mark: the assistant whose own voice it is
    mask: bool  # the numbers are real and must not stand in any artefact
    shows_messages: bool  # the far end's records hold SIP messages


class NamedDeployment(Names):
    """The same with the deployment's name, masked where numbers are real; names that differ stay
    different.
    """

    deployment: str


def is_masked(deployment: Deployment) -> bool:
    """Whether its numbers are real and must be masked; a simulated deployment has 555-01xx."""
    return deployment.kind != "simulated"


def shown_name(name: str) -> str:
    """A deployment's or a site's name with its numbers masked; two names that differ stay
    different.
    """
    masked = mask_text(name)
    return name if masked == name else f"{masked} ~{name_hash(name)}"


def names(deployment: Deployment) -> NamedDeployment:
    """The names, from the complete deployment that the case has for itself."""
    hosts: dict[str, str] = {}
    platform = integrations.title(deployment.integration)
    for name, account in deployment.accounts.items():
        if account.host:
            hosts[account.host] = name
    for trunk in deployment.trunks:
        if trunk.host and trunk.ai == "synthflow":
            hosts[trunk.host] = "synthflow"
        if trunk.termination_host:
            hosts[trunk.termination_host] = f"{platform} trunk"
    if deployment.platform.host:
        hosts[deployment.platform.host] = platform
    shown = shown_name if is_masked(deployment) else str
    return {
        "deployment": shown(deployment.name),
        "kind": deployment.kind,
        "site": shown(deployment.site),
        "hosts": hosts,
        "voices": {
            str(assistant.voice): f"assistant {name}"
            for name, assistant in deployment.assistants.items()
            if assistant.voice is not None
        },
        "mask": is_masked(deployment),
        "shows_messages": deployment.synthflow is not None
        and "messages" in deployment.synthflow.witness,
    }


class PlannedCase(CaseAbout, Names):
    """A case of a deployment, as it is planned."""

    run: NotRequired[str]  # the name of the run; a load has none


class TroubleEntry(TypedDict):
    """Something besides its findings that decided how a case ended."""

    verdict: Verdict
    message: str
    finding: int | None  # the number of the finding that ended the case early
    trace: NotRequired[str]  # the traceback of what broke


class CaseEnd(TypedDict):
    """How a case ended."""

    verdict: Verdict
    message: str  # why it did not pass
    diagnosis: DiagnosisDocument | None
    findings: list[Finding]
    troubles: list[TroubleEntry]
    at: float  # monotonic


class CaseDocument(PlannedCase):
    """``case.json``. Without an ``end`` the case's worker died."""

    nodeid: NotRequired[str]  # what pytest calls the case
    attempt: NotRequired[int]
    began: float  # monotonic
    began_wall: float  # the same moment, in seconds since the epoch
    pid: int
    guessed: NotRequired[bool]  # its call may be another case's
    end: NotRequired[CaseEnd]


class AddedEvidence(TypedDict):
    """``witness.json``: what files that others made add to a case, and how it ends with them."""

    version: int
    events: list[Event]
    end: CaseEnd | None  # None where the case has no end
    notes: list[str]  # what each file says of the case
