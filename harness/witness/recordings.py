"""The AI's recordings of calls: https://docs.synthflow.ai (GET /calls/{id}/recording), and what one
shows of a call.

The endpoint answers 302 with a signed address on another host, which is asked without the token.
The record's field ``recording_url`` is deprecated and unavailable from 2027-01-10; it is read only
where the endpoint has nothing.
"""

from __future__ import annotations

import hashlib
import math
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import urljoin, urlsplit

import numpy as np
from numpy.typing import NDArray

from harness.audio.classify import classify, spoken_s
from harness.audio.likeness import LEAST_MATCH, Likeness, likeness
from harness.audio.marks import SAMPLE_RATE
from harness.audio.samples import SILENCE_DBOV, levels
from harness.case.events import VoiceInFile
from harness.deployment import is_loopback
from harness.errors import FarEndError
from harness.support.http_client import HttpClient, HttpError
from harness.witness.sound_file import HeardMark, Sound, marks_in
from harness.witness.synthflow import SynthflowApi

#: A recording is no larger: an hour of stereo WAV at 8 kHz has 58 MiB.
MOST_BYTES: Final = 64 * 1024 * 1024
_DOWNLOAD_WITHIN_S: Final = 30.0
_MOST_REDIRECTIONS: Final = 3
_REDIRECTIONS: Final = (301, 302, 303, 307, 308)
_ENDINGS: Final = (".mp3", ".wav", ".ogg", ".opus", ".flac", ".m4a")
#: Speech and marks are louder, background noise is not.
_AUDIBLE_DBOV: Final = -50.0
#: The caller's sound lasts this much longer than it is detected.
_AROUND_S: Final = 0.3
#: A mark of this length is recognised.
_DECIDES_S: Final = 0.5
#: A round trip of more is no conversation; one of clearly less than none is of another call with
#: the same words.
_MOST_ROUND_TRIP_S: Final = 3.0
_LEAST_ROUND_TRIP_S: Final = -0.3
#: So much of the mark that decides, after the longest round trip that a call is planned with (ITU-T
#: G.114: 400 ms one way).
_DUE_WITHIN_S: Final = _DECIDES_S + 0.8
#: A recording of the call ends with it.
_ENDS_WITHIN_S: Final = 2.0
_ENDS_WITHIN: Final = 0.05
#: Less speech beside the caller's may be an echo of it.
_SPOKEN_S: Final = 1.0
#: A recording whose loudest 20 ms are quieter is amplified before it is compared, by so much at most.
_QUIET_DBOV: Final = -35.0
_AMPLIFIED_TO_DBOV: Final = -15.0
_MOST_GAIN_DB: Final = 40.0
#: Fewer parts (less than two seconds) say nothing if they are not found.
_ENOUGH_PARTS: Final = 7

#: ``made_at`` of what the AI's own recording shows.
AT_AI: Final = "ai"


@dataclass(frozen=True)
class FetchedFile:
    """A recording as it came."""

    name: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def fetch(
    api: SynthflowApi,
    call_id: str,
    wait: Callable[[], bool],
    old_address: Callable[[], str | None],
    ca_file: str | None,
) -> FetchedFile:
    """The recording of a call. Raises :class:`FarEndError` with the words of the server that refuses it.

    While the endpoint answers 404 ("not yet"), it is asked again as long as ``wait`` returns true.
    ``old_address``: the record's ``recording_url``.
    """
    while (address := api.recording_address(call_id)) is None:
        if not wait():
            break
    if address is None and (address := old_address()) is None:
        raise FarEndError(
            "Synthflow API: GET /calls/{id}/recording: 404, so there is no recording of the call"
        )
    # another host than the API's, which a private authority may have signed for
    trusted = ssl.create_default_context()
    if ca_file is not None:
        trusted.load_verify_locations(ca_file)
    client = HttpClient(trusted, public=not api.is_local)  # it never learns the token
    try:
        content = _download(client, address, in_clear=api.is_local)
    finally:
        client.close()
    ending = PurePosixPath(urlsplit(address).path).suffix.lower()
    if ending not in _ENDINGS:
        ending = ""
    return FetchedFile(f"{call_id}{ending}", content)


