"""Free the ports of a phone that is gone, although pjsip still holds their sockets.

pjsip keeps a transport until its last transaction has timed out (RFC 3261 timer J: 32 s), but the next case, perhaps in
another process, needs the port now. The descriptor cannot be closed behind pjsip's back (it would close it again, when
the number belongs to another file), so another, unbound socket is put in its place.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection


def free(addresses: Collection[str]) -> int:
    """Close every socket of this process bound to one of ``addresses`` (as ``address:port``); says how many there were."""
    freed = 0
    for entry in os.listdir("/proc/self/fd"):
        descriptor = int(entry)
        try:
            if not os.readlink(f"/proc/self/fd/{entry}").startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(descriptor)) as peek:
                family, kind = peek.family, peek.type
                if family not in (socket.AF_INET, socket.AF_INET6):
                    continue
                host, port = peek.getsockname()[:2]
            if (f"[{host}]:{port}" if family == socket.AF_INET6 else f"{host}:{port}") not in addresses:
                continue
            with socket.socket(family, kind) as blank:
                os.dup2(blank.fileno(), descriptor, inheritable=False)
            freed += 1
        except OSError:
            continue  # closed in the meantime, or the listing's own descriptor
    return freed
