"""Which address of its block each part of a tenant has: the last octets."""

from __future__ import annotations

import enum


class Host(enum.IntEnum):
    """Last octets by their holders. Trunks and phones take as many as they need, from the first on."""

    CARRIER = 1
    PLATFORM = 10
    PLATFORM_MEDIA = 11
    ANNOUNCEMENTS = 12
    FIRST_TRUNK = 20
    SYNTHFLOW = 60
    SYNTHFLOW_MEDIA = 61
    OTHER_REGION = 62
    STAND_IN = 80
    STRANGER = 81
    NOISE = 82
    FIRST_PHONE = 90
    NOBODY = 99
