"""An SBC in front of a voice agent by RFC 3261 alone, without headers of any vendor."""

from __future__ import annotations

from typing import ClassVar

from harness.world.platform.base import Platform
from harness.world.wire.transport import TRANSPORTS, TransportName


class GenericSbc(Platform):
    """A B2BUA that adds nothing of its own."""

    transports: ClassVar[tuple[TransportName, ...]] = TRANSPORTS
