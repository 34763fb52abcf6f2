"""Files that others made of a run's calls (recordings, captures), added to its evidence when the
run was over.

The evidence of the run itself is never changed: what a file adds to a case is in
``cases/CASE/witness.json``, and ``witnesses.json`` lists the files. A file itself is not copied,
since it may hold other people's calls; its SHA-256 says which one it was.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

from harness.audio.marks import VOICES
from harness.audio.wav import MOST_SECONDS
from harness.case.events import (
    FileEvent,
    LegStarted,
    MarkInFile,
    MessageInFile,
    RtpInFile,
    VoiceInFile,
)
from harness.case.log import ADDED
from harness.case.model import CallMessage, messages_of
from harness.errors import MistakeError
from harness.phone import rtp_log
from harness.report.evidence import CaseEvidence
from harness.report.rejudge import judged_with
from harness.report.run_directory import (
    CASES,
    WITNESSES,
    AddedFile,
    WitnessesDocument,
    case_directories,
    read_witnesses,
)
from harness.report.signoff import manifest
from harness.sip.sdp import Description, SdpError
from harness.support.files import json_file, user_files, whole_file
from harness.witness.capture import CAPTURE, Capture, CaptureError, read_capture
from harness.witness.capture_calls import HopCall, match_capture, numbers_of
from harness.witness.file_kind import is_capture, other_kind
from harness.witness.matching import (
    ENOUGH_S,
    LEAST_S,
    MOSTLY,
    KnownLeg,
    Match,
    Stretch,
    Times,
    match,
    overlap,
)
from harness.witness.packets import Address, Way, as_text
from harness.witness.recordings import CallAudio, Shown, shown
from harness.witness.sound_file import Sound, SoundFileError, marks_in, read_sound

VERSION: Final = 1
_WORDS_S: Final = 3.0  # how long a caller speaks after its mark, at most
#: A longer recording is decoded again when it is compared: a folder of them would fill memory.
_KEPT_S: Final = 600.0
_RTP_HEADER: Final = 12  # octets
_CAPTURE_NAMES: Final = (".pcap", ".pcapng", ".cap")
_TORN: Final = "a torn capture: its beginning, with the header of pcap or pcapng, is missing"


#: Where a recording was made: at the AI, or at the platform, which proves nothing of what the AI
#: heard.
Place = Literal["ai", "platform"]


@dataclass(frozen=True)
class Told:
    """What one file shows of the cases of a run."""

    file: str  #: its name
    sha256: str
    size: int  #: octets
    kind: Literal["recording", "capture"]
    events: Mapping[str, Sequence[FileEvent]]  #: by the name of a case's directory
    unmatched: Sequence[str]  #: what in it is of no case of the run, in words


def add(run: Path, accounts: Iterable[Told]) -> list[str]:
    """Add what the files show, and judge the cases again that they are about; the names of these
    cases' directories.

    A file that was added before is read anew. The manifest gets the digests of what was added, and
    no others.
    """
    known = {one["sha256"]: one for one in read_witnesses(run)}
    fresh = {one.sha256: one for one in accounts}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for one in fresh.values():
        known[one.sha256] = {
            "file": one.file,
            "sha256": one.sha256,
            "size": one.size,
            "kind": one.kind,
            "added": known[one.sha256]["added"] if one.sha256 in known else now,
            "cases": [name for name, events in one.events.items() if events],
            "unmatched": list(one.unmatched),
        }
    changed: list[Path] = [run / WITNESSES]
    for directory in sorted(path for path in (run / CASES).iterdir() if path.is_dir()):
        before = CaseEvidence.read(directory).log.added
        events = [event for event in before if event.sha256 not in fresh]
        for one in fresh.values():
            events += one.events.get(directory.name, ())
        if events or before:
            notes = list(dict.fromkeys(_note(event, known) for event in events))
            document = judged_with(directory, events, notes)
            whole_file.write(directory / ADDED, json_file.text(document) + "\n")
            changed.append(directory / ADDED)
    write(run, known.values())
    manifest.renew(run, changed)
    return [path.parent.name for path in changed[1:]]


def write(run: Path, files: Iterable[AddedFile]) -> None:
    """Write the list of a run's added files."""
    document: WitnessesDocument = {"version": VERSION, "files": [*files]}
    whole_file.write(run / WITNESSES, json_file.text(document) + "\n")


