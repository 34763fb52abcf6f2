"""The AI's place in a call: taken by Synthflow, seen through its API, or by a phone of ours standing in for it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Literal, Protocol

from harness.audio.marks import SAMPLE_RATE, reply_to
from harness.audio.prompts import prompt_samples, prompt_text
from harness.checks import identity
from harness.checks.audio import Account, Sound
from harness.deployment import Assistant, Trunk
from harness.errors import FarEndError, PhoneMisuseError
from harness.events import FarEndRecord, SipMessage, TransferProgress
from harness.far_end.clock import to_monotonic, to_wall
from harness.far_end.synthflow import CallRecord, SynthflowApi
from harness.far_end.transcript import said, times_heard
from harness.phone.phone import Leg, Phone
from harness.phone.waiter import NeverCame
from harness.scenario.ends import Call, End, parsed
from harness.sip.message import Message, Request
from harness.verdict import Strength

if TYPE_CHECKING:
    from harness.scenario.people import Group
    from harness.scenario.stage import Stage

#: What a caller says to be heard by words.
GREETING = "hello-en"
#: How long recognition may take to put it into the transcript of a call that goes on, in seconds.
RECOGNISED_WITHIN_S = 2.5
#: How long its end takes to get there: buffers at both ends and between them, in seconds.
ON_ITS_WAY_S = 0.6
#: A talk whose record could not be found, since the interface failed.
UNKNOWN = CallRecord("", {})


class Talk(End, Protocol):
    """A call as the AI has it."""

    @property
    def assistant(self) -> str | None:
        """The assistant that took it, by the deployment's name; None when nobody says."""

    @property
    def invite(self) -> Request | None:
        """The INVITE that reached the AI; None when nobody can show it."""

    @property
    def received_on(self) -> tuple[str, str] | None:
        """Transport and local ``address:port`` the INVITE came to."""

    @property
    def came_from(self) -> str | None:
        """The ``address:port`` the INVITE came from."""

    @property
    def codec(self) -> str | None:
        """What SDP agreed on, at the AI's side."""

    def digits(self, count: int, within: float) -> tuple[str, list[str], list[int]] | None:
        """Digits received (waits for ``count`` of them), the methods and durations in ms; None when nobody can tell."""

    def hand_over(self, group: Group, how: str, caller_id: str | None = None, topic: str | None = None) -> None:
        """Have the caller, who has asked for a person, transferred to ``group``: ``cold`` or ``warm``."""

    def hang_up(self) -> float:
        """Have the AI hang up; the moment it was asked to."""

    def send_digits(self, method: Literal["rfc4733", "info"]) -> str:
        """Have the AI send digits; which."""


class StandInTalk(Call):
    """A call that a phone of ours took in the AI's place."""

    def __init__(self, stage: Stage, leg: Leg, phone: Phone, trunk: Trunk, assistant: str | None, peer: Call) -> None:
        super().__init__(stage, leg, "ai", number=None)
        self._phone = phone
        self._trunk = trunk
        self._peer = peer
        self.assistant = assistant

    @property
    def received_on(self) -> tuple[str, str] | None:
        """Where the INVITE came to."""
        first = self._first_invite()
        return (first.transport, first.local) if first else None

    @property
    def came_from(self) -> str | None:
        """Where it came from."""
        first = self._first_invite()
        return first.remote if first else None

    def _first_invite(self) -> SipMessage | None:
        return next((m for m in self.messages() if m.direction == "received" and m.text.startswith("INVITE ")), None)

    def hand_over(self, group: Group, how: str, caller_id: str | None = None, topic: str | None = None) -> None:
        """What Synthflow's transfer action does: REFER, or a call of its own that is joined to the caller's."""
        heading = f"the stand-in hands the caller to {group.name} ({how})"
        with self._stage.step(heading):
            self._heard_the_request()
            uri = f"sip:{group.did}@{self._trunk.termination}"
            if self._trunk.transport != "udp":
                uri += f";transport={self._trunk.transport}"
            if topic is not None:
                uri += f"?X-Gladly-Routing-Selector={topic}"
            if how == "cold":
                self.leg.transfer(uri)
                self._stage.aside(self._leave_after_transfer)
                return
            onward = self._phone.dial(uri, identity=caller_id)
            self._stage.aside(lambda: self._join(onward))

    def _leave_after_transfer(self) -> None:
        # RFC 5589 section 6.1: the transferor ends its own call once the transfer has succeeded
        code = self.transfer_outcome(self._stage.patience) or 0
        if 200 <= code < 300 and not self.is_over():
            with contextlib.suppress(PhoneMisuseError):  # the platform may have ended it in the meantime
                self.leg.hangup()

    def transfer_outcome(self, within: float) -> int | None:
        """The final status of the REFER's NOTIFYs, or of the REFER itself; 0 when none came."""
        try:
            event = self.leg.wait(
                "the outcome of the transfer", lambda e: isinstance(e, TransferProgress) and e.final, within=within
            )
        except NeverCame:
            return 0
        assert isinstance(event, TransferProgress)
        return event.code

    def _join(self, onward: Leg) -> None:
        # the group's agent answers while the scenario goes on
        with contextlib.suppress(NeverCame):
            onward.wait_state("confirmed", within=self._stage.patience)
            self.leg.bridge(onward)

    def _heard_the_request(self) -> None:
        escalation = self._stage.deployment.escalation
        way = self._stage.case.axes.get("ask") or escalation.ways[0]
        if way == "digit":
            self.digits(1, within=3.0)

    def hang_up(self) -> float:
        """Hang up."""
        at = time.monotonic()
        self.leg.hangup()
        return at

    def send_digits(self, method: Literal["rfc4733", "info"]) -> str:
        """Send the deployment's digits."""
        digits = self._stage.deployment.escalation.digits_back or "159D"
        self.press(digits, method)
        return digits


