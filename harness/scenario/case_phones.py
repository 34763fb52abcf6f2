"""The softphones of one case, and the concurrent cases that share them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from harness.case.events import Event
from harness.case.model import exchanges, messages_of, read
from harness.deployment import Deployment
from harness.deployment.limits import MOST_WORKERS, Admitted, Gate
from harness.deployment.safety import Guard, numbers_of
from harness.errors import BrokenError
from harness.phone import PhoneConfig
from harness.phone.leg import Leg, accept_every_leg
from harness.phone.phone import Phone
from harness.phone.pool import PhonePool
from harness.phone.rules import Rules
from harness.phone.switchboard import Reservation, Sharing
from harness.phone.waiter import NeverCame
from harness.scenario.evidence import Evidence
from harness.sip.digest import MOST_CHALLENGES, Login
from harness.sip.identity import known_spellings, numbers_shown
from harness.sip.message import Request, Response


@dataclass(frozen=True)
class ConcurrentCases:
    """What distinguishes the case's calls from those of concurrent cases; by default there are
    none.
    """

    switchboard: Path | None = None  #: the place of shared phones; None: the case shares none
    numbers: tuple[str, ...] = ()  #: of the case's callers, E.164
    others: frozenset[str] = frozenset()  #: numbers whose calls are another case's
    lands_at: frozenset[str] = frozenset()  #: the agents at whom no other case expects a call
    withholds: bool = False  #: whether the case's caller withholds the number
    #: The number an agent sees after the case's handover, if it is not the caller's.
    shows: str | None = None

    def sharing(self, lands: bool, region: str) -> Sharing | None:
        """How the case takes part in a phone that it shares; ``lands``: it waits for a call there;
        ``region``: the phone's.
        """
        if self.switchboard is None:
            return None
        shows = self.shows if lands else None
        return Sharing(self.switchboard, self.numbers, lands, self.withholds, region, shows)


ALONE = ConcurrentCases()


#: The number that the row on caller IDs from a header asks the AI to show.
HEADER_NUMBER = "+12065550177"
#: How long a call may wait until the deployment's limits let it be placed, in seconds.
_ADMITTED_WITHIN_S = 30.0
#: A shorter wait is the gate's own work, in seconds.
_WAITED_S = 0.05
#: How long to wait for the right agents after others began to ring.
_ELSEWHERE_S = 0.5


class CasePhones:
    """Leases softphones for the case, and knows which of them rang."""

    def __init__(
        self,
        deployment: Deployment,
        evidence: Evidence,
        pool: PhonePool,
        marks: Iterator[int],
        gate: Gate,
        concurrent: ConcurrentCases = ALONE,
    ) -> None:
        self.concurrent = concurrent  #: the concurrent cases
        self._reserved: list[Reservation] = []
        self._guessed = False
        self._deployment = deployment
        self._evidence = evidence
        self._pool = pool
        self._marks = marks
        self.guard = Guard(deployment)
        self._guards = {deployment.region: self.guard}
        self._gate = gate
        # the cases of every worker may each have a call before this one
        within = max(_ADMITTED_WITHIN_S, 2.0 * MOST_WORKERS / deployment.limits.calls_per_second)
        self._first_placed = -math.inf  #: a platform that is triggered calls before the case does
        self._rules = Rules(
            self.guard,
            self._admitted,
            within,
            deployment.limits.seconds_per_call,
            first_placed=lambda: self._first_placed,
        )
        self._phones: dict[str, Phone] = {}
        #: False where other processes lease these phones for their own cases: a registration that
        #: is kept would then draw their calls, or theirs would replace it unnoticed (RFC 3261
        #: section 10.2.1).
        self.keeps_registrations = True

    def _admitted(self, within: float) -> Admitted:
        """Wait for the deployment's limits. That time is not counted as the harness's overhead."""
        began = time.monotonic()
        permit = self._gate.admit(within)
        if self._first_placed == -math.inf:
            self._first_placed = time.monotonic()
        if (waited := time.monotonic() - began) > _WAITED_S:
            self._evidence.scripted(waited, "until [limits] let the call be placed", began=began)
        return permit

    def lease(
        self,
        config: PhoneConfig,
        *,
        register: bool = True,
        shared: bool = False,
        lands: bool = False,
    ) -> Phone:
        """A softphone for the rest of the case; one of the same name with another configuration
        takes its place.

        ``shared``: the cases beside this one use it as well, where there are any; ``lands``: this
        one waits for a call there.
        """
        name = config.name
        if name in self._phones and self._phones[name].config != config:
            self.leave(self._phones[name])
        if name not in self._phones:
            guard, region = self._guard_at(name), self._deployment.region_at(name)
            phone = self._pool.lease(
                config,
                sink=self._evidence.event,
                marks=self._marks,
                directory=self._evidence.directory,
                rules=replace(self._rules, guard=guard, refer_guard=guard.refer),
                sharing=self.concurrent.sharing(lands, region) if shared else None,
            )
            self._phones[name] = phone
            if register and config.registrar:
                state = phone.register(within=self._deployment.expect.patience_s)
                if not state.active:
                    raise BrokenError(
                        f"phone {name} cannot register at {config.registrar}: {state.code} {state.reason}"
                    )
        return self._phones[name]

    def _guard_at(self, name: str) -> Guard:
        """The guard for the phone's country: the same digits are another number elsewhere."""
        region = self._deployment.region_at(name)
        if region not in self._guards:
            self._guards[region] = Guard(self._deployment, region)
        return self._guards[region]

    def leave(self, phone: Phone) -> None:
        """Give a softphone back before the case is over; its address no longer answers."""
        self._guessed = self.guessed
        self._phones.pop(phone.name).release()

    def reserve(self, config: PhoneConfig) -> None:
        """Keep other cases from sharing a phone at the address of ``config`` for the rest of the
        case.
        """
        if self.concurrent.switchboard is not None:
            self._reserved.append(Reservation(self.concurrent.switchboard, config))

    @property
    def guessed(self) -> bool:
        """Whether a call came whose number does not show which of the concurrent cases it belongs
        to.
        """
        if self._guessed:
            return True
        # where strangers call, too, an unknown number is theirs
        without_strangers = [
            phone for phone in self._phones.values() if phone.is_ours is accept_every_leg
        ]
        return any(phone.guessed for phone in without_strangers)

    @property
    def by_name(self) -> Mapping[str, Phone]:
        """The leased phones."""
        return self._phones

    @property
    def legs(self) -> list[Leg]:
        """All legs of all phones."""
        return [leg for phone in self._phones.values() for leg in phone.legs]

    @property
    def incoming(self) -> list[Leg]:
        """The calls that came to all phones, and may be the case's."""
        return [leg for phone in self._phones.values() for leg in phone.incoming]

    @property
    def fatal_error(self) -> BaseException | None:
        """Why a phone is no longer reliable, or declined what the far end asked."""
        one_each = {phone.process.pid: phone for phone in self._phones.values()}
        for phone in one_each.values():
            if fault := phone.fault():
                return fault
        for phone in self._phones.values():
            if phone.declined:
                return phone.declined
        return None

    @property
    def loss(self) -> BaseException | None:
        """Why a phone of this case, or of its pool, is gone."""
        return self._pool.loss

    def called(
        self, numbers: Collection[str | None] | None = None, since: float = 0.0
    ) -> list[str]:
        """The phones that were called since then, by a call that may be the case's
        (:meth:`may_be_ours`), or by one that is of these callers (:meth:`is_surely_of`).
        """

        def counts(leg: Leg) -> bool:
            is_theirs = numbers is None or self.is_surely_of(leg, numbers)
            return is_theirs and leg.facts.began >= since

        return [name for name, phone in self._phones.items() if any(map(counts, phone.incoming))]

    def rang(self, numbers: Collection[str | None] | None = None, since: float = 0.0) -> list[str]:
        """The agents among them."""
        agents = {agent for group in self._deployment.groups.values() for agent in group.agents}
        return [name for name in self.called(numbers, since) if name in agents]

    def first_incoming(
        self,
        phones: Sequence[Phone],
        within: float,
        unless: Callable[[], bool],
        numbers: Collection[str | None],
    ) -> Leg:
        """The first call that reaches one of ``phones`` and still rings: a platform that rings in
        turns may have gone on by now.

        Raises :class:`NeverCame`. The wait ends early when ``unless`` comes true, or when other
        agents ring for one of the callers with these ``numbers``; a stranger's call without a
        number may ring elsewhere meanwhile.
        """
        if not phones:
            raise BrokenError(
                "no agent of that group has a harness phone, so its call cannot be seen"
            )
        deadline = time.monotonic() + within
        names = {phone.name for phone in phones}
        slice_s = 0.05 if len(phones) > 1 else 0.25
        while True:
            for phone in phones:
                turn_s = max(0.0, min(deadline - time.monotonic(), slice_s))
                try:
                    leg = phone.expect_call(within=turn_s, answer=False)
                except NeverCame:
                    if time.monotonic() >= deadline or unless():
                        raise
                else:
                    if leg.state != "disconnected":
                        return leg
            if set(self.rang(numbers)) - names:  # it may still ring here, but not much later
                deadline = min(deadline, time.monotonic() + _ELSEWHERE_S)

    def may_be_ours(self, leg: Leg) -> bool:
        """Whether a call may be of this case: it shows a number of the deployment's, or none that
        can be read.

        A trunk may assert its own number (P-Asserted-Identity), and leave the caller's in From.
        What the case waits for has the benefit of the doubt; what must not come is judged by
        :meth:`is_surely_of`.
        """
        shown = self.shown(leg)
        return not shown or not self._numbers.isdisjoint(shown)

    def shown_of_ours(self, leg: Leg) -> list[str]:
        """The deployment's numbers that a call shows."""
        return [number for number in self.shown(leg) if number in self._numbers]

    def is_surely_of(self, leg: Leg, numbers: Collection[str | None]) -> bool:
        """Whether a call is of one of these callers: it shows the number, or no stranger calls
        there.
        """
        return leg.phone.is_ours is accept_every_leg or self.shows(leg, numbers)

    def shows(self, leg: Leg, numbers: Collection[str | None]) -> bool:
        """Whether a call shows one of these numbers."""
        return any(number in numbers for number in self.shown(leg))

    def shown(self, leg: Leg) -> tuple[str, ...]:
        """The numbers that a call shows; none if its INVITE cannot be read."""
        invite = leg.facts.invite
        parsed = None if invite is None else read(invite.text)
        if parsed is None:
            return ()
        region = self._deployment.region_at(leg.phone.name)
        return numbers_shown(parsed, region, self._known_spellings)

    @cached_property
    def _numbers(self) -> frozenset[str]:
        found = {*numbers_of(self._deployment), HEADER_NUMBER}
        for name in self._deployment.assistants:
            for handover in self._deployment.handovers(name).values():
                if handover.fixed_caller_id:
                    found.add(handover.fixed_caller_id)
        return frozenset(found)

    @cached_property
    def _known_spellings(self) -> dict[str, str]:
        return known_spellings(self._numbers)

    def hang_up(self) -> None:
        """End all calls at once; each release then waits for what is under way."""
        for phone in self._phones.values():
            phone.hang_up()

    def release(self) -> None:
        """Give all phones back."""
        with ExitStack() as stack:
            for reserved in self._reserved:
                stack.callback(reserved.release)
            for name, phone in self._phones.items():
                kept = self.keeps_registrations and name in self._deployment.phones
                stack.callback(phone.release, keep_registration=kept)


