"""What a session description says of its audio (RFC 4566). One that cannot be read says nothing."""

from __future__ import annotations

import ipaddress
from typing import Final

from harness.sip.sdp import Description, Media, SdpError

#: RFC 1918, RFC 6598 (carriers' own), RFC 3927, RFC 4193, and IPv6's link-local.
_PRIVATE_NETWORKS = (
    "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 169.254.0.0/16 fc00::/7 fe80::/10"
)
_PRIVATE = tuple(ipaddress.ip_network(network) for network in _PRIVATE_NETWORKS.split())
_UNREAD: Final = Description((), ())
#: Stands for a stream that is not there; what the session says counts for it.
_NO_AUDIO: Final = Media("audio", 0, "", ())


def holds(body: str) -> bool:
    """Whether no audio is sent one way or both (RFC 3264 section 5.1; 0.0.0.0 is RFC 2543's way)."""
    description, audio = _read(body)
    if description.direction_of(audio) != "sendrecv":
        return True
    return description.address_of(audio) == "0.0.0.0"


def address(body: str) -> str | None:
    """Where the audio goes: the stream's own address, else the session's (RFC 4566 section 5.7)."""
    description, audio = _read(body)
    return description.address_of(audio)


def reach(body: str, sender: str) -> str | None:
    """``private`` if the audio's address is, and that of the ``sender`` (address:port) is not;
    ``reachable``; None for a name.

    A private address is right among peers that are in the same private network.
    """
    try:
        shown, source = ipaddress.ip_address(address(body) or ""), _host(sender)
    except ValueError:
        return None
    return "private" if _is_private(shown) and not _is_private(source) else "reachable"


def is_beside(body: str, sender: str) -> bool | None:
    """Whether the audio has another address than the ``sender``: a media server's, or a wrong one.
    None for a name.
    """
    try:
        return ipaddress.ip_address(address(body) or "") != _host(sender) or None
    except ValueError:
        return None


def own_reach(body: str, peer: str) -> str | None:
    """The same for a description that a harness phone sent to ``peer``. On this machine every
    address can be reached.
    """
    try:
        return None if _host(peer).is_loopback else reach(body, peer)
    except ValueError:
        return None


def offered(body: str) -> str | None:
    """``G.711``, ``no G.711``, ``SRTP alone`` or ``no audio``, by the payload types of the m line
    (RFC 4566 section 5.14).
    """
    description, audio = _read(body)
    if description is _UNREAD and body.strip():
        return None
    if not audio.protocol:
        return "no audio"
    if audio.is_secure:
        return "SRTP alone"
    names = {codec.name.upper() for codec in audio.codecs}
    return "no G.711" if names.isdisjoint({"PCMU", "PCMA"}) else "G.711"


def audio_of(body: str) -> Media | None:
    """None without audio that can be read."""
    try:
        return Description.parse(body).audio
    except SdpError:
        return None


def _host(place: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The host of ``address:port``. Raises ValueError for a name."""
    return ipaddress.ip_address(place.rpartition(":")[0].strip("[]"))


def _is_private(shown: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(shown in network for network in _PRIVATE)


def _read(body: str) -> tuple[Description, Media]:
    """The description, and its audio: of several streams one that is in use, and rather one without
    SRTP.
    """
    try:
        description = Description.parse(body)
    except SdpError:
        return _UNREAD, _NO_AUDIO
    audio = [media for media in description.media if media.kind == "audio"]
    audio.sort(key=lambda media: (media.is_rejected, media.is_secure))
    return description, audio[0] if audio else _NO_AUDIO
