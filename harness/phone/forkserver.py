"""A process that has loaded numpy and pjsua2, from which phone processes are forked. Loading takes a third of a second."""

from __future__ import annotations

from harness.phone.process import environment
from harness.support.forkserver.process import ForkServer


class PhoneForkServer(ForkServer):
    """The fork server of phones; pass its path to :class:`harness.phone.pool.PhonePool`."""

    def __init__(self) -> None:
        """Start the fork server. Raises OSError when it cannot start; phones then start without it."""
        super().__init__("harness.phone.child.service", environment())