def _note(event: FileEvent, files: Mapping[str, AddedFile]) -> str:
    """What an event of a file says, with when the file was added."""
    when = files[event.sha256]["added"][:16].replace("T", " ")
    added = f"{event.file}, added {when} UTC"
    if isinstance(event, VoiceInFile):
        has = "has" if event.found else "does not have"
        return f"{added}: {has} the voice that {event.leg} heard"
    if isinstance(event, RtpInFile) and event.is_own:
        return f"{added}, {event.made_at}: has {event.packets} RTP packets of {event.leg}, without their sound"
    if not isinstance(event, MarkInFile):
        return f"{added}: shows more of {event.leg}'s call"
    where = f"made at the {event.made_at}" if event.made_at in ("ai", "platform") else event.made_at
    if not event.heard_s:
        return f"{added}, {where}: covers {event.covered_s:.1f} s of {event.leg} without its mark {event.mark}"
    return f"{added}, {where}: has mark {event.mark} of {event.leg} for {event.heard_s:.1f} s from {event.file_s:.1f} s on"


def lines_of(run: Path, account: Told) -> list[str]:
    """What a file shows, a line for each call, and what in it is of no case."""
    found = []
    for name, events in account.events.items():
        case = CaseEvidence.read(run / CASES / name)
        words = ", ".join(_shown_of_case(events))
        found.append(f"{account.file}: {case.id}: {words}")
    return found + [f"{account.file}: {words}" for words in account.unmatched]


def _shown_of_case(events: Sequence[FileEvent]) -> Iterator[str]:
    """What a file shows of one case: what it has, then what it lacks."""
    messages = sum(isinstance(event, MessageInFile) for event in events)
    if messages:
        yield f"{messages} messages"
    marks = [event for event in events if isinstance(event, MarkInFile)]
    yield from dict.fromkeys(f"mark {one.mark} of {one.leg}" for one in marks if one.heard_s)
    for event in events:
        if isinstance(event, VoiceInFile) and event.found:
            yield f"the voice that {event.leg} heard"
    yield from dict.fromkeys(f"no mark {one.mark} of {one.leg}" for one in marks if not one.heard_s)
    for event in events:
        if isinstance(event, RtpInFile) and event.is_own:
            yield f"{event.packets} RTP packets of {event.leg}, without their sound"


# -- what a file shows


@dataclass(frozen=True)
class _Recording:
    """A sound file, with the marks in it."""

    path: Path
    sha256: str
    size: int
    seconds: float
    lanes: tuple[str, ...]  #: its channels
    marks: tuple[Stretch, ...]
    decoded: Sound | None = field(compare=False)  #: kept where it will be compared with calls
    most_s: float  #: how long it may be

    @property
    def sound(self) -> Sound:
        return self.decoded or read_sound(self.path, self.most_s)

    @property
    def stretches(self) -> list[Stretch]:
        """The marks of legs. An AI's voice, and what it answers in band, belong to no leg of the
        harness.
        """
        return [one for one in self.marks if one.mark < VOICES.start]

    @property
    def source(self) -> tuple[Path, int]:
        """What made it: the files of one folder with as many channels record the same sides of a
        call.
        """
        return self.path.parent, len(self.lanes)

    def free_s(self, began: float, ended: float) -> float:
        """How much of that time it covers, if a channel has no mark then: one under another as loud
        is not always found.
        """
        began, ended = max(0.0, began), min(self.seconds, ended)
        taken = {one.lane for one in self.marks if one.began < ended and began < one.ended}
        has_free_lane = bool(set(self.lanes) - taken)
        return max(0.0, ended - began) if has_free_lane else 0.0


