"""The record of a call in Synthflow's API: the documented fields, and more that this far end can
report.
"""

from __future__ import annotations

import re
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.world.media.digits import ReceivedDigit
from harness.world.settings import ApiSettings
from harness.world.wire.transport import Traced

if TYPE_CHECKING:
    from harness.world.synthflow.recordings import Recording

_MOST_WAITING = 200  # INVITEs whose call has no record
# Lines that no speech recognition writes.
_NO_WORDS = re.compile(r"(human: \[(mark|pressed) |bot: \[speaks\])")
#: Seconds without a mark after which it counts as heard anew.
_GAP = 0.5


def wall(monotonic: float) -> float:
    """A moment of the monotonic clock in seconds since the epoch."""
    return time.time() - (time.monotonic() - monotonic)


@dataclass
class CallRecord:
    """One call, while it goes on and after.

    Times are in seconds since the epoch. `variables` are what the call's headers said, `transcript`
    has a line for each thing that is said or heard, `actions` one for each handover and the
    goodbye. The other lists are what only this simulation reports.
    """

    id: str
    number_from: str
    number_to: str
    direction: str = "inbound"
    assistant: str | None = None
    status: str = "ringing"
    began: float = field(default_factory=time.time)
    answered_at: float | None = None
    released_at: float | None = None
    end_call_reason: str | None = None
    telephony_hangup: str | None = None  #: who hung up: ``caller``, ``agent``
    disconnect_reason: str | None = None
    error_message: str | None = None
    variables: dict[str, str] = field(default_factory=dict)
    transcript: list[str] = field(default_factory=list)
    actions: list[dict[str, Any]] = field(default_factory=list)
    marks: list[dict[str, Any]] = field(default_factory=list)
    digits: list[dict[str, Any]] = field(default_factory=list)
    messages: list[Traced] = field(default_factory=list)
    codec: str | None = None
    count_packets: Callable[[], int] = int  #: RTP packets that the assistant received
    recording: Recording | None = None  #: where the deployment file declares recordings

    @staticmethod
    def new_id() -> str:
        return secrets.token_hex(12)

    def say(self, who: str, what: str) -> None:
        """Add a line to the transcript; one that repeats the last is not added."""
        line = f"{who}: {what}"
        if not self.transcript or self.transcript[-1] != line:
            self.transcript.append(line)

    def hear(self, mark: int, began: float, now: float, level_dbov: float) -> None:
        """Note a mark that begins or goes on; times in seconds since the epoch. One that is heard
        again within half a second has gone on.
        """
        heard = {"until": now, "level_dbov": round(level_dbov, 1)}
        last = self.marks[-1] if self.marks else None
        if last is not None and last["mark"] == mark and now - last["until"] < _GAP:
            last |= heard
        else:
            self.marks.append({"mark": mark, "at": began, **heard})
            self.say("human", f"[mark {mark}]")

    def press(self, digit: ReceivedDigit) -> None:
        """Note a digit that was received."""
        self.digits.append(
            {
                "digit": digit.digit,
                "at": time.time(),
                "method": digit.method,
                "duration_ms": digit.duration_ms,
            }
        )
        self.say("human", f"[pressed {digit.digit}]")

    def ended(
        self, status: str, by: str | None, reason: str, end_reason: str | None = None
    ) -> None:
        """Note why the call ended; the first reason counts."""
        if self.released_at is None:
            self.released_at = time.time()
            self.status = status
            self.telephony_hangup = by
            self.disconnect_reason = reason
            self.end_call_reason = end_reason

    def plain(self, settings: ApiSettings | None = None) -> dict[str, Any]:
        """The record as the API returns it; ``settings`` say how much of it."""
        settings = settings or ApiSettings()
        end = self.released_at or time.time()
        if self.answered_at is None:
            rang_s = end - self.began
            lasted_s = 0.0
        else:
            rang_s = self.answered_at - self.began
            lasted_s = end - self.answered_at
        plain: dict[str, Any] = {
            "call_id": self.id,
            "type_of_call": self.direction,
            "status": self.status,
            "start_time": str(int(self.began * 1000)),
            "end_call_reason": self.end_call_reason,
            "telephony_hangup": self.telephony_hangup,
            "telephony_disconnect_reason": self.disconnect_reason,
            "telephony_ringing_duration": round(1000 * rang_s),
            "telephony_duration": round(1000 * lasted_s),
            "phone_number_from": self.number_from,
            "phone_number_to": self.number_to,
            "executed_actions": {f"action_{i}": action for i, action in enumerate(self.actions)},
            "prompt_variables": self.variables,
            "error_message": self.error_message,
            "transcript": "\n".join(self._words(settings)),
        }
        if settings.witness:
            plain["witness"] = self._witness()
        return plain

    def _witness(self) -> dict[str, Any]:
        """What the documented fields do not report."""
        return {
            "marks": self.marks,
            "digits": self.digits,
            "messages": [_plain(message) for message in self.messages],
            "codec": self.codec,
            "assistant": self.assistant,
            "rx_packets": self.count_packets(),
            "answered_at": self.answered_at,
            "released_at": self.released_at,
        }

    def _words(self, settings: ApiSettings) -> list[str]:
        """The transcript as far as the settings show it now."""
        if settings.transcript == "none":
            return []
        if settings.transcript == "after":
            if self.released_at is None:
                return []
            if time.time() < self.released_at + settings.transcript_after_s:
                return []
        if settings.witness:
            return list(self.transcript)
        return [line for line in self.transcript if not _NO_WORDS.match(line)]


