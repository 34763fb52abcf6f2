"""A call at the AI's side: at a stand-in phone, or at Synthflow, seen through its API and in band."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from harness.audio.marks import reply_to
from harness.case.checks.audio import ListenerReport, Sound
from harness.case.checks.claims import Observation
from harness.case.legs import is_request
from harness.case.model import CallMessage, message_of, messages_shown
from harness.deployment import TOPIC_HEADER, Assistant, Trunk
from harness.errors import FarEndError, PhoneMisuseError
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from harness.phone.waiter import NeverCame
from harness.scenario.call import Call
from harness.scenario.context import CaseContext
from harness.scenario.ends import Digit, End, ListeningLeg
from harness.scenario.handover import SentTransfer, in_actions, in_messages
from harness.scenario.recorded import RecordedCall
from harness.scenario.signs import RECOGNISED_WITHIN_S, Words
from harness.sip.message import Request
from harness.sip.uri import Uri
from harness.witness.call_record import CallRecord
from harness.witness.clock import to_wall
from harness.witness.recorded_transfer import outcome_told, transfers_among


class RingGroup(Protocol):
    """The people that a call is handed to."""

    @property
    def name(self) -> str: ...

    @property
    def address(self) -> str | None: ...


class StandInCall(Call):
    """A call that a harness phone took as the AI."""

    is_unknown = False
    farewell_s = 0.0

    def __init__(
        self,
        context: CaseContext,
        leg: Leg,
        phone: Phone,
        trunk: Trunk,
        assistant: str | None,
        peer: Call,
    ) -> None:
        super().__init__(context, leg, "ai", peer=peer)
        self._phone = phone
        self._trunk = trunk
        self._assistant = assistant
        self._onward: Leg | None = None  #: its call to a group

    @property
    def assistant(self) -> str | None:
        """The assistant whose number was called."""
        return self._assistant

    @property
    def arrival(self) -> CallMessage | None:
        return message_of(self.leg.invite)

    def hand_over(
        self, group: RingGroup, how: str, caller_id: str | None = None, topic: str | None = None
    ) -> None:
        """Do what Synthflow's transfer action does: REFER, or a new call that is joined to the
        caller's.
        """
        heading = f"the stand-in hands the caller to {group.name} ({how})"
        with self._evidence.step(heading):
            if self._context.asks_by == "digit":
                self.digits(1, within=3.0)
            uri = f"sip:{group.address}@{self._trunk.termination}"
            if self._trunk.transport != "udp":
                uri += f";transport={self._trunk.transport}"
            if topic is not None:
                uri = str(Uri.parse(uri).with_header(TOPIC_HEADER, topic))
            if how == "cold":
                self.leg.wait_state("confirmed", within=self._context.patience)
                self.leg.transfer(uri)
                self._context.background.start(self._leave_after_transfer)
                return
            onward = self._onward = self._phone.dial(uri, identity=caller_id)
            self._context.background.start(lambda: self._join(onward))

    def _leave_after_transfer(self) -> None:
        # RFC 5589 section 6.1: the transferor ends its own call once the transfer has succeeded.
        # People take their time to answer, so it waits for as long as the call is up.
        within = self._deployment.limits.seconds_per_call
        code = self.leg.transfer_outcome(within, outlives_call=False)
        if 200 <= code < 300 and not self.is_over():
            # the platform may have ended it in the meantime
            with contextlib.suppress(PhoneMisuseError):
                self.leg.hangup()

    @property
    def has_referred(self) -> bool:
        """Whether it handed the caller over by REFER, so that it takes no part in what follows."""
        sent = (message for message in self.leg.messages if message.direction == "sent")
        return any(is_request(message, "REFER") for message in sent)

    def transfers(self) -> list[SentTransfer]:
        """The transfers that it sent."""
        sent = [message.text for message in self.leg.messages if message.direction == "sent"]
        return list(in_messages(sent))

    def transfer_outcome(self, within: float) -> int | None:
        """The final status of the REFER's NOTIFYs, or of the REFER itself; 0 when none came."""
        return self.leg.transfer_outcome(within)

    def _join(self, onward: Leg) -> None:
        # the group's agent answers while the scenario goes on
        with contextlib.suppress(NeverCame):
            onward.wait_state("confirmed", within=self._deployment.limits.seconds_per_call)
            try:
                self.leg.bridge(onward)
            except PhoneMisuseError:
                # otherwise the far end has ended it, and there is no call to join
                if onward.state != "disconnected":
                    raise

    def give_up(self) -> None:
        """End the call to the group, answered or not, when the platform has ended the caller's leg."""
        onward = self._onward
        limit = self._deployment.expect.released_within_s
        if onward is not None and self._context.wait_for(self.is_over, limit):
            onward.hangup()

    def let_go(self) -> None:
        """Hang up, as the assistant would, unless the platform ends the call at once."""
        if self.released_at(time.monotonic() + self._deployment.expect.released_within_s) is None:
            self.hang_up()

    def send_digits(self, method: Literal["rfc4733", "info"]) -> str:
        """Send the deployment's digits."""
        digits = self._deployment.escalation.digits_back or "159D"
        self.press(digits, method)
        return digits


