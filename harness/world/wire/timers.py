"""The timers of SIP by the letters of RFC 3261 (table 4) and RFC 6026."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timers:
    """Base values in seconds; the lettered timers follow from them."""

    t1: float = 0.5
    """Round trip estimate."""
    t2: float = 4.0
    """Longest interval between retransmissions of non-INVITE requests and INVITE responses."""
    t4: float = 5.0
    """Longest time a message stays in the network."""
    trying: float = 0.2
    """When an INVITE that got no answer from its user gets 100 (RFC 3261 section 17.2.1)."""

    @classmethod
    def scaled(cls, t1: float) -> Timers:
        """All values in the proportions of RFC 3261, for another T1."""
        return cls(t1, t1 * 8, t1 * 10, t1 * 0.4)

    @property
    def transaction(self) -> float:
        """64*T1: timers B, F, H, L, M, and J over unreliable transports."""
        return 64 * self.t1

    def linger(self, reliable: bool) -> float:
        """Timers D and J: how long a completed transaction absorbs retransmissions.

        RFC 3261 asks of D "at least 32 s" for UDP, which is 64*T1 at the default T1.
        """
        return 0.0 if reliable else self.transaction

    def clear(self, reliable: bool) -> float:
        """Timers I and K: T4, nothing over reliable transports."""
        return 0.0 if reliable else self.t4
