"""What the evidence of a case says of its deployment."""

from __future__ import annotations

from typing_extensions import TypedDict

from harness.deployment import Deployment, Kind
from harness.integrations.matrix import name_hash
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
    """The same with the deployment's name, masked where numbers are real; names that differ stay different."""

    deployment: str


def is_masked(deployment: Deployment) -> bool:
    """Whether its numbers are real ones, which nobody is shown whole; a simulated deployment's are 555-01xx."""
    return deployment.kind != "simulated"


def shown_name(name: str) -> str:
    """A deployment's or a site's name with its numbers masked; two names that differ stay different."""
    masked = mask_text(name)
    return name if masked == name else f"{masked} ~{name_hash(name)}"


def names(deployment: Deployment) -> NamedDeployment:
    """The names, from the complete deployment that the case has for itself."""
    hosts: dict[str, str] = {}
    for name, account in deployment.accounts.items():
        if account.host:
            hosts[account.host] = name
    for trunk in deployment.trunks:
        if trunk.host and trunk.ai == "synthflow":
            hosts[trunk.host] = "synthflow"
        if trunk.termination_host:
            hosts[trunk.termination_host] = f"{deployment.integration} trunk"
    if deployment.platform.host:
        hosts[deployment.platform.host] = deployment.integration
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
        "shows_messages": deployment.synthflow is not None and "messages" in deployment.synthflow.witness,
    }
