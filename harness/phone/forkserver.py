"""The phone processes of a run are forked from one that has loaded numpy and pjsua2, which takes a third of a second each time."""

from __future__ import annotations

from harness.phone.process import environment
from harness.support.forkserver.process import ForkServer


class PhoneForkServer(ForkServer):
    """That process; its path is for :class:`harness.phone.pool.PhonePool`."""

    def __init__(self) -> None:
        """Start it. Raises OSError where there can be none; then phones are started each for itself."""
        super().__init__("harness.phone.child.service", environment())
