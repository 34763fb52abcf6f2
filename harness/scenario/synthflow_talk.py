"""A call of Synthflow's own, seen through its API and what it says in band."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Literal

from harness.audio.marks import reply_to
from harness.audio.prompts import prompt_text
from harness.checks.audio import Account, Sound
from harness.deployment import Assistant
from harness.errors import FarEndError
from harness.events import FarEndRecord
from harness.far_end.clock import to_monotonic
from harness.far_end.synthflow import CallRecord, SynthflowApi
from harness.far_end.transcript import said, times_heard
from harness.scenario.ends import Call, End
from harness.scenario.reactions import REACTS_WITHIN_S, reaction
from harness.sip.message import Request
from harness.verdict import Strength

if TYPE_CHECKING:
    from harness.scenario.people import Group
    from harness.scenario.stage import Stage

#: What a caller says to be heard by words.
GREETING = "hello-en"
#: How long recognition may take to put it into the transcript of a call that goes on, in seconds.
RECOGNISED_WITHIN_S = REACTS_WITHIN_S
#: How long its end takes to get there: buffers at both ends and between them, in seconds.
ON_ITS_WAY_S = 0.6
#: A talk whose record could not be found, since the interface failed.
UNKNOWN = CallRecord("", {})


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
        self._failing = False

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
    def is_blind(self) -> bool:
        """Whether nobody can tell how the call is now: the interface failed when it was asked last."""
        return self._failing or self.is_unknown

    @property
    def lag_s(self) -> float:
        """How much later than the call its record may be."""
        declared = self._stage.deployment.synthflow
        return declared.record_lag_s if declared else 0.0

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
                found = self._api.call(self._record.id)
                if not found.readable:
                    raise FarEndError("Synthflow API: GET /calls/{id}: the record lacks a status that is known")
                self._record = found
            elif listed := self._stage.record_of(self._peer, self._wanted):
                self._record = listed
        except FarEndError as error:
            self._failing = True
            self._stage.api_trouble(error)
        else:
            self._failing = False
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
        greeting = speaker.say(GREETING)
        self._greetings += 1
        # One that speaks by a mark does so all the time, and shows no reaction.
        listens = not self.voices_for(speaker) and not speaker.marks_heard(since)
        until = greeting.ended + (ON_ITS_WAY_S if self.tells_later and not listens else RECOGNISED_WITHIN_S)
        while time.monotonic() < until:
            if not self.tells_later and (sound := self._greeting_in_transcript(self._greetings)):
                return sound
            if listens and (reacted := reaction(speaker, greeting)) is not None:
                at, how = reacted
                return Sound(at, Strength.CONFIRMED, f"{self.label} reacted: {how}")
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

    def account(self, since: float, missing: End | None = None) -> Account | None:
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
                return 0 if self._record.actions and not self.is_blind else None
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
