"""The parties of a case: callers with a number, ring groups and queues with agents, and the AI
assistant of a line.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Sequence

from harness.case.checks import landing, reach
from harness.case.events import Expected
from harness.case.measurement import Landing
from harness.case.verdict import ExpectationError, Finding, NotObservableError
from harness.deployment import Group as GroupEntry
from harness.deployment import Line as LineEntry
from harness.deployment.values import SAY, SILENCE, keys_of
from harness.phone import Mark, Silence
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from harness.phone.waiter import NeverCame
from harness.scenario.ai import Ai
from harness.scenario.ai_calls import AiCall
from harness.scenario.call import DIGIT_S, Call
from harness.scenario.context import CaseContext, CasePart, Line, number_as
from harness.scenario.ends import WHISPER_S, End, wait_for_pause
from harness.scenario.expect import Expect
from harness.scenario.reported import MachineCall, ReportedCall

#: Agents who ring this close to each other ring for the same call.
ONE_CALL_S = 30.0
#: How long to watch for agents who ring before their turn.
_OUT_OF_TURN_S = 0.5
#: How far apart a platform rings the agents of one turn. Shorter than ``pause_s``, which lies
#: between turns: with the longest one, a platform's time limit for transfers would run out.
_ONE_TURN_S = 2.0
#: How soon after a digit a menu falls silent, and how soon the next one begins.
_CUT_OFF_S, _NEXT_MENU_WITHIN_S = 0.5, 3.0
#: What is said in less time may not have been heard yet.
_HEARD_FOR_S = 0.6
#: A platform that says something to an agent goes on this soon after the answer or its last word.
_SPEAKS_WITHIN_S = 1.0


class Caller(CasePart):
    """A caller on the public network, at a harness phone."""

    def __init__(self, context: CaseContext, name: str, phone: Phone, number: str) -> None:
        super().__init__(context)
        self._now = context.clock.monotonic
        self.name = name
        self.phone = phone
        self.number = number

    def call(self, line: Line, headers: Sequence[tuple[str, str]] = (), form: str = "e164") -> Call:
        """Call a line, its number written in ``form``, and pass its announcement and menus."""
        call = self.dial(number_as(line.did, form), headers)
        entry = line.entry
        if entry.announcement_s or entry.press:
            self._pass_way_in(call, entry)
            call.routed = self._now()
        return call

    def _pass_way_in(self, call: Call, entry: LineEntry) -> None:
        """Hear the announcement, choose in the menus, hear the announcement after them."""
        within = self._context.patience
        if not entry.press:
            # without a menu it may speak first and let the AI answer the call (RFC 3960 section
            # 3.1)
            within += entry.announcement_s
        if entry.announcement_s:
            self._is_let_in(call, entry.announcement_s, within)
        Expect(self._context, call).answered(within)
        began, left_s = self._left_of(entry.announcement_s, call)
        self._context.pause(left_s, "the announcement")
        self._hears_announcement(call, began, entry.announcement_s)
        chosen = self._choose(call, entry)
        if entry.notice_s:
            self._context.pause(entry.notice_s, "the announcement after the menu")
            self._hears_announcement(call, chosen, entry.notice_s, behind_s=DIGIT_S + _CUT_OFF_S)

    def _is_let_in(self, call: Call, seconds: float, within: float) -> None:
        """Wait for the platform's answer. A harness phone that rings first, before the announcement
        can be over, ends the scenario: nothing would answer the caller.
        """
        began = self._now()

        def ringing() -> list[str]:
            return self._context.phones.called({self.number})

        def is_decided() -> bool:
            return call.answered_at() is not None or call.is_over() or bool(ringing())

        self._context.wait_for(is_decided, within)
        is_early = call.answered_at() is None and self._now() < began + seconds / 2
        names = ringing() if is_early else []
        if names:
            early = reach.announced_first.of(names[0], seconds, True)
            raise ExpectationError(self._evidence.expect(early))

    def _hears_announcement(
        self, call: Call, began: float, seconds: float, behind_s: float = 0.0
    ) -> None:
        """The platform, which must speak for so long from then on, is heard ``behind_s`` later: behind
        what the caller's digit cut off.
        """
        if not seconds:
            return
        call.announced = began, seconds
        since, until = began + behind_s, self._now()
        if until - since < _HEARD_FOR_S:
            return
        is_heard = call.hears_sound(since, until) is not None
        self._evidence.expect(
            reach.announced.of(call.label, seconds, is_heard), sound_due=[(since, until)]
        )

    def _choose(self, call: Call, entry: LineEntry) -> float:
        """Go through the menus; returns when the last choice was made."""
        for level, key in enumerate(keys_of(entry.press or "")):
            if key == SILENCE:
                return self._say_nothing(call, entry.menu_waits_s)
            if level:
                self._hear_next_menu(call)
            call.chosen = self._now()
            if key.startswith(SAY):
                return call.say(str(entry.say))
            call.press(key)
        return call.chosen

    def _say_nothing(self, call: Call, seconds: float) -> float:
        """Wait until a menu goes on by itself; in the first half it must not."""
        call.chosen = self._now() + seconds / 2
        call.leg.play(Silence())
        self._context.pause(seconds, "the menu, which goes on by itself")
        if not call.is_quiet and not call.is_over():
            call.leg.play(Mark())
        return self._now()

    def call_closed(self, line: Line) -> Call:
        """Call a line out of its hours: a closed number answers before its menu, a closed choice
        after it.
        """
        late = self._deployment.closes_after_menu(line.name)
        return self.call(line) if late else self.dial(line.did)

    def goes_on_as_if_open(self, call: Call, line: Line, landed: End) -> None:
        """Behind a machine's words, take the way in that the number has when it is open: then it
        speaks first as well.
        """
        entry, answered = line.entry, call.answered_at()
        if not isinstance(landed, MachineCall) or answered is None:
            return
        speaks_first = entry.announcement_s or entry.press
        if not speaks_first or self._deployment.closes_after_menu(line.name):
            return
        with self._evidence.step(f"{call.label} goes on as if {line.did} were open"):
            left_s = max(0.0, answered + entry.announcement_s - self._now())
            self._context.pause(left_s, "the announcement of an open number")
            if call.is_over():
                return
            with contextlib.suppress(NeverCame):  # the machine ends the call
                self._choose(call, entry)
            longer_s = entry.notice_s + self._context.patience
            self._context.pause(longer_s, "the AI of an open number")

    def _hear_next_menu(self, call: Call) -> None:
        """Wait until the next menu has begun, after the digit cut off the last one, and has paused.

        Many platforms lose a digit that comes before.
        """
        with self._evidence.timed("the next menu"):
            call.let_answer(call.chosen + DIGIT_S + _CUT_OFF_S, _NEXT_MENU_WITHIN_S)
            wait_for_pause(call.leg)

    def _left_of(self, announcement_s: float, call: Call) -> tuple[float, float]:
        """When the announcement began, and its seconds after the answer: a call that is answered
        late has had it as early media.
        """
        answered = call.answered_at()
        if answered is None or answered - call.began <= self._context.patience:
            return answered or self._now(), announcement_s
        began = call.leg.facts.early_at or answered
        return began, max(0.0, announcement_s - (answered - began))

    def dial(self, number: str, headers: Sequence[tuple[str, str]] = ()) -> Call:
        """Call ``number`` (any form the deployment's network takes); returns at once."""
        with self._evidence.step(f"{self.name} dials {number}"):
            has_id = any(name.lower() == "x-ei" for name, _ in headers)
            prepared = None if has_id else self._prepared()
            if prepared is not None:
                headers = [*headers, ("X-EI", f"S.{prepared};")]
            if not self._context.has_stand_in:
                self._context.far_end.note_earlier()
            uri = number if ":" in number else f"sip:{number}@{self.phone.config.domain}"
            first = Silence() if self._context.lets_ai_greet else Mark()
            call = Call(self._context, self.phone.dial(uri, headers, first), "caller", self.number)
            call.is_quiet = self._context.lets_ai_greet
            call.prepared = prepared
            return self._context.calls.add(call)

    def _prepared(self) -> str | None:
        """An id for the coming call, where the case's number leads to the AI."""
        line = self._context.case.line
        name = self._deployment.lines[line].ai if line is not None else None
        if name is None or self._context.has_stand_in:
            return None
        return self._context.far_end.prepared(self.number, self._deployment.assistants[name])

    def is_called(self) -> bool:
        """Whether a call has come."""
        return bool(self.phone.incoming)

    def expect_call(self, within: float) -> Call:
        """Answer the next call."""
        with self._evidence.step(f"{self.name} is called"):
            try:
                leg = self.phone.expect_call(within)
            except NeverCame as error:
                finding = self._evidence.expect(landing.landed.of("the call", self.name, {}))
                raise ExpectationError(finding) from error
            call = self._context.calls.add(Call(self._context, leg, "caller", self.number))
            if self._context.lets_ai_greet:
                call.be_quiet()
            return call


class Group(CasePart):
    """A ring group, or an agent queue."""

    def __init__(
        self, context: CaseContext, name: str, entry: GroupEntry, phones: Sequence[Phone]
    ) -> None:
        super().__init__(context)
        self._now = context.clock.monotonic
        self.name = name
        self.entry = entry
        self.address = entry.address
        self.phones = phones
        self._told_by_turns = False
        self.declined: list[Leg] = []  #: calls of earlier turns, which the case declined
        #: The group whose agents decline the call, so that this one gets it.
        self.before: Group | None = None

    def expect_call(
        self, of: Call, within: float | None = None
    ) -> Call | ReportedCall | MachineCall:
        """An agent of the group, or its machine, answers the call that ``of`` leads to.

        Without harness phones, the platform's report tells later.
        """
        if self.entry.is_machine:
            return self._by_machine(of, within)
        if self._deployment.is_reported(self.name):
            return self._by_report(of, (within or 0.0) + self._context.more_patience)
        return self._answer(of, within)

    def declines(self) -> None:
        """Its agents decline every call that rings now."""
        for phone in self.phones:
            for leg in phone.incoming:
                if not leg.taken and _may_be_answered(leg):
                    _decline(leg)

    def decline(self, of: Call) -> None:
        """Its agents ring as the group is set up, and each declines for as long as a caller waits."""
        self.rings_in_turns(of)
        queue_s = self.entry.queue_s
        waits_s = queue_s + _OUT_OF_TURN_S if queue_s else 0.0

        def is_over() -> bool:
            self.declines()
            return of.is_over()

        of.chosen = self._now()
        self._context.wait_for(is_over, waits_s, "declining in the queue")

    def was_declined(self) -> None:
        """The agents who were to decline were called first: the call did not come to the next group
        at once.
        """
        if self.before is None:
            return
        for phone in self.before.phones:
            if phone.name in self.before.entry.first_turn:
                is_called = bool(phone.incoming)
                self._evidence.expect(landing.turn.of(phone.name, is_called, its_turn=True))

    def _limit(self, within: float | None) -> float:
        """How long to wait for the group, behind the queue and the turns of the one before it."""
        limit = within
        if limit is None:
            limit = self._context.patience + self._context.more_patience
        for group in (self.before, self):
            if group is not None:
                later_turns = group.entry.turns[1:]
                limit += group.entry.queue_s + group.entry.pause_s * len(later_turns)
        return limit

    def _wait_while_declined(self, until: Callable[[], bool], limit: float) -> None:
        def is_there() -> bool:
            if self.before is not None:
                self.before.declines()
            return until()

        self._context.wait_for(is_there, limit)

    def _by_machine(self, of: Call, within: float | None) -> MachineCall:
        limit = self._limit(within)

        def is_decided() -> bool:
            return of.answered_at() is not None or of.is_over() or bool(self._rang())

        with self._evidence.step(f"the machine of {self.name} answers"):
            self._wait_while_declined(is_decided, limit)
            if of.answered_at() is None:
                raise ExpectationError(self._evidence.expect(self._missed()))
            machine = MachineCall(self._context, self, of, limit)
            if not machine.is_timed:
                machine.listen()
            return machine

    def rings(self, of: Call) -> None:
        """An agent of the group is called, and does not answer."""
        with self._evidence.step(f"{self.name} rings"):
            try:
                leg = self._first_ringing(of, self._limit(None))
            except NeverCame as error:
                raise ExpectationError(self._never_rang()) from error
            self._wait_for_others(leg, of)
            self._add_landing(of, leg)
            of.obeyed(leg.facts.began)

    def _first_ringing(self, of: Call, limit: float) -> Leg:
        """The first call at its phones. Raises :class:`NeverCame`."""
        numbers = self._context.own_numbers
        return self._context.phones.first_incoming(
            self.phones, limit, unless=of.is_over, numbers=numbers
        )

    def _never_rang(self) -> Finding:
        # if any agent rings, the request was understood
        asked = [] if self._context.phones.rang() else self._context.asked
        return self._evidence.expect(self._missed(), sound_due=asked)

    def _answer(self, of: Call, within: float | None) -> Call | ReportedCall:
        limit, began = self._limit(within), self._now()

        def is_decided() -> bool:
            return of.is_over() or any(phone.incoming for phone in self.phones)

        with self._evidence.step(f"{self.name} rings, and an agent answers"):
            if self.before is not None:
                self._wait_while_declined(is_decided, limit)
            try:
                leg = self._first_ringing(of, limit)
            except NeverCame as error:
                if self._may_be_with_others(of):
                    return self._with_others(of, began, error)
                raise ExpectationError(self._never_rang()) from error
            of.end_quiet()
            self._wait_for_others(leg, of)
            self.was_declined()
            leg = self._told_apart(leg, of)
            self._add_landing(of, leg)
            self._comes_behind_announcement(of, leg)
            of.obeyed(leg.facts.began)
            leg.answer()
            leg.wait_state("confirmed", within=self._context.patience)
            taken = self._context.calls.add(Call(self._context, leg, "agent", peer=of))
            taken.beside = [Call(self._context, other, "agent") for other in self._others(leg)]
            for ringing in (taken, *taken.beside):
                ringing.group = self.name
            if digit := self._deployment.phones[leg.phone.name].accept:
                self._accept(taken, of, digit)
            self._others_stop(taken)
            self._hears_out(taken, of)
            return taken

    def _comes_behind_announcement(self, of: Call, leg: Leg) -> None:
        if of.announced is None:
            return
        began, seconds = of.announced
        is_too_soon = leg.facts.began < began + seconds / 2
        self._evidence.expect(reach.announced_first.of(leg.phone.name, seconds, is_too_soon))

    def _accept(self, taken: Call, caller: Call, digit: str) -> None:
        """Press the digit that takes the call, once the prompt that names it is over. Before that
        the caller must not be heard.
        """
        leg = taken.leg
        taken.hears_sound(leg.facts.began, self._now() + self._context.patience)
        wait_for_pause(leg)
        is_connected = caller.mark in leg.facts.marks_heard()
        self._evidence.expect(landing.accepted.of(leg.phone.name, digit, is_connected))
        taken.press(digit)
        taken.connected_at = self._now()

    def _others_stop(self, taken: Call) -> None:
        """The phones beside it stop ringing once an agent has the call."""
        limit = self._deployment.expect.released_within_s
        for other in taken.beside:
            ended = other.released_at(self._now() + limit)
            self._evidence.expect(
                landing.stops.of(other.phone_name, ended is not None, limit),
                strangers=self._context.strangers_of([other.first_leg]),
            )

    def _may_be_with_others(self, of: Call) -> bool:
        """Whether agents without harness phones may have the call: it goes on, and rings at no
        phone of another group.
        """
        return self.entry.others and not of.is_over() and set(self._rang().values()) <= {self.name}

    def _with_others(self, of: Call, began: float, error: NeverCame) -> ReportedCall:
        if self._deployment.may_be_reported(self.name):
            return self._by_report(of, 0.0, began)
        expected = f"the call lands at {self.name}"
        why = f"no harness phone took it, and other agents of {self.name} have none"
        measured = Landing(wanted=self.name)
        unseen = self._evidence.unseen("landing", "the call", expected, why, measured)
        raise NotObservableError(unseen) from error

    def _hears_out(self, agent: Call, caller: Call) -> None:
        """Wait for a caller who is answered only after the platform has spoken to the agent (a
        whisper).
        """
        began = self._now()

        def is_heard_out() -> bool:
            is_silent = self._now() > agent.leg.facts.last_spoken(began) + _SPEAKS_WITHIN_S
            return is_silent or caller.answered_at() is not None or caller.is_over()

        self._context.wait_for(is_heard_out, WHISPER_S, "what the platform says to the agent")

    def _by_report(self, of: Call, longer_s: float, began: float | None = None) -> ReportedCall:
        """People without harness phones take the call: the caller stays as the file says, and
        ``longer_s`` longer, and the platform's report shows it later.
        """
        landed = ReportedCall(self._context, self, of, began)

        def is_decided() -> bool:
            return of.is_over() or self._surely_rang_elsewhere()

        with self._evidence.step(f"{self.name} takes the call, at phones that are not ours"):
            why = "staying with people no harness phone hears"
            self._context.wait_for(is_decided, landed.stays_s + longer_s, why)
            if self._surely_rang_elsewhere():
                landed.is_seen = True
                raise ExpectationError(self._evidence.expect(self._landed()))
        return landed

    def _told_apart(self, leg: Leg, of: Call) -> Leg:
        """The call at an agent: behind turns that decline, if only a later turn tells the group
        from one of the same people.
        """
        if self.name not in self._deployment.groups:
            return leg
        turn = self._deployment.telling_turn(self.name)
        if turn is None or self._told_by_turns:
            return leg
        self.rings_in_turns(of, turn + 1)
        return self._first_ringing(of, self._limit(None)) if turn else leg

    def rings_in_turns(self, of: Call, count: int | None = None) -> None:
        """The agents ring as the group is set up; those of every turn, or of the first ``count``,
        but the last decline.
        """
        self._told_by_turns = True
        self._wait_in_queue(of)
        turns = self.entry.turns[:count]
        later = list(self.phones)
        for number, turn in enumerate(turns, start=1):
            phones = [phone for phone in self.phones if phone.name in turn]
            later = [phone for phone in later if phone not in phones]
            legs = self._turn_rings(phones, later, of)
            if number < len(turns):
                for leg in legs:
                    self.declined.append(leg)
                    _decline(leg)

    def _wait_in_queue(self, of: Call) -> None:
        def is_decided() -> bool:
            return of.is_over() or bool(self._surely_rang())

        if self.entry.queue_s:
            with self._evidence.step(f"the caller waits in the queue of {self.name}"):
                self._context.wait_for(is_decided, self.entry.queue_s, "waiting in the queue")

    def _turn_rings(self, phones: Sequence[Phone], later: Sequence[Phone], of: Call) -> list[Leg]:
        """The calls at the phones of one turn, which must all ring; those of ``later`` turns must
        not.
        """
        limit = self._context.patience + self.entry.pause_s
        with self._evidence.step(f"{', '.join(phone.name for phone in phones)} ring"):
            legs = [self._ringing(phone, limit, of) for phone in phones]
        for phone, leg in zip(phones, legs, strict=True):
            self._evidence.expect(landing.turn.of(phone.name, leg is not None, its_turn=True))
        if later:  # who rings before the turn may do so a moment later
            self._context.pause(_OUT_OF_TURN_S, "listening for agents who ring out of turn")
        for phone in later:
            came = phone.incoming
            self._evidence.expect(
                landing.turn.of(phone.name, bool(came), its_turn=False),
                strangers=self._context.strangers_of(came),
            )
        return [leg for leg in legs if leg is not None]

    def _ringing(self, phone: Phone, within: float, of: Call) -> Leg | None:
        """The call that rings at ``phone``; None if none comes in that time."""

        def ringing() -> Leg | None:
            for leg in phone.incoming:
                if _may_be_answered(leg):
                    return leg
            return None

        return self._context.wait_for(ringing, within, given_up=of.is_over)

    def _wait_for_others(self, leg: Leg, of: Call) -> None:
        """If the agent is in another group too, let the phone ring until it is clear which group
        was called.

        A platform may ring agents a moment apart, and rings no other once one of them has answered.
        """
        others = self._other_groups_of(leg.phone.name)
        if not others:
            return
        one_turn_s = min(_ONE_TURN_S, *(group.ring_s / 2 for group in (self.entry, *others)))
        within = leg.facts.began + one_turn_s - self._now()

        def is_clear() -> bool:
            rang = set(self._context.phones.rang())
            return of.is_over() or not any(rang <= set(group.present) for group in others)

        why = "listening for agents of the same turn who ring a moment later"
        self._context.wait_for(is_clear, within, why)

    def _other_groups_of(self, agent: str) -> list[GroupEntry]:
        """The other groups in which the agent is present; not those that ring the same people
        first.
        """
        first = set(self.entry.first_turn)
        found = []
        for name, group in self._deployment.groups.items():
            rings_same_people = set(group.first_turn) == first
            if name != self.name and agent in group.present and not rings_same_people:
                found.append(group)
        return found

    def _surely_rang(self) -> list[str]:
        """The agents who were certainly called for the case."""
        return self._context.phones.rang(self._context.own_numbers)

    def _surely_rang_elsewhere(self) -> bool:
        return bool(set(self._surely_rang()) - set(self.entry.agents))

    def _rang(self) -> dict[str, str]:
        """The agents who were called, with their groups; not those who were to decline."""
        declined = [phone.name for phone in self.before.phones] if self.before else []
        return {
            phone: self._group_of(phone)
            for phone in self._context.phones.rang()
            if phone not in declined
        }

    def _add_landing(self, of: Call, leg: Leg) -> None:
        """The finding on the landing; the platform's report makes it where nothing at the phones
        tells the group from its twins.
        """
        landed = self._landed()
        if landed.given.get("untold") and self._deployment.is_told_by_report(self.name):
            ReportedCall(self._context, self, of, leg.facts.began, is_heard=True)
        else:
            self._evidence.expect(landed)

    def _landed(self) -> Expected:
        rang = self._rang()
        ours = [phone for phone, group in rang.items() if group == self.name]
        alike = self._deployment.alike(self.name, ours) if ours else []
        untold = self._untold(ours) if ours else ""
        return landing.landed.of("the call", self.name, rang, alike=alike, untold=untold)

    def _untold(self, rang: Collection[str]) -> str:
        """Why the agents who rang do not tell which group was called; empty where they do."""
        if self.name not in self._deployment.groups:
            return ""
        twins = self._deployment.twins(self.name)
        if twins:
            return f"nothing tells it from {', '.join(twins)}, which has the same people"
        rivals = self._rivals(rang)
        if not rivals:
            return ""
        missing = ", ".join(name for name in self.entry.first_turn if name not in rang)
        return f"{missing} did not ring with it, as if {' or '.join(rivals)} had been called"

    def _rivals(self, rang: Collection[str]) -> list[str]:
        """Groups whose first turn is who rang, where this group's first turn is more than that."""
        if self.entry.others or not set(rang) < set(self.entry.first_turn):
            return []
        groups = self._deployment.groups
        alike = self._deployment.alike(self.name, rang)
        return [name for name in alike if set(groups[name].first_turn) == set(rang)]

    def _missed(self) -> Expected:
        """No agent of the group could take the call: one who is away may have been called, or a
        phone refused it.
        """
        rang = self._rang()
        in_vain = [phone for phone, group in rang.items() if group == self.name]
        elsewhere = {phone: group for phone, group in rang.items() if group != self.name}
        return landing.landed.of("the call", self.name, elsewhere, in_vain)

    def _group_of(self, phone: str) -> str:
        """The group of an agent; this one if the agent is in several."""
        groups = self._deployment.groups
        if self.name in groups and phone in groups[self.name].agents:
            return self.name
        return next(name for name, group in groups.items() if phone in group.agents)

    def _others(self, answered: Leg) -> list[Leg]:
        """The legs of the other agents who rang for the same call, without those that a scenario
        took.
        """
        taken = {call.first_leg.id for call in self._context.calls.own}
        since = answered.facts.began - ONE_CALL_S
        found: list[Leg] = []
        for phone in self.phones:
            if phone is not answered.phone:
                free = [leg for leg in phone.incoming if leg.id not in taken]
                found += [leg for leg in free if leg.facts.began >= since]
        return found


def _may_be_answered(leg: Leg) -> bool:
    """Whether it rings, or is about to."""
    return leg.state not in ("disconnected", "confirmed")


def _decline(leg: Leg) -> None:
    leg.taken = True
    leg.reject(486)


class AssistantOf(CasePart):
    """The AI assistant of a line."""

    def __init__(self, context: CaseContext, ai: Ai, line: Line) -> None:
        super().__init__(context)
        self._ai = ai
        self.line = line
        self.name = str(line.entry.ai)
        #: Digits on which it does nothing.
        self.idle_digits = context.deployment.idle_digits(self.name)

    def expect_call(self, of: Call, within: float | None = None) -> AiCall:
        """The AI answers the call ``of``; fails when another does, or none."""
        limit = within if within is not None else self._context.patience
        limit += self.line.entry.announcement_s
        with self._evidence.step(f"the AI answers ({self.name})"):
            endpoint = self._ai.endpoint
            talk = endpoint.expect_call(of, self.name, limit)
            answered = [] if talk is not None else endpoint.answered_by(of)
            if answered == [self.name]:  # its record has come meanwhile
                talk = endpoint.expect_call(of, self.name, 0.0)
            if talk is None:
                missed = self._missed(of, answered)
                raise ExpectationError(self._evidence.expect(missed))
            self._answered_by(talk, of)
            self._comes_behind_announcement(of)
            return talk

    def _missed(self, of: Call, answered: Sequence[str]) -> Expected:
        """The AI did not answer; ``answered``: the assistants that did."""
        state = of.state()
        group = self._deployment.groups.get(self.line.entry.group or "")
        declined = group.agents if group else ()
        rang = [name for name in self._context.phones.rang() if name not in declined]
        return landing.only_one.of(
            "the call",
            [*answered, *(f"the phone {name}" for name in rang)],
            self.name,
            code=state.code if state else 0,
            state=state.state if state else "none",
            attempted=self._ai.endpoint.attempts(of),
            unseen=self._ai.endpoint.blind,
        )

    def _answered_by(self, talk: AiCall, of: Call) -> None:
        """This assistant answered the call, and no other."""
        if talk.is_unknown:
            expected = f"only {self.name} answers"
            why = "Synthflow's interface does not say who did"
            self._evidence.unseen("landing.answered_by", "the call", expected, why)
            return
        answerer = talk.assistant or "an unknown assistant"
        self._evidence.expect(landing.only_one.of("the call", [answerer], self.name))
        if talk.assistant == self.name:
            self._context.looks_later.append(lambda: self._given_to_others(of))

    def takes_over(self, of: Call, group: Group) -> AiCall:
        """The AI answers what another assistant handed to the number of ``group``; fails when
        another does, or none.
        """
        context, endpoint = self._context, self._ai.endpoint
        limit = context.patience + context.more_patience
        with context.evidence.step(f"the AI answers what was handed to {group.name} ({self.name})"):
            talk = endpoint.expect_call(of, self.name, limit)
            of.assistants.add(self.name)
            of.end_quiet()
            of.end_silence()
            if talk is not None and talk.is_unknown:
                why = "Synthflow's interface does not say who took the call"
                expected = f"the call lands at {group.name}"
                context.evidence.unseen("landing", "the call", expected, why)
                return talk
            rang = dict.fromkeys(context.phones.rang(), "people")
            if talk is not None:
                rang[talk.label] = group.name if talk.assistant == self.name else "the AI"
            landed = landing.landed.of("the call", group.name, rang)
            if talk is None:
                raise ExpectationError(context.evidence.expect(landed, sound_due=context.asked))
            context.evidence.expect(landed)
            of.obeyed(context.clock.monotonic())
            return talk

    def _comes_behind_announcement(self, of: Call) -> None:
        if of.announced is None:
            return
        (began, seconds), endpoint = of.announced, self._ai.endpoint
        is_too_soon = bool(endpoint.reached_before(of, began + seconds / 2))
        if is_too_soon or not endpoint.blind:
            self._evidence.expect(reach.announced_first.of("the AI", seconds, is_too_soon))

    def expect_calls(self, of: Iterable[Call]) -> list[tuple[Call, AiCall]]:
        """The AI answers each of these calls, which are placed as they are taken from ``of``; fails
        as :meth:`expect_call` does.

        A harness phone answers each as it comes: the limits may hold the next one back for longer
        than the platform lets it ring.
        """
        calls = of if self._ai.is_ours else list(of)
        return [(call, self.expect_call(call)) for call in calls]

    def _given_to_others(self, of: Call) -> list[Expected]:
        """What shows that the call came to another assistant as well, which the interface may
        report late.
        """
        if any(call.number == of.number and call is not of for call in self._context.calls.own):
            return []  # which of the caller's calls came there is unknown
        since = of.answered_at() or of.began

        def look(call: Call) -> list[str]:
            others = self._ai.endpoint.others(call, self.name)
            return [name for name in others if name not in call.assistants]

        others = self._ai.reported(look, of, since)
        if not others:
            return []
        return [landing.only_one.of("the call", [self.name], self.name, called=others)]
