"""One end of a conversation: a leg of ours, or a call of the AI's that only its own interface shows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Protocol

from harness.calls.checks.audio import ListenerReport, Sound
from harness.sip.message import Request
from harness.witness.call_record import CallRecord

if TYPE_CHECKING:
    from harness.scenario.call import Call


class Voiced(Protocol):
    """Who can be known by a voice."""

    @property
    def is_ours(self) -> bool:
        """Whether it is a leg of a phone of ours, which hears for itself."""

    def voices_for(self, peer: Voiced) -> Collection[int]:
        """The marks by which ``peer`` can know it."""


class End(Voiced, Protocol):
    """One end of a conversation, as far as anybody can see it."""

    @property
    def label(self) -> str:
        """What findings call it."""

    @property
    def role(self) -> str:
        """``caller``, ``agent`` or ``ai``."""

    @property
    def invite_number(self) -> str:
        """The number that reports give to the INVITE that got here; empty when it is no message of ours."""

    @property
    def lag_s(self) -> float:
        """How much later than the call it may be known how the call is."""

    @property
    def doubt_s(self) -> float:
        """How much earlier the call may have ended than :meth:`released_at` said last."""

    @property
    def is_blind(self) -> bool:
        """Whether nobody can tell how the call is now."""

    @property
    def phone_name(self) -> str:
        """The phone of ours that it is at, by the deployment's name; empty where it is at none."""

    @property
    def record(self) -> CallRecord | None:
        """The far end's record of the call; None where the call is a leg of ours, which has its own messages."""

    @property
    def invite(self) -> Request | None:
        """The INVITE that got here, or began the leg; None when nobody can show it."""

    @property
    def received_on(self) -> tuple[str, str] | None:
        """Transport and local ``address:port`` an AI's INVITE came to; None when nobody can show it."""

    @property
    def came_from(self) -> str | None:
        """The ``address:port`` an AI's INVITE came from; None when nobody can show it."""

    @property
    def codec(self) -> str | None:
        """What SDP agreed on here."""

    def settle_on(self, codecs: Collection[str]) -> None:
        """Wait a moment for one of ``codecs``, where two ends may tell of one agreement at different times."""

    def digits(self, count: int, within: float) -> tuple[str, list[str], list[int | None]] | None:
        """Digits received (waits for ``count`` of them), the methods and durations in ms (None where it is not told); None when
        nobody can tell.
        """

    def transfer_outcome(self, within: float) -> int | str | None:
        """The final status of an AI's transfer, or by which words it is told to have failed; 0 when none came, None when nobody
        can tell.
        """

    def hears(self, speaker: End, since: float, deadline: float) -> Sound | None:
        """The first sign of ``speaker`` here after ``since``, None when there is none by ``deadline``."""

    def hears_mark(self, speaker: Call, since: float, deadline: float) -> Sound | None:
        """Its own word on one mark: the first sign of ``speaker``'s here after ``since``; None when there is none by ``deadline``."""

    def account(self, since: float, missing: End | None = None) -> ListenerReport | None:
        """What arrived here after ``since``, instead of ``missing`` if that is named; None when nobody can tell."""

    def marks_since(self, since: float) -> tuple[Sequence[int], float] | None:
        """The marks heard here after ``since``, and the seconds of audio looked at; None when nobody can tell."""

    def answered_at(self) -> float | None:
        """When this end's call was set up."""

    def released_at(self, deadline: float) -> float | None:
        """When this end's call ended; waits until ``deadline``; None when it is still up then."""