#: The phone itself ends the request by then: timer F, 64 × T1 (RFC 3261 section 17.1.2.2). A
#: platform that is silent has not answered.
_ANSWERED_WITHIN_S: Final = 35.0


def send_options(phone: Phone, uri: str) -> tuple[int, str]:
    """OPTIONS outside of any call, as a keep-alive is (RFC 3261 section 11); status and reason of
    the final response.

    Answers challenges (section 22). Status 0: no response came, whatever the phone says.
    """
    config = phone.config
    login = None
    if config.username and config.password:
        login = Login(config.username, config.password, config.realm)
    credentials: list[tuple[str, str]] = []
    for _ in range(1 + MOST_CHALLENGES):
        seen = len(phone.events)
        code, reason = phone.request(
            "OPTIONS", uri, within=_ANSWERED_WITHIN_S, credentials=credentials
        )
        request, response = _exchange(phone.events[seen:])
        if request is None:
            raise BrokenError(
                f"{phone.name}: its own OPTIONS is not in its log, so its answer is unknown"
            )
        if response is None:
            return 0, f"no final response; the phone itself ended it as {code} {reason}"
        if code not in (401, 407) or login is None:
            return code, reason
        answered = login.answer(request, response)
        if answered is None:
            why = f" ({login.unanswered.why})" if login.unanswered else ""
            return code, reason + why
        credentials = []
        for name in ("Authorization", "Proxy-Authorization"):
            credentials += [(name, value) for value in answered.get_all(name)]
    return code, reason


def _exchange(events: Sequence[Event]) -> tuple[Request | None, Response | None]:
    """The last OPTIONS as it was sent, and its final response."""
    every = exchanges(list(messages_of(events)))
    asked = [each for each in every if each.request.method == "OPTIONS"]
    if not asked:
        return None, None
    request, response = asked[-1].request.message, asked[-1].response
    assert isinstance(request, Request)
    return request, response.response_to("OPTIONS") if response else None
