"""The calls of one case, and whose voice is whose."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from harness.audio.marks import VOICES, reply_to
from harness.checks import audio
from harness.deployment import Deployment
from harness.phone.leg import Leg
from harness.scenario.case_phones import CasePhones
from harness.verdict import Finding

_TOLD_ID = re.compile(r"^x-ci[ \t]*:[ \t]*([A-Za-z0-9_.-]{1,80})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)


class LegsOfACall(Protocol):
    """A call, as far as it is legs of ours."""

    @property
    def label(self) -> str:
        """What findings call it."""

    @property
    def legs(self) -> Sequence[Leg]:
        """The legs it has been, one after the other; none where no phone of ours has it."""

    @property
    def peer(self) -> LegsOfACall | None:
        """The caller's call that it was taken for; None where it is one itself."""


class OwnCall(LegsOfACall, Protocol):
    """A call of a phone of ours."""

    number: str | None

    @property
    def leg(self) -> Leg:
        """The leg it is now."""

    @property
    def first_leg(self) -> Leg:
        """The leg it was first."""

    def is_over(self) -> bool:
        """Whether the call has ended."""

    def hang_up(self) -> float:
        """Hang up; the moment it was done."""


class CallOfTheAi(LegsOfACall, Protocol):
    """A call as the AI has it."""

    @property
    def assistant(self) -> str | None:
        """The assistant that took it; None when nobody says."""

    def keep_record(self) -> None:
        """Keep the last that its interface says of it."""


Own = TypeVar("Own", bound=OwnCall)


@dataclass(frozen=True)
class Party:
    """One of those who can be heard in a case."""

    label: str
    legs: Sequence[Leg]
    conversation: str | None  #: the caller's leg that it began with; None where nobody knows

    @property
    def marks(self) -> set[int]:
        """What it sends."""
        return {leg.mark for leg in self.legs}

    @property
    def replies(self) -> set[int]:
        """By what an AI says in band that it hears it."""
        return set(map(reply_to, self.marks))


def _heard_of(parties: Iterable[Party]) -> set[int]:
    """What tells of them: their marks, and an AI's answers to these."""
    return {mark for party in parties for mark in party.marks | party.replies}


class Calls:
    """Keeps the calls of a case in mind until it is over."""

    def __init__(self, deployment: Deployment, phones: CasePhones) -> None:
        self._deployment = deployment
        self._phones = phones
        self.own: list[OwnCall] = []
        self.of_the_ai: list[CallOfTheAi] = []

    def add(self, call: Own) -> Own:
        """Keep a call of ours in mind."""
        self.own.append(call)
        return call

    def add_ai(self, call: CallOfTheAi) -> None:
        """Keep a call of the AI's in mind."""
        self.of_the_ai.append(call)

    @property
    def other_legs(self) -> list[Leg]:
        """The legs of our phones that no scenario asked for."""
        known = {leg.id for call in self.own for leg in call.legs}
        return [leg for leg in self._phones.legs if leg.id not in known]

    @property
    def numbers(self) -> set[str]:
        """The numbers of all callers of the case."""
        return {call.number for call in self.own if call.number}

    def ids_told(self, of: OwnCall) -> set[str]:
        """Synthflow's ids of the call ``of`` (``x-ci``), where they pass: on its own messages, and on those to an agent.

        An agent's call says nothing where the case has several callers.
        """
        legs = [of.first_leg, of.leg]
        if len(self.numbers) == 1:
            legs += [leg for phone in self._phones.by_name.values() for leg in phone.incoming]
        texts = (message.text for leg in legs for message in leg.messages if message.direction == "received")
        return {found for text in texts for found in _TOLD_ID.findall(text)}

    # -- whose voice is whose

    def _parties(self) -> Sequence[Party]:
        parties = [
            Party(call.label, call.legs, (call.peer or call).legs[0].id)
            for call in (*self.own, *self.of_the_ai)
            if call.legs
        ]
        known = {leg.id for party in parties for leg in party.legs}
        return parties + [Party(leg.id, [leg], None) for leg in self._phones.legs if leg.id not in known]

    def name_of_mark(self, mark: int) -> str | None:
        """Whose mark it is, None when it belongs to nobody in this case."""
        for party in self._parties():
            if mark in party.marks:
                return party.label
            if mark in party.replies:
                return f"the AI answering {party.label}"
        for name, assistant in self._deployment.assistants.items():
            if assistant.voice == mark:
                return f"assistant {name}"
        return None

    def crossing(self, listener: Leg, heard: Sequence[int]) -> Finding:
        """Whether all of what a leg of ours heard belongs to its own conversation."""
        strange = self.strange(listener, heard)
        allowed = [mark for mark in heard if mark not in strange]
        return audio.no_crossing(listener.id, heard, self._party_of(listener).marks, allowed, self.name_of_mark)

    def strange(self, listener: Leg, heard: Collection[int]) -> set[int]:
        """Of marks that a leg heard those that it should not have: strangers', other callers' of the case, and its call's own."""
        of = self._party_of(listener)
        wrong = of.marks | self._of_others_than(of.conversation)
        return {mark for mark in heard if mark in wrong or self._is_nobodys(mark) or self._is_absent(mark)}

    def _party_of(self, leg: Leg) -> Party:
        found = (party for party in self._parties() if any(leg.id == own.id for own in party.legs))
        return next(found, Party(leg.id, [leg], None))

    def _of_others_than(self, conversation: str | None) -> set[int]:
        """The marks of other callers, and of those they were led to; none where nobody knows which conversation it is.

        A load's later call may have a mark again that an earlier one had.
        """
        if conversation is None:
            return set()
        theirs = [party for party in self._parties() if party.conversation not in (conversation, None)]
        others = [party for party in self._parties() if party.conversation in (conversation, None)]
        return _heard_of(theirs) - _heard_of(others)

    def is_unattributed(self, mark: int) -> bool:
        """Whether it is some assistant's voice, in a deployment that does not tell which assistant has which."""
        told = any(assistant.voice is not None for assistant in self._deployment.assistants.values())
        return mark in VOICES and not told

    def _is_nobodys(self, mark: int) -> bool:
        return self.name_of_mark(mark) is None and not self.is_unattributed(mark)

    def _is_absent(self, mark: int) -> bool:
        """Whether it is the voice of an assistant that took no call of this case, though others are known to have."""
        took = {call.assistant for call in self.of_the_ai}
        voices = {assistant.voice: name for name, assistant in self._deployment.assistants.items()}
        return mark in voices and bool(took) and None not in took and voices[mark] not in took
