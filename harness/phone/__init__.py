"""Softphones: pjsua2 in child processes, and the parent's side of them.

``config`` says what a phone is, ``protocol`` what crosses the process border, ``child`` is the process side (the only
importer of pjsua2), ``process`` starts and watches it, ``phone`` and ``leg`` are what scenarios hold, ``waiter`` how
they wait, ``pool`` leases phones to cases; ``crash_hangup`` hangs up and ``crash_unregister`` un-registers for a child that can
no longer do it.
"""

from harness.phone.config import PhoneConfig, TlsConfig
from harness.phone.protocol import Answer, Early, Mark, Policy, Reject, Ring, Silence, Silent, Source, Wav

__all__ = [
    "Answer",
    "Early",
    "Mark",
    "PhoneConfig",
    "Policy",
    "Reject",
    "Ring",
    "Silence",
    "Silent",
    "Source",
    "TlsConfig",
    "Wav",
]