class SynthflowTalk:
    """A call of Synthflow's own, as its API and what it says in band tell it."""

    role = "ai"

    def __init__(self, stage: Stage, api: SynthflowApi, record: CallRecord, peer: Call, wanted: str = "") -> None:
        self._stage = stage
        self._api = api
        self._record = record
        self._peer = peer
        self._can = set(stage.deployment.synthflow.witness) if stage.deployment.synthflow else set()
        self._wanted = wanted  #: the number that should be called, to find a record that is unknown yet
        self._greetings = 0

    @property
    def call_id(self) -> str:
        """Synthflow's id of the call."""
        return self._record.id

    @property
    def record(self) -> CallRecord:
        """As read last."""
        return self._record

    @property
    def is_unknown(self) -> bool:
        """Whether its record could not be found, since the interface failed."""
        return self._record is UNKNOWN

    @property
    def assistant(self) -> str | None:
        """By the number that was called."""
        named = self._witness("assistant")
        if isinstance(named, str):
            return named
        return self._stage.assistant_of(self._record.number_to)

    @property
    def label(self) -> str:
        """The assistant's name."""
        called = self._record.number_to or self._wanted
        return f"assistant {self._stage.assistant_of(called) or called}"

    @property
    def _declared(self) -> Assistant | None:
        return self._stage.deployment.assistants.get(self.assistant or "")

    def _witness(self, what: str) -> Any:
        """Beyond the documented record, where the deployment says that there is more."""
        return self._record.witness(what) if self._can - {"record"} else None

    def refresh(self) -> CallRecord:
        """Read the record again, or look for it again; keeps the old one when the API cannot be used."""
        try:
            if not self.is_unknown:
                self._record = self._api.call(self._record.id)
            elif found := self._stage.record_of(self._peer, self._wanted):
                self._record = found
        except FarEndError as error:
            self._stage.api_trouble(error)
        return self._record

    def _fresh(self, what: str) -> Any:
        self.refresh()
        return self._witness(what)

    def file_record(self) -> None:
        """Keep the record as it is now in the evidence."""
        record = self.refresh()
        if self.is_unknown:
            return
        self._stage.sink(
            FarEndRecord(
                at=time.monotonic(), phone="synthflow", source=f"GET /v2/calls/{record.id}", record=record.plain
            )
        )

    # -- what the AI got

    def _messages(self) -> list[dict[str, Any]]:
        messages = self._witness("messages")
        if messages is None and "messages" in self._can:
            messages = self._fresh("messages")
        return messages if isinstance(messages, list) else []

    def _first_invite(self) -> dict[str, Any] | None:
        # a challenged INVITE comes twice; what counts is the one that was let in, the last without a To tag
        found = None
        for message in self._messages():
            if message["direction"] == "received" and message["text"].startswith("INVITE "):
                request = Request.parse(message["text"])
                if request.to.tag is None:
                    found = message
        return found

    @property
    def invite(self) -> Request | None:
        """The INVITE, where the far end shows its messages."""
        message = self._first_invite()
        if message is None:
            return None
        request = Request.parse(message["text"])
        assert isinstance(request, Request)
        return request

    @property
    def received_on(self) -> tuple[str, str] | None:
        """Where it came to."""
        message = self._first_invite()
        return (message["transport"], message["local"]) if message else None

    @property
    def came_from(self) -> str | None:
        """Where it came from."""
        message = self._first_invite()
        return message.get("remote") if message else None

    @property
    def codec(self) -> str | None:
        """As the far end says."""
        found = self._fresh("codec")
        return found if isinstance(found, str) else None

    def digits(self, count: int, within: float) -> tuple[str, list[str], list[int]] | None:
        """The digits the far end witnessed."""
        if "dtmf" not in self._can:
            return None
        deadline = time.monotonic() + within
        found: list[dict[str, Any]] = []
        while time.monotonic() < deadline:
            found = self._fresh("digits") or []
            if len(found) >= count:
                break
            self._stage.pause(self._stage.poll_s)
        return (
            "".join(d["digit"] for d in found),
            [d["method"] for d in found],
            [int(d["duration_ms"] or 0) for d in found],
        )

    # -- End

    def voices_for(self, peer: End) -> Collection[int]:
        """The assistant's own voice, and its answer to the mark of the peer."""
        voices = {self._declared.voice} if self._declared and self._declared.voice is not None else set()
        if "in-band" in self._can and isinstance(peer, Call):
            voices.add(reply_to(peer.mark))
        return voices

    def hears(self, speaker: End, since: float, deadline: float) -> Sound | None:
        """In band when it can say so there, else from its record."""
        assert isinstance(speaker, Call)
        if "in-band" in self._can:
            # the answer needs the other direction as well: half the time for it, the rest for the record
            half = time.monotonic() + (deadline - time.monotonic()) / 2
            sound = speaker.hears_marks({reply_to(speaker.mark)}, since, half if "marks" in self._can else deadline)
            if sound is not None:
                return Sound(sound.at, Strength.PROVED, f"{self.label} says in band that it hears mark {speaker.mark}")
        if "marks" in self._can:
            return self.hears_by_record(speaker, since, deadline)
        return self._hears_weakly(speaker, since, deadline)

    def hears_by_record(self, speaker: Call, since: float, deadline: float) -> Sound | None:
        """By the marks its record lists; None when it lists none, or not this one by ``deadline``."""
        while True:
            for mark in self._fresh("marks") or []:
                last = to_monotonic(float(mark.get("until") or mark["at"]))
                if mark["mark"] == speaker.mark and last >= since:
                    at = max(since, to_monotonic(float(mark["at"])))
                    return Sound(at, Strength.PROVED, f"{self.label}'s record lists mark {speaker.mark}", speaker.mark)
            if time.monotonic() >= deadline or self._record.over:
                return None
            self._stage.pause(self._stage.poll_s)

    # -- by words, where it cannot name marks

    @property
    def is_known_by_words(self) -> bool:
        """Whether only its transcript tells who was heard."""
        return not self._can & {"marks", "in-band"}

    @property
    def tells_later(self) -> bool:
        """Whether the transcript is there only when the call is over."""
        declared = self._stage.deployment.synthflow
        return declared is not None and declared.transcript == "after"

    @property
    def words_so_far(self) -> int:
        """How often the caller has said the greeting."""
        return self._greetings

    def _hears_weakly(self, speaker: Call, since: float, deadline: float) -> Sound | None:
        """The speaker says a greeting; the transcript has it, or else RTP was sent at least."""
        speaker.say(GREETING)
        self._greetings += 1
        spoken = time.monotonic() + len(prompt_samples(GREETING)) / SAMPLE_RATE
        until = spoken + (ON_ITS_WAY_S if self.tells_later else RECOGNISED_WITHIN_S)
        while time.monotonic() < until:
            if not self.tells_later and (sound := self._greeting_in_transcript(self._greetings)):
                return sound
            self._stage.pause(min(self._stage.poll_s, max(0.0, until - time.monotonic())))
        speaker.leg.statistics()
        sent = speaker.account(since).tx_packets
        return Sound(time.monotonic(), Strength.INDICATED, f"{sent} RTP packets were sent") if sent else None

    def with_words(self, sound: Sound | None, wanted: int) -> Sound | None:
        """What was heard, raised by what the transcript says: of the caller's greetings, or (0) that the AI spoke."""
        declared = self._stage.deployment.synthflow
        within = declared.transcript_within_s if declared and declared.transcript == "after" else RECOGNISED_WITHIN_S
        until = time.monotonic() + within
        while True:
            self.refresh()
            if wanted and (found := self._greeting_in_transcript(wanted)):
                return Sound(sound.at if sound else found.at, found.strength, found.evidence)
            if not wanted and sound is not None and said(self._record.transcript, "bot"):
                evidence = f"{sound.evidence}; the transcript has {self.label}'s own words"
                return Sound(sound.at, Strength.CONFIRMED, evidence, level_dbov=sound.level_dbov)
            if time.monotonic() >= until or (self._record.over and self._record.transcript and not self.tells_later):
                return sound
            self._stage.pause(self._stage.poll_s)

    def _greeting_in_transcript(self, times: int) -> Sound | None:
        words = prompt_text(GREETING)
        if times_heard(self.refresh().transcript, words) < times:
            return None
        return Sound(time.monotonic(), Strength.CONFIRMED, f"{self.label}'s transcript has {words!r}")

    def account(self, since: float) -> Account | None:
        """What the record says it heard."""
        marks = self._fresh("marks")
        if not isinstance(marks, list):
            return None
        heard = tuple(int(m["mark"]) for m in marks if to_monotonic(float(m.get("until") or m["at"])) >= since)
        packets = self._witness("rx_packets")
        return Account(
            seconds=time.monotonic() - since,
            level_dbov=max((float(m["level_dbov"]) for m in marks), default=None),
            marks=heard,
            rx_packets=int(packets) if packets is not None else None,
        )

    def answered_at(self) -> float | None:
        """When the record says it was answered."""
        at = self._witness("answered_at")
        return to_monotonic(float(at)) if at is not None else None

    def released_at(self, deadline: float) -> float | None:
        """When the record says the AI was released from the call."""
        while True:
            record = self.refresh()
            at = self._witness("released_at")
            if at is not None:
                return to_monotonic(float(at))
            if record.over:
                return time.monotonic()
            if time.monotonic() >= deadline:
                return None
            self._stage.pause(self._stage.poll_s)

    # -- what it is asked to do; it does them when its caller asks

    def hand_over(self, group: Group, how: str, caller_id: str | None = None, topic: str | None = None) -> None:
        """Synthflow's own transfer action does it."""

    def transfer_outcome(self, within: float) -> int | None:
        """The status its record gives for the transfer; 0 when none came, None when it does not say."""
        deadline = time.monotonic() + within
        while True:
            for action in self.refresh().actions:
                if isinstance(action, dict) and isinstance(action.get("status_code"), int):
                    return int(action["status_code"])
            if time.monotonic() >= deadline:
                return 0 if self._record.actions else None
            self._stage.pause(self._stage.poll_s)

    def hang_up(self) -> float:
        """The caller says goodbye, and the AI hangs up."""
        digit = self._stage.deployment.escalation.goodbye_digit
        if digit is None:
            raise FarEndError("escalation.goodbye_digit: is missing; without it the AI cannot be made to hang up")
        self._peer.press(digit)
        return time.monotonic()

    def send_digits(self, method: Literal["rfc4733", "info"]) -> str:
        """The caller asks for digits, in the way they shall come."""
        escalation = self._stage.deployment.escalation
        if escalation.digits_back_digit is None or escalation.digits_back is None:
            raise FarEndError("escalation.digits_back: is missing; without it the AI cannot be made to send digits")
        self._peer.press(escalation.digits_back_digit, method)
        return escalation.digits_back


