"""Landings at no harness phone: a machine, which the caller hears, and people, whom the platform's
report shows.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.audio.machine import announcement_in, message_asked_in
from harness.case.checks import identity, landing
from harness.case.events import Expected
from harness.case.measurement import Landing, Ringing
from harness.errors import FarEndError
from harness.integrations.matrix import shown_by_others
from harness.scenario.call import Call
from harness.scenario.context import CaseContext
from harness.scenario.ends import End
from harness.scenario.evidence import unobserved
from harness.witness.campaign import ask_at_terminal
from harness.witness.clock import to_wall
from harness.witness.platform_report import ReportSource
from harness.witness.reported_landing import (
    CLOCKS_DIFFER_S,
    GroupNames,
    ReportedLanding,
    Sought,
    where_landed,
)

if TYPE_CHECKING:
    from harness.scenario.people import Group

#: The subject of findings on the call, as for calls to harness phones.
_THE_CALL = "the call"


#: How long a machine may speak before its tone, and how often it is looked for.
_GREETING_S, _LISTENED_AGAIN_S = 45.0, 1.0
#: By then it is clear that it listens after its tone.
_LISTENS_S = 4.0


class MachineCall(End):
    """The landing of a call at a machine, which only its caller hears.

    Where the platform had answered before, it is there when it speaks.
    """

    role = "agent"
    is_blind = True

    def __init__(self, context: CaseContext, group: Group, of: Call, after_s: float) -> None:
        super().__init__(context)
        answered = of.answered_at()
        self.group = group
        self._of = of
        self._after_s = after_s  #: how long the caller may wait for it
        self.since = max(answered or of.began, of.routed)  #: it speaks no earlier
        self.is_timed = answered is not None and answered >= of.routed
        self.began = answered if answered is not None and self.is_timed else time.monotonic()
        self.is_heard = False  #: whether ``began`` is when it spoke

    def listen(self) -> tuple[float, float | None] | None:
        """When it speaks, and when its tone ends, in seconds after :attr:`since`; None if it says
        nothing.
        """
        before, tone = self.group.before, self.group.entry.voicemail

        def looked() -> tuple[float, float | None] | None:
            if before is not None:
                before.declines()
            heard = self._of.leg.received_since(self.since)
            if tone:
                return message_asked_in(heard)
            return announcement_in(heard, is_over=self._of.is_over())

        spoken = self._context.wait_for(
            looked,
            self._after_s + _GREETING_S + _LISTENS_S,
            "what the machine says",
            every_s=_LISTENED_AGAIN_S,
            given_up=self._of.is_over,
        )
        if spoken is not None and not self.is_timed:
            self.began, self.is_heard = self.since + spoken[0], True
        return spoken

    @property
    def label(self) -> str:
        """The name that findings use."""
        return f"the machine of {self.group.name}"


class ReportedCall(End):
    """The landing of a call in a group without harness phones, reported after the call."""

    role = "agent"
    is_blind = True

    def __init__(
        self,
        context: CaseContext,
        group: Group,
        of: Call,
        began: float | None = None,
        *,
        is_heard: bool = False,
    ) -> None:
        """``is_heard``: a harness phone has the call, and the report only names the group."""
        super().__init__(context)
        self._group = group
        self._of = of
        declared = context.deployment.platform.report
        assert declared is not None, "the file declares no report"
        self._declared = declared
        self._source = ReportSource(declared)
        self.began = time.monotonic() if began is None else began
        #: Whether it rang at harness phones instead, so that no report is needed.
        self.is_seen = False
        self.shown = of.number or ""  #: the number that the landing is to show
        if not is_heard:
            context.unheard = self
        context.looks_when_over.append(self._find)

    @property
    def label(self) -> str:
        """The name that findings use."""
        return f"an agent of {self._group.name}"

    def unseen(self, expected: Expected) -> Expected:
        """An expectation of what only a phone at the agent could show; the deployment may say that a row
        passes without.
        """
        return replace(expected, dispensable=self._declared.strength == "unknown")

    @property
    def stays_s(self) -> float:
        """How long the caller stays with people whom no harness phone hears."""
        return self._declared.stay_s

    # -- what the report says

    def _find(self) -> list[Expected]:
        if self.is_seen:
            return []
        evidence, ended = self._evidence, time.monotonic()
        with evidence.timed("until the platform's report lists the call"):
            if self._declared.file is not None:
                name = self._declared.file.rpartition("/")[2]
                ask_at_terminal(
                    f"{self._context.case.id}: put the platform's report of its calls at {name} now"
                )
            with evidence.step(f"the platform's report on the call to {self._group.name}"):
                return self._expectations(self._read(ended))

    def _read(self, ended: float) -> ReportedLanding:
        """What the report says: a right landing as soon as two readings agree, else the last
        reading in its time.
        """
        sought, names = self._sought(ended), self._names()
        last: ReportedLanding | None = None
        trouble = ""

        def agrees() -> bool:
            nonlocal last, trouble
            try:
                before, last = last, self._look(sought, names)
            except FarEndError as error:
                trouble = str(error)
                self._evidence.note_once(trouble)
                return False
            return last == before and last.groups == (self._group.name,)

        within = ended + self._declared.within_s - time.monotonic()
        self._context.wait_for(agrees, within, every_s=self._declared.poll_s)
        return last or ReportedLanding(why=trouble)

    def _look(self, sought: Sought, names: GroupNames) -> ReportedLanding:
        rows = self._source.read(sought.began)
        ahead = self._source.clock_ahead_s
        # an earlier call's row may then be in the time of this one
        if abs(ahead) > CLOCKS_DIFFER_S:
            differs = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
            why = f"the clock of who gives the report is {differs}"
            return ReportedLanding(why=f"{why}, so that none of its rows is sure to be this call's")
        return where_landed(rows, sought, names)

    def _sought(self, ended: float) -> Sought:
        context = self._context
        case, deployment = context.case, context.deployment
        assert case.line is not None
        is_transfer = case.row.moment == "transfer"
        assistant = deployment.lines[case.line].assistant
        return Sought(
            caller=self._of.number or "",
            shown=self.shown,
            line=deployment.did(case.line, case.trunk),
            target=self._group.address or "",
            region=deployment.region,
            began=to_wall(self._of.began),
            handed_over=to_wall(self.began) if is_transfer else None,
            ended=to_wall(ended),
            assistant=deployment.assistants[assistant].address if assistant else "",
            is_shown_by_others=self.shown != self._of.number and shown_by_others(case, deployment),
        )

    def _names(self) -> GroupNames:
        groups = self._deployment.groups
        called = {name: group.reported_as for name, group in groups.items()}
        return GroupNames.make(called, self._group.name, self._declared.ignore)

    def _expectations(self, found: ReportedLanding) -> list[Expected]:
        wanted, region = self._group.name, self._deployment.region
        rows, beside = [row.words(region) for row in found.rows], f"groups beside {wanted}"
        if found.why:
            why = f"{found.why}, {self._declared.within_s:g} s after the call's end"
            measured, lands = Landing(wanted=wanted), f"the call lands at {wanted}"
            landed = unobserved("landing", _THE_CALL, lands, why, measured, rows)
            shows = f"the number {self.shown} in the platform's report"
            shown = unobserved("caller_id", self.label, shows, why)
        else:
            why = ""
            if found.beside:
                names = ", ".join(found.beside)
                why = f"the report lists {names} as well, and not whether they rang"
            landed = landing.landed_by_report.of(
                _THE_CALL, wanted, found.groups, took=bool(found.agents), rows=rows
            )
            shown = identity.caller_in_report.of(
                found.rows[0].caller, self.label, self.shown, region, rows
            )
        if why:
            expected, watched = "no other group in the platform's report", Ringing(watched=False)
            others = unobserved("landing.others", beside, expected, why, watched)
        elif wanted in found.groups:
            more = [name for name in found.groups if name != wanted]
            others = landing.none_beside_in_report.of(beside, more, rows)
        else:
            return [landed, shown]
        return [landed, shown, others]
