"""Relays RTP and RTCP between two legs, as an SBC that anchors media does: no transcoding, no mixing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.world.media.rtp import RtpPort, with_payload_type

Send = Callable[[bytes], None]
Impairment = Callable[[bytes, Send], None]
"""Does to the packets of one direction what a bad network would: it sends them on by the given function, or does not."""


class Relay:
    """Two connected ports. ``forward`` maps payload types of ``a`` to those of ``b``; ``backward`` the reverse."""

    def __init__(
        self,
        a: RtpPort,
        b: RtpPort,
        forward: Mapping[int, int],
        backward: Mapping[int, int],
        impair_forward: Impairment | None,
        impair_backward: Impairment | None,
        *,
        reports: bool,
    ) -> None:
        """``reports`` says whether RTCP is relayed, too, or ends here."""
        self._ports = (a, b)
        self._handlers = (_path(b.send, forward, impair_forward), _path(a.send, backward, impair_backward))
        a.on_packet, b.on_packet = self._handlers
        a.passes_reports_on = b.passes_reports_on = reports
        if reports:
            a.on_control = _path(b.send_control, {}, impair_forward)
            b.on_control = _path(a.send_control, {}, impair_backward)

    def uncouple(self) -> None:
        """Stop relaying; a port that has since been connected elsewhere stays so."""
        for port, handler in zip(self._ports, self._handlers, strict=True):
            if port.on_packet is handler:
                port.on_packet = port.on_control = None
                port.passes_reports_on = False


def _path(send: Send, renumbering: Mapping[int, int], impair: Impairment | None) -> Send:
    changed = {old: new for old, new in renumbering.items() if old != new}
    if changed:
        send = _renumbering(send, changed)
    if impair is None:
        return send
    onward = send

    def impaired(data: bytes) -> None:
        impair(data, onward)

    return impaired


def _renumbering(send: Send, changed: Mapping[int, int]) -> Send:
    def renumber(data: bytes) -> None:
        new = changed.get(data[1] & 0x7F) if len(data) > 1 else None
        send(data if new is None else with_payload_type(data, new))

    return renumber