class Seat(Protocol):
    """Who can be called in the AI's place."""

    def expect_call(self, of: Call, assistant: str, within: float) -> Talk | None:
        """The AI's side of the call ``of``; None when none came."""

    def answered_by(self, of: Call) -> list[str]:
        """The assistants that took a call since ``of`` began."""


class SynthflowSeat:
    """Synthflow itself."""

    def __init__(self, stage: Stage, api: SynthflowApi) -> None:
        self._stage = stage
        self._api = api
        self.talks: list[SynthflowTalk] = []
        self.blind = False  #: the last look showed nothing, for no fault of the platform's

    def expect_call(self, of: Call, assistant: str, within: float) -> SynthflowTalk | None:
        """Poll its list of calls. Where the interface fails and the call was answered, a talk that knows nothing."""
        number = self._stage.deployment.assistants[assistant].did
        deadline = time.monotonic() + within
        while True:
            if record := self.find(of, number):
                return self._talk(record, of, number)
            if time.monotonic() >= deadline or of.is_over():
                return self._talk(UNKNOWN, of, number) if self.blind and of.answered_at() is not None else None
            self._stage.pause(self._stage.poll_s)

    def _talk(self, record: CallRecord, of: Call, number: str) -> SynthflowTalk:
        talk = SynthflowTalk(self._stage, self._api, record, of, number)
        self.talks.append(talk)
        self._stage.talked(talk)
        return talk

    def find(self, of: Call, number: str) -> CallRecord | None:
        """The record of the call ``of`` at ``number``, once it is answered."""
        found = (r for r in self.records(of) if r.number_to == number and r.answered and self._is_ours(r, of))
        return next(found, None)

    def _is_ours(self, record: CallRecord, of: Call) -> bool:
        taken = {talk.record.id for talk in self.talks}
        return record.id not in taken and self._is_of(record, of)

    def records(self, of: Call) -> list[CallRecord]:
        """Every call the AI saw since ``of`` began, answered or not; says whether it could look (:attr:`blind`)."""
        try:
            found = self._api.calls(since=to_wall(of.began))
        except FarEndError as error:
            self._stage.api_trouble(error)
            self.blind = True
            return []
        self.blind = any(not record.readable for record in found)
        if self.blind:
            self._stage.api_trouble(FarEndError("Synthflow API: GET /calls: a record lacks status or phone_number_to"))
        return found

    def answered_by(self, of: Call) -> list[str]:
        """By number called."""
        taken = [record for record in self.records(of) if record.answered and self._is_of(record, of)]
        return [self._stage.assistant_of(record.number_to) or str(record.number_to) for record in taken]

    def _is_of(self, record: CallRecord, of: Call) -> bool:
        if of.prepared is not None and record.id == of.prepared:
            return True
        declared = self._stage.deployment.synthflow
        if declared is not None and declared.shared:
            return record.number_from == of.number
        # several callers of one case are told apart by number; a call without any number is taken on trust, and then
        # fails its caller ID
        others = {number for number in self._stage.callers_numbers() if number != of.number}
        return record.number_from == of.number or record.number_from not in others


