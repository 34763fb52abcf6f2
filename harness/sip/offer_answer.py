"""Offer and answer on session descriptions (RFC 3264)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace

from harness.sip.sdp import (
    PCMA,
    PCMU,
    TELEPHONE_EVENT,
    Codec,
    Crypto,
    Description,
    Direction,
    Line,
    Media,
)

_REVERSED: dict[Direction, Direction] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}


class NoAgreementError(ValueError):
    """An offer that cannot be answered: SIP says 488 (RFC 3261 section 13.3.1.3)."""


def offer(
    address: str,
    port: int,
    codecs: Sequence[Codec] = (PCMU, PCMA, TELEPHONE_EVENT),
    *,
    ptime: int | None = 20,
    direction: Direction = "sendrecv",
    crypto: Sequence[Crypto] = (),
    session_id: int | None = None,
    version: int = 1,
) -> Description:
    """An offer of one audio stream; with ``crypto`` it is RTP/SAVP."""
    kind = "IP6" if ":" in address else "IP4"
    number = session_id if session_id is not None else secrets.randbelow(2**31)
    lines: tuple[Line, ...] = (
        ("v", "0"),
        ("o", f"- {number} {version} IN {kind} {address}"),
        ("s", "-"),
        ("c", f"IN {kind} {address}"),
        ("t", "0 0"),
    )
    attributes: list[Line] = [("a", f"ptime:{ptime}")] if ptime else []
    attributes += [("a", f"crypto:{key}") for key in crypto]
    protocol = "RTP/SAVP" if crypto else "RTP/AVP"
    audio = (
        Media("audio", port, protocol, (), tuple(attributes))
        .with_codecs(codecs)
        .with_direction(direction)
    )
    return Description(lines, (audio,))


def answer(
    offered: Description,
    address: str,
    port: int,
    supported: Sequence[Codec] = (PCMU, PCMA, TELEPHONE_EVENT),
    *,
    direction: Direction = "sendrecv",
    suites: Sequence[str] = (),
    session_id: int | None = None,
    version: int = 1,
) -> Description:
    """The answer to an offer (RFC 3264 section 6), for the supported codecs and SRTP suites.

    Uses the offer's payload types. ``direction`` is the preferred direction; the offer limits it.
    The answer has one voice codec (and telephone-event), so that the codec in use is certain.
    Sections other than the first usable audio are refused. Raises NoAgreementError, and SdpError
    for malformed crypto lines.
    """
    sections: list[Media] = []
    reasons: list[str] = []
    taken = False
    for section in offered.media:
        try:
            if taken or section.kind != "audio" or section.is_rejected:
                raise NoAgreementError(f"{section.kind} is not wanted")
            sections.append(_answer_audio(offered, section, port, supported, direction, suites))
            taken = True
        except NoAgreementError as error:
            reasons.append(str(error))
            sections.append(section.rejected())
    if not taken:
        raise NoAgreementError("; ".join(reasons) or "the offer has no media")
    base = offer(address, port, (), session_id=session_id, version=version)
    return Description(base.lines, tuple(sections))


def _answer_audio(
    offered: Description,
    section: Media,
    port: int,
    supported: Sequence[Codec],
    direction: Direction,
    suites: Sequence[str],
) -> Media:
    common = [codec for codec in section.voice if any(codec.is_same(ours) for ours in supported)]
    if not common:
        names = ", ".join(codec.name for codec in section.voice) or "none"
        raise NoAgreementError(f"no codec in common (offered: {names})")
    chosen = common[:1]
    event = section.telephone_event
    if event is not None and any(event.is_same(ours) for ours in supported):
        chosen = [*chosen, event]
    lines: list[Line] = []
    if section.ptime:
        lines.append(("a", f"ptime:{section.ptime}"))
    if section.is_secure:
        key = next((c for c in section.crypto if c.suite in suites), None)
        if key is None:
            raise NoAgreementError("no SRTP suite in common" if suites else "SRTP is not wanted")
        lines.append(("a", f"crypto:{Crypto.fresh(key.suite, key.tag)}"))
    elif suites:
        raise NoAgreementError("SRTP is needed")
    theirs = replace(offered, media=(section,)).direction
    media = Media("audio", port, section.protocol, (), tuple(lines)).with_codecs(chosen)
    return media.with_direction(meet(reverse(theirs), direction))


def reverse(direction: Direction) -> Direction:
    """The same stream as the other side sees it."""
    return _REVERSED[direction]


def meet(one: Direction, other: Direction) -> Direction:
    """What is left when both limits hold."""
    sends = all(d in ("sendrecv", "sendonly") for d in (one, other))
    receives = all(d in ("sendrecv", "recvonly") for d in (one, other))
    if sends:
        return "sendrecv" if receives else "sendonly"
    return "recvonly" if receives else "inactive"


def agreed(ours: Description, theirs: Description) -> Codec | None:
    """The codec that one side sends, with the other's payload type (RFC 3264 section 6.1); None
    when no audio came of it.
    """
    mine, other = ours.audio, theirs.audio
    if mine is None or other is None or theirs.rtp is None:
        return None
    return next((codec for codec in other.voice if any(codec.is_same(m) for m in mine.voice)), None)
