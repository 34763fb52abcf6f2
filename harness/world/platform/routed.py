"""A call as the platform's own parts see it: which line it came by, and who calls."""

from __future__ import annotations

from harness.world.b2bua import BackToBack
from harness.world.identity import Caller
from harness.world.media.leg import LegMedia


class RoutedCall(BackToBack):
    """A call through the platform's SBC; `PlatformCall` handles it."""

    line: str | None = None  #: None until it is known, and for calls of no line
    #: The platform's number that was called, of a transfer the one of its line on the AI's trunk.
    called: str | None = None
    caller: Caller = Caller("anonymous", withheld=True)

    def agent_caller(self) -> Caller:
        """The number that an agent is shown."""
        return self.caller

    def anchored(self) -> LegMedia:
        """A new leg's media."""
        raise NotImplementedError
