"""Softphones: pjsua2 in child processes, and the parent's side of them.

``__all__`` is the public interface; docs/phones.md documents it, and ``tests/contract/phone`` tests
it.

``config`` describes a phone; ``protocol`` defines the messages between parent and child; ``child``
runs in the child process (the only importer of pjsua2); ``process`` starts and watches the child.
Scenarios use ``phone`` and ``leg``, and wait with ``waiter``. ``pool`` leases phones to cases.
``crash_cleanup`` ends the calls of a child that died, over a ``sip_link``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from harness.phone.config import PhoneConfig, TlsConfig
from harness.phone.protocol import Answer, Early, Mark, Policy, Reject, Ring, Silence, Source, Wav

if TYPE_CHECKING:
    from harness.phone.leg import Leg
    from harness.phone.phone import Phone
    from harness.phone.pool import PhonePool
    from harness.phone.process import PhoneForkServer
    from harness.phone.rules import Rules
    from harness.phone.waiter import NeverCame

__all__ = [
    "Answer",
    "Early",
    "Leg",
    "Mark",
    "NeverCame",
    "Phone",
    "PhoneConfig",
    "PhoneForkServer",
    "PhonePool",
    "Policy",
    "Reject",
    "Ring",
    "Rules",
    "Silence",
    "Source",
    "TlsConfig",
    "Wav",
]

#: The parent's side, imported on first use: the child imports this package too, and starts sooner
#: without these modules.
_PARENT = {
    "Leg": "leg",
    "NeverCame": "waiter",
    "Phone": "phone",
    "PhoneForkServer": "process",
    "PhonePool": "pool",
    "Rules": "rules",
}


def __getattr__(name: str) -> Any:
    if name not in _PARENT:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PARENT[name]}"), name)
