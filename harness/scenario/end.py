"""One end of a conversation: a leg of a harness phone, or a call of the AI or of an agent that only an interface shows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from harness.calls.checks.audio import ListenerReport, Sound
from harness.phone.leg import Leg
from harness.sip.message import Request
from harness.witness.call_record import CallRecord

if TYPE_CHECKING:
    from harness.scenario.call import Call


class End:
    """One end of a conversation. By default it shows nothing: each kind of end overrides what can be seen of it."""

    role: str  #: ``caller``, ``agent`` or ``ai``
    is_ours = False  #: whether it is a leg of a harness phone, which hears for itself
    doubt_s = 0.0  #: how much earlier the call may have ended than :meth:`released_at` said last
    peer: Call | None = None  #: the caller's call that it was taken for; None where it is one itself

    @property
    def label(self) -> str:
        """The name that findings use."""
        raise NotImplementedError

    @property
    def legs(self) -> Sequence[Leg]:
        """The legs it has been, one after the other; none where no harness phone has it."""
        return ()

    @property
    def invite_number(self) -> str:
        """The number that reports give to the INVITE that got here; empty when no harness phone saw it."""
        return ""

    @property
    def lag_s(self) -> float:
        """How much later than the call its state may be known."""
        return 0.0

    @property
    def is_blind(self) -> bool:
        """Whether the call's present state cannot be known."""
        return False

    @property
    def phone_name(self) -> str:
        """Its harness phone, by the deployment's name; empty where it is at none."""
        return ""

    @property
    def record(self) -> CallRecord | None:
        """The far end's record of the call; None for a leg of a harness phone, which has its own messages."""
        return None

    @property
    def invite(self) -> Request | None:
        """The INVITE that got here, or began the leg."""
        return None

    @property
    def received_on(self) -> tuple[str, str] | None:
        """Transport and local ``address:port`` an AI's INVITE came to."""
        return None

    @property
    def came_from(self) -> str | None:
        """The ``address:port`` an AI's INVITE came from."""
        return None

    @property
    def codec(self) -> str | None:
        """The codec that SDP agreed on here."""
        return None

    def settle_on(self, codecs: Collection[str]) -> None:
        """Wait a moment for one of ``codecs``, where two ends may report one agreement at different times."""

    def digits(self, count: int, within: float) -> tuple[str, list[str], list[int | None]] | None:
        """Digits received (waits for ``count`` of them), their methods, and durations in ms where these are known."""
        return None

    def transfer_outcome(self, within: float) -> int | str | None:
        """The final status of an AI's transfer, or the words for its failure; 0 when none came, None when it is not shown."""
        return None

    def voices_for(self, peer: End) -> Collection[int]:
        """The marks by which ``peer`` can know it."""
        return ()

    def hears(self, speaker: End, since: float, deadline: float) -> Sound | None:
        """The first sign of ``speaker`` here after ``since``; None when there is none by ``deadline``."""
        return None

    def hears_mark(self, speaker: Call, since: float, deadline: float) -> Sound | None:
        """By its own account of one mark: the first sign of ``speaker`` here after ``since``; None when there is none."""
        return None

    def account(self, since: float, missing: End | None = None) -> ListenerReport | None:
        """A report of the audio that arrived here after ``since``, and of what was heard instead of ``missing``."""
        return None

    def marks_since(self, since: float) -> tuple[Sequence[int], float] | None:
        """The marks heard here after ``since``, and the seconds of audio looked at."""
        return None

    def answered_at(self) -> float | None:
        """When this end's call was set up."""
        return None

    def released_at(self, deadline: float) -> float | None:
        """When this end's call ended; waits until ``deadline``; None when it is still up then."""
        return None