def _download(client: HttpClient, address: str, *, in_clear: bool) -> bytes:
    for _ in range(1 + _MOST_REDIRECTIONS):
        host = urlsplit(address).hostname or ""
        if not _is_safe(address, in_clear):
            raise FarEndError(f"the recording's address on {host or 'no host'} is not https")
        try:
            answer = client.request(
                "GET", address, _DOWNLOAD_WITHIN_S, most_bytes=MOST_BYTES, repeatable=True
            )
        except HttpError as error:
            raise FarEndError(f"the recording cannot be fetched from {host}: {error}") from error
        if answer.status not in _REDIRECTIONS:
            if answer.status != 200:
                raise FarEndError(
                    f"the recording cannot be fetched from {host}: {answer.status} {answer.reason}"
                )
            return answer.body
        address = urljoin(address, answer.headers.get("location", ""))
    raise FarEndError(
        f"the recording's address leads through more than {_MOST_REDIRECTIONS} redirections"
    )


def _is_safe(address: str, in_clear: bool) -> bool:
    """https, and of an API on this machine http on this machine, too."""
    read = urlsplit(address)
    is_local = read.scheme == "http" and is_loopback(read.hostname or "")
    return read.scheme == "https" or (in_clear and is_local)


@dataclass(frozen=True, slots=True)
class CallAudio:
    """What the leg of a caller received, and what it sent. Times are seconds from the beginning of
    ``received``.
    """

    received: NDArray[np.int16]  #: at 8 kHz; zero where it does not count
    mark: int
    #: From when to when the leg sent its mark, and then perhaps words.
    mark_sent: tuple[tuple[float, float], ...]
    words_s: float  #: the longest of these words
    since: float = 0.0  #: marks sent before do not count


@dataclass(frozen=True, slots=True)
class Shown:
    """What a recording shows of a call."""

    seconds: float  #: the recording's length
    is_silent: bool
    marks: tuple[HeardMark, ...]  #: in seconds of the recording
    mine: tuple[HeardMark, ...]  #: of these the caller's, at a time when it sent it
    is_missing: bool  #: the recording covers a time in which the caller sent its mark, without it
    voice: Likeness  #: what the leg received, in the recording
    has_voice: bool  #: it is there, at a time that fits the caller's marks: the same greeting in another place is another call's
    #: The delays of both directions together; what an encoder adds to both falls out of it.
    round_trip_s: float | None
    #: Speech beside the caller's own; 0: there is a side for it, which is silent; None: not known.
    spoken_s: float | None
    caller_began_s: float = math.inf  #: when the caller first sent its mark, as of :attr:`voice`

    @property
    def has_voice_of_this_call(self) -> bool:
        """Whether it has the voice, and where the AI spoke after the caller these words as well: it
        greets alike in every call.
        """
        answers = [part for part in self.voice.covered if part.began > self.caller_began_s]
        return self.has_voice and self.voice.has(answers)

    @property
    def has_other_voice(self) -> bool:
        """Whether the leg received something else: the recording is the call's, and has none of
        several parts of it.
        """
        unknown = all(part.match < LEAST_MATCH for part in self.voice.parts)
        return bool(self.mine) and len(self.voice.parts) >= _ENOUGH_PARTS and unknown

    def voice_event(
        self, *, at: float, phone: str, leg: str, file: str, sha256: str
    ) -> VoiceInFile:
        """The event that says whether the AI's recording has what the leg received."""
        return VoiceInFile(
            at=at,
            phone=phone,
            leg=leg,
            file=file,
            sha256=sha256,
            made_at=AT_AI,
            found=self.has_voice,
            match=self.voice.match,
            parts=len(self.voice.parts),
            agreeing=len(self.voice.agreeing),
            round_trip_s=self.round_trip_s,
            spoken_s=self.spoken_s,
        )


def shown(sound: Sound, call: CallAudio) -> Shown:
    """Compare a recording with the call that it should be of. The caller may be on any channel, or
    mixed with the AI.
    """
    is_silent = all(map(_is_silent, sound.channels))
    sound = _amplified(sound)
    marks = marks_in(sound)
    if not any(mark.mark == call.mark for mark in marks):
        marks = marks_in(sound, deep=True)  # beneath a louder voice
    mine = [mark for mark in marks if mark.mark == call.mark]
    others = _without_caller(sound, call, mine)
    spoken = _spoken_s(sound, call, mine, others)
    voice = _voice(call, mine, others)
    lag = voice.lag
    fitting = [mark for mark in mine if _fits_any(mark, lag, call.mark_sent)]
    has_voice = voice.is_found and bool(fitting or not mine)
    began = [began for began, _ in call.mark_sent]
    round_trip_s = None
    if has_voice:
        mine = [mark for mark in fitting if mark.ended > call.since + lag]
    if has_voice and mine:
        came = mine[0].began - lag
        nearest = min(began, key=lambda at: abs(came - at))
        round_trip_s = mine[0].began - nearest - lag
    return Shown(
        seconds=sound.seconds,
        is_silent=is_silent and not mine,
        marks=marks,
        mine=tuple(mine),
        is_missing=not mine and has_voice and _covers(sound, call, lag),
        voice=voice,
        has_voice=has_voice,
        round_trip_s=round_trip_s,
        spoken_s=spoken,
        caller_began_s=min(began, default=math.inf),
    )


