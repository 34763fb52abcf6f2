"""``expect(…)`` of a ring group: whose phones ring, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.calls.checks import landing, timing
from harness.calls.events import CallState
from harness.scenario.call import Call
from harness.scenario.context import CaseContext
from harness.scenario.reactions import last_words_to
from harness.scenario.reported import ReportedCall

if TYPE_CHECKING:
    from harness.scenario.people import Group


def way_in_s(call: Call, most_s: float) -> float:
    """How long after its INVITE the caller was told that it rings; none where it was not, or had been let in before."""
    states = (e for e in call.leg.events if isinstance(e, CallState) and e.state in ("early", "confirmed"))
    first = next(states, None)
    rings = first is not None and first.state == "early" and call.routed == call.began
    return min(first.at - call.began, most_s) if first and rings else 0.0


class ExpectGroup:
    """Expectations of a group."""

    def __init__(self, context: CaseContext, group: Group) -> None:
        self._context = context
        self._evidence = context.evidence
        self._group = group

    def never_rang(self, since: float = 0.0) -> None:
        """No agent of the group was called after ``since`` (``time.monotonic()``), though all could have been.

        Where strangers call as well, only a call that certainly belongs to the case fails it.
        """
        for phone in self._group.phones:
            legs = [leg for leg in phone.incoming if leg.events[0].at >= since]
            legs = [leg for leg in legs if self._context.is_surely_ours(leg)] or legs
            calls = [str(leg.invite.text.partition("\n")[0]).strip() for leg in legs]
            watched = phone.registration is not None and phone.registration.active
            found = landing.never_rang(phone.name, len(calls), watched, calls)
            self._evidence.add(self._context.held_against(legs, found) if watched else found)

    def took_over(
        self, landed: Call | ReportedCall, of: Call, ring_timeout_s: float, rang: tuple[float, float] | None
    ) -> None:
        """The group took over from the AI when that had rung for ``ring_timeout_s``, within a second.

        The AI's ringing begins once the call has come to it, and ends when it is let go (``rang``): of what lies before and
        after, a carrier, words to the caller, a queue, the network of an agent's telephone, the timeout says nothing.
        Where the AI's ringing was not seen (``rang`` is None), it began when the caller was told of it at the latest, and queue,
        telephone network and carrier have their time.
        """
        if isinstance(landed, ReportedCall):
            if rang is None:
                self._unseen_time("timing", f"the fallback after {ring_timeout_s:g} s")
            else:
                seconds = rang[1] - rang[0]
                self._evidence.add(timing.took(self._group.name, "the fallback", seconds, ring_timeout_s))
            return
        queue_s = self._group.entry.queue_s
        waits_s = queue_s + self._to_telephone_s(landed)
        after, ended, before_s = of.routed, landed.began, 0.0
        if rang is None:
            before_s = way_in_s(of, self._context.patience)
        else:
            after, ended = rang[0], landed.began
            if waits_s or timing.is_too_soon(rang[1] - after, ring_timeout_s):  # whichever phone took over, and when
                ended = rang[1]
            elif ended - after > ring_timeout_s + timing.TOLERANCE_S:
                ended -= last_words_to(of.leg, rang[1], ended) - rang[1]
            waits_s = 0.0
        self._evidence.add(
            timing.took(
                self._group.name, "the fallback", ended - after, ring_timeout_s, queue_s=waits_s, way_in_s=before_s
            )
        )

    def _to_telephone_s(self, landed: Call) -> float:
        """How long a call may take to an agent whom a telephone network connects."""
        phone = self._context.deployment.phones.get(landed.phone_name)
        return self._context.patience if phone is not None and phone.number is not None else 0.0

    def _unseen_time(self, check: str, expected: str) -> None:
        why = "the platform's report does not say when the group's phones rang"
        self._evidence.unseen(check, self._group.name, expected, why)

    def came_within(
        self,
        landed: Call | ReportedCall,
        of: Call,
        limit_s: float,
        rang: tuple[float, float] | None = None,
    ) -> None:
        """The group's agent was called within ``limit_s`` seconds, from the end of the caller's way in.

        The way in ends when the AI is asked (``rang``), or else when the caller is told that it rings. A queue, and a
        telephone network, have their time.
        """
        if isinstance(landed, ReportedCall):
            self._unseen_time("timing.within", f"the call within {limit_s:g} s")
            return
        limit_s += self._group.entry.queue_s + self._to_telephone_s(landed)
        after = of.routed + way_in_s(of, self._context.patience) if rang is None else rang[0]
        self._evidence.add(timing.within(landed.label, "the call", max(0.0, landed.began - after), limit_s))