def read_files(
    run: Path, given: Iterable[Path], made_at: Place, most_s: float = MOST_SECONDS
) -> tuple[list[Told], list[str]]:
    """What each file shows of the cases of a run; and a line for each that cannot be read, or is
    longer than ``most_s``. Folders are read with all they hold.
    """
    recordings, captures, problems = [], [], []
    for path in _every_file(given):
        try:
            if is_capture(path):
                captures.append(read_capture(path))
            elif path.suffix.lower() in _CAPTURE_NAMES:
                what = other_kind(user_files.read(path, CAPTURE)) or f"{_TORN}; give the whole file"
                raise CaptureError(f"{path}: {what}")
            else:
                recordings.append(_recording(path, most_s))
        except (SoundFileError, CaptureError, OSError) as error:
            problems.append(str(error))
    marks: set[int] = set()
    for recording in recordings:
        marks |= {stretch.mark for stretch in recording.stretches}
    with_ssrcs = False  # which tie RTP to a leg where a capture has no message of the call
    for capture in captures:
        with_ssrcs |= any(not stream.call_ids for stream in capture.streams)
    legs = _known_legs(run, None if captures else marks, with_ssrcs=with_ssrcs)
    matched = []
    with_callers = set()  # the sources that record callers
    for one in recordings:
        found, words = _of_this_run(run, one, *match(one.stretches, legs))
        matched.append((one, found, words))
        if any(each.leg.is_caller for each in found):
            with_callers.add(one.source)
    reported = [_told_by_capture(one, legs) for one in captures]
    for one, found, words in matched:
        events: dict[str, list[FileEvent]] = {}
        for each in found:
            events.setdefault(each.leg.case, []).append(_heard(each, one, made_at))
        if one.source in with_callers:
            for event, case in _absent(one, found, legs, made_at):
                events[case].append(event)
        if made_at == "ai":
            callers = {each.leg.leg: each.leg for each in found if each.leg.is_caller}
            for leg in callers.values():
                events[leg.case] += _voice(run, one, leg)
        if not one.stretches:
            words = [f"no mark of a call in {one.seconds:.1f} s"]
        reported.append(Told(one.path.name, one.sha256, one.size, "recording", events, words))
    return reported, problems


def _of_this_run(
    run: Path, recording: _Recording, found: Sequence[Match], words: Sequence[str]
) -> tuple[list[Match], list[str]]:
    """The matches with something else of the same call in the file, and the others in words.

    There are 256 marks of legs, and a folder holds the recordings of many nights: one mark alone
    may be an earlier run's.
    """
    kept: list[Match] = []
    words = list(words)
    for offset in dict.fromkeys(one.offset for one in found):
        together = [one for one in found if one.offset == offset]
        has_several_marks = len({one.leg.mark for one in together}) > 1
        if has_several_marks or any(_is_heard_too(run, recording, one) for one in together):
            kept += together
            continue
        first = together[0]
        words.append(
            f"mark {first.leg.mark} at {first.stretch.began:.1f} s may be of {first.leg.case} or of another run: "
            "nothing else in the file is of that call"
        )
    return kept, words


def _is_heard_too(run: Path, recording: _Recording, found: Match) -> bool:
    """Whether the file has, at a time that fits the mark, another sound that the same case heard: a
    mark, or what the leg received.
    """
    evidence = CaseEvidence.read(run / CASES / found.leg.case, with_added=False)
    for other in recording.marks:
        if other.mark == found.leg.mark:
            continue
        began, ended = other.began + found.offset, other.ended + found.offset
        heard = [(span.began, span.ended) for span in evidence.marks if span.mark == other.mark]
        if overlap(heard, began, ended) >= MOSTLY * other.seconds:
            return True
    compared = _compared(run, recording, found.leg)
    return compared is not None and compared.has_voice_of_this_call


