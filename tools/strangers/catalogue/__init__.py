"""The strangers' faults, drawn up before the rules that have to name them.

Kamailio with rtpengine is the platform, a stand-in or baresip the AI; a wire of ours lies between the two and changes bytes.
"""

from __future__ import annotations

from tools.strangers.catalogue.audio import CODECS, DIGITS, MEDIA
from tools.strangers.catalogue.signalling import CREDENTIALS, ENDINGS, HEADERS, IDENTITY, LIMITS, NUMBERS
from tools.strangers.fault import Fault

FAULTS: tuple[Fault, ...] = (*IDENTITY, *NUMBERS, *CODECS, *MEDIA, *DIGITS, *HEADERS, *CREDENTIALS, *ENDINGS, *LIMITS)
