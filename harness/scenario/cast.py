"""The parties of a case, and what a scenario can make them do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import overload

from harness.case.checks import landing, signalling, timing
from harness.case.verdict import NotObservableError
from harness.deployment import TOPIC_HEADER, Campaign, in_uri
from harness.deployment import Group as GroupEntry
from harness.errors import BrokenError, FarEndError
from harness.phone.phone import Phone
from harness.scenario import handover
from harness.scenario.ai import Ai
from harness.scenario.ai_calls import AiCall
from harness.scenario.call import Call, ended_at
from harness.scenario.case_phones import HEADER_NUMBER, send_options
from harness.scenario.context import CaseContext, CasePart, Line, line_of
from harness.scenario.endpoints import SynthflowEndpoint
from harness.scenario.ends import End
from harness.scenario.evidence import unobserved
from harness.scenario.expect import Expect, ExpectGroup
from harness.scenario.people import AssistantOf, Caller, Group
from harness.scenario.phones import own_phone
from harness.scenario.reported import ReportedCall
from harness.witness import campaign

#: An agent's phone rings for strangers while it waits for the case's call.
_SHARED_CALLS = 3


class Cast(CasePart):
    """The callers, groups and the AI of one case."""

    def __init__(self, context: CaseContext) -> None:
        super().__init__(context)
        self.ai = Ai(context)

    @property
    def context(self) -> CaseContext:
        """The case."""
        return self._context

    @property
    def _callers(self) -> list[str]:
        return self._deployment.callers_from(self._context.case.caller)

    def line(self, name: str) -> Line:
        """A line of the deployment, over the trunk of the case."""
        return line_of(self._deployment, self._context.trunk, name)

    def assistant(self, line: Line) -> AssistantOf:
        """The AI assistant a line leads to."""
        return AssistantOf(self._context, self.ai, line)

    def assistant_behind(self, group: Group) -> AssistantOf:
        """The assistant that takes the group's calls."""
        line = self._deployment.line_behind(group.name)
        assert line is not None, f"no assistant takes the calls to {group.name}"
        return self.assistant(self.line(line))

    @overload
    def expect(self, subject: End) -> Expect: ...

    @overload
    def expect(self, subject: Group) -> ExpectGroup: ...

    def expect(self, subject: End | Group) -> Expect | ExpectGroup:
        """Expectations of a call, or of a group."""
        if isinstance(subject, Group):
            return ExpectGroup(self._context, subject)
        return Expect(self._context, subject)

    def caller(self, name: str | None = None, **more: object) -> Caller:
        """A caller, the first one unless named, with the codec of the case unless told otherwise."""
        name = name or self._callers[0]
        if "codecs" not in more and "codec" in self._context.case.axes:
            more["codecs"] = (self._context.case.axes["codec"].upper(),)
        entry = self._deployment.phones[name]
        phone = self._context.phones.lease(own_phone(self._deployment, name, **more))
        return Caller(self._context, name, phone, entry.number or entry.aor_user)

    def callers(self, count: int, **more: object) -> list[Caller]:
        """The first ``count`` callers."""
        return [self.caller(name, **more) for name in self._callers[:count]]

    def customer(self) -> Caller:
        """The customer whom the campaign calls."""
        return self.caller(self._deployment.customer)

    def group(self, name: str) -> Group:
        """A ring group with its agents at their phones."""
        entry = self._deployment.groups[name]
        more = {"max_calls": _SHARED_CALLS} if entry.shared else {}
        phones = [self._agent(agent, **more) for agent in entry.present]
        if entry.shared:
            for phone in phones:
                phone.is_ours = self._context.phones.may_be_ours
        return Group(self._context, name, entry, phones)

    def people(self, line: Line) -> Group:
        """The group that takes the call to a number of people or a closed one, also if its own
        agents do not.
        """
        if self._context.case.row.out_of_hours:
            closed = self._deployment.opening(line.name).closed
            if closed:
                return self.group(closed)
            message = GroupEntry(empty=True, announcement=True)
            return Group(self._context, "the message", message, [])
        assert line.entry.group is not None, f"{line.name} does not lead to people"
        first = self.group(line.entry.group)
        overflow = self._context.case.axes.get("overflow")
        if overflow is None:
            return first
        if overflow != first.name:
            taker = self.group(overflow)
        else:  # the group's own machine takes what its agents decline
            machine = first.entry.model_copy(update={"agents": (), "empty": True, "queue_s": 0.0})
            taker = Group(self._context, first.name, machine, [])
        taker.before = first
        return taker

    def taker_of(self, group: Group) -> Group:
        """The group that takes over from another: out of its hours, or when its agents decline."""
        is_closed = self._context.case.row.out_of_hours
        name = group.entry.closed if is_closed else group.entry.overflow
        assert name is not None, f"no group takes over from {group.name}"
        taker = self.group(name)
        taker.before = None if is_closed else group
        return taker

    def _agent(self, name: str, **more: object) -> Phone:
        lands = name in self._context.concurrent.lands_at
        return self._context.phones.lease(
            own_phone(self._deployment, name, **more), shared=True, lands=lands
        )

    def all_groups(self, but: Group | None = None) -> list[Group]:
        """Every group that has agents, so that a wrong landing is seen; without the agents of
        ``but``.

        An agent who is in several is in the first of them alone: the same telephone.
        """
        entries = self._deployment.groups
        groups = [self.group(name) for name, entry in entries.items() if entry.present]
        groups += [self._away(name) for name, entry in entries.items() if entry.away]
        found: list[Group] = []
        named: list[Phone] = []
        if but is not None:
            named += but.phones
            if but.before is not None:
                named += but.before.phones
        for group in groups:
            phones = [phone for phone in group.phones if phone not in named]
            named += phones
            if phones:
                found.append(Group(self._context, group.name, group.entry, phones))
        return found

    def _away(self, name: str) -> Group:
        """The agents who are away from this group and present in no other."""
        entry = self._deployment.groups[name]
        here = self._present_agents()
        phones = [self._agent(agent) for agent in entry.away if agent not in here]
        return Group(self._context, name, entry, phones)

    def _present_agents(self) -> list[str]:
        groups = self._deployment.groups.values()
        return [agent for group in groups for agent in group.present]

    def group_of_topic(self, topic: str | None) -> Group:
        """The group with that topic. Raises :class:`BrokenError`."""
        names = self._deployment.groups_of_topic(topic)
        if not names:
            raise BrokenError(f"groups: none has the topic {topic!r}")
        return self.group(names[0])

    def landed_by_its_handover(self, call: Call, talk: AiCall, group: Group) -> None:
        """The agents rang for the requested handover, and not for another whose group they are in,
        too.
        """
        rivals = handover.mistakable(self._context, group.name)
        if self.ai.is_ours or not rivals:
            return
        with self._evidence.step("which handover it was"):
            self._evidence.expect(
                handover.landing_by(self._context, group.name, rivals, self._sent(call, talk))
            )

    def _sent(self, call: Call, talk: AiCall) -> list[handover.SentTransfer]:
        """The AI's transfers, by its own record or messages; where these show no topic, as the
        caller's phone received them.

        The platform passes a transfer on to the caller in its own form: it may have acted on a
        topic that is missing there.
        """
        own = self.ai.reported(lambda of: talk.transfers(), call, time.monotonic())
        got = handover.in_messages(message.text for message in call.received)
        passed = [replace(one, shows_topic=one.topic is not None) for one in got]
        for side in (own, passed):
            if any(one.shows_topic for one in side):
                return side
        return own or passed

    def topic_arrives(
        self,
        call: Call,
        talk: AiCall,
        landed: Call | ReportedCall,
        topic: str,
        people: tuple[Group, Group],
    ) -> None:
        """The topic reached the platform; ``people`` are the groups of the topic, and of the number
        alone.

        A platform need not pass the topic on to an agent's phone, and a telephone network cannot.
        Without it, the AI's transfer has to show that the topic was sent, and the agent who took
        the call that the platform followed it.
        """
        invite, (its, others) = landed.invite, people
        if invite is not None and invite.has(TOPIC_HEADER):
            Expect(self._context, landed).header(TOPIC_HEADER, topic)
            return
        with self._evidence.step("with which topic the AI transferred"):
            sent = [one.topic for one in self._sent(call, talk) if one.shows_topic]
            same_people = set(its.entry.present) & set(others.entry.present)
            if not sent:
                why = "the AI's side does not tell with which topic it transferred"
            elif sent[-1] == topic and same_people:
                why = f"{others.name}, where the number leads without it, has the same people"
            else:
                found = signalling.header_sent.of(sent[-1], landed.label, TOPIC_HEADER, topic)
                self._evidence.expect(found)
                return
            expected = f"{TOPIC_HEADER}: {topic} reaches the platform"
            lacks = f"the agent's INVITE lacks it, and {why}"
            self._evidence.unseen("header", landed.label, expected, lacks)

    def start_campaign(self, line: Line, customer: Caller) -> None:
        """Have the platform's campaign call ``customer`` from ``line``, by the deployment's
        trigger.
        """
        trigger = self._deployment.campaign
        if trigger is None:
            raise self._cannot_start(line, "nothing here can start one")
        self._context.phones.guard.number(customer.number)
        with self._evidence.step(f"a campaign calls {customer.name}"):
            if trigger.trigger == "http":
                self._start_by_http(trigger, line, customer)
            else:
                self._start_by_hand(trigger, line, customer)

    def _start_by_http(self, trigger: Campaign, line: Line, customer: Caller) -> None:
        id_there = trigger.ids.get(line.name, "")
        try:
            campaign.start(trigger, line.did, customer.number, id_there)
        except FarEndError as error:
            # some platforms answer the request only after the call was taken
            if not customer.is_called():
                raise
            self._evidence.note_once(str(error))
        if trigger.calls_within_s:
            why = "until the platform's campaign called"
            self._is_called(customer, trigger.calls_within_s, why)

    def _start_by_hand(self, trigger: Campaign, line: Line, customer: Caller) -> None:
        asked = campaign.ask_at_terminal(
            f"{self._context.case.id}: have the campaign of {line.did} call {customer.number} now"
        )
        if not asked:
            raise self._cannot_start(
                line, "it has to be started by hand, and no person is there to do it"
            )
        within_s = trigger.manual_within_s
        if not self._is_called(customer, within_s, "until somebody started the campaign"):
            raise self._cannot_start(line, f"it was not started within {within_s:g} s")

    def _is_called(self, customer: Caller, within_s: float, what: str) -> bool:
        return self._context.wait_for(customer.is_called, within_s, what)

    def _cannot_start(self, line: Line, why: str) -> NotObservableError:
        return NotObservableError(
            self._evidence.unseen("campaign", line.did, "a campaign's call", why)
        )

    def shown_number(self, line: Line, caller: Caller) -> str:
        """The number an agent sees after a warm transfer on this line, as the handover is set up."""
        shown = handover.number_shown(self._context.handover, line.assistant.address)
        return shown or caller.number

    def header_for_caller_id(self) -> list[tuple[str, str]]:
        """The header that names the number to show, where the handover takes it from one."""
        handover = self._context.handover
        name = handover.caller_id_header
        if not name or handover.transfer_caller_id != "header":
            return []
        return [(name, HEADER_NUMBER)]

    def one_call_each(self, *calls: Call | ReportedCall) -> None:
        """Each of these phones has exactly this call up."""
        unheard = self._context.unheard
        for call in calls:
            why = ""
            if isinstance(call, ReportedCall):
                why = "none of our phones is there"
            elif unheard is not None and call.is_over():
                why = "it ended, and no harness phone sees who hung up"
            if unheard is not None and why:
                expected = unobserved("one_call", call.label, "one call is up", why)
                self._evidence.expect(unheard.unseen(expected))
            elif isinstance(call, Call):
                self._has_one_call(call)

    def _has_one_call(self, call: Call) -> None:
        phone = call.leg.phone
        up = _up(phone)
        if len(up) > 1:
            # the leg that was transferred away ends with the AI's leg, which has no time limit
            ended_at(call.first_leg, time.monotonic() + self._context.patience)
            up = _up(phone)
        others = [leg for leg in phone.incoming if leg.id in up and leg.id != call.leg.id]
        unsure = {leg.id: leg for leg in others if not self._context.is_surely_ours(leg)}
        surely = [name for name in up if name not in unsure]
        strangers = None
        if unsure and not landing.one_call(phone.name, surely, call.leg.id).failed:
            surely, strangers = up, self._context.strangers_of(unsure.values())
        expected = landing.one_call.of(phone.name, surely, call.leg.id)
        self._evidence.expect(expected, strangers=strangers)

    def options(self) -> tuple[int, str]:
        """OPTIONS to the platform, from an agent's phone; code and reason of the answer."""
        deployment = self._deployment
        host, port, agent = deployment.platform.host, deployment.platform.port, self._an_agent()
        account = deployment.accounts[deployment.phones[agent].account]
        phone = self._agent(agent)
        uri = f"sip:{in_uri(str(host))}"
        if port:  # without one it is the transport's own (RFC 3261 section 19.1.2)
            uri += f":{port}"
        if account.transport != "udp":
            uri += f";transport={account.transport}"
        with self._evidence.step(f"{phone.name} asks {host} by OPTIONS"):
            return send_options(phone, uri)

    def _an_agent(self) -> str:
        """An agent with a SIP account at the platform."""
        agents = self._present_agents()
        return next(agent for agent in agents if not self._deployment.is_telephone(agent))

    def responded(self, what: str, code: int, reason: str, wanted: Sequence[int]) -> None:
        """A request outside of any call was answered as it should be."""
        self._evidence.expect(signalling.final_response.of(what, wanted, code, reason))

    def nothing_rings_any_more(self, of: Call, after: float, but: Sequence[Phone] = ()) -> None:
        """Within the deployment's limit every leg that rang for ``of`` has ended, except at the
        phones ``but``, which have the call.

        Of a call that rings on where strangers call, too, it has to be sure that it is the case's.
        """
        limit = self._deployment.expect.released_within_s
        self._ais_leg_ends(of, after, limit)
        for leg in self._context.phones.incoming:
            if leg.phone in but:
                continue
            at = ended_at(leg, after + limit + 0.5)
            took = None if at is None else at - after
            self._evidence.expect(
                timing.released.of(f"{leg.phone.name}'s leg", took, limit),
                since=after,
                strangers=self._context.strangers_of([leg]),
            )

    def _ais_leg_ends(self, of: Call, after: float, limit: float) -> None:
        """A stand-in's legs are checked as harness phones; Synthflow's interface may lag."""
        context, endpoint = self._context, self.ai.endpoint
        if not isinstance(endpoint, SynthflowEndpoint):
            return
        what, told_within = "the AI's leg", limit + context.far_end.lag_s
        reported = endpoint.released_at(of, after + told_within + 0.5)
        if reported is None and endpoint.blind:
            expected, why = f"{what} ends within {told_within:g} s", "its interface does not say"
            context.evidence.unseen("released", what, expected, why)
            return
        took, doubt_s = None, 0.0
        if reported is not None:
            took, doubt_s = reported.at - after, reported.doubt_s
        found = timing.released.of(what, took, told_within, doubt_s)
        context.evidence.expect(found, since=after)

    def close(self) -> None:
        """Hang up, give the phones back, and keep the far end's last records."""
        self._context.phones.hang_up()
        with ExitStack() as stack:
            stack.callback(self._context.phones.release)
            for call in self._context.calls.of_the_ai:
                stack.callback(call.keep_record)


def _up(phone: Phone) -> list[str]:
    """The calls that a phone has up, without ringing calls of strangers."""
    own = phone.incoming
    its = [leg for leg in phone.legs if leg in own or leg.direction == "outgoing"]
    return [leg.id for leg in its if leg.state != "disconnected"]
