"""What a description says of its audio (RFC 4566): of the stream that carries it, and of no other beside it.

What :class:`harness.sip.sdp.Description` refuses to read is evidence, too, and may be the very fault: what is broken in it is
left out here, and the rest read.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from harness.sip.sdp import Description, Media, SdpError

#: RFC 1918, RFC 6598 (carriers' own), RFC 3927, RFC 4193, and IPv6's link-local.
_PRIVATE_NETWORKS = "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 169.254.0.0/16 fc00::/7 fe80::/10"
_PRIVATE = tuple(ipaddress.ip_network(network) for network in _PRIVATE_NETWORKS.split())
#: Stands for a stream that is not there; what the session says counts for it.
_NO_AUDIO: Final = Media("audio", 0, "", ())


def holds(body: str) -> bool:
    """Whether its audio is sent nothing one way or both (RFC 3264 section 5.1; 0.0.0.0 is RFC 2543's way)."""
    description, audio = _read(body)
    return description.direction_of(audio) != "sendrecv" or description.address_of(audio) == "0.0.0.0"


def address(body: str) -> str | None:
    """Where its audio goes: the stream's own address, else the session's (RFC 4566 section 5.7)."""
    description, audio = _read(body)
    return description.address_of(audio)


def reach(body: str, sender: str) -> str | None:
    """``private`` where its address is, and that of its ``sender`` (address:port) is not; ``reachable``; None for a name.

    A private address is right among peers that are in the same private network.
    """
    try:
        shown = ipaddress.ip_address(address(body) or "")
        source = _host(sender)
    except ValueError:
        return None
    return "private" if _is_private(shown) and not _is_private(source) else "reachable"


def is_beside(body: str, sender: str) -> bool | None:
    """Whether its audio has another address than its ``sender``: a media server's, or one that is wrong; None for a name."""
    try:
        return ipaddress.ip_address(address(body) or "") != _host(sender) or None
    except ValueError:
        return None


def own_reach(body: str, peer: str) -> str | None:
    """The same for a description that a harness phone sent, by the address it was sent to. On this machine all are reachable."""
    try:
        there = _host(peer)
    except ValueError:
        return None
    return None if there.is_loopback else reach(body, peer)


def _host(place: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Of ``address:port``. Raises ValueError for a name."""
    return ipaddress.ip_address(place.rpartition(":")[0].strip("[]"))


def _is_private(shown: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(shown in network for network in _PRIVATE)


def offered(body: str) -> str:
    """``G.711``, ``no G.711`` or ``SRTP alone``, by the payload types that the m-line itself lists (RFC 4566 section 5.14)."""
    audio = _read(body)[1]
    if not audio.protocol:
        return "no audio"
    if audio.is_secure:
        return "SRTP alone"
    return "G.711" if {codec.name.upper() for codec in audio.codecs} & {"PCMU", "PCMA"} else "no G.711"


def _read(body: str) -> tuple[Description, Media]:
    """The description, and its audio: of several streams one that is in use and whole, and rather one without SRTP."""
    try:
        description = Description.parse(body)
    except SdpError:
        description = _readable(body)
    audio = [media for media in description.media if media.kind == "audio"]
    audio.sort(key=lambda media: (media.is_rejected, not media.protocol, media.is_secure))
    return description, audio[0] if audio else _NO_AUDIO


def _readable(body: str) -> Description:
    """A broken description, line by line, without those that are none."""
    session, *sections = re.split(r"^(?=m=)", body, flags=re.M)
    return Description(_lines(session), tuple(_section(*section.partition("\n")[::2]) for section in sections))


def _section(head: str, rest: str) -> Media:
    """As far as it goes: the end of a message may be cut off."""
    kind, port, protocol, *formats = [*head.removeprefix("m=").split(), "", "", ""]
    in_use = int(port != "0")  # only port 0 has a meaning here
    return Media(kind, in_use, protocol, tuple(filter(None, formats)), _lines(rest))


def _lines(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((line[0], line[2:]) for line in re.split(r"\r?\n", text) if line[1:2] == "=")
