"""The network of a tenant: a firewall between platform and AI, where a fault says so, and messages that are late."""

from __future__ import annotations

from harness.world.faults import Fault, Faults
from harness.world.settings import CurrentSettings
from harness.world.wire.transport import REJECT, Delayed, Passage, Passed

_DROPS = {"udp": Fault.FIREWALL_UDP, "tcp": Fault.FIREWALL_TCP, "tls": Fault.FIREWALL_TLS}
_REJECTS = {
    "udp": Fault.FIREWALL_UDP_REJECTS,
    "tcp": Fault.FIREWALL_TCP_REJECTS,
    "tls": Fault.FIREWALL_TLS_REJECTS,
}


class Firewall:
    """Filters what goes to and from the trunks' addresses and Synthflow's."""

    def __init__(self, faults: Faults, settings: CurrentSettings) -> None:
        self._faults = faults
        self._settings = settings

    @property
    def blocked(self) -> frozenset[str]:
        """The transports that it blocks."""
        return frozenset(t for t in _DROPS if self._faults.on(_DROPS[t]) or self._faults.on(_REJECTS[t]))

    def judge(self, passage: Passage) -> Passed:
        """See `Filter`."""
        if self._faults:
            if self._faults.on(_DROPS[passage.transport]):
                return None
            if self._faults.on(_REJECTS[passage.transport]):
                return REJECT
        return self.delay(passage)

    def delay(self, passage: Passage) -> Passed:
        """See `Filter`: of the ways that have no firewall."""
        seconds = self._settings.now.noise.sip_delay_s
        return Delayed(seconds, passage.data) if seconds and passage.data else passage.data
