"""The calls of one case, and which voice belongs to which party."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from harness.audio.marks import VOICES, replied
from harness.case.checks import audio
from harness.case.events import Expected
from harness.deployment import Deployment
from harness.phone.leg import Leg
from harness.scenario.case_phones import CasePhones

if TYPE_CHECKING:
    from harness.scenario.call import Call
    from harness.scenario.ends import End

_TOLD_ID = re.compile(
    r"^x-ci[ \t]*:[ \t]*([A-Za-z0-9_.-]{1,80})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE
)


class Party(NamedTuple):
    """A party that can be heard in a case."""

    label: str
    legs: Sequence[Leg]
    conversation: str | None  #: the caller's leg that it began with; None if unknown

    def sends(self, mark: int) -> bool:
        """Whether it is its mark."""
        return any(leg.mark == mark for leg in self.legs)

    def is_told_by(self, mark: int) -> bool:
        """Whether it is its mark, or an AI's answer in band to that mark."""
        if self.sends(mark):
            return True
        heard = replied(mark)
        return heard is not None and self.sends(heard)


class Calls:
    """The calls of a case, until it is over."""

    def __init__(self, deployment: Deployment, phones: CasePhones) -> None:
        self._deployment = deployment
        self._phones = phones
        self.own: list[Call] = []
        self.of_the_ai: list[End] = []

    def add(self, call: Call) -> Call:
        """Remember a call of a harness phone."""
        self.own.append(call)
        return call

    @property
    def other_legs(self) -> list[Leg]:
        """The legs of harness phones that no scenario asked for."""
        known = {leg.id for call in self.own for leg in call.legs}
        return [leg for leg in self._phones.legs if leg.id not in known]

    @property
    def numbers(self) -> set[str]:
        """The numbers of all callers of the case."""
        return {call.number for call in self.own if call.number}

    def ids_told(self, of: Call) -> set[str]:
        """Synthflow's ids of the call ``of`` (``x-ci``), where they pass: on its own messages, and
        on those to an agent.

        An agent's call says nothing where the case has several callers, nor one that may be a
        stranger's.
        """
        legs, numbers = [of.first_leg, of.leg], self.numbers
        if len(numbers) == 1:
            came = self._phones.incoming
            legs += [leg for leg in came if self._phones.is_surely_of(leg, numbers)]
        found: set[str] = set()
        for leg in legs:
            for message in leg.messages:
                if message.direction == "received":
                    found.update(_TOLD_ID.findall(message.text))
        return found

    # -- which voice belongs to which party

    def _parties(self) -> Sequence[Party]:
        calls: list[End] = [*self.own, *self.of_the_ai]
        parties = [
            Party(call.label, call.legs, _conversation_of(call)) for call in calls if call.legs
        ]
        known = {leg.id for party in parties for leg in party.legs}
        for leg in self._phones.legs:
            if leg.id not in known:
                parties.append(Party(leg.id, [leg], conversation=None))
        return parties

    def name_of_mark(self, mark: int) -> str | None:
        """The name of the party that sends a mark; None when no party of this case does."""
        for party in self._parties():
            if party.sends(mark):
                return party.label
            if party.is_told_by(mark):
                return f"the AI answering {party.label}"
        return f"assistant {self._voices[mark]}" if mark in self._voices else None

    def names_of(self, marks: Iterable[int]) -> dict[int, str]:
        """The party of each mark, for the marks that are sent in this case."""
        named = ((mark, self.name_of_mark(mark)) for mark in marks)
        return {mark: name for mark, name in named if name is not None}

    @property
    def _voices(self) -> dict[int, str]:
        """The assistants by their voices, if the deployment has them."""
        every = self._deployment.assistants.items()
        return {assistant.voice: name for name, assistant in every if assistant.voice is not None}

    def crossing(self, listener: Leg, heard: Sequence[int]) -> Expected:
        """Whether everything a leg heard belongs to its conversation."""
        strange = self.strange(listener, heard)
        allowed = [mark for mark in heard if mark not in strange]
        own = {leg.mark for leg in _party_of(listener, self._parties()).legs}
        return audio.no_crossing.of(listener.id, heard, own, allowed, self.names_of(strange))

    def people_with(self, talk: End) -> set[int]:
        """The marks of the callers and agents whose conversation a stand-in took part in."""
        conversation = _conversation_of(talk)
        found: set[int] = set()
        for call in self.own:
            if call.role != "ai" and call.legs and _conversation_of(call) == conversation:
                found.update(leg.mark for leg in call.legs)
        return found

    def strange(self, listener: Leg, heard: Collection[int]) -> set[int]:
        """The marks that a leg should not have heard: strangers', other callers' of the case, and
        its own.
        """
        parties = self._parties()
        own = _party_of(listener, parties)
        found = set()
        for mark in set(heard):
            if own.sends(mark) or self._is_strange(mark, own.conversation, parties):
                found.add(mark)
        return found

    def _is_strange(self, mark: int, conversation: str | None, parties: Sequence[Party]) -> bool:
        """Whether it belongs to another conversation; parties of unknown conversations get the
        benefit of the doubt.

        A load's later call may have a mark again that an earlier one had.
        """
        of = {party.conversation for party in parties if party.is_told_by(mark)}
        if of:
            return conversation is not None and of.isdisjoint((conversation, None))
        if mark in self._voices:
            return self._is_absent(self._voices[mark])
        return not self.is_unattributed(mark)

    def is_unattributed(self, mark: int) -> bool:
        """Whether it is an assistant's voice, in a deployment that does not say which assistant has
        which.
        """
        return mark in VOICES and not self._voices

    def _is_absent(self, assistant: str) -> bool:
        """Whether it took no call of this case, while others are known to have."""
        took = {call.assistant for call in self.of_the_ai}
        return bool(took) and None not in took and assistant not in took


def _conversation_of(call: End) -> str:
    """The caller's leg that the call belongs to."""
    return (call.peer or call).legs[0].id


def _party_of(leg: Leg, parties: Sequence[Party]) -> Party:
    for party in parties:
        if any(leg.id == own.id for own in party.legs):
            return party
    return Party(leg.id, [leg], conversation=None)
