"""A caller of the harness who has called a SIPp, and what the harness says of it in the end."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from harness.case.events import SipMessage
from harness.case.verdict import ExpectationError, Finding, Verdict
from harness.scenario.call import Call
from tests.interop.encounter import Encounter
from tests.interop.sipp import Sipp, receive, respond, respond_within_dialog, sdp, speak
from tools.interop.processes import PATIENCE

ANSWER = respond("200 OK", sdp(), repeat=True)
GREETING = [receive("INVITE"), respond("180 Ringing"), ANSWER, receive("ACK"), speak()]
GOODBYE = [receive("BYE"), respond_within_dialog("200 OK")]


@dataclass
class Meeting:
    """A caller, and the SIPp it has called."""

    encounter: Encounter
    sipp: Sipp
    call: Call

    def answered(self) -> None:
        """The call has to be answered, as in a scenario."""
        self.encounter.cast.expect(self.call).answered()

    def is_never_answered(self, within: float | None = None) -> None:
        """The same, where it is not: a scenario ends there."""
        try:
            self.encounter.cast.expect(self.call).answered(within)
        except ExpectationError:
            return
        raise AssertionError(f"it was answered\n{self.call.leg.log()}")

    def hears(self, within: float = PATIENCE) -> Finding:
        """Whether the caller hears SIPp, as the harness's own check finds it."""
        return self.encounter.hears(self.call, self.sipp.mark, within)

    def talks_and_ends(self) -> None:
        """The rest of a call in order: the caller hears SIPp, and hangs up."""
        assert self.hears().verdict is Verdict.PASSED, self.encounter.context.evidence.findings
        self.hangs_up()

    def hangs_up(self) -> None:
        """The caller ends the call, and SIPp has seen all it should."""
        self.call.hang_up()
        self.sipp.succeeds()
        self.call.leg.wait_closed(PATIENCE)

    def passes(self) -> None:
        """The case is over and in order: nothing is said of it."""
        diagnosis = self.encounter.diagnosis()
        assert self.encounter.verdict is Verdict.PASSED, self.encounter.first_failure
        assert not diagnosis.headline, diagnosis.headline

    def fails(self, sentence: str, cause: str | None) -> None:
        """The case is over and has failed: what its first failed finding says, and a cause that is
        named first.

        None is for a failure that no documented cause fits. All that is known here is what the
        caller saw: where several causes look the same from there, it is one of them.
        """
        diagnosis = self.encounter.diagnosis()
        assert self.encounter.verdict is Verdict.FAILED, self.encounter.context.evidence.findings
        said = re.sub(
            r" in \d\.\d s$", "", self.encounter.first_failure or ""
        )  # how long was listened varies
        assert said == sentence
        if cause is None:
            assert diagnosis.is_unknown, diagnosis
        else:
            assert cause in [named.id for named in diagnosis.candidates or diagnosis.causes[:1]], (
                diagnosis
            )

    def sent(self, start: str) -> list[SipMessage]:
        """Messages of the caller's that begin so."""
        return [
            m for m in self.call.leg.messages if m.direction == "sent" and m.text.startswith(start)
        ]

    def sent_anew(self, start: str) -> set[str]:
        """Their texts, those apart that only repeat one: a machine that stands still for half a
        second repeats.
        """
        return {m.text for m in self.sent(start)}

    def received(self, start: str) -> list[SipMessage]:
        """Messages to the caller that begin so."""
        return [
            m
            for m in self.call.leg.messages
            if m.direction == "received" and m.text.startswith(start)
        ]

    def is_acknowledged(self, cseq: int) -> None:
        """Wait for SIPp's ACK: until then its re-INVITE is under way, and a BYE would cross it."""

        def acknowledged(event: object) -> bool:
            return (
                isinstance(event, SipMessage)
                and event.direction == "received"
                and event.text.startswith("ACK ")
                and f"CSeq: {cseq} ACK" in event.text
            )

        self.call.leg.wait(f"the ACK {cseq}", acknowledged, within=PATIENCE)

    def answers(self, method: str, status: int) -> None:
        """Wait until the caller has answered a request of SIPp's."""

        def answered(event: object) -> bool:
            return (
                isinstance(event, SipMessage)
                and event.direction == "sent"
                and event.text.startswith(f"SIP/2.0 {status} ")
                and re.search(rf"^CSeq: *\d+ +{method}", event.text, re.I | re.M) is not None
            )

        self.call.leg.wait(f"{status} for {method}", answered, within=PATIENCE)


Meet = Callable[..., AbstractContextManager[Meeting]]
