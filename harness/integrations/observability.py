"""Checks that are not observable in a deployment: derived from its kind of AI and from its
witnesses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.deployment import Deployment, Witness
from harness.integrations.base import Cell, Moment

_BY_WITNESS: Mapping[str, tuple[Witness, str]] = {
    "route.transport": ("messages", "the AI's record does not hold the messages it got"),
    "codec": ("messages", "the AI's record does not hold the codec"),
    "caller_id.withheld": (
        "messages",
        "Privacy and P-Asserted-Identity of the INVITE are not in the AI's record",
    ),
    "audio.silent": ("marks", "the AI's record does not tell which sounds it gets"),
    "audio.early": ("in-band", "before the answer the AI cannot be told from an announcement"),
    "dtmf": ("dtmf", "the AI's record does not list digits"),
    "registration": ("registration", "the AI's interface does not tell of registrations"),
    "registration.refused": ("registration", "the AI's interface does not tell of registrations"),
}
_BY_RECORD = (
    "landing.answered_by",
    "caller_id",
    "route.request_uri",
    "route.tried",
    "route.not_reached",
    "route.not_answered",
    "header",
    "header.absent",
    "released",
    "transfer.fails",
)


def unseen(deployment: Deployment) -> dict[str, str]:
    """Check → why it is not observable when Synthflow is the AI. A stand-in observes every check."""
    synthflow = deployment.synthflow
    witnesses = set(synthflow.witness) if synthflow is not None else set()
    no_access = "synthflow.api_base: there is no access to the AI's interface"
    hidden: dict[str, str] = {}
    for check, (witness, why) in _BY_WITNESS.items():
        # in-band evidence needs no access to the AI's interface
        if not deployment.has_api and witness != "in-band":
            hidden[check] = no_access
        elif witness not in witnesses:
            hidden[check] = why
    if not deployment.has_api:
        hidden |= dict.fromkeys(_BY_RECORD, no_access)
    return hidden


def proofs(deployment: Deployment) -> dict[str, str]:
    """Claim → by what a run will know it, for the plan. Where a stand-in is the AI, it is a harness
    phone that proves each.
    """
    if all(trunk.ai == "stand-in" for trunk in deployment.trunks):
        return dict.fromkeys(
            ("audio to and from the AI", "what the AI is sent"), "proved by the stand-in"
        )
    synthflow, files = deployment.synthflow, deployment.witness
    shows_messages = synthflow is not None and "messages" in synthflow.witness
    if deployment.names_marks:
        audio = "proved by the marks that the AI names"
    elif deployment.records_calls:
        audio = "proved by the AI's recording of each call"
    elif files is not None and files.made_at == "ai":
        audio = "proved by the AI's recordings that [witness] brings"
    elif deployment.transcript != "none":
        audio = "confirmed by the transcript; recordings of the AI prove it (harness witness)"
    else:
        audio = "indicated by RTCP and sound; recordings of the AI prove it (harness witness)"
    if shows_messages:
        sent = "proved by the messages that the AI shows"
    else:
        known = "not observable"
        if deployment.has_api:
            known = "numbers and X- headers by the AI's record"
        sent = f"{known}; codec, transport and headers by a capture of the trunk (harness witness)"
    return {"audio to and from the AI": audio, "what the AI is sent": sent}


def unseen_at_people(cell: Cell) -> dict[str, str]:
    """Check → why it is not observable when a call lands with people: a platform may show their
    telephones any number.
    """
    phones = cell.deployment.phones
    for group in cell.deployment.groups.values():
        if any(phones[agent].shows == "any" for agent in group.present):
            why = "the platform shows an agent's telephone whatever number it chooses"
            return {"caller_id": why}
    return {}


def is_taken_by_machine(cell: Cell, moment: Moment) -> bool:
    """Whether a call that is to land leads to a machine, and not to people."""
    if not cell.line or moment in ("people", "transfer"):
        return False
    fallback = cell.entry.fallback
    return fallback is not None and cell.deployment.groups[fallback].is_machine


def has_bystanders(cell: Cell, moment: Moment, *, lands: bool) -> bool:
    """Whether harness phones that must not ring, or a report, would reveal a call that lands in the
    wrong group.

    ``lands``: the call must land with agents, at that ``moment``.
    """
    groups = cell.deployment.groups
    groups_called = list(lands_with(cell, moment)) if lands else []
    if groups_called and all(map(cell.deployment.is_reported, groups_called)):
        return True  # a report names other groups
    right = {agent for name in groups_called for agent in groups[name].present}
    return any(not right.issuperset(group.agents) for group in groups.values())


def lands_with(cell: Cell, moment: Moment) -> Iterator[str]:
    """The groups whose agents may ring for the cell's number."""
    if not cell.line:
        return
    entry, handover = cell.entry, cell.handover
    names: list[str | None] = []
    if moment == "people":
        names.append(entry.group if cell.is_open else cell.opening.closed)
        names.append(cell.axes.get("overflow"))
    elif moment == "transfer" and handover is not None:
        if handover.transfer_to:
            group = cell.deployment.groups[handover.transfer_to]
            names += [handover.transfer_to, group.overflow, group.closed]
        names += cell.deployment.groups_of_topic(handover.transfer_topic)
    else:
        names.append(entry.fallback)
    yield from filter(None, names)