def _recording(path: Path, most_s: float) -> _Recording:
    """Read a sound file; one without a leg's mark is searched again for marks under others."""
    sound = read_sound(path, most_s)
    marks = _marks(sound)
    if not _has_leg(marks):
        marks = _marks(sound, deep=True)
    is_kept = _has_leg(marks) and sound.seconds <= _KEPT_S
    return _Recording(
        path,
        sha256=manifest.digest(path),
        size=path.stat().st_size,
        seconds=sound.seconds,
        lanes=tuple(map(sound.channel_name, range(len(sound.channels)))),
        marks=marks,
        decoded=sound if is_kept else None,
        most_s=most_s,
    )


def _has_leg(marks: Iterable[Stretch]) -> bool:
    """Whether any of the marks is a leg's, and not an AI's voice or in-band answer."""
    return any(mark.mark < VOICES.start for mark in marks)


def _told_by_capture(capture: Capture, legs: Sequence[KnownLeg]) -> Told:
    """The messages of the run's calls, and whose mark passed or should have; by the offset that the
    match has found.
    """
    sha256, name = manifest.digest(capture.path), capture.path.name
    found = match_capture(capture, legs)
    offset = found.offset or 0.0
    events: dict[str, list[FileEvent]] = {}
    for call in found.calls:
        for one in call.call.messages:
            message = MessageInFile(
                at=one.at + offset,
                phone=call.leg.phone,
                leg=call.leg.leg,
                file=name,
                sha256=sha256,
                transport=one.transport,
                source=as_text(one.source),
                destination=as_text(one.target),
                text=one.message.raw.decode("utf-8", "surrogateescape"),
            )
            events.setdefault(call.leg.case, []).append(message)

    def mark(
        leg: KnownLeg,
        call: HopCall,
        way: Way,
        began: float,
        heard_s: float,
        covered_s: float,
        besides: str = "",
    ) -> None:
        event = MarkInFile(
            at=began + offset,
            phone=leg.phone,
            leg=leg.leg,
            file=name,
            sha256=sha256,
            made_at=" → ".join(map(as_text, way)) + besides,
            mark=leg.mark,
            file_s=began - capture.first,
            heard_s=heard_s,
            covered_s=covered_s,
            call_id=call.call_id,
        )
        events.setdefault(leg.case, []).append(event)

    for heard in found.heard:
        voice = heard.voice
        heard_s = voice.ended - voice.began
        covered_s = voice.stream.last - voice.began
        mark(heard.leg, heard.call, voice.stream.way, voice.began, heard_s, covered_s)
    for absent in found.absent:
        besides = "" if absent.way else ", no RTP"
        way = absent.way or absent.call.ends(absent.leg)
        mark(absent.leg, absent.call, way, absent.began, 0.0, absent.seconds, besides)
    for passing in found.rtp:
        if passing.streams:
            way = passing.streams[0].way
        elif passing.call.messages:
            way = passing.call.ends(passing.leg)[::-1]
        else:  # only its other direction passed
            way = passing.call.streams[0].way[::-1]
        rtp = RtpInFile(
            at=passing.leg.invited if found.offset is None else passing.call.began + offset,
            phone=passing.leg.phone,
            leg=passing.leg.leg,
            file=name,
            sha256=sha256,
            made_at=" → ".join(map(as_text, way)),
            packets=sum(each.packets for each in passing.streams),
            is_own=passing.is_own,
        )
        events.setdefault(passing.leg.case, []).append(rtp)
    unmatched = [*found.unmatched, *capture.notes]
    return Told(name, sha256, capture.path.stat().st_size, "capture", events, unmatched)


# a match and the voice ask for the same; a case's own evidence never changes
@lru_cache(maxsize=32)
def _compared(run: Path, recording: _Recording, leg: KnownLeg) -> Shown | None:
    """What the recording shows of the sound that the leg received; None where that was not kept."""
    evidence = CaseEvidence.read(run / CASES / leg.case, with_added=False)
    received = next((one.received for one in evidence.recordings if one.leg == leg.leg), None)
    origin = evidence.legs[leg.leg].first_sample_at
    if received is None or origin is None:
        return None
    sent = tuple((began - origin, ended - origin) for began, ended in leg.sent)
    with contextlib.suppress(SoundFileError):
        call = CallAudio(read_sound(received).mixed, leg.mark, sent, _WORDS_S)
        return shown(recording.sound, call)
    return None


