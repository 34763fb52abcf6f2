"""Calls pjproject's C functions, which the wheel exports, for what pjsua2 lacks.

Only functions and structures of the public headers (pjproject 2.15) are used, and one internal
function, ``pjsua_init_tpselector``.
"""

from __future__ import annotations

import ctypes
import mmap
import time
import traceback
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Final

from harness.phone import recording
from harness.phone.child.pjlib import Text, lasting_pool, pointer
from harness.phone.child.taps import Taps, place

RATE: Final = 8000  #: of the child's conference bridge; G.711 goes through it untouched

_NO_LOOP: Final = 1  # PJMEDIA_FILE_NO_LOOP
_ADDRESS_OCTETS: Final = 28  # of a pj_sockaddr
_DESTROY_SOCKET: Final = 2  # PJSIP_UDP_TRANSPORT_DESTROY_SOCKET
_FRAME: Final = 320  # octets of 20 ms
#: A recorder's buffer in octets: more audio than arrives between two reads of the mark listener.
#: pjmedia's default of 0.25 s is less.
_RING: Final = round(recording.BUFFERED_S * 50) * _FRAME
_PORT_WORDS: Final = 26  # of a WAV writer
_WAV_HEADER: Final = 44
_CREATE_POOL: Final = 32  # octets of a pj_pool_factory before it: its policy
_MOST_SLOTS: Final = 254  # PJSUA_MAX_CONF_PORTS
#: Ten ticks of the bridge's clock, for a busy machine.
_REMOVED_WITHIN_S: Final = 0.2
_LOOKS_EVERY_S: Final = 0.002
_POOLS_OF_CONNECTIONS: Final = (b"tcp", b"ssl%p")  # the names in pjsip and pjlib
_CreatePool: Final = ctypes.CFUNCTYPE(
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_char_p,
    ctypes.c_size_t,
    ctypes.c_size_t,
    ctypes.c_void_p,
)