class StandInSeat:
    """A phone of ours at the trunk's address."""

    def __init__(self, stage: Stage, phone: Phone, trunk: Trunk) -> None:
        self._stage = stage
        self.phone = phone
        self.trunk = trunk
        self.talks: list[StandInTalk] = []
        self._waiting: list[Leg] = []  #: calls that came, and nobody has expected yet

    def hold_back(self, within: float) -> Leg:
        """Take the next call, but do not answer it until it is expected. Raises :class:`NeverCame`."""
        leg = self.phone.next_call(within)
        self._waiting.append(leg)
        return leg

    def expect_call(self, of: Call, assistant: str, within: float) -> StandInTalk | None:
        """Answer the next call."""
        leg = self._next_of(of, time.monotonic() + within)
        if leg is None:
            return None
        leg.answer()
        invite = Request.parse(leg.invite.text)
        assert isinstance(invite, Request)
        called = self._stage.assistant_of((invite.uri.user or "").split(";")[0])
        talk = StandInTalk(self._stage, leg, self.phone, self.trunk, called, of)
        self.talks.append(talk)
        self._stage.talked(talk)
        return talk

    def _next_of(self, of: Call, deadline: float) -> Leg | None:
        """The next call from the caller; a call that shows nobody's number may be anybody's."""
        others = self._stage.callers_numbers() - {of.number}
        while True:
            for leg in self._waiting:
                if self._shown_number(leg) not in others:
                    self._waiting.remove(leg)
                    return leg
            try:
                self._waiting.append(self.phone.next_call(within=max(0.0, deadline - time.monotonic())))
            except NeverCame:
                return None

    def _shown_number(self, leg: Leg) -> str | None:
        return identity.e164(identity.user_of(Message.parse(leg.invite.text).from_), self._stage.deployment.region)

    def answered_by(self, of: Call) -> list[str]:
        """By the Request-URI of what it answered."""
        return [talk.assistant or "an unknown number" for talk in self.talks]


def messages_of(talk: Talk) -> list[SipMessage]:
    """The messages of a talk that is a leg of ours."""
    return talk.messages() if isinstance(talk, Call) else []


__all__ = ["Seat", "StandInSeat", "StandInTalk", "SynthflowSeat", "SynthflowTalk", "Talk", "parsed"]