def _voice(run: Path, recording: _Recording, leg: KnownLeg) -> Iterator[VoiceInFile]:
    """Whether the AI's recording of a call has what its caller received."""
    evidence = CaseEvidence.read(run / CASES / leg.case, with_added=False)
    began, found = evidence.legs[leg.leg].first_sample_at, _compared(run, recording, leg)
    if began is not None and found is not None:
        yield found.voice_event(
            at=began,
            phone=leg.phone,
            leg=leg.leg,
            file=recording.path.name,
            sha256=recording.sha256,
        )


def _marks(sound: Sound, *, deep: bool = False) -> tuple[Stretch, ...]:
    return tuple(
        Stretch(mark.mark, mark.began, mark.ended, sound.channel_name(mark.channel))
        for mark in marks_in(sound, deep=deep)
        if mark.ended - mark.began >= LEAST_S
    )


def _every_file(given: Iterable[Path]) -> list[Path]:
    """The files, and all files in the folders, each once. Hidden files in folders are left out."""
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            files = [file for file in path.rglob("*") if file.is_file()]
            found += sorted(file for file in files if not file.name.startswith("."))
        elif path.exists():
            found.append(path)
        else:
            raise MistakeError(
                f"{path}: no such file; name sound files, captures, or folders of them"
            )
    return list(dict.fromkeys(found))


def _known_legs(
    run: Path, marks: Collection[int] | None, *, with_ssrcs: bool = False
) -> list[KnownLeg]:
    """The legs of all cases, or of those of which a leg sends one of these marks."""
    found: list[KnownLeg] = []
    for directory in case_directories(run):
        evidence = CaseEvidence.read(directory, with_added=False)
        starts = {
            name: leg.started for name, leg in evidence.legs.items() if leg.started is not None
        }
        if marks is None or any(start.mark in marks for start in starts.values()):
            found += _legs_of_case(evidence, starts, with_ssrcs=with_ssrcs)
    return found


def _legs_of_case(
    evidence: CaseEvidence, starts: Mapping[str, LegStarted], *, with_ssrcs: bool
) -> Iterator[KnownLeg]:
    """The legs of a case that were started; ``with_ssrcs``: with the SSRCs of their RTP."""
    callers = {start.phone for start in starts.values() if start.direction == "outgoing"}
    # The records do not say of which of several callers they are. One caller's are of its
    # first call: a later leg followed a REFER, or is a probe after a failure.
    reported = _ids_told(evidence) if len(callers) == 1 else set()
    for leg, start in starts.items():
        is_caller = start.direction == "outgoing"
        messages = list(messages_of(evidence.legs[leg]))
        invite = next((m for m in messages if m.begins_dialog), None)
        call_ids = {m.message.call_id for m in messages}
        ids_told: set[str] = set()
        if is_caller:
            ids_told, reported = reported, ids_told
        ssrcs, far_ssrcs = frozenset[int](), frozenset[int]()
        if with_ssrcs:
            ssrcs, far_ssrcs = _ssrcs(evidence, leg)
        yield KnownLeg(
            case=evidence.directory.name,
            leg=leg,
            phone=start.phone,
            mark=start.mark,
            sent=_sent(evidence, leg, start.mark),
            is_caller=is_caller,
            call_ids=frozenset(call_ids - {""}),
            numbers=numbers_of(invite.message) if invite else frozenset(),
            invited=invite.time if invite else start.at,
            media=_rtp_places(messages, received=False),
            far_media=_rtp_places(messages, received=True),
            ssrcs=ssrcs,
            far_ssrcs=far_ssrcs,
            told_ids=frozenset(ids_told),
        )


def _rtp_places(messages: Iterable[CallMessage], *, received: bool) -> frozenset[Address]:
    """Where the session descriptions that a leg sent say that it receives RTP; or those that it
    received, where it sends RTP.
    """
    found = set()
    for one in messages:
        if one.received is received and one.sdp:
            # a description that cannot be read names no place
            with contextlib.suppress(SdpError):
                found.add(Description.parse(one.sdp).rtp)
    return frozenset(place for place in found if place is not None)