class _Selector(ctypes.Structure):
    """``pjsip_tpselector``, as far as a UDP account fills it."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("disable_reuse", ctypes.c_int),
        ("transport", ctypes.c_void_p),
    )


class Native:
    """pjproject's library; ``path`` is the extension module's file.

    Players, recorders and connections of the conference bridge are made here instead of by pjsua2's
    classes, which lose frames at the ends of a file and have no access to a recording that is not
    on disk yet.
    """

    def __init__(self, path: str) -> None:
        library = self.library = ctypes.CDLL(path)
        self.taps = Taps((place(library.pj_grp_lock_acquire), place(library.pj_grp_lock_release)))
        #: Whether it was compiled with assertions, which end the process.
        self.asserts = _has(path, b"__assert_fail")
        library.pjsua_init_tpselector.argtypes = (ctypes.c_int, pointer)
        library.pjsua_init_tpselector.restype = None
        library.pjsip_udp_transport_pause.argtypes = (pointer, ctypes.c_uint)
        library.pj_sockaddr_parse.argtypes = (ctypes.c_int, ctypes.c_uint, pointer, pointer)
        library.pjsua_player_create.argtypes = (pointer, ctypes.c_uint, pointer)
        library.pjsua_player_get_conf_port.argtypes = (ctypes.c_int,)
        library.pjsua_player_destroy.argtypes = (ctypes.c_int,)
        library.pjsua_conf_connect.argtypes = (ctypes.c_int, ctypes.c_int)
        library.pjsua_conf_disconnect.argtypes = (ctypes.c_int, ctypes.c_int)
        library.pjmedia_wav_writer_port_create.argtypes = (
            pointer,
            ctypes.c_char_p,
            *(ctypes.c_uint,) * 5,
            ctypes.c_ssize_t,
            pointer,
        )
        library.pjsua_conf_add_port.argtypes = (pointer, pointer, pointer)
        library.pjsua_conf_remove_port.argtypes = (ctypes.c_int,)
        library.pjmedia_port_destroy.argtypes = (pointer,)
        library.pjsua_enum_conf_ports.argtypes = (pointer, pointer)
        # It only reads a number: releasing the GIL would cost more.
        self._position = ctypes.PyDLL(path).pjmedia_wav_writer_port_get_pos
        self._position.argtypes, self._position.restype = (pointer,), ctypes.c_ssize_t

    def accounts(self) -> int:
        return int(self.library.pjsua_acc_get_count())

    def calls(self) -> int:
        """The number of call slots in use; a call keeps its slot until its last transaction has
        ended.
        """
        return int(self.library.pjsua_call_get_count())

    def udp_transport(self, account: int) -> int:
        """The ``pjsip_transport *`` of an account."""
        selector = _Selector()
        self.library.pjsua_init_tpselector(account, ctypes.byref(selector))
        return int(selector.transport)

    def close_udp_socket(self, transport: int) -> None:
        """Close a transport's socket now, not when its last transaction times out."""
        self.library.pjsip_udp_transport_pause(transport, _DESTROY_SOCKET)

    def has_ipv6(self) -> bool:
        """Whether pjsua supports IPv6; the wheels on PyPI do not (``PJ_HAS_IPV6`` 0)."""
        address = b"::1"
        text = Text(address, len(address))
        parsed = ctypes.create_string_buffer(_ADDRESS_OCTETS)
        status = self.library.pj_sockaddr_parse(0, 0, ctypes.byref(text), ctypes.byref(parsed))
        return bool(status == 0)

    def before_each_connection(
        self, look: Callable[[], None], fault: Callable[[str], None]
    ) -> None:
        """Call ``look`` before pjlib gives an accepted or new connection its socket slot.

        pjlib accepts all waiting connections in a loop, and does not log a TLS connection before
        its handshake is over. But it asks its pool factory for memory for each connection. A build
        without assertions needs no check.
        """
        if not self.asserts:
            return
        self.library.pjsua_get_pool_factory.restype = ctypes.c_void_p
        field = ctypes.c_void_p.from_address(self.library.pjsua_get_pool_factory() + _CREATE_POOL)
        create = _CreatePool(field.value or 0)

        def create_pool(factory: int, name: bytes, *rest: int | None) -> int | None:
            try:
                if name in _POOLS_OF_CONNECTIONS:
                    look()
            except Exception:
                fault(traceback.format_exc())
            pool: int | None = create(factory, name, *rest)
            return pool

        self._create_pool = _CreatePool(create_pool)
        field.value = place(self._create_pool)

    def player(self, path: Path, *, loop: bool) -> Player:
        """A player of a WAV file. Raises ``OSError`` for one that pjmedia cannot play."""
        return Player(self.library, path, loop)

    @cached_property  # pjsua does not exist yet in __init__
    def _recordings(self) -> int:
        """The memory pool of recorders."""
        return lasting_pool(self.library, b"recordings")

    def recorder(self, path: Path) -> Recorder:
        """A recorder into a WAV file. Raises ``OSError`` when the file cannot be recorded to."""
        return Recorder(self.library, self._recordings, self._position, path)

    def connect(self, source: int, sink: int) -> None:
        """Connect one slot of the bridge to another."""
        self.library.pjsua_conf_connect(source, sink)

    def disconnect(self, source: int, sink: int) -> None:
        """The opposite of :meth:`connect`."""
        self.library.pjsua_conf_disconnect(source, sink)

    def wait_until_removed(self, slot: int) -> None:
        """Wait until the bridge's clock has removed a slot, at its next tick; give up if the clock
        is stopped.
        """
        by = time.monotonic() + _REMOVED_WITHIN_S
        slots = (ctypes.c_int * _MOST_SLOTS)()
        count = ctypes.c_uint()
        while time.monotonic() < by:
            count.value = _MOST_SLOTS
            self.library.pjsua_enum_conf_ports(slots, ctypes.byref(count))
            if slot not in slots[: count.value]:
                return
            time.sleep(_LOOKS_EVERY_S)