def _is_silent(channel: NDArray[np.int16]) -> bool:
    return bool((levels(channel) <= _AUDIBLE_DBOV).all())


def _amplified(sound: Sound) -> Sound:
    """A quiet recording at the level of speech."""
    loudest = max(float(levels(channel).max(initial=SILENCE_DBOV)) for channel in sound.channels)
    if not SILENCE_DBOV < loudest < _QUIET_DBOV:
        return sound
    gain = 10 ** (min(_AMPLIFIED_TO_DBOV - loudest, _MOST_GAIN_DB) / 20)
    channels = (np.round(np.clip(channel * gain, -32768, 32767)) for channel in sound.channels)
    return replace(sound, channels=tuple(channel.astype(np.int16) for channel in channels))


def _fits_any(mark: HeardMark, lag: float, sent: Iterable[tuple[float, float]]) -> bool:
    """Whether it is heard as long after one of the times in which it was sent as a call's two ways
    take.
    """
    for began, ended in sent:
        earliest, latest = began + lag + _LEAST_ROUND_TRIP_S, ended + lag + _MOST_ROUND_TRIP_S
        if mark.ended > earliest and mark.began < latest:
            return True
    return False


def _covers(sound: Sound, call: CallAudio, lag: float) -> bool:
    """Whether the recording is of this call, and of the time in which a mark would have come that
    counts.

    Another call may have the same greeting; it ends at another moment.
    """
    if not _ends_with(sound, call, lag):
        return False
    for began, ended in call.mark_sent:
        counts = began >= call.since and ended - began > _DECIDES_S
        due = began + lag
        if counts and due > 0 and due + _DUE_WITHIN_S < sound.seconds:
            return True
    return False


def _ends_with(sound: Sound, call: CallAudio, lag: float = 0.0) -> bool:
    whole = len(call.received) / SAMPLE_RATE + lag
    return abs(sound.seconds - whole) <= max(_ENDS_WITHIN_S, _ENDS_WITHIN * whole)


def _callers(call: CallAudio, mine: list[HeardMark]) -> list[tuple[float, float]]:
    """From when to when the caller's marks and words are in the recording."""
    return [(mark.began - _AROUND_S, mark.ended + call.words_s + _AROUND_S) for mark in mine]


def _without_caller(
    sound: Sound, call: CallAudio, mine: list[HeardMark]
) -> list[NDArray[np.int16]]:
    """The channels without the caller's marks and words."""
    found = []
    for channel in sound.channels:
        theirs = channel.copy()
        for began, ended in _callers(call, mine):
            theirs[max(0, round(began * SAMPLE_RATE)) : round(ended * SAMPLE_RATE)] = 0
        found.append(theirs)
    return found


def _spoken_s(
    sound: Sound, call: CallAudio, mine: list[HeardMark], others: list[NDArray[np.int16]]
) -> float | None:
    """How long the AI speaks, where the caller's marks show whose call it is, and which sound is
    the caller's.

    A file with one side may be the caller's alone: its silence says nothing of the AI.
    """
    if not mine:
        return None
    spoken = max(spoken_s(classify(channel)) for channel in others)
    if spoken >= _SPOKEN_S:
        return spoken
    callers = {mark.channel for mark in mine}
    beside = [channel for number, channel in enumerate(others) if number not in callers]
    is_silent = bool(beside) and all(map(_is_silent, beside))
    return 0.0 if is_silent and _ends_with(sound, call) else None


def _voice(call: CallAudio, mine: list[HeardMark], others: list[NDArray[np.int16]]) -> Likeness:
    """What the leg received, looked for in the recording without the caller's own sound: an echo of
    that is not the AI's voice.

    Where the recording does not show the caller's sound, only what the leg received before it sent
    anything can be no echo.
    """
    received = call.received
    if not mine and call.mark_sent:
        received = received[: round(call.mark_sent[0][0] * SAMPLE_RATE)]
    found = (likeness(received, theirs, _callers(call, mine)) for theirs in others)
    return max(found, key=lambda one: one.weight)
