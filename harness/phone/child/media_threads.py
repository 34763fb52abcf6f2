"""Stops the threads of the media between calls. The one that receives RTP polls each 10 ms, the audio
clock ticks each 20 ms: three quarters of the processor time of a phone that waits.
"""

from __future__ import annotations

import ctypes
import socket
import threading
from typing import Final

from harness.phone.child.audio_clock import AudioClock
from harness.phone.child.pjlib import lasting_pool, pointer

_ALWAYS_ASYNC: Final = 1 << 31  # PJ_IOQUEUE_ALWAYS_ASYNC
_PENDING: Final = 70002  # PJ_EPENDING
_OP_KEY_WORDS: Final = 34  # of a pj_ioqueue_op_key_t
_OnRead: Final = ctypes.CFUNCTYPE(None, pointer, pointer, ctypes.c_ssize_t)


class _Callbacks(ctypes.Structure):
    """``pj_ioqueue_callback``."""

    _fields_ = (("on_read", _OnRead), ("others", pointer * 3))


class MediaThreads:
    """pjmedia's receiving thread and the audio clock; stopped at first. The main thread calls it.

    pjmedia cannot stop its receiving thread for a while. So the thread polls a socket of its own,
    too, and blocks in that socket's callback.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self.clock = AudioClock(library)
        self._running = threading.Event()
        self.are_running = True  #: both; until :meth:`stop`
        self._sender, self._receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._octet = ctypes.create_string_buffer(1)
        self._operation = (ctypes.c_size_t * _OP_KEY_WORDS)()
        self._callbacks = _Callbacks(_OnRead(self._block))
        self._receive = library.pj_ioqueue_recv
        self._key = pointer()
        library.pjsua_get_pjmedia_endpt.restype = pointer
        library.pjmedia_endpt_get_ioqueue.restype = pointer
        library.pjmedia_endpt_get_ioqueue.argtypes = (pointer,)
        library.pj_ioqueue_register_sock.argtypes = (
            pointer,
            pointer,
            ctypes.c_long,
            pointer,
            pointer,
            pointer,
        )
        self._receive.argtypes = (*[pointer] * 4, ctypes.c_uint)
        queue = library.pjmedia_endpt_get_ioqueue(library.pjsua_get_pjmedia_endpt())
        status = library.pj_ioqueue_register_sock(
            lasting_pool(library, b"media threads"),
            queue,
            self._receiver.fileno(),
            None,
            ctypes.byref(self._callbacks),
            ctypes.byref(self._key),
        )
        if status != 0:
            raise OSError(f"the media thread cannot be stopped (pjlib status {status})")
        self._listen()
        self.stop()

    def start(self) -> None:
        """Let both run. A call needs them from its first SDP on."""
        if not self.are_running:
            self.are_running = True
            self._running.set()
            self.clock.tick_in(0)

    def stop(self) -> None:
        """Stop both: no call is left, and its recordings are closed."""
        if self.are_running:
            self.are_running = False
            self._running.clear()
            self._sender.send(b"\0")
            self.clock.stop()

    def _listen(self) -> None:
        length = ctypes.c_ssize_t(1)
        status = self._receive(
            self._key, self._operation, self._octet, ctypes.byref(length), _ALWAYS_ASYNC
        )
        assert status == _PENDING, status

    def _block(self, key: int, operation: int, octets: int) -> None:
        """Called in the receiving thread."""
        self._running.wait()
        self._listen()