def _ssrcs(evidence: CaseEvidence, leg: str) -> tuple[frozenset[int], frozenset[int]]:
    """The SSRCs of the RTP that a leg sent, and that of the RTP it received (RFC 3550 section 5.1)."""
    sent: set[int] = set()
    received: set[int] = set()
    for packet in rtp_log.read(rtp_log.path_of(evidence.directory, leg)):
        if len(packet.octets) >= _RTP_HEADER:
            side = sent if packet.source is None else received
            side.add(int.from_bytes(packet.octets[8:_RTP_HEADER]))
    return frozenset(sent), frozenset(received)


def _ids_told(evidence: CaseEvidence) -> set[str]:
    """The ids by which the AI's records know the case's calls, and those of other legs that the
    platform sent along.
    """
    found: set[str] = set()
    for one in evidence.far_end:
        ids = [one.record.get("call_id")]
        variables = one.record.get("prompt_variables")
        if isinstance(variables, Mapping):
            ids.append(variables.get("X-Talkdesk-Other-Leg-Call-Id"))
        found.update(str(value) for value in ids if value)
    return found


def _sent(evidence: CaseEvidence, leg: str, mark: int) -> tuple[Times, ...]:
    """When the leg sent its mark: by what its phone recorded of it, else all the time that the call
    lasted.
    """
    recorded = next((one.sent for one in evidence.recordings if one.leg == leg), None)
    began = evidence.legs[leg].first_sample_at
    if recorded is not None and began is not None:
        with contextlib.suppress(SoundFileError):
            spans = [one for one in marks_in(read_sound(recorded)) if one.mark == mark]
            return tuple((began + one.began, began + one.ended) for one in spans)
    call = evidence.legs[leg]
    ended = call.ended.at if call.ended else evidence.ended
    return ((call.answered_at or call[0].at, ended),)


def _heard(found: Match, recording: _Recording, made_at: Place) -> MarkInFile:
    """The event of a mark that the recording has."""
    stretch = found.stretch
    return MarkInFile(
        at=stretch.began + found.offset,
        phone=found.leg.phone,
        leg=found.leg.leg,
        file=recording.path.name,
        sha256=recording.sha256,
        made_at=made_at,
        mark=stretch.mark,
        file_s=stretch.began,
        heard_s=stretch.seconds,
        covered_s=recording.seconds - stretch.began,
    )


def _absent(
    recording: _Recording, found: Sequence[Match], legs: Iterable[KnownLeg], made_at: Place
) -> Iterator[tuple[MarkInFile, str]]:
    """The callers of the same calls that sent their mark while the file recorded, and are not in
    it.

    A source that has never been seen to record callers shows nothing by their absence: it may
    record one side alone.
    """
    offsets = {each.leg.case: each.offset for each in found}
    heard = {(each.leg.case, each.leg.leg) for each in found}
    legs = [leg for leg in legs if leg.is_caller and leg.case in offsets]
    callers: dict[str, set[str]] = {}
    for leg in legs:
        callers.setdefault(leg.case, set()).add(leg.phone)
    # of several callers each has a call, and a recording, of its own
    missing = [
        leg for leg in legs if (leg.case, leg.leg) not in heard and len(callers[leg.case]) == 1
    ]
    if not missing:  # searching deeply is slow
        return
    beneath = {one.mark for one in marks_in(recording.sound, deep=True)}
    for leg in missing:
        if leg.mark in beneath:
            continue
        offset = offsets[leg.case]
        times = [(began - offset, ended - offset) for began, ended in leg.sent]
        covered = sum(recording.free_s(*time) for time in times)
        if covered >= ENOUGH_S:
            first = min(max(0.0, began) for began, ended in times if recording.free_s(began, ended))
            match = Match(Stretch(leg.mark, first, first), leg, offset)
            yield replace(_heard(match, recording, made_at), covered_s=covered), leg.case
