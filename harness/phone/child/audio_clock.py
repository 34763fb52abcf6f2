"""The clock of the conference bridge (``audio_clock.c``); a process has one."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from harness.phone.child.pjlib import pointer

_library = ctypes.CDLL(str(Path(__file__).with_name("libaudio_clock.so")))
_library.audio_clock_make.argtypes = (pointer,) * 4
_library.audio_clock_tick_in.argtypes = (ctypes.c_int64,)
_library.audio_clock_tick_in.restype = _library.audio_clock_stop.restype = None


class AudioClock:
    """At rest at first. ``library`` is pjproject's."""

    def __init__(self, library: ctypes.CDLL) -> None:
        library.pjsua_set_no_snd_dev.restype = pointer
        error = _library.audio_clock_make(
            library.pjsua_set_no_snd_dev(),
            library.pjmedia_port_put_frame,
            library.pjmedia_port_get_frame,
            library.pj_thread_register,
        )
        if error:
            raise OSError(error, f"the audio clock cannot be made: {os.strerror(error)}")

    def tick_in(self, seconds: float) -> None:
        """Tick in so many seconds, and every 20 ms from then on."""
        _library.audio_clock_tick_in(round(seconds * 1e9))

    def stop(self) -> None:
        """Returns once the last tick is over."""
        _library.audio_clock_stop()
