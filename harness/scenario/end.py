"""One end of a conversation: a leg of ours, or a call of the AI's that only its own interface shows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from harness.checks.audio import ListenerReport, Sound


class End(Protocol):
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
    def is_blind(self) -> bool:
        """Whether nobody can tell how the call is now."""

    def voices_for(self, peer: End) -> Collection[int]:
        """The marks by which ``peer`` can know it."""

    def hears(self, speaker: End, since: float, deadline: float) -> Sound | None:
        """The first sign of ``speaker`` here after ``since``, None when there is none by ``deadline``."""

    def account(self, since: float, missing: End | None = None) -> ListenerReport | None:
        """What arrived here after ``since``, instead of ``missing`` if that is named; None when nobody can tell."""

    def marks_since(self, since: float) -> tuple[Sequence[int], float] | None:
        """The marks heard here after ``since``, and the seconds of audio looked at; None when nobody can tell."""

    def answered_at(self) -> float | None:
        """When this end's call was set up."""

    def released_at(self, deadline: float) -> float | None:
        """When this end's call ended; waits until ``deadline``; None when it is still up then."""


class Pending(Protocol):
    """A look at a call that is not over."""

    def settle(self, *, asking: bool = False) -> None:
        """Take what it still needs of the call as it is. ``asking``: the call is about to be asked for a person."""

    def wait_until_said(self) -> float:
        """Until the caller has said what it says for this look; when that was, or 0."""
