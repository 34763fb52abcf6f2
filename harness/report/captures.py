"""What a capture that others made shows of the cases of a run, as events: messages at its hop, and marks in its RTP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from harness.calls.events import FileEvent, MarkInFile, MessageInFile
from harness.support.files import user_files
from harness.witness.capture import Capture
from harness.witness.capture_calls import CaptureMatch, FoundCall, HopCall, match_calls
from harness.witness.matching import KnownLeg
from harness.witness.packets import Address, as_text

_MAGIC: Final = (
    b"\xa1\xb2\xc3\xd4",
    b"\xd4\xc3\xb2\xa1",
    b"\xa1\xb2\x3c\x4d",
    b"\x4d\x3c\xb2\xa1",
    b"\x0a\x0d\x0d\x0a",
)
_MOST_MESSAGES: Final = 200  #: of one call; its further ones are left out of the evidence


def is_capture(path: Path) -> bool:
    """Whether a file begins as pcap or pcapng does."""
    with user_files.opened(path) as file:
        return file.read(4) in _MAGIC


def shown_by(
    capture: Capture, sha256: str, calls: Sequence[HopCall], legs: Sequence[KnownLeg]
) -> tuple[dict[str, list[FileEvent]], tuple[str, ...]]:
    """The events of each case, by the name of its directory; and in words what in the capture is of none, or cannot be read."""
    found = match_calls(calls, legs)
    events: dict[str, list[FileEvent]] = {}
    for call in found.calls:
        events.setdefault(call.leg.case, []).extend(_messages(call, capture, sha256, found.offset or 0.0))
    for case, mark in _marks(found, capture, sha256):
        events.setdefault(case, []).append(mark)
    return events, (*found.unmatched, *capture.notes)


def _messages(found: FoundCall, capture: Capture, sha256: str, offset: float) -> Iterator[MessageInFile]:
    for one in found.call.messages[:_MOST_MESSAGES]:
        yield MessageInFile(
            at=one.at + offset,
            phone=found.leg.phone,
            leg=found.leg.leg,
            file=capture.path.name,
            sha256=sha256,
            transport=one.transport,
            source=as_text(one.source),
            destination=as_text(one.target),
            text=one.message.raw.decode("utf-8", "surrogateescape"),
        )


def _marks(found: CaptureMatch, capture: Capture, sha256: str) -> Iterator[tuple[str, MarkInFile]]:
    offset = found.offset or 0.0
    for one in found.heard:
        voice = one.voice
        where = _way(voice.stream.source, voice.stream.target)
        seconds = voice.ended - voice.began
        yield one.leg.case, _mark(one.leg, capture, sha256, where, voice.began, offset, seconds, seconds)
    for absent in found.absent:
        invite = absent.call.invite
        if absent.way is not None:
            where = _way(*absent.way)
        elif invite is not None:
            ends = (invite.source, invite.target) if absent.leg.is_caller else (invite.target, invite.source)
            where = f"{_way(*ends)}, no RTP"
        else:
            continue
        yield absent.leg.case, _mark(absent.leg, capture, sha256, where, absent.began, offset, 0.0, absent.seconds)


def _mark(
    leg: KnownLeg,
    capture: Capture,
    sha256: str,
    where: str,
    began: float,
    offset: float,
    heard_s: float,
    covered_s: float,
) -> MarkInFile:
    return MarkInFile(
        at=began + offset,
        phone=leg.phone,
        leg=leg.leg,
        file=capture.path.name,
        sha256=sha256,
        made_at=where,
        mark=leg.mark,
        file_s=began - capture.first,
        heard_s=heard_s,
        covered_s=covered_s,
    )


def _way(source: Address, target: Address) -> str:
    return f"{as_text(source)} → {as_text(target)}"
