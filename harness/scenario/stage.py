"""The stage of one case: what it may use, what it has found so far, and how it ends."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from functools import cached_property, partial

from harness.audio.marks import reply_to
from harness.checks import audio, dialog, landing, quality, signalling, timing
from harness.checks.finding import excused, judged, kind, missed_by, not_observable
from harness.checks.identity import national
from harness.deployment import Deployment, Timings, Trunk
from harness.errors import BrokenError, FarEndError
from harness.events import Event
from harness.far_end import by_hand, campaign
from harness.far_end.synthflow import CallRecord, SynthflowApi
from harness.limits import CallGate
from harness.matrix import Case
from harness.phone import PhoneConfig
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from harness.phone.pool import PhonePool
from harness.phone.rules import Rules
from harness.phone.waiter import NeverCame
from harness.report.recorder import CaseRecorder
from harness.safety import Guard, numbers_of
from harness.scenario import inquiry
from harness.scenario.ai_place import AiPlace
from harness.scenario.ends import Call, End
from harness.scenario.expect import Expect
from harness.scenario.people import AssistantOf, Caller, Group, Line
from harness.scenario.phones import own_phone
from harness.scenario.seats import Seat, SynthflowSeat
from harness.scenario.talks import Talk
from harness.sip.grammar import SipSyntaxError
from harness.sip.identity import caller_id
from harness.sip.message import Message
from harness.verdict import ExpectationError, Finding, NotObservableError, Verdict, overall

#: What the row on caller IDs from a header asks the AI to show.
HEADER_NUMBER = "+12065550177"
#: What an id of a call is made of.
_CALL_ID = re.compile(r"[A-Za-z0-9_.-]{1,80}")
#: An agent's phone rings for strangers while it waits for the case's call.
_SHARED_CALLS = 3
_TOLD_ID = re.compile(r"^x-ci[ \t]*:[ \t]*([A-Za-z0-9_.-]{1,80})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)

#: The marks set aside for them (``Assistant.voice``).
ASSISTANTS_VOICES = range(240, 256)
#: How long a call may wait until the deployment's limits let it be placed, in seconds.
ADMITTED_WITHIN_S = 30.0


#: How soon after an event a finding on its time is made.
_FOUND_WITHIN_S = 0.25

#: How long after other agents began to ring the right ones are still waited for.
_ELSEWHERE_S = 0.5


class Stage:
    """One case's callers, lines, groups and AI, its findings and its evidence."""

    def __init__(
        self,
        case: Case,
        deployment: Deployment,
        timings: Timings,
        recorder: CaseRecorder,
        pool: PhonePool,
        marks: Iterator[int],
        api: SynthflowApi | None,
        gate: CallGate,
    ) -> None:
        self.case = case
        self.deployment = deployment
        self.timings = timings
        self.recorder = recorder
        self.patience = deployment.expect.patience_s  #: for what nobody set a time for, in seconds
        #: False where other processes lease these phones for their own cases: a registration that is kept would then
        #: draw their calls, or theirs would replace it unnoticed (RFC 3261 section 10.2.1).
        self.keeps_registrations = True
        #: For how long, between two moments, the harness itself was kept waiting for a processor.
        self.starved: Callable[[float, float], float] = lambda begin, end: 0.0
        self.findings: list[Finding] = []
        self._later: list[Callable[[], None]] = []
        self._pool = pool
        self._marks = marks
        self._api = api
        self._guard = Guard(deployment)
        self._rules = Rules(
            self._guard, partial(gate.admit, within=ADMITTED_WITHIN_S), deployment.limits.seconds_per_call
        )
        self._phones: dict[str, Phone] = {}
        self._calls: list[Call] = []
        self._talks: list[Talk] = []
        self._asides: list[threading.Thread] = []
        self._aside_error: BaseException | None = None
        self.more_patience = 0.0  #: for what a caller has asked for
        self._api_troubles: list[str] = []
        self._began = time.monotonic()

    # -- evidence

    def sink(self, event: Event) -> None:
        """Record an event."""
        self.recorder.event(event)

    def add(self, finding: Finding) -> Finding:
        """Record a finding. What came too late by no more than the harness itself was kept waiting speaks against nobody."""
        missed_s = missed_by(finding) if finding.verdict is Verdict.FAILED else None
        if missed_s is not None:
            starved_s = self.starved(finding.at - missed_s - _FOUND_WITHIN_S, finding.at)
            if starved_s >= missed_s:
                finding = excused(finding, starved_s)
        if self.deployment.expect.may_do_without(self.case.row.id, finding.check):
            finding = replace(finding, dispensable=True)
        self.findings.append(finding)
        self.recorder.finding(finding)
        return finding

    def step(self, title: str) -> AbstractContextManager[None]:
        """A named part of the case."""
        return self.recorder.step(title)

    def scripted(self, seconds: float, why: str) -> None:
        """Time the case takes on purpose."""
        self.recorder.scripted(seconds, why)

    def where(self, end: End) -> str:
        """The number of the INVITE that ``end`` got, as reports have it; empty when it is no message of ours."""
        if not isinstance(end, Call):
            return ""
        first = next((m for m in end.messages() if m.text.startswith("INVITE ")), None)
        return (self.recorder.number(first) or "") if first else ""

    def api_trouble(self, error: FarEndError) -> None:
        """The far end's interface failed: said once, it lowers what can be known, never the call's verdict."""
        if str(error) not in self._api_troubles:
            self._api_troubles.append(str(error))
            self.recorder.note(str(error))

    # -- who takes part

    @cached_property
    def trunk(self) -> Trunk:
        """The trunk of the case."""
        return self.deployment.trunk(self.case.trunk)

    def line(self, name: str) -> Line:
        """A line of the deployment, over the trunk of the case."""
        entry = self.deployment.lines[name]
        assistant = self.deployment.assistants[entry.assistant]
        return Line(name, self.deployment.did(name, self.trunk.name), entry, self.trunk, assistant)

    def phone(self, config: PhoneConfig, *, register: bool = True) -> Phone:
        """A softphone for the rest of the case; one of the same name with another configuration takes its place."""
        name = config.name
        if name in self._phones and self._phones[name].config != config:
            self._phones.pop(name).release()
        if name not in self._phones:
            phone = self._pool.lease(
                config, sink=self.sink, marks=self._marks, directory=self.recorder.directory, rules=self._rules
            )
            self._phones[name] = phone
            if register and config.registrar:
                state = phone.register(within=self.patience)
                if not state.active:
                    raise BrokenError(
                        f"phone {name} cannot register at {config.registrar}: {state.code} {state.reason}"
                    )
        return self._phones[name]

    def caller(self, name: str = "caller", **more: object) -> Caller:
        """A caller, with the codec of the case unless told otherwise."""
        if "codecs" not in more and "codec" in self.case.axes:
            more["codecs"] = (self.case.axes["codec"].upper(),)
        entry = self.deployment.phones[name]
        phone = self.phone(own_phone(self.deployment, name, **more))
        return Caller(self, name, phone, entry.number or entry.aor_user)

    def group(self, name: str) -> Group:
        """A ring group with its agents at their phones."""
        entry = self.deployment.groups[name]
        more = {"max_calls": _SHARED_CALLS} if entry.shared else {}
        phones = [self.phone(own_phone(self.deployment, agent, **more)) for agent in entry.agents]
        if entry.shared:
            for phone in phones:
                phone.is_ours = self.may_be_ours
        return Group(self, name, entry, phones)

    def may_be_ours(self, leg: Leg) -> bool:
        """Whether a call may be of this case: it shows a number of the deployment's, or none that can be read."""
        invite = next((m for m in leg.messages if m.text.startswith("INVITE ")), None)
        if invite is None:
            return True
        try:
            shown = caller_id(Message.parse(invite.text), self.deployment.region).number
        except SipSyntaxError:
            return True
        return shown is None or shown in self._numbers

    @cached_property
    def _numbers(self) -> frozenset[str]:
        fixed = {assistant.fixed_caller_id for assistant in self.deployment.assistants.values()}
        return frozenset({*numbers_of(self.deployment), HEADER_NUMBER} | {number for number in fixed if number})

    def all_groups(self, but: Group | None = None) -> list[Group]:
        """Every group that has agents, so that a call landing in the wrong one is seen."""
        names = [n for n, entry in self.deployment.groups.items() if entry.agents and (but is None or n != but.name)]
        return [self.group(name) for name in names]

    def group_of_topic(self, topic: str | None) -> Group:
        """The group with that topic. Raises :class:`BrokenError`."""
        for name, entry in self.deployment.groups.items():
            if entry.topic == topic and topic is not None:
                return self.group(name)
        raise BrokenError(f"groups: none has the topic {topic!r}")

    @cached_property
    def ai(self) -> AiPlace:
        """The AI's place in this case."""
        return AiPlace(self)

    @property
    def seat(self) -> Seat:
        """Who can be called there."""
        return self.ai.seat

    def assistant(self, line: Line) -> AssistantOf:
        """The AI assistant a line leads to."""
        return AssistantOf(self, line)

    @property
    def api(self) -> SynthflowApi:
        """Synthflow's API. Raises :class:`BrokenError` where there is none."""
        if self._api is None:
            raise BrokenError("synthflow: this deployment names no API, so nobody can look at the AI's side")
        return self._api

    def domain_of(self, phone: str) -> str:
        """The domain a phone dials in."""
        return self.deployment.accounts[self.deployment.phones[phone].account].domain

    def expect(self, subject: End | Group) -> Expect:
        """Expectations of a call or a group."""
        return Expect(self, subject)

    # -- what scenarios and their words ask the stage

    def called(self, call: Call) -> Call:
        """Keep a call in mind until the case is over."""
        self._calls.append(call)
        return call

    def talked(self, talk: Talk) -> Talk:
        """Keep a talk of the AI's in mind until the case is over."""
        self._talks.append(talk)
        return talk

    def assistant_of(self, number: str | None) -> str | None:
        """Which assistant has this number."""
        found = (name for name, assistant in self.deployment.assistants.items() if assistant.did == number)
        return next(found, None)

    @property
    def poll_s(self) -> float:
        """Between two looks at the far end's records."""
        return self.deployment.synthflow.poll_s if self.deployment.synthflow else 1.0

    def record_of(self, of: Call, number: str) -> CallRecord | None:
        """The far end's record of the call ``of`` to ``number``, if it can be found."""
        seat = self.seat
        return seat.find(of, number) if isinstance(seat, SynthflowSeat) else None

    def later(self, look: Callable[[], None]) -> None:
        """Make a finding when the calls are over: what it looks at is not told before."""
        self._later.append(look)

    def callers_numbers(self) -> set[str]:
        """The numbers of all callers on stage."""
        return {call.number for call in self._calls if call.number}

    def be_patient(self, seconds: float) -> None:
        """What comes next may take so much longer than the deployment's patience: whoever asks may have to ask again."""
        self.more_patience = seconds

    def ids_told(self, of: Call) -> set[str]:
        """Synthflow's ids of the call ``of`` (``x-ci``), where they pass: on its own messages, and on those to an agent.

        An agent's call says nothing where several callers are on stage.
        """
        legs = [of.first_leg, of.leg]
        if len(self.callers_numbers()) == 1:
            legs += [leg for phone in self._phones.values() for leg in phone.incoming]
        texts = (message.text for leg in legs for message in leg.messages if message.direction == "received")
        return {found for text in texts for found in _TOLD_ID.findall(text)}

    def rang(self) -> list[str]:
        """The agents that were called."""
        agents = {agent for group in self.deployment.groups.values() for agent in group.agents}
        return [name for name, phone in self._phones.items() if phone.incoming and name in agents]

    def first_incoming(self, phones: Sequence[Phone], within: float, unless: Call) -> Leg:
        """The first call that reaches one of ``phones``, ringing.

        Raises :class:`NeverCame`, before the time is over when ``unless`` ends or other agents ring instead.
        """
        if not phones:
            raise BrokenError("nobody of that group has a phone here, so its call cannot be seen")
        deadline = time.monotonic() + within
        names = {phone.name for phone in phones}
        slice_s = 0.05 if len(phones) > 1 else 0.25
        while True:
            for phone in phones:
                try:
                    return phone.expect_call(within=max(0.0, min(deadline - time.monotonic(), slice_s)), answer=False)
                except NeverCame:
                    if time.monotonic() >= deadline or unless.is_over():
                        raise
            if set(self.rang()) - names:  # it may still ring here as well, but not much later
                deadline = min(deadline, time.monotonic() + _ELSEWHERE_S)

    def pause(self, seconds: float) -> None:
        """Let time pass on purpose. The loss of the world is raised out of it, by a signal."""
        time.sleep(seconds)

    def aside(self, work: Callable[[], None]) -> None:
        """Do something while the scenario goes on; its error breaks the case."""

        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # re-raised by conclude(), in the scenario's own thread
                self._aside_error = error

        thread = threading.Thread(target=guarded, name="aside", daemon=True)
        self._asides.append(thread)
        thread.start()

    def attempts(self, of: Call) -> list[str]:
        """What the AI's side saw of a call that was not answered: statuses, where its interface lists them."""
        seat = self.seat
        if isinstance(seat, SynthflowSeat):
            return [f"{record.status}:{record.number_to}" for record in seat.records(of)]
        return []

    def start_campaign(self, line: Line, customer: Caller) -> None:
        """Have the platform's campaign call ``customer`` from ``line``, by the deployment's trigger."""
        trigger = self.deployment.campaign
        if trigger is None:
            raise self._cannot_start(line, "nothing here can start one")
        self._guard.number(customer.number)
        with self.step(f"a campaign calls {customer.name}"):
            if trigger.trigger == "http":
                campaign.start(trigger, line.did, customer.number)
                return
            if not by_hand.ask(f"{self.case.id}: have the campaign of {line.did} call {customer.number} now"):
                raise self._cannot_start(line, "it has to be started by hand, and nobody is there to do it")
            began = time.monotonic()
            while not customer.phone.incoming:
                if time.monotonic() - began >= trigger.manual_within_s:
                    raise self._cannot_start(line, f"nobody started it within {trigger.manual_within_s:g} s")
                self.pause(0.1)
            self.scripted(time.monotonic() - began, "until somebody started the campaign")

    def _cannot_start(self, line: Line, why: str) -> NotObservableError:
        finding = not_observable("campaign", line.did, expected="a campaign's call", why=why)
        return NotObservableError(self.add(finding))

    def prepared(self, caller: str, number: str) -> str | None:
        """An id that the AI's interface will keep the coming call's record under; None when it gives none."""
        declared = self.deployment.synthflow
        if declared is None or not declared.prepare or self._api is None or self.ai.is_ours:
            return None
        try:
            found = self._api.prepare_inbound(caller, number)
        except FarEndError as error:
            self.api_trouble(error)
            return None
        if not _CALL_ID.fullmatch(found):  # it goes into a header
            self.api_trouble(FarEndError("Synthflow API: POST /prepare_inbound: an id that no header can carry"))
            return None
        return found

    def number_as(self, number: str, form: str) -> str:
        """A number to dial, as ``e164``, ``national`` or ``tel`` (RFC 3966)."""
        return {"national": national(number), "tel": f"tel:{number}"}.get(form, number)

    def shown_number(self, line: Line, caller: Caller) -> str:
        """The number an agent sees after a warm transfer on this line, as its assistant is set up."""
        match line.assistant.transfer_caller_id:
            case "agent":
                return line.assistant.did
            case "fixed":
                return str(line.assistant.fixed_caller_id)
            case "header":
                return HEADER_NUMBER
            case _:
                return caller.number

    def header_for_caller_id(self, line: Line) -> list[tuple[str, str]]:
        """The header that names the number to show, where the line's assistant takes it from one."""
        name = line.assistant.caller_id_header
        return [(name, HEADER_NUMBER)] if name and line.assistant.transfer_caller_id == "header" else []

    def one_call_each(self, *calls: Call) -> None:
        """Each of these phones has this one call up, and no other."""
        for call in calls:
            phone = call.leg.phone
            up = [leg.id for leg in phone.legs if leg.state not in ("disconnected",)]
            if len(up) > 1:  # the leg that was transferred away may take a moment to end
                call.first_leg_released_at(time.monotonic() + self.deployment.expect.released_within_s)
                up = [leg.id for leg in phone.legs if leg.state not in ("disconnected",)]
            self.add(landing.one_call(phone.name, up, call.leg.id))

    def options(self, caller: Caller) -> tuple[int, str]:
        """OPTIONS to the platform; code and reason of the answer."""
        host, port = self.deployment.platform.host, self.deployment.platform.port
        account = self.deployment.accounts[self.deployment.phones[self._an_agent()].account]
        phone = self.phone(own_phone(self.deployment, self._an_agent()))
        parameter = "" if account.transport == "udp" else f";transport={account.transport}"
        return phone.options(f"sip:{host}:{port}{parameter}", within=self.patience)

    def _an_agent(self) -> str:
        return next(agent for group in self.deployment.groups.values() for agent in group.agents)

    def responded(self, what: str, code: int, reason: str, wanted: Sequence[int]) -> None:
        """A request outside of any call was answered as it should be."""
        self.add(signalling.final_response(what, wanted, code, reason))

    def nothing_rings_any_more(self, of: Call, after: float) -> None:
        """Within the deployment's limit every leg that rang for ``of`` has ended."""
        limit = self.deployment.expect.released_within_s
        seat = self.seat
        if isinstance(seat, SynthflowSeat):
            told_within = limit + seat.lag_s
            end = time.monotonic() + told_within + 0.5
            while any(not record.over for record in seat.records(of)) and time.monotonic() < end:
                self.pause(self.poll_s)
            ringing = [record.id for record in seat.records(of) if not record.over]
            took = time.monotonic() - after
            if seat.blind:
                expected = f"the AI's leg ends within {told_within:g} s"
                self.add(
                    not_observable("released", "the AI's leg", expected=expected, why="its interface does not say")
                )
            else:
                self.add(timing.released("the AI's leg", None if ringing else took, told_within))
        for name, phone in self._phones.items():
            for leg in phone.incoming:
                at = Call(self, leg, "other").released_at(after + limit + 0.5)
                self.add(timing.released(f"{name}'s leg", None if at is None else at - after, limit))

    def name_of_mark(self, mark: int) -> str | None:
        """Whose mark it is, None when it belongs to nobody in this case."""
        for call in self._every_call():
            if mark == call.mark or mark == call.first_leg.mark:
                return call.label
            if mark == reply_to(call.first_leg.mark):
                return f"the AI answering {call.label}"
        for name, assistant in self.deployment.assistants.items():
            if assistant.voice == mark:
                return f"assistant {name}"
        return None

    def _every_call(self) -> list[Call]:
        legs = {leg.id for call in self._calls for leg in (call.first_leg, call.leg)}
        rest = [leg for phone in self._phones.values() for leg in phone.legs if leg.id not in legs]
        return [*self._calls, *(Call(self, leg, "other") for leg in rest)]

    # -- the end

    def conclude(self) -> Verdict:
        """The last findings, once the scenario has said its part, and the verdict. Raises what went wrong aside."""
        for thread in self._asides:
            thread.join(timeout=self.patience)
        if self._aside_error is not None:
            raise self._aside_error
        self._look_later()
        for call in self._every_call():
            self._answered_well(call)
            self._no_crossing(call)
            self._little_loss(call)
        verdict = overall(self.findings)
        if verdict is Verdict.FAILED:
            with self.step("a closer look"):
                inquiry.look_closer(self, self._began)
        return verdict

    def _look_later(self) -> None:
        if self._later:
            for call in self._every_call():
                if not call.is_over():
                    call.hang_up()
        for look in self._later:
            look()

    def _answered_well(self, call: Call) -> None:
        if call.leg.direction == "outgoing":
            found = [check(call.label, call.messages()) for check in (dialog.answered_once, dialog.acknowledged)]
            for finding in filter(None, found):
                self.add(finding)

    def _little_loss(self, call: Call) -> None:
        counted = call.leg.statistics()
        if counted is not None and (finding := quality.loss(call.label, counted)):
            self.add(finding)

    def _no_crossing(self, call: Call) -> None:
        heard = [mark for mark in call.marks_sustained() if not self._is_untold(mark)]
        if heard:
            self.add(self.crossing(call, heard))

    def crossing(self, call: Call, heard: Sequence[int]) -> Finding:
        """Whether all of what a call of ours heard belongs to its own conversation."""
        strange = self.strange(call, heard)
        allowed = [mark for mark in heard if mark not in strange]
        own = {call.first_leg.mark, call.mark}
        return audio.no_crossing(call.label, heard, own, allowed, self.name_of_mark)

    def strange(self, call: Call, heard: Collection[int]) -> set[int]:
        """Of marks that ``call`` heard those that nobody in this case should have sent to it, its own among them."""
        own = {call.first_leg.mark, call.mark}
        return {mark for mark in heard if mark in own or self._is_nobodys(mark) or self._is_absent(mark)}

    def _is_nobodys(self, mark: int) -> bool:
        return self.name_of_mark(mark) is None and not self._is_untold(mark)

    def _is_untold(self, mark: int) -> bool:
        """Whether it is some assistant's voice, in a deployment that does not tell which assistant has which."""
        told = any(assistant.voice is not None for assistant in self.deployment.assistants.values())
        return mark in ASSISTANTS_VOICES and not told

    def _is_absent(self, mark: int) -> bool:
        """Whether it is the voice of an assistant that took no call of this case, though others are known to have."""
        took = {talk.assistant for talk in self._talks}
        voices = {assistant.voice: name for name, assistant in self.deployment.assistants.items()}
        return mark in voices and bool(took) and None not in took and voices[mark] not in took

    def own_up(self) -> None:
        """What the row promises to look at, and the scenario in the end did not, nobody has seen: no case passes without."""
        made = Counter(map(kind, self.findings))
        for kinds, least in self.case.row.finds_in(self.case.axes).items():
            seen = sum(made[one] for one in kinds.split("|"))
            if seen < least:
                check = kinds.split("|")[0].partition(" ")[0]
                expected, why = f"{least} of {kinds}", f"the case looked {seen} times"
                self.add(not_observable(check, self.case.row.id, expected=expected, why=why))

    def raise_worst(self) -> None:
        """Raise the first finding of the worst kind, if any did not pass; a case without findings proved nothing."""
        verdict = overall(self.findings)
        if verdict is Verdict.PASSED:
            return
        if not self.findings:
            self.add(
                judged("case", self.case.id, False, expected="at least one finding", actual="nothing was looked at")
            )
            verdict = Verdict.FAILED
        # what the deployment can do without is the reason only where there is no other
        worst = min((f for f in self.findings if f.verdict is verdict), key=lambda f: f.dispensable)
        kind = NotObservableError if worst.verdict is Verdict.NOT_OBSERVABLE else ExpectationError
        raise kind(worst)

    def close(self) -> None:
        """Hang up, give the phones back, keep the far end's last word."""
        for phone in self._phones.values():
            phone.hang_up()  # all at once; each release then waits for what is already under way
        with ExitStack() as stack:
            for name, phone in self._phones.items():
                kept = self.keeps_registrations and name in self.deployment.phones
                stack.callback(phone.release, keep_registration=kept)
            for talk in self._talks:
                keep = getattr(talk, "file_record", None)
                if keep is not None:
                    stack.callback(keep)