def _has(path: str, name: bytes) -> bool:
    """Whether a file contains these octets; mapped, because reading ten megabytes would slow each
    start down.
    """
    with (
        Path(path).open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets,
    ):
        return octets.find(name) != -1


class Player:
    """Plays a file to slots of the bridge, once or in a loop.

    pjsua2's AudioMediaPlayer drops a frame of 20 ms at each end of the file, which would interrupt
    a looped mark.
    """

    def __init__(self, library: ctypes.CDLL, path: Path, loop: bool) -> None:
        self._library = library
        name = str(path).encode()
        text = Text(name, len(name))
        number = ctypes.c_int()
        options = 0 if loop else _NO_LOOP
        status = library.pjsua_player_create(ctypes.byref(text), options, ctypes.byref(number))
        if status != 0:
            allowed = "use a mono WAV of 16-bit PCM, µ-law or A-law"
            raise OSError(f"{path} cannot be played (pjlib status {status}): {allowed}")
        self._number = number.value
        self._slot = library.pjsua_player_get_conf_port(number)

    def connect(self, sink: int) -> None:
        """Send to a slot of the bridge."""
        self._library.pjsua_conf_connect(self._slot, sink)

    def close(self) -> None:
        """Remove the player from the bridge, at the clock's next tick."""
        self._library.pjsua_player_destroy(self._number)


class Recorder:
    """Records audio of the bridge to a WAV file. Audio that is not on disk yet can be read too.

    pjmedia's writer has no function for its buffer; its structure has the buffer's size, its
    address and the write position.
    """

    def __init__(
        self, library: ctypes.CDLL, pool: int, position: Callable[[int], int], path: Path
    ) -> None:
        self._library = library
        self._get_position = position
        self._path = path
        port = ctypes.c_void_p()
        slot = ctypes.c_int()
        # Samples a second, channels, samples a frame, bits a sample: the bridge's.
        form = (RATE, 1, _FRAME // 2, 16)
        status = library.pjmedia_wav_writer_port_create(
            pool, bytes(path), *form, 0, _RING, ctypes.byref(port)
        )
        if status != 0:
            raise OSError(f"{path} cannot be recorded to (pjlib status {status})")
        assert port.value
        self._port = port.value
        status = library.pjsua_conf_add_port(pool, port, ctypes.byref(slot))
        if status != 0:
            library.pjmedia_port_destroy(port)
            raise OSError(f"{path}: the conference bridge is full (pjlib status {status})")
        self.slot = slot.value
        self._buffer = _buffer_of(port.value)

    def read(self, begin: int) -> bytes:
        """The recorded octets from ``begin`` to the newest frame; only those on disk if ``begin``
        has left the buffer.
        """
        end = self._get_position(self._port)
        if end == begin:
            return b""
        length = end - begin
        if length <= _RING - 2 * _FRAME and not end % _FRAME:
            at = begin % _RING
            read = ctypes.string_at(self._buffer + at, min(length, _RING - at))
            read += ctypes.string_at(self._buffer, length - len(read))
            # Not overwritten meanwhile.
            if self._get_position(self._port) - begin <= _RING - _FRAME:
                return read
        with self._path.open("rb") as file:
            file.seek(_WAV_HEADER + begin)
            read = file.read()
            return read[: len(read) // _FRAME * _FRAME]

    def close(self) -> None:
        """Remove the recorder from the bridge; the file is closed at the clock's next tick."""
        self._library.pjsua_conf_remove_port(self.slot)
        self._library.pjmedia_port_destroy(self._port)  # the bridge holds it until then


def _buffer_of(port: int) -> int:
    """The address of a new WAV writer's buffer."""
    words = (ctypes.c_size_t * _PORT_WORDS).from_address(port)
    for size, address, written in zip(words, words[1:], words[2:], strict=False):
        if size == _RING and address == written != 0:
            return int(address)
    raise OSError("the WAV writer of this pjproject differs from 2.15")
