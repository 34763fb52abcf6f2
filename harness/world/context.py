"""What all parts of one tenant share."""

from __future__ import annotations

from dataclasses import dataclass

from harness.deployment import Deployment, Timings
from harness.world.addresses import Block
from harness.world.audit import Audit
from harness.world.faults import Faults
from harness.world.media.sound import Ticker
from harness.world.settings import Settings


@dataclass
class TenantContext:
    """The deployment gets its hosts while the tenant starts; the control API changes settings and faults."""

    deployment: Deployment
    timings: Timings
    faults: Faults
    settings: Settings
    audit: Audit
    ticker: Ticker
    block: Block