def _plain(message: Traced) -> dict[str, Any]:
    return {
        "at": wall(message.at),
        "direction": message.direction,
        "transport": message.transport,
        "local": "{}:{}".format(*message.local),
        "remote": "{}:{}".format(*message.remote),
        "text": message.data.decode("utf-8", "replace"),
    }


class Records:
    """One tenant's calls that are up, the latest of those that are over, and the ids reserved for
    calls to come.

    A call that is up is never dropped. Of those that are over, the latest are kept whatever their
    age, and all for a while, as witnesses ask for a record after the call: a world that kept all of
    them grew with each case.
    """

    def __init__(self, most_over: int = 50, kept_s: float = 60.0) -> None:
        """``kept_s`` is how long a call is kept that is over; the latest are kept longer."""
        self._most_over, self._kept_s = most_over, kept_s
        self._records: dict[str, CallRecord] = {}
        self._prepared: set[str] = set()
        self._by_call_id: dict[str, CallRecord] = {}
        self._early: deque[tuple[str, Traced]] = deque(maxlen=_MOST_WAITING)

    def trace(self, sip_call_id: str, traced: Traced) -> None:
        """Note a SIP message; one of a call without a record yet is kept until there is one."""
        record = self._by_call_id.get(sip_call_id)
        if record is not None:
            record.messages.append(traced)
        elif traced.data.startswith(b"INVITE "):
            self._early.append((sip_call_id, traced))

    def add(self, record: CallRecord, sip_call_id: str) -> None:
        """Add a call, and drop old ones that are over."""
        self._records[record.id] = record
        self.also(record, sip_call_id)
        over = [kept for kept in self._records.values() if kept.released_at is not None]
        for old in over[: -self._most_over]:
            if old.released_at is not None and old.released_at <= time.time() - self._kept_s:
                self.forget(old)

    def forget(self, record: CallRecord) -> None:
        """Remove the call's record."""
        self._records.pop(record.id, None)
        self._by_call_id = {
            key: kept for key, kept in self._by_call_id.items() if kept is not record
        }

    def also(self, record: CallRecord, sip_call_id: str) -> None:
        """A SIP call that belongs to it; a warm transfer's has two."""
        for early_call_id, traced in self._early:
            if early_call_id == sip_call_id:
                record.messages.append(traced)
        self._by_call_id[sip_call_id] = record

    def get(self, call_id: str) -> CallRecord | None:
        return self._records.get(call_id)

    def of_sip(self, sip_call_id: str) -> CallRecord | None:
        return self._by_call_id.get(sip_call_id)

    def prepare(self) -> str:
        """Reserve an id for a call to come."""
        call_id = CallRecord.new_id()
        self._prepared.add(call_id)
        return call_id

    def rename(self, record: CallRecord, prepared: str | None) -> None:
        """Give the call an id that was reserved, if it is one and has not been used."""
        if prepared is None or prepared not in self._prepared:
            return
        self._prepared.discard(prepared)
        del self._records[record.id]
        record.id = prepared
        self._records[prepared] = record

    def newest_first(self) -> list[CallRecord]:
        return list(reversed(self._records.values()))
