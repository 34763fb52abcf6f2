"""Who takes part: callers with a number, ring groups and queues with agents, the lines they are reached by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.checks import landing
from harness.checks.finding import not_observable
from harness.deployment import Assistant, Trunk
from harness.deployment import Group as GroupEntry
from harness.deployment import Line as LineEntry
from harness.phone.phone import Phone
from harness.phone.waiter import NeverCame
from harness.scenario.ends import Call
from harness.scenario.synthflow_talk import SynthflowTalk
from harness.verdict import ExpectationError

if TYPE_CHECKING:
    from harness.scenario.stage import Stage
    from harness.scenario.talks import Talk


@dataclass(frozen=True)
class Line:
    """A number at the platform, over the trunk of the case."""

    name: str
    did: str
    entry: LineEntry
    trunk: Trunk
    assistant: Assistant  #: whom its routing should reach


class Caller:
    """Somebody on the public network, with a phone of ours."""

    def __init__(self, stage: Stage, name: str, phone: Phone, number: str) -> None:
        self._stage = stage
        self.name = name
        self.phone = phone
        self.number = number

    def dial(self, number: str, headers: Sequence[tuple[str, str]] = ()) -> Call:
        """Call ``number`` (any form the deployment's network takes); returns at once."""
        with self._stage.step(f"{self.name} dials {number}"):
            prepared = None
            if not any(name.lower() == "x-ei" for name, _ in headers):
                prepared = self._stage.prepared(self.number, number)
            if prepared is not None:
                headers = [*headers, ("X-EI", f"S.{prepared};")]
            uri = number if ":" in number else f"sip:{number}@{self._stage.domain_of(self.name)}"
            call = Call(self._stage, self.phone.dial(uri, headers=headers), "caller", self.number)
            call.prepared = prepared
            return self._stage.called(call)

    def expect_call(self, within: float) -> Call:
        """Answer the next call."""
        with self._stage.step(f"{self.name} is called"):
            try:
                leg = self.phone.expect_call(within=within, answer=True)
            except NeverCame as error:
                self._stage.add(landing.landed("the call", self.name, self._stage.rang()))
                raise ExpectationError(self._stage.findings[-1]) from error
            return self._stage.called(Call(self._stage, leg, "caller", self.number))


class Group:
    """A ring group, or an agent queue."""

    def __init__(self, stage: Stage, name: str, entry: GroupEntry, phones: Sequence[Phone]) -> None:
        self._stage = stage
        self.name = name
        self.entry = entry
        self.did = entry.did
        self.phones = phones

    def expect_call(self, of: Call, within: float | None = None) -> Call:
        """An agent of the group answers the call that ``of`` leads to."""
        limit = within if within is not None else self._stage.patience + self._stage.more_patience
        with self._stage.step(f"{self.name} rings, and an agent answers"):
            try:
                leg = self._stage.first_incoming(self.phones, limit, unless=of)
            except NeverCame as error:
                self._stage.add(landing.landed("the call", self.name, self._stage.rang()))
                raise ExpectationError(self._stage.findings[-1]) from error
            self._stage.add(landing.landed("the call", self.name, self._stage.rang()))
            leg.answer()
            leg.wait_state("confirmed", within=self._stage.patience)
            return self._stage.called(Call(self._stage, leg, "agent"))


class AssistantOf:
    """The AI assistant of a line."""

    def __init__(self, stage: Stage, line: Line) -> None:
        self._stage = stage
        self.line = line
        self.name = line.entry.assistant

    def expect_call(self, of: Call, within: float | None = None) -> Talk:
        """The AI answers the call ``of``; fails when another does, or none."""
        limit = within if within is not None else self._stage.patience
        with self._stage.step(f"the AI answers ({self.name})"):
            talk = self._stage.seat.expect_call(of, self.name, limit)
            if talk is None:
                answered = self._stage.seat.answered_by(of)
                state = of.state()
                others = answered + [f"the phone {name}" for name in self._stage.rang()]
                finding = landing.only_one("the call", others, self.name)
                finding.facts["code"] = state.code if state else 0
                finding.facts["state"] = state.state if state else "none"
                finding.facts["attempted"] = self._stage.attempts(of)
                self._stage.add(finding)
                raise ExpectationError(finding)
            if isinstance(talk, SynthflowTalk) and talk.is_unknown:
                expected, why = f"{self.name} answers, and nobody else", "Synthflow's interface does not say who did"
                self._stage.add(not_observable("landing.answered_by", "the call", expected=expected, why=why))
            else:
                self._stage.add(landing.only_one("the call", [talk.assistant or "nobody known"], self.name))
            return talk
