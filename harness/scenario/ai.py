"""The AI of a case: how it behaves in a row, what became of calls to it, and calls from its
address.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from harness.case.checks import reach
from harness.case.events import Span, TlsHandshake
from harness.deployment import STRANGER, Transport, Trunk, in_uri
from harness.errors import BrokenError, PhoneLostError, ResourceError
from harness.phone import Early, Policy, Reject
from harness.phone.waiter import NeverCame
from harness.scenario.call import Call
from harness.scenario.context import CaseContext, CasePart, Line
from harness.scenario.endpoints import AiEndpoint, StandInEndpoint, SynthflowEndpoint
from harness.scenario.phones import stand_in, stranger

T = TypeVar("T")
#: 64 × T1, with T1 = 500 ms (RFC 3261 section 17.1.1.2).
_TIMER_B_S = 32.0
#: RFC 3261 section 19.1.2.
_TLS_S_OWN_PORT = 5061


class Ai(CasePart):
    """Synthflow, or the harness phone that stands in for it."""

    def __init__(self, context: CaseContext) -> None:
        super().__init__(context)
        self._endpoint: AiEndpoint | None = None

    @property
    def is_ours(self) -> bool:
        """Whether a harness phone is there."""
        return self._context.has_stand_in

    def take_place(self, **more: object) -> None:
        """Make the AI reachable; ``more`` overrides single fields of a stand-in's phone."""
        self._endpoint = self._take(**more)

    @property
    def endpoint(self) -> AiEndpoint:
        """The side that answers calls to the AI."""
        if self._endpoint is None:
            raise BrokenError("the case has no AI yet: its scenario has to call take_place() first")
        return self._endpoint

    def _take(self, trunk: Trunk | None = None, /, **more: object) -> AiEndpoint:
        context = self._context
        if not self.is_ours:
            return SynthflowEndpoint(context)
        trunk = trunk or context.trunk
        config = stand_in(context.deployment, trunk)
        if context.case.row.own_place:
            if self._endpoint is None:
                context.phones.reserve(config)
        elif more:
            raise self._set_up_for_one()
        config = replace(config, **more)  # type: ignore[arg-type]
        shared = not context.case.row.own_place
        phone = context.phones.lease(config, register=False, shared=shared, lands=True)
        if context.deployment.stand_in.shared:
            phone.is_ours = context.phones.may_be_ours
        return StandInEndpoint(context, phone, trunk)

    def _set_up_for_one(self) -> BrokenError:
        return BrokenError(
            f"{self._context.case.row.id} sets the stand-in's phone up for itself; its row must say own_place"
        )

    # -- how it behaves: Synthflow's assistants follow their configuration, a stand-in is set up here

    def does(self, policy: Policy) -> None:
        """Set what it does with calls."""
        if isinstance(self.endpoint, StandInEndpoint):
            self.endpoint.phone.policy = policy

    def answers_early(self, *, reliable: bool = False) -> None:
        """Make it send 183 with audio before it answers."""
        if self.is_ours:
            if reliable:
                self._endpoint = self._take(reliable_provisional="optional")
            self.does(Early())

    def takes_srtp(self) -> None:
        """Make it accept encrypted media."""
        if self.is_ours:
            self._endpoint = self._take(srtp="optional")

    def shows_certificate(self, kind: str) -> None:
        """Make it answer TLS connections with a bad certificate."""
        bad = self._deployment.stand_in.bad_certificates.get(kind)  # type: ignore[call-overload]
        if bad is None:
            raise ResourceError(f"stand_in.bad_certificates.{kind}: is missing")
        config = stand_in(self._deployment, self._context.trunk)
        tls = replace(config.tls, certificate=bad.certificate, private_key=bad.private_key)
        self._endpoint = self._take(tls=tls)

    def goes_down(self, line: Line) -> None:
        """Stop listening at the AI's address. A line whose trunk leads to an unreachable host needs
        no action.
        """
        if line.entry.reachable and self._endpoint is not None:
            if self.is_ours and not self._context.case.row.own_place:
                raise self._set_up_for_one()
            self._leave()

    def _leave(self) -> None:
        """Give a harness phone back. Synthflow cannot be stopped."""
        if isinstance(self.endpoint, StandInEndpoint):
            self._context.phones.leave(self.endpoint.phone)
            if self._context.trunk.transport == "udp":
                self._context.outlasted.append(self._take_what_comes_late)

    def is_at_failover(self, line: Line) -> Line:
        """Make the AI reachable over the line's failover trunk alone, and return the line over that
        trunk.
        """
        trunk = self._deployment.trunk(str(line.entry.failover))
        self._context.ai_trunk = trunk.name
        self._leave()
        if self.is_ours:
            self._endpoint = self._take(trunk)
        return replace(line, trunk=trunk)

    def _take_what_comes_late(self) -> None:
        """Listen again and refuse the INVITE that was not received, for as long as the platform may
        send it again.

        It does so after its caller is gone as well: before anything was answered it may not cancel
        (RFC 3261 section 9.1), and over UDP it gives up only after 64 × T1 (section 17.1.1.2). The
        next case of the same caller would take that call for its own.
        """
        context = self._context
        rang = [leg.facts.began for leg in context.phones.incoming]
        until = min(rang, default=time.monotonic()) + _TIMER_B_S
        with (
            context.evidence.timed("what the platform may still send to an AI that was down"),
            context.evidence.step("INVITEs that the platform still sends to the AI are refused"),
        ):
            try:
                self._refuse_callers(until)
            except (PhoneLostError, ResourceError) as error:  # the case has its findings
                context.evidence.note_once(
                    f"What the platform still sends to the AI may reach the next case: {error}"
                )

    def _refuse_callers(self, until: float) -> None:
        """Refuse calls until then, or until a call of one of the case's callers has come."""
        phones, endpoint = self._context.phones, self._take()
        assert isinstance(endpoint, StandInEndpoint)
        endpoint.phone.policy = Reject(480)
        numbers = self._context.calls.numbers
        with suppress(NeverCame):
            while True:
                leg = endpoint.hold_back(max(0.0, until - time.monotonic()))
                if phones.is_surely_of(leg, numbers):
                    return

    # -- what became of calls

    def was_tried(self, of: Call, line: Line) -> None:
        """The AI was asked to take the call that ``of`` began, at the line's assistant."""
        wanted, subject = line.assistant.address, f"the call to {line.did}"
        asked: list[str] = []

        def is_asked() -> bool:
            asked[:] = self.endpoint.asked_for(of)
            return wanted in asked

        context = self._context
        if self.is_ours:
            context.wait_for(is_asked, context.patience)
        else:  # a dead interface is not waited for: the platform goes on with the call meanwhile
            context.ask_interface(is_asked, context.patience + context.far_end.lag_s)
        if self.endpoint.blind and wanted not in asked:
            expected, why = f"an INVITE for {wanted} reaches the AI", "the AI's side is not visible"
            self._evidence.unseen("route.tried", subject, expected, why)
            return
        self._evidence.expect(reach.tried.of(subject, wanted, asked))

    def reported(self, look: Callable[[Call], list[T]], of: Call, since: float) -> list[T]:
        """What ``look`` finds about the call; waits as long as an interface may lag behind
        ``since``.
        """
        if self.is_ours:  # its phone tells at once
            return look(of)
        within = since + self._context.far_end.lag_s - time.monotonic()
        why = "what the AI's interface may tell later"
        return self._context.ask_interface(lambda: look(of), within, why=why)

    def rang(self, of: Call) -> Span | None:
        """From when until when (``time.monotonic()``) the platform rang the AI for ``of``; None if
        that was not seen.
        """
        if not isinstance(self.endpoint, StandInEndpoint):
            return None
        return self.endpoint.rang(of)

    def answered_nothing(self, of: Call) -> None:
        """No call since ``of`` began was answered by the AI."""
        answered = self.reported(self.endpoint.set_up, of, time.monotonic())
        unseen = self._why_unseen(answered)
        self._evidence.expect(reach.not_answered.of("the AI", answered, unseen=unseen))

    def _why_unseen(self, seen: list[str]) -> str:
        """Why a call may not have been seen; empty where it would have been."""
        if not self.endpoint.blind or seen:
            return ""
        by_strangers = "strangers call there, too, and one came that may be theirs"
        return by_strangers if self.is_ours else "its interface does not say"

    def was_not_reached(self, of: Call) -> None:
        """No INVITE came to the AI since ``of`` began; ringing counts as sent."""
        reached = self.reported(self.endpoint.reached_by, of, time.monotonic())
        self._add_not_reached("the AI", reached)

    def was_refused_for_its_certificate(self, of: Call) -> None:
        """No INVITE came to a phone with a bad certificate. A platform that began no TLS handshake
        has not looked at it.
        """
        endpoint = self.endpoint
        assert isinstance(endpoint, StandInEndpoint)
        handshakes = [event for event in endpoint.phone.events if isinstance(event, TlsHandshake)]
        is_shown = any(event.at >= of.began for event in handshakes)
        if is_shown or endpoint.reached_by(of):
            self.was_not_reached(of)
            return
        why = "no TLS handshake began, so that its certificate was not looked at"
        self._evidence.unseen("route.not_reached", "the AI", "no INVITE is sent to the AI", why)

    def waited_for(self, of: Call, what: str = "the caller's choice") -> None:
        """No INVITE came to the AI before the caller chose it in the menu, or the agents declined,
        so that it was this that led there.
        """
        reached = self.endpoint.reached_before(of, of.chosen)
        self._add_not_reached(f"the AI, before {what}", reached)

    def _add_not_reached(self, subject: str, reached: list[str]) -> None:
        unseen = self._why_unseen(reached)
        self._evidence.expect(reach.not_reached.of(subject, reached, unseen))

    # -- calls that come from there

    def calls(
        self, number: str, *, transport: Transport | None = None, from_outside: bool = False
    ) -> Call:
        """A call to the platform from the AI's address, or from one that no allowlist has; over
        another transport if asked.
        """
        context = self._context
        trunk = context.trunk
        at_place = stranger if from_outside else stand_in
        config = at_place(context.deployment, trunk, bind_port=0)
        name = STRANGER if from_outside else f"ai-{transport or trunk.transport}"
        to = str(trunk.termination)
        if transport in ("udp", "tcp") and trunk.termination_port == _TLS_S_OWN_PORT:
            # That port is for TLS only: without transport=tls the address leads to SIP's own port
            # (RFC 3263 section 4.2).
            to = in_uri(str(trunk.termination_host))
        config = replace(config, name=name, transport=transport or trunk.transport, proxy=to)
        phone = context.phones.lease(config, register=False)
        with context.evidence.step(f"{name} calls {number}"):
            uri = f"sip:{number}@{to}"
            if config.transport != "udp":
                uri += f";transport={config.transport}"
            return context.calls.add(Call(context, phone.dial(uri), "ai"))
