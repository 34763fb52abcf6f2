"""The audio of a leg: what it plays, hears and records in the conference bridge."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any, Final

import soundfile

from harness.audio import marks
from harness.audio.wav import sound_file
from harness.phone.child.audio_clock import AudioClock
from harness.phone.child.bindings import misuse
from harness.phone.child.digits import Digits
from harness.phone.child.hearing import Hearing, MarkListener
from harness.phone.child.native import RATE, Native, Player, Recorder
from harness.phone.protocol import Mark, Silence, Source, Wav, choice_from_plain

_MARK_SECONDS: Final = 1.28
_SILENCE_SLOT: Final = 0  # of the bridge: its sound device, which is none


class PlayerFactory:
    """Shared by the legs of a process: the audio clock, the mark listener and players."""

    def __init__(self, native: Native, clock: AudioClock, listener: MarkListener) -> None:
        self.native, self.clock, self.listener = native, clock, listener

    def player(self, source: Mark | Wav, mark: int) -> Player:
        """A player of a WAV file, or of a mark. Raises :class:`Refusal` for what pjmedia cannot
        play.
        """
        try:
            if isinstance(source, Wav):
                return self.native.player(Path(source.path), loop=source.loop)
            # A file in memory, because the main thread must not wait for the disk.
            with os.fdopen(os.memfd_create(f"mark-{mark}"), "wb", buffering=0) as file:
                file.write(marks.wav(mark, _MARK_SECONDS, RATE))
                return self.native.player(Path(f"/proc/self/fd/{file.fileno()}"), loop=True)
        except OSError as error:
            raise misuse(str(error)) from error


class LegMedia:
    """One leg's audio. The call's port comes and goes with each negotiation; the recorders last.

    In the bridge, the call's port is connected with the recorder of what is received; the player of
    the leg's source, or the port of a bridged leg, with the call's port and the recorder of what is
    sent. A leg that does not send (on hold, or `Silence`) has no player.
    """

    def __init__(self, players: PlayerFactory, files: tuple[Path, Path], hearing: Hearing) -> None:
        """``files`` are those for what it receives and what it sends."""
        self._players = players
        self._files = files
        self._hearing = hearing
        self.digits = Digits(hearing.emit_digit)
        self.mark: int | None = None  #: None until the parent has set it
        self.source: Source = Mark()
        self.recordings: tuple[Path, ...] = ()  #: once it has had media
        self.player_done: float | None = None  #: when a WAV that is played once is over
        self._port: Any = None
        self._sends = False
        self._player: Player | None = None
        self._ready: Player | None = None  # plays the mark, not connected yet
        self._recorders: list[Recorder] = []
        self._closed = False  # a call that is refused at once is over before its mark is set
        self.bridged: LegMedia | None = None  #: the leg whose far end is heard instead of a source

    def connect(self, port: Any, *, sends: bool, begins_in_s: float) -> None:
        """Connect the call's port, new after each negotiation, with the recorders and the source.

        ``begins_in_s``: seconds until the first audio.
        """
        self._port = port
        self._sends = sends
        self._make_recorders()
        received, sent = self._recorders
        self._players.native.connect(port.getPortId(), received.slot)
        # A recorder without a source writes nothing. What was sent begins with what was received,
        # and has the leg's silence, too.
        self._players.native.connect(_SILENCE_SLOT, sent.slot)
        if self.bridged is not None:
            self._join()
        elif not sends:
            self._stop()
        elif self._player is not None:
            self._player.connect(port.getPortId())
        else:
            self.play(self.source)
        # Last: its thread takes the interpreter, and the audio clock does not wait.
        if not self.recordings:
            self.recordings = self._files
            if self._players.listener.is_idle:  # else the frames of other legs would move
                self._players.clock.tick_in(begins_in_s)
            self._players.listener.begin(received, self._hearing)

    def await_mark(self, seconds: float) -> None:
        """See :meth:`Hearing.await_mark`."""
        self._players.listener.await_mark(self._hearing, seconds)

    def wait_until_alone(self) -> None:
        """Wait until the bridge's clock has released the call's port, whose stream is about to be
        destroyed.

        In the middle of a digit, pjmedia sends the last packet now and removes the digit from a
        list that the clock's thread also uses: without the wait ``pj_array_erase`` may abort.
        """
        if self._port is not None:
            self._players.native.wait_until_removed(self._port.getPortId())

    def disconnect(self) -> None:
        """The call's port is gone."""
        self._port = None

    def prepare(self) -> None:
        """Create the recorders and the mark's player early: when the call is answered, the audio
        clock would be faster.
        """
        if self._closed or self._port is not None or self._ready is not None:
            return
        # Tried again, and reported, when there is something to record.
        with contextlib.suppress(OSError):
            self._make_recorders()
        if self.mark is not None and isinstance(self.source, Mark):
            self._ready = self._players.player(self.source, self.mark)

    def _make_recorders(self) -> None:
        """They write nothing until they hear something."""
        if not self._recorders:
            self._recorders = [self._players.native.recorder(file) for file in self._files]

    def play(self, source: Source) -> None:
        """Send ``source`` from now on, or as soon as there is media to send it by."""
        self.source = source
        self._stop()
        if self._port is None or not self._sends or isinstance(source, Silence):
            return
        if isinstance(source, Mark) and self.mark is None:
            return  # the parent is about to set it
        self._player = self._player_of(source)
        if isinstance(source, Wav) and not source.loop:
            with sound_file(Path(source.path)) as file:
                self.player_done = time.monotonic() + file.frames / file.samplerate
        _, sent = self._recorders
        self._player.connect(self._port.getPortId())
        self._player.connect(sent.slot)

    def _player_of(self, source: Mark | Wav) -> Player:
        """The mark's player that `prepare` has made, else a new one."""
        ready = self._ready
        if ready is not None and isinstance(source, Mark):
            self._ready = None
            return ready
        return self._players.player(source, self.mark or 0)

    def name_mark(self, mark: int) -> None:
        """Set the mark of a leg that the child created."""
        self.mark = mark
        self._forget_player()
        if isinstance(self.source, Mark) and self.bridged is None:
            self.prepare()
            self.play(self.source)

    def tick(self, now: float) -> None:
        """Return to the mark after a WAV that is played once; end a digit that gets no more
        packets.
        """
        self.digits.tick(now)
        if self.player_done is not None and now >= self.player_done:
            self.play(Mark())

    def _stop(self) -> None:
        self.player_done = None
        if self._player is not None:
            self._player.close()
            self._player = None

    def _forget_player(self) -> None:
        if self._ready is not None:
            self._ready.close()
            self._ready = None

    def bridge(self, other: LegMedia) -> None:
        """Connect the audio of the two far ends until one leg ends."""
        for one, two in ((self, other), (other, self)):
            one._part()
            one._stop()
            one.bridged = two
        self._join()

    def _part(self) -> None:
        """End a bridge; both sides are silent from now on."""
        other = self.bridged
        if other is None:
            return
        for one, two in ((self, other), (other, self)):
            one.bridged = None
            one.source = Silence()
            if one._port is not None and two._port is not None:
                one._port.stopTransmit(two._port)
                self._players.native.disconnect(one._port.getPortId(), two._recorders[1].slot)

    def _join(self) -> None:
        other = self.bridged
        if other is None or self._port is None or other._port is None:
            return
        for one, two in ((self, other), (other, self)):
            one._port.startTransmit(two._port)
            self._players.native.connect(one._port.getPortId(), two._recorders[1].slot)

    def close(self) -> None:
        """Release the audio. The clock thread closes the recordings at its next tick."""
        self._closed = True
        self._port = None
        self.digits.close()
        self._part()
        self._stop()
        self._forget_player()
        if self._recorders:
            self._players.listener.end(self._recorders[0])
        for recorder in self._recorders:
            recorder.close()
        if self._recorders and not self.recordings:  # it never had media
            for file in self._files:
                file.unlink(missing_ok=True)
        self._recorders.clear()


def playable(plain: list[Any]) -> Source:
    """The source, checked to be playable by pjmedia: a failure within a callback could not be
    refused.
    """
    source: Source = choice_from_plain(plain)
    if isinstance(source, Wav):
        try:
            with sound_file(Path(source.path)) as file:
                is_mono_wav = file.channels == 1 and file.format == "WAV"
                subtype = file.subtype
        except (OSError, soundfile.LibsndfileError) as error:
            raise misuse(f"{source.path} cannot be played: {error}") from error
        if not is_mono_wav or subtype not in ("PCM_16", "ULAW", "ALAW"):
            allowed = "use a mono WAV of 16-bit PCM, µ-law or A-law"
            raise misuse(f"{source.path} cannot be played: {allowed}")
    return source
