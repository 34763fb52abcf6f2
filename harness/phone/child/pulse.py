"""The main loop's pulse, which shows the parent that the loop runs (:class:`protocol.Pulse`)."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from pathlib import Path

from harness.phone.child.pjlib import pointer
from harness.phone.protocol import IDLE_PULSE_INTERVAL, LATE_S, PULSE_INTERVAL, Pulse
from harness.support.stalls import Stall

_wait = ctypes.CDLL(str(Path(__file__).with_name("libpulse.so"))).pulse_while_waiting
_wait.argtypes = (pointer, pointer, pointer)
_wait.restype = ctypes.c_bool


class _Wait(ctypes.Structure):
    """``struct wait`` of ``pulse.c``."""

    _fields_ = tuple((name, ctypes.c_double) for name in ("longest", "interval", "working", "late"))


class PulsingLoop:
    """Has pjsua handle events, and pulses meanwhile. ``note`` gets each time that a pulse was late,
    once it is over.
    """

    def __init__(self, pulse: Pulse, library: ctypes.CDLL, note: Callable[[Stall], None]) -> None:
        """``library`` is pjproject's."""
        self._pulse, self._note = pulse, note
        self._handle_events = library.pjsua_handle_events
        self._wait = _Wait(0.0, PULSE_INTERVAL, PULSE_INTERVAL, LATE_S)

    def beat(self) -> None:
        """Show now that the loop runs."""
        now = time.monotonic()
        self._pulse.due, self._pulse.at = now + PULSE_INTERVAL, now

    def handle_events(self, longest: float, *, is_idle: bool) -> None:
        """Let pjsua work until an event was handled, for at most ``longest`` seconds."""
        self._wait.longest = longest
        self._wait.interval = IDLE_PULSE_INTERVAL if is_idle else PULSE_INTERVAL
        pulse = self._pulse
        if not _wait(ctypes.addressof(pulse), ctypes.addressof(self._wait), self._handle_events):
            self._note(Stall(pulse.due, time.monotonic()))
            self.beat()
