"""``expect(…)``: expectations of calls and groups. Each adds a finding; a failed one fails the case
when it is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from harness.audio.describe import is_ringing
from harness.case.checks import dialog, identity, landing, reach, signalling, timing
from harness.case.checks.registry import CheckFunction
from harness.case.events import CallState, Event, Expected, MediaState, Span
from harness.case.legs import is_request
from harness.case.model import CallMessage, message_of
from harness.case.verdict import ExpectationError, Finding, Verdict
from harness.deployment import Trunk
from harness.deployment.safety import numbers_of
from harness.phone.leg import Leg
from harness.phone.waiter import NeverCame
from harness.scenario.ai_calls import SynthflowCall
from harness.scenario.call import Call
from harness.scenario.context import CaseContext, CasePart, Line
from harness.scenario.ends import End, comes, last_words_to, received_between
from harness.scenario.evidence import unobserved
from harness.scenario.expect_audio import ExpectAudio
from harness.scenario.reported import MachineCall, ReportedCall
from harness.sip.grammar import host_of
from harness.sip.message import Request
from harness.witness.call_record import CallRecord, is_masked

if TYPE_CHECKING:
    from harness.scenario.people import Group

_UNSEEN = "no side shows the INVITE that arrived"


#: The longest announcement before a refusal, the interval between looks, and the longest pause in
#: it: most ringing tones have longer ones (ITU-T E.180 supplement 2).
_ANNOUNCEMENT_S, _LOOKED_AGAIN_S, _PAUSES_S = 45.0, 1.0, 2.5
#: One digit and the pause after it.
_A_DIGIT_S = 0.4
#: Two digits with the pauses after them, and what an interface takes to list them.
_A_DIGIT_MORE_S = 0.6


class Expect(ExpectAudio):
    """Expectations of one end."""

    # -- who calls, and how the call was addressed

    def caller_id(self, number: str) -> None:
        """From names ``number``: in the deployment's form, or in any form at a telephone, since its
        network writes it; at an agent's telephone, whatever its platform shows there.

        Where other agents have rung for the same call, each of them was shown it as well.
        """
        if isinstance(self._end, ReportedCall):
            self._end.shown = number  # the report shows it later
        if isinstance(self._end, (ReportedCall, MachineCall)):
            return
        for other in self._end.beside if isinstance(self._end, Call) else ():
            Expect(self._context, other)._shows_caller(number, other.first_leg)
        self._shows_caller(number)

    def _shows_caller(self, number: str, beside: Leg | None = None) -> None:
        """The same for this end only. ``beside``: another agent's ringing leg, which may be a
        stranger's call.
        """
        if self._at_telephone():
            return
        deployment, end = self._deployment, self._end
        record = self._record()
        if record is not None and record.number_from is not None:
            shown, region = record.number_from, deployment.region
            found = identity.caller_in_record.of(shown, end.label, number, region, record.id)
            self._evidence.expect(found)
            return
        invite, where = self._invite("caller_id", f"From with the caller's number {number}")
        if invite is None:
            return
        form = "preserved"
        if not deployment.is_telephone(end.phone_name):
            group = end.group if isinstance(end, Call) else None
            form = deployment.number_format_at(group, self._context.ai_trunk)
        region = deployment.region_at(end.phone_name)
        found = identity.caller_id.of(invite, end.label, number, form, region, where)
        others = sorted(self._may_be_asserted())
        asserted = identity.asserts_nobody_else.of(invite, end.label, number, others, region, where)
        strangers = None if beside is None else self._context.strangers_of([beside])
        self._evidence.expect(found, strangers=strangers)
        self._evidence.expect_if(asserted, strangers=strangers)

    def _may_be_asserted(self) -> set[str]:
        """The numbers that a platform may assert: the callers' of the case, its own, and those that
        transfers present.
        """
        deployment = self._deployment
        found = set(numbers_of(deployment))
        found -= {phone.number for phone in deployment.phones.values()}
        for name in deployment.assistants:
            for handover in deployment.handovers(name).values():
                if handover.fixed_caller_id:
                    found.add(handover.fixed_caller_id)
        return found | self._context.calls.numbers

    def _at_telephone(self) -> bool:
        """Whether this is an agent's telephone that is not shown the caller; the finding is then
        made here.
        """
        deployment, end = self._deployment, self._end
        if end.role != "agent" or not deployment.is_telephone(end.phone_name):
            return False
        shows = deployment.phones[end.phone_name].shows
        if shows == "original":
            return False
        if shows == "any":
            expected, why = "From with a number", "its platform may show a telephone any number"
            self._not_observable("caller_id", expected, why)
            return True
        own = {number for _, _, number in deployment.all_dids()}
        own |= {group.did for group in deployment.groups.values() if group.did}
        invite, region = end.invite, deployment.region_at(end.phone_name)
        assert invite is not None
        self._evidence.expect(
            identity.platforms_number.of(invite, end.label, own, region, end.invite_number)
        )
        return True

    def withheld_caller_id(self, number: str) -> None:
        """From is anonymous; ``number`` travels in P-Asserted-Identity."""
        expected = "an anonymous From with P-Asserted-Identity"
        invite, where = self._invite("caller_id.withheld", expected)
        if invite is not None:
            region = self._deployment.region
            found = identity.withheld.of(invite, self._end.label, number, region, where)
            self._evidence.expect(found)

    def addressed_to(self, line: Line) -> None:
        """The Request-URI names the line's assistant, and the call came over the line's trunk, or
        over its failover trunk: transport and port.
        """
        record, end = self._record(), self._end
        did, where = line.assistant.address, ""
        if record is not None and record.number_to is not None:
            called = signalling.called_in_record.of(record.number_to, end.label, did, record.id)
            self._evidence.expect(called)
        else:
            invite, where = self._invite("route.request_uri", f"a Request-URI for {did}")
            if invite is not None:
                self._evidence.expect(signalling.request_user.of(invite, end.label, did, where))
        came = end.arrival
        seen, local = (came.transport, came.local) if came else (None, None)
        trunk = self._trunk_used(line)
        self._evidence.expect(
            signalling.transport.of(end.label, trunk.transport, trunk.port, seen, local, where)
        )
        if came is not None:
            # each trunk may have an address of its own; names are no sign, they are shared
            hosts = {trunk.name: trunk.termination_host for trunk in self._deployment.trunks}
            self._evidence.expect_if(
                signalling.trunk.of(end.label, trunk.name, hosts, came.remote or None, where)
            )

    def _trunk_used(self, line: Line) -> Trunk:
        """The line's failover trunk where the call came over that, else the line's own."""
        own, came = line.trunk, self._end.arrival
        if came is None or line.entry.failover in (None, own.name):
            return own
        failover = self._deployment.trunk(str(line.entry.failover))
        if not _came_over(failover, came, instead_of=own):
            return own
        self._evidence.note_once(
            f"the call came over {failover.name}, the failover trunk: {own.name} did not carry it"
        )
        return failover

    # -- headers, by the INVITE or by the far end's record

    def header(self, name: str, value: str, sent_with: Collection[str] = ()) -> None:
        """The INVITE has the header once, with this value.

        ``sent_with``: the caller sent it, with these. A record that has the platform's own alone
        does not show what became of it.
        """

        label = self._end.label

        def told_by(record: CallRecord) -> Expected | None:
            seen = record.variable(name)
            if seen is None and not record.lacks(name, sent_with):
                return None
            if seen not in (None, value) and is_masked(str(seen)):
                return None
            return signalling.header_in_record.of(seen, label, name, value, record.id)

        invite, where = self._invite_unless_recorded(told_by, "header", f"{name}: {value}")
        if invite is not None:
            self._evidence.expect(signalling.header.of(invite, label, name, value, where))

    def no_header(self, name: str) -> None:
        """The INVITE does not have the header."""

        label = self._end.label

        def told_by(record: CallRecord) -> Expected | None:
            seen = record.variable(name)
            if seen is None and not record.lacks(name):
                return None
            return signalling.header_not_in_record.of(seen, label, name, record.id)

        invite, where = self._invite_unless_recorded(told_by, "header.absent", f"no {name}")
        if invite is not None:
            self._evidence.expect(signalling.no_header.of(invite, label, name, where))

    def _invite_unless_recorded(
        self, told_by: Callable[[CallRecord], Expected | None], check: str, expected: str
    ) -> tuple[Request | None, str]:
        """As :meth:`_invite`; None as well where only the far end's record shows the INVITE: the
        finding is then made here, once the record has the header.
        """
        record, talk, asked_at = self._record(), self._end, time.monotonic()
        if record is None or not isinstance(talk, SynthflowCall):
            return self._invite(check, expected)
        if (found := told_by(record)) is not None:
            self._evidence.expect(found)
            return None, ""

        def look() -> Sequence[Expected]:
            found = told_by(talk.read_on(lambda record: told_by(record) is not None))
            found = found or unobserved(check, talk.label, expected, _UNSEEN)
            return [replace(found, dated_at=asked_at)]

        self._context.looks_when_over.append(look)
        return None, ""

    def _record(self) -> CallRecord | None:
        """The far end's record, if only that shows the call's arrival."""
        record = self._end.record
        return record if record is not None and self._end.invite is None else None

    def _invite(self, check: str, expected: str) -> tuple[Request | None, str]:
        """The INVITE that got here, and its number in reports; if it is not visible, the finding
        says so.
        """
        invite = self._end.invite
        if invite is None:
            self._not_observable(check, expected, _UNSEEN)
        return invite, self._end.invite_number

    # -- media

    def codec(self, *names: str) -> None:
        """One of ``names``, as SDP spells them; any G.711 by default."""
        end, wanted = self._end, names or signalling.G711
        if isinstance(end, Call):
            end.settle_on(wanted)
        self._evidence.expect(signalling.codec.of(end.label, wanted, end.codec))

    def digits(self, sent: str, method: str) -> None:
        """The digits arrive here, each once and in order."""
        end = self._end
        with self._evidence.step(f"{end.label} gets the digits {sent}"):
            limit = self._context.patience + _A_DIGIT_S * len(sent)
            found = end.digits(len(sent), within=limit)
            if found is not None:  # a digit that is passed on twice may come again after the last
                self._context.pause(_A_DIGIT_MORE_S, "listening for a digit more")
                found = end.digits(len(sent), within=0.0)
            if found is None:
                why = "the far end does not list digits"
                self._not_observable("dtmf", f"the digits {sent}", why)
                return
            seen = "".join(one.digit for one in found)
            methods = [one.method for one in found]
            self._evidence.expect(signalling.digits.of(end.label, sent, seen, methods, method))
            if method == "rfc4733":
                durations_ms = [one.duration_ms for one in found]
                self._evidence.expect(signalling.durations.of(end.label, durations_ms))

    # -- beginnings and ends

    def answered(self, within: float | None = None) -> None:
        """The call is confirmed."""
        limit = within if within is not None else self._context.patience
        with self._evidence.step(f"{self._call.label} is answered"):
            self._reaches("confirmed", limit, reach.answered)

    def _reaches(
        self, state: Literal["early", "confirmed"], limit: float, check: CheckFunction[..., Finding]
    ) -> None:
        """The finding on when the call reached that state. If it never did, the scenario ends."""
        call, began = self._call, time.monotonic()
        late_s = 0.0
        if comes(call.leg, CallState, lambda e: e.state == state, began + limit) is None:
            # the event may reach the harness that much later
            late_s = self._evidence.kept_from(began, time.monotonic()).starved_s
        try:
            at = call.leg.wait_state(state, within=late_s).at
        except NeverCame as error:
            never = check.of(call.label, None, limit, instead=error.finding.actual)
            raise ExpectationError(self._evidence.expect(never)) from error
        took_s, since_invite_s = max(0.0, at - began), at - call.leg.invite.at
        reached = check.of(call.label, took_s, limit, since_invite_s=since_invite_s)
        finding = self._evidence.expect(reached)
        if finding.verdict is not Verdict.PASSED:
            raise ExpectationError(finding)

    def ends_with(self, codes: Sequence[int], within: float | None = None) -> float:
        """The call ends with one of these final responses; when."""
        end = self._call
        limit = within if within is not None else self._context.patience
        with self._evidence.step(f"{end.label} ends with {' or '.join(map(str, codes))}"):
            at = end.released_at(time.monotonic() + limit) or self._announced_until(end)
            code, reason = end.final_response(self._deployment.expect.released_within_s)
            number = end.invite_number
            found = signalling.final_response.of(end.label, codes, code, reason, number)
            self._evidence.expect(found)
            return at if at is not None else time.monotonic()

    def _announced_until(self, call: Call) -> float | None:
        """When an unanswered call ended behind an announcement (RFC 3960 section 3.1); None if it
        goes on.
        """
        deadline = time.monotonic() + _ANNOUNCEMENT_S
        while call.answered_at() is None and time.monotonic() < deadline:
            if call.hears_sound(time.monotonic() - _PAUSES_S, 0.0) is None:
                break
            at = call.released_at(time.monotonic() + _LOOKED_AGAIN_S)
            self._evidence.scripted(_LOOKED_AGAIN_S, "an announcement before the final response")
            if at is not None:
                return at
        return None

    def still_up(self) -> None:
        """The call is still up before the hang-up that is to end it. An interface that may lag
        proves nothing here.
        """
        end = self._end
        ended = end.released_at(0.0)
        if end.is_ours or ended is not None:
            self._evidence.expect(end.is_up(ended))

    def released(self, after: float | None = None, farewell_s: float = 0.0) -> None:
        """The leg ends within the deployment's limit after ``after``; ``farewell_s`` later if the
        other side may still say goodbye.
        """
        end = self._end
        limit = self._deployment.expect.released_within_s + end.lag_s + farewell_s
        start = after if after is not None else time.monotonic()
        deadline = max(start, time.monotonic()) + limit + 0.5
        unheard = self._context.unheard
        if unheard is not None:
            # the leg may stay up until an agent has answered, which no harness phone sees
            start, limit = unheard.began, round(deadline - unheard.began + 0.1, 1)
        with self._evidence.step(f"{end.label} is released"):
            at = end.released_at(deadline)
            if at is None and (end.is_blind or unheard is not None):
                expected, why = f"the leg ends within {limit:g} s", "its interface does not say"
                if unheard is not None:
                    why = "it is still up, and no harness phone sees whether an agent has answered"
                self._not_observable("released", expected, why)
                return
            took = None if at is None else at - start
            self._evidence.expect(
                timing.released.of(end.label, took, limit, end.doubt_s), since=start
            )

    def hang_up_is_answered(self) -> None:
        """The BYE that this phone has sent is answered, within the deployment's limit (RFC 3261
        section 15.1).
        """
        call = self._call
        limit = self._deployment.expect.released_within_s

        def is_answered(_: Event) -> bool:
            answer = dialog.answer_to_bye(call.leg.messages)
            return answer is not None and not answer.is_challenge

        with self._evidence.step(f"{call.label}'s BYE is answered"):
            comes(call.leg, Event, is_answered, time.monotonic() + limit, outlives_call=True)
            answer = dialog.answer_to_bye(call.leg.messages)
            code, reason = (answer.status, answer.reason) if answer else (0, "no final response")
            accepted, bye = dialog.accepted_to_bye(call.leg.messages), f"{call.label}'s BYE"
            if answer is None and dialog.ended_by_the_other(call.leg.messages):
                expected = f"a final response {' or '.join(map(str, accepted))}"
                why = "none was sent, as the far end had ended the call before"
                self._evidence.unseen("final_response", bye, expected, why)
                return
            self._evidence.expect(signalling.final_response.of(bye, accepted, code, reason))

    def rings(self) -> None:
        """The far end says that it rings (180 or 183)."""
        with self._evidence.step(f"{self._call.label} hears that it rings"):
            self._reaches("early", self._context.patience, reach.rings)

    def never_answered(self) -> None:
        """The call is refused or not answered; one that rings on was accepted (RFC 3261 section
        21.1.2).
        """
        call, limit = self._call, self._context.patience
        with self._evidence.step(f"{call.label} is not answered"):
            ended = call.released_at(time.monotonic() + limit)
            answered = call.answered_at()
            state = call.state()
            rings, words = False, "no answer came"
            if state is not None and ended is not None:
                words = f"it ended with {state.code} {state.reason}"
            elif state is not None and state.state == "early":
                rings, words = True, f"after {limit:g} s it rings on"
            code = state.code if state else 0
            answerers = [] if answered is None else [call.label]
            found = reach.not_answered.of(call.label, answerers, words, code, goes_on=rings)
            self._evidence.expect(found)

    def refer_is(self, declared: str) -> None:
        """The platform did with the AI's REFER what the number's entry declares."""
        passed_on = any(is_request(message, "REFER") for message in self._call.received)
        self._evidence.expect(landing.refer_mode.of(self._call.label, declared, passed_on))

    def transfer_fails(self) -> None:
        """The transfer the AI tried was refused, and the AI was told so."""
        end = self._end
        with self._evidence.step("the transfer is refused"):
            outcome = end.transfer_outcome(self._context.patience + self._context.more_patience)
            if outcome is None:
                expected = "the transfer ends with an error the AI is told"
                self._not_observable("transfer.fails", expected, "the far end does not say")
                return
            self._evidence.expect(reach.transfer_fails.of(end.label, outcome))

    def acknowledged_provisional(self) -> None:
        """A reliable provisional response came, was acknowledged by PRACK, and the PRACK was
        answered 200 (RFC 3262).
        """
        call = self._call

        def done(event: Event) -> bool:
            answer = message_of(event)
            return answer is not None and answer.received and answer.answers("PRACK") == 200

        with self._evidence.step(f"{call.label} acknowledges a provisional response"):
            try:
                call.leg.wait("200 to its PRACK", done, within=self._context.patience)
            except NeverCame as error:
                instead = error.finding.actual.partition("\n")[0]
                vain = dialog.reliable_provisionals.of(call.label, call.leg.messages, instead)
                raise ExpectationError(self._evidence.expect(vain)) from error
            self._evidence.expect(dialog.reliable_provisionals.of(call.label, call.leg.messages))

    def session_interval_is_agreed(self) -> None:
        """The 200 names a session interval; after a 422 the next INVITE honours its Min-SE (RFC
        4028 section 6).
        """
        call = self._call
        self._evidence.expect(dialog.interval.of(call.label, call.leg.messages))

    def session_is_refreshed(self) -> None:
        """A re-INVITE or UPDATE of whichever side has to refreshes the session, and is accepted,
        before the other side gives it up.
        """
        call = self._call
        agreed = dialog.agreed_interval(call.leg.messages)
        if agreed is None:
            return
        answered = call.answered_at() or call.began
        half, limit = agreed / 2, dialog.given_up_after(agreed)
        most = self._deployment.limits.seconds_per_call
        if half >= most:
            expected = f"a refresh of the session within {limit:g} s"
            why = f"half of the interval agreed on is {half:g} s, and a call may last {most:g} s (limits.seconds_per_call)"
            self._not_observable("timing.within", expected, why)
            return
        settled = answered + dialog.SETTLED_S

        def is_refreshed(event: Event) -> bool:
            since_settled = [message for message in call.leg.messages if message.at >= settled]
            return dialog.accepts_refresh(event, since_settled)

        with self._evidence.step(f"the session is refreshed within {limit:g} s"):
            now = time.monotonic()
            left_s = max(0.0, answered + half - now)
            self._evidence.scripted(left_s, "half of the session interval", began=now)
            what = "a refresh of the session"
            event = call.leg.wait(f"{what} that is accepted", is_refreshed, limit, since=settled)
            took_s = event.at - answered
            self._evidence.expect(timing.within.of(call.label, what, took_s, limit))

    def encrypted(self) -> None:
        """Its media was always SRTP, however often it was negotiated."""
        call = self._call
        secure = [media.secure for media in call.leg.facts.of(MediaState) if media.active]
        is_encrypted = all(secure) if secure else None
        self._evidence.expect(signalling.encrypted.of(call.label, is_encrypted))

    def took(self, what: str, at: float, expected_s: float, rang: Span | None = None) -> None:
        """It came at ``at``, the time it should take, within a second, after the AI began to ring
        (``rang``).

        If that was not seen, the caller's 18x is the latest moment. What is said after the AI was
        let go, and before the call is refused (RFC 3960 section 3.1), is no ringing any more.
        """
        call = self._call
        if rang is None:
            began, before_s = call.began, way_in_s(call, self._context.patience)
        else:
            (began, let_go), before_s = rang, 0.0
            too_soon = timing.is_too_soon(let_go - began, expected_s)
            if too_soon or _is_announced(call, let_go, at):
                at = let_go
        found = timing.took.of(call.label, what, at - began, expected_s, way_in_s=before_s)
        self._evidence.expect(found)


def _came_over(failover: Trunk, came: CallMessage, instead_of: Trunk) -> bool:
    """Whether a call came over the failover trunk: by its host where the two differ, else by its
    transport and port.
    """
    own, host = instead_of, host_of(came.remote)
    hosts = {own.termination_host, failover.termination_host}
    if len(hosts) == 2 and host in hosts:
        return host == failover.termination_host
    port = int(came.local.rpartition(":")[2] or 0)
    if (failover.transport, failover.port) == (own.transport, own.port):
        return False
    return (came.transport, port) == (failover.transport, failover.port)


def _is_unseen(landed: End) -> bool:
    """Whether no harness phone sees when a call landed."""
    return isinstance(landed, ReportedCall) or (
        isinstance(landed, MachineCall) and not landed.is_timed
    )


def _by_words(landed: End, found: Finding) -> bool:
    """Whether a machine spoke in time. It may have been there for a while when it spoke, so that no
    words show a wrong time.
    """
    return isinstance(landed, MachineCall) and landed.is_heard and found.verdict is Verdict.PASSED


def _is_announced(call: Call, since: float, until: float) -> bool:
    """Whether a sound without long pauses, other than a ringing tone, is heard between two moments."""
    if not call.hears_on(since, until, _PAUSES_S):
        return False
    return not is_ringing(received_between(call.leg, since, until))


def way_in_s(call: Call, most_s: float) -> float:
    """How long after its INVITE the caller was told that it rings; 0 if it was not told, or had
    been let in before.
    """
    early_at = call.leg.facts.early_at
    if early_at is None or call.routed > call.began:
        return 0.0
    return min(early_at - call.began, most_s)


class ExpectGroup(CasePart):
    """Expectations of a group."""

    def __init__(self, context: CaseContext, group: Group) -> None:
        super().__init__(context)
        self._group = group

    def never_rang(self, since: float = 0.0) -> None:
        """No agent of the group was called after ``since`` (``time.monotonic()``), and all could
        have been.

        Where strangers call as well, only a call that certainly belongs to the case fails it.
        """
        for phone in self._group.phones:
            legs = [leg for leg in phone.incoming if leg.facts.began >= since]
            surely_ours = [leg for leg in legs if self._context.is_surely_ours(leg)]
            legs = surely_ours or legs
            calls = [str(leg.invite.text.partition("\n")[0]).strip() for leg in legs]
            watched = phone.registration is not None and phone.registration.active
            found = landing.never_rang.of(phone.name, len(calls), watched, calls)
            strangers = self._context.strangers_of(legs) if watched else None
            self._evidence.expect(found, strangers=strangers)

    def took_over(
        self,
        landed: Call | ReportedCall | MachineCall,
        of: Call,
        ring_timeout_s: float,
        rang: Span | None,
    ) -> None:
        """The group took over from the AI when that had rung for ``ring_timeout_s``, within a
        second.

        The AI's ringing begins once the call has come to it, and ends when it is let go (``rang``):
        of what lies before and after, a carrier, words to the caller, a queue, the network of an
        agent's telephone, the timeout says nothing. Where the AI's ringing was not seen (``rang``
        is None), it began when the caller was told of it at the latest, and queue, telephone
        network and carrier have their time.
        """
        what = self._group.name, "the fallback"
        if _is_unseen(landed) or (isinstance(landed, MachineCall) and rang is not None):
            seconds = landed.began - of.routed if rang is None else rang[1] - rang[0]
            took = *what, seconds, ring_timeout_s
            if rang is not None or _by_words(landed, timing.took(*took)):
                self._evidence.expect(timing.took.of(*took))
            else:
                self._unseen_time("timing", f"the fallback after {ring_timeout_s:g} s")
            return
        waits_s = self._group.entry.queue_s + self._to_telephone_s(landed)
        began, ended, before_s = of.routed, self._first_rang(landed, of), 0.0
        if rang is None:
            before_s = way_in_s(of, self._context.patience)
        else:
            began, let_go = rang
            if waits_s or timing.is_too_soon(let_go - began, ring_timeout_s):
                ended = let_go  # whichever phone took over, and when
            elif ended - began > ring_timeout_s + timing.TOLERANCE_S:
                ended -= last_words_to(of.leg, let_go, ended) - let_go
            waits_s = 0.0
        took = *what, ended - began, ring_timeout_s
        self._evidence.expect(timing.took.of(*took, queue_s=waits_s, way_in_s=before_s))

    def _first_rang(self, landed: Call | ReportedCall | MachineCall, of: Call) -> float:
        """When the group first rang for the call, in a turn that the case may have declined."""
        declined = (leg.facts.began for leg in self._group.declined)
        return min([landed.began, *(at for at in declined if at >= of.began)])

    def _to_telephone_s(self, landed: End) -> float:
        """How long a telephone network may take to connect the agent."""
        is_telephone = self._deployment.is_telephone(landed.phone_name)
        return self._context.patience if is_telephone else 0.0

    def _unseen_time(self, check: str, expected: str) -> None:
        if self._group.entry.is_machine:
            why = "the platform had answered before, and the machine's first words do not show when it answered"
        else:
            why = "the platform's report does not say when the group's phones rang"
        self._evidence.unseen(check, self._group.name, expected, why)

    def came_within(
        self,
        landed: Call | ReportedCall | MachineCall,
        of: Call,
        limit_s: float,
        rang: Span | None = None,
    ) -> None:
        """The group's agent was called within ``limit_s`` seconds, from the end of the caller's way
        in.

        The way in ends when the AI is asked (``rang``), or else when the caller is told that it
        rings. A queue, and a telephone network, have their time.
        """
        if _is_unseen(landed):
            came = landed.label, "the call", landed.began - of.routed, limit_s
            if _by_words(landed, timing.within(*came)):
                self._evidence.expect(timing.within.of(*came))
            else:
                self._unseen_time("timing.within", f"the call within {limit_s:g} s")
            return
        limit_s += self._group.entry.queue_s + self._to_telephone_s(landed)
        began = self._first_rang(landed, of)
        after = of.routed + way_in_s(of, self._context.patience) if rang is None else rang[0]
        took_s = max(0.0, began - after)
        self._evidence.expect(timing.within.of(landed.label, "the call", took_s, limit_s))
