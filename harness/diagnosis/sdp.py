"""What a description says of its audio (RFC 4566): of the stream that carries it, and of no other beside it.

As text: what :class:`harness.sip.sdp.Description` refuses to read is evidence, too, and may be the very fault.
"""

from __future__ import annotations

import ipaddress
import re

#: RFC 1918, RFC 6598 (carriers' own), RFC 3927, RFC 4193, and IPv6's link-local.
_PRIVATE_NETWORKS = "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 169.254.0.0/16 fc00::/7 fe80::/10"
_PRIVATE = tuple(ipaddress.ip_network(network) for network in _PRIVATE_NETWORKS.split())
_MEDIA = re.compile(r"^(?=m=)", re.M)
_DIRECTION = re.compile(r"^a=(sendrecv|sendonly|recvonly|inactive)\s*$", re.M)
_ADDRESS = re.compile(r"^c=IN IP[46] ([^\s/]+)", re.M)


def holds(body: str) -> bool:
    """Whether its audio is sent nothing one way or both (RFC 3264 section 5.1; 0.0.0.0 is RFC 2543's way)."""
    session, audio = _parts(body)
    direction = _DIRECTION.search(audio) or _DIRECTION.search(session)
    return (direction is not None and direction[1] != "sendrecv") or address(body) == "0.0.0.0"


def address(body: str) -> str | None:
    """Where its audio goes: the stream's own address, else the session's (RFC 4566 section 5.7)."""
    session, audio = _parts(body)
    found = _ADDRESS.search(audio) or _ADDRESS.search(session)
    return found[1] if found else None


def reach(body: str, sender: str) -> str | None:
    """``private`` where its address is, and that of its ``sender`` (address:port) is not; ``reachable``; None for a name.

    A private address is right among peers that are in the same private network.
    """
    try:
        shown = ipaddress.ip_address(address(body) or "")
        source = ipaddress.ip_address(sender.rpartition(":")[0].strip("[]"))
    except ValueError:
        return None
    return "private" if _is_private(shown) and not _is_private(source) else "reachable"


def _is_private(shown: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(shown in network for network in _PRIVATE)


def offered(body: str) -> str:
    """``G.711``, ``no G.711`` or ``SRTP alone``, by the payload types that the m-line itself lists (RFC 4566 section 5.14)."""
    audio = _parts(body)[1]
    found = re.search(r"^m=audio \d+ (\S+)((?: \S+)*)", audio, re.M)
    if found is None:
        return "no audio"
    if "SAVP" in found[1].upper():
        return "SRTP alone"
    listed = found[2].split()
    named = {m[1]: m[2].upper() for m in re.finditer(r"^a=rtpmap:(\d+) ([\w.-]+)/", audio, re.M)}
    static = {"0": "PCMU", "8": "PCMA"}
    names = {named.get(kind, static.get(kind, "")) for kind in listed}
    return "G.711" if names & {"PCMU", "PCMA"} else "no G.711"


def _parts(body: str) -> tuple[str, str]:
    """The session's lines, and those of the audio: of several streams one that is in use, and rather one without SRTP."""
    session, *media = _MEDIA.split(body)
    audio = [one for one in media if one.startswith("m=audio ")]
    audio.sort(key=lambda one: (one.startswith("m=audio 0 "), "SAVP" in one.partition("\n")[0].upper()))
    return session, audio[0] if audio else ""