#: A call whose record could not be found, since the interface failed.
UNKNOWN = CallRecord("", {})


class SynthflowCall(End):
    """A call at Synthflow, as its API and its audio show it."""

    role = "ai"

    def __init__(
        self,
        context: CaseContext,
        record: CallRecord,
        peer: Call,
        wanted: str = "",
        find: Callable[[], CallRecord | None] = lambda: None,
    ) -> None:
        super().__init__(context)
        self._api = context.far_end.api
        self._record = record
        self.peer: Call = peer
        declared = context.far_end.declared
        self._can = declared.testimony
        self._find = find  # looks for a record that is unknown yet
        #: The number that should be called, to find a record that is unknown yet.
        self._wanted = wanted
        self._failing = False
        comes_after = context.deployment.transcript == "after"
        within_s = declared.transcript_within_s if comes_after else RECOGNISED_WITHIN_S
        self.words = Words(context, self.refresh, within_s, lambda: self.is_blind)
        self.recording = RecordedCall(context, self)

    @property
    def record(self) -> CallRecord:
        """As read last."""
        return self._record

    @property
    def is_unknown(self) -> bool:
        """Whether its record could not be found, since the interface failed."""
        return self._record is UNKNOWN

    @property
    def is_blind(self) -> bool:
        """Whether the call's present state is unknown: the interface failed when it was asked last."""
        return self._failing or self.is_unknown

    @property
    def lag_s(self) -> float:
        """How much later than the call its record may be."""
        return self._context.far_end.lag_s

    @property
    def assistant(self) -> str | None:
        """By the number that was called."""
        named: str | None = self._witness("assistant")
        if named is not None:
            return named
        return self._context.assistant_of(self._record.number_to)

    @property
    def label(self) -> str:
        """The assistant's name."""
        called = self._record.number_to or self._wanted
        return f"assistant {self._context.assistant_of(called) or called}"

    @property
    def _declared(self) -> Assistant | None:
        return self._deployment.assistants.get(self.assistant or "")

    def _witness(self, what: str) -> Any:
        """A field beyond the documented record, if the deployment says that there are any."""
        return self._record.witness(what) if self._can else None

    @property
    def _is_in_doubt(self) -> bool:
        """Whether it is unknown which clock the record's times are by."""
        return self._record.is_in_doubt(to_wall(self.peer.began))

    def _moment(self, reported: float | None) -> float | None:
        if reported is None or self._is_in_doubt:
            return None
        return self._record.moment(reported)

    def refresh(self) -> CallRecord:
        """Read the record again, or look for it again; keeps the old one when the API cannot be
        used.
        """
        try:
            if not self.is_unknown:
                found = self._api.call(self._record.id)
                if not found.readable:
                    lacks = " and ".join(found.lacking)
                    raise FarEndError(f"Synthflow API: GET /calls/{{id}}: the record lacks {lacks}")
                self._record = found
                if found.unread:
                    self._context.far_end.trouble(
                        FarEndError(f"Synthflow API: GET /calls/{{id}}: {found.unread}")
                    )
            elif listed := self._find():
                self._record = listed
        except FarEndError as error:
            self._failing = True
            self._context.far_end.trouble(error)
        else:
            self._failing = False
        return self._record

    def read_on(self, tells: Callable[[CallRecord], bool]) -> CallRecord:
        """The record of a call that is over, read until it ``tells`` what is asked or is complete.

        A list of calls leaves out what a single one has (List calls has no prompt_variables), and a
        call that goes on may lack it.
        """

        def is_there() -> bool:
            record = self.refresh()
            return tells(record) or (record.over and record.tells_variables)

        self._context.ask_interface(is_there, self.lag_s)
        return self._record

    def _fresh(self, what: str) -> Any:
        self.refresh()
        return self._witness(what)

    def keep_record(self) -> None:
        """Keep the record as it is now in the evidence."""
        record = self.refresh()
        if self.is_unknown:
            return
        self._evidence.record("synthflow", f"GET /v2/calls/{record.id}", record.evidence)

    # -- what reached the AI

    def _messages(self) -> list[dict[str, Any]]:
        messages = self._witness("messages")
        if messages is None and "messages" in self._can:
            messages = self._fresh("messages")
        return messages or []

    def _first_invite(self) -> CallMessage | None:
        """The INVITE that began the call, where the far end shows its messages.

        A challenged INVITE comes twice; what counts is the one that was let in, the last without a
        To tag.
        """
        came = [m for m in messages_shown(self._messages()) if m.received and m.begins_dialog]
        return came[-1] if came else None

    @property
    def invite(self) -> Request | None:
        first = self._first_invite()
        return first.message if first and isinstance(first.message, Request) else None

    @property
    def arrival(self) -> CallMessage | None:
        first = self._first_invite()
        return first if first and first.transport and first.local else None

    @property
    def codec(self) -> str | None:
        """As the far end says."""
        found: str | None = self._fresh("codec")
        return found

    def digits(self, count: int, within: float) -> Sequence[Digit] | None:
        """The digits the far end witnessed; None where its record lists none, or could not be read
        at last.
        """
        if "dtmf" not in self._can:
            return None
        self._context.ask_interface(lambda: len(self._fresh("digits") or ()) >= count, within)
        found: list[dict[str, Any]] | None = self._witness("digits")
        if found is None or (self.is_blind and len(found) < count):
            return None
        return [Digit(one["digit"], one["method"], _whole(one["duration_ms"])) for one in found]

    # -- End

    def voices_for(self, peer: End) -> Collection[int]:
        """The assistant's own voice, and its answer to the mark of the peer."""
        voices: set[int] = set()
        declared = self._declared
        if declared is not None and declared.voice is not None:
            voices.add(declared.voice)
        if self.says_in_band and peer.is_ours:
            voices.update(reply_to(mark) for mark in peer.voices_for(self))
        return voices

    def hears(self, speaker: End, since: float, deadline: float) -> Sound | None:
        """By its answer in band if it gives one, else by its record."""
        assert isinstance(speaker, Call)
        if self.says_in_band:
            until, now = deadline, time.monotonic()
            if "marks" in self._can:
                # the answer needs the other direction as well: half the time for it, the rest for
                # the record
                until = now + (deadline - now) / 2
            sound = speaker.hears_marks({reply_to(speaker.mark)}, since, until)
            if sound is not None:
                words = f"{self.label} says in band that it hears mark {speaker.mark}"
                return Sound(sound.at, Observation.MARK, words)
        if "marks" in self._can:
            return self.hears_mark(speaker, since, deadline)
        return None

    def hears_mark(self, speaker: ListeningLeg, since: float, deadline: float) -> Sound | None:
        """By the marks its record lists; None when it lists none, or not this one by ``deadline``."""

        def heard() -> Sound | None:
            for mark in self._fresh("marks") or []:
                if mark["mark"] != speaker.mark:
                    continue
                last, first = self._moment(mark["until"] or mark["at"]), self._moment(mark["at"])
                if last is not None and first is not None and last >= since:
                    words = f"{self.label}'s record lists mark {speaker.mark}"
                    return Sound(max(since, first), Observation.MARK, words, speaker.mark)
            return None

        within = deadline - time.monotonic()
        return self._context.ask_interface(heard, within, lambda: self._record.over)

    # -- by words, where it cannot name marks

    @property
    def is_known_by_words(self) -> bool:
        """Whether it names no marks, so that other signs have to tell who was heard
        (:mod:`harness.scenario.signs`).
        """
        return not self._deployment.names_marks

    @property
    def says_in_band(self) -> bool:
        """Whether it names the mark that it hears by one of its own, for as long as it does."""
        return "in-band" in self._can

    def account(self, since: float, missing: End | None = None) -> ListenerReport | None:
        """What the record says it heard; None if the record cannot be read now."""
        marks = self._fresh("marks")
        if self.is_blind or marks is None or self._is_in_doubt:
            return None
        levels = [mark["level_dbov"] for mark in marks if mark["level_dbov"] is not None]
        heard = [
            mark["mark"]
            for mark in marks
            if self._record.moment(mark["until"] or mark["at"]) >= since
        ]
        return ListenerReport(
            seconds=time.monotonic() - since,
            level_dbov=max(levels, default=None),
            marks=tuple(heard),
            rx_packets=self._witness("rx_packets"),
        )

    def answered_at(self) -> float | None:
        """When the record says it was answered."""
        return self._moment(self._witness("answered_at"))

    def released_at(self, deadline: float) -> float | None:
        """When the record says the AI was released from the call."""

        def look() -> tuple[bool | None, float | None]:
            at = self._fresh("released_at")
            over = self._record.over or at is not None
            return over or (None if self.is_blind else False), self._moment(at)

        reported = reported_end(self._context, look, deadline)
        self.doubt_s = 0.0 if reported is None else reported.doubt_s
        return None if reported is None else reported.at

    # -- what it does when its caller asks

    def hand_over(
        self, group: RingGroup, how: str, caller_id: str | None = None, topic: str | None = None
    ) -> None:
        """Nothing to do: Synthflow's own transfer action does it when the caller asks."""

    def give_up(self) -> None:
        """Nothing to do: Synthflow ends its call to the group by itself."""

    def transfers(self) -> list[SentTransfer]:
        """By its messages, where they are shown, else by its record."""
        self.refresh()
        sent = [message["text"] for message in self._messages() if message["direction"] == "sent"]
        return list(in_messages(sent)) or list(in_actions(self._record.actions))

    def transfer_outcome(self, within: float) -> int | str | None:
        """The status or the words its record has for the transfer; 0 when none came, None when it
        does not say.
        """

        def outcome() -> int | str | None:  # an assistant's other actions have statuses, too
            for transfer in reversed(transfers_among(self.refresh().actions)):
                reported = outcome_told(transfer)
                if reported is not None:
                    return reported
            return None

        reported = self._context.ask_interface(outcome, within)
        # a bare record may list actions, and yet not what became of a transfer
        never_came = self._can and self._record.actions and not self.is_blind
        return 0 if reported is None and never_came else reported

    def hang_up(self) -> float:
        """The caller says goodbye and the AI hangs up: when it did, or when it was asked if that is
        unknown (:attr:`farewell_s`).
        """
        digit = self._deployment.escalation.goodbye_digit
        if digit is None:
            raise FarEndError(
                "escalation.goodbye_digit: is missing; without it the AI cannot be made to hang up"
            )
        self.peer.press(digit)
        asked = time.monotonic()
        if self.farewell_s:
            return asked
        return self.released_at(asked + self._context.patience) or asked

    def let_go(self) -> None:
        """Nothing to do: the assistant hangs up by itself when no agent can take the caller."""

    @property
    def farewell_s(self) -> float:
        """How long it may still speak after :meth:`hang_up`: a bare record does not say when it
        ended.
        """
        return 0.0 if self._can else self._context.patience

    def send_digits(self, method: Literal["rfc4733", "info"]) -> str:
        """The caller asks for digits, by the method in which they shall come."""
        escalation = self._deployment.escalation
        if escalation.digits_back_digit is None or escalation.digits_back is None:
            raise FarEndError(
                "escalation.digits_back: is missing; without it the AI cannot be made to send digits"
            )
        self.peer.press(escalation.digits_back_digit, method)
        return escalation.digits_back


@dataclass(frozen=True, slots=True)
class ReportedEnd:
    """A call ended at that moment (``time.monotonic()``), or as much earlier as there is doubt."""

    at: float
    doubt_s: float = 0.0


def reported_end(
    context: CaseContext, look: Callable[[], tuple[bool | None, float | None]], deadline: float
) -> ReportedEnd | None:
    """The end of a call; None where a look that began at ``deadline`` or later shows none, or the
    interface is down.

    ``look`` asks once: whether the call is over (None: unknown), and when it ended, where the
    interface says so. Where it does not, the call ended after the last look began that showed it
    up, and before the first came back that did not.
    """
    up_at = -math.inf

    def end() -> ReportedEnd | None:
        nonlocal up_at
        asked = time.monotonic()
        is_over, at = look()
        if is_over:
            seen = time.monotonic()
            return ReportedEnd(seen, seen - up_at) if at is None else ReportedEnd(at)
        if is_over is False:
            up_at = asked
        return None

    return context.ask_interface(end, deadline - time.monotonic())


#: A call as the AI has it.
AiCall = StandInCall | SynthflowCall


def _whole(ms: float | None) -> int | None:
    return None if ms is None else int(ms)
