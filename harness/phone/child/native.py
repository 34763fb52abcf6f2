"""What pjsua2 has no word for, by pjproject's C functions, which the wheel exports.

Only functions and structures of the public headers are used (pjproject 2.15), and one internal function,
``pjsua_init_tpselector``.
"""

from __future__ import annotations

import ctypes
import mmap
import time
import traceback
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

from harness.phone import recording
from harness.phone.child.crossing import GroupLock, place
from harness.phone.child.hearing import RATE
from harness.phone.child.names import Names
from harness.phone.child.pools import lasting_pool
from harness.phone.child.requests import BEFORE_THE_LOG, BEHIND_THE_LOG, Arrival, Filter
from harness.phone.child.sdp_names import NamedMedia
from harness.phone.child.taps import Taps

_TELEPHONE_EVENT_FLAG: Final = 0  # PJMEDIA_ENDPT_HAS_TELEPHONE_EVENT_FLAG
_NO_LOOP: Final = 1  # PJMEDIA_FILE_NO_LOOP
_LONGEST_SDP: Final = 16_000  # a message has no more than 4000 octets
_ADDRESS_OCTETS: Final = 28  # of a pj_sockaddr
_DESTROY_SOCKET: Final = 2  # PJSIP_UDP_TRANSPORT_DESTROY_SOCKET
_FRAME: Final = 320  # octets of 20 ms
#: Of a recorder, in octets. It has to hold what comes between two looks of the ear, which pjmedia's own 0.25 s do not.
_RING: Final = round(recording.BUFFERED_S * 50) * _FRAME
_PORT_WORDS: Final = 26  # of a WAV writer
_WAV_HEADER: Final = 44
_CREATE_POOL: Final = 32  # octets of a pj_pool_factory before it: its policy
_MOST_SLOTS: Final = 254  # PJSUA_MAX_CONF_PORTS
#: Ten ticks of the bridge's clock, for a machine that is busy.
_REMOVED_WITHIN_S: Final = 0.2
_LOOKS_EVERY_S: Final = 0.002
_POOLS_OF_CONNECTIONS: Final = (b"tcp", b"ssl%p")  # by what pjsip and pjlib call them
_CreatePool: Final = ctypes.CFUNCTYPE(
    ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p
)


class _Selector(ctypes.Structure):
    """``pjsip_tpselector``, as far as a UDP account fills it."""

    _fields_ = (("type", ctypes.c_int), ("disable_reuse", ctypes.c_int), ("transport", ctypes.c_void_p))


class _Text(ctypes.Structure):
    """``pj_str_t``."""

    _fields_ = (("ptr", ctypes.c_char_p), ("slen", ctypes.c_ssize_t))


class Native:
    """pjproject's library; ``path`` is the extension module's file."""

    def __init__(self, path: str) -> None:
        library = self._library = ctypes.CDLL(path)
        self.taps = Taps(GroupLock(place(library.pj_grp_lock_acquire), place(library.pj_grp_lock_release)))
        #: Whether it was compiled with assertions, which end the process.
        self.asserts = _has(path, b"__assert_fail")
        pointer = ctypes.c_void_p
        library.pjsua_get_pjmedia_endpt.restype = pointer
        library.pjmedia_endpt_set_flag.argtypes = (pointer, ctypes.c_int, pointer)
        library.pjsua_init_tpselector.argtypes = (ctypes.c_int, pointer)
        library.pjsua_init_tpselector.restype = None
        library.pjsip_udp_transport_pause.argtypes = (pointer, ctypes.c_uint)
        library.pj_sockaddr_parse.argtypes = (ctypes.c_int, ctypes.c_uint, pointer, pointer)
        library.pjmedia_sdp_print.argtypes = (pointer, ctypes.c_char_p, ctypes.c_size_t)
        library.pjsua_player_create.argtypes = (pointer, ctypes.c_uint, pointer)
        library.pjsua_player_get_conf_port.argtypes = library.pjsua_player_destroy.argtypes = (ctypes.c_int,)
        library.pjsua_conf_connect.argtypes = library.pjsua_conf_disconnect.argtypes = (ctypes.c_int, ctypes.c_int)
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
        # It only reads a number: to let other threads run meanwhile would cost more.
        self._position = ctypes.PyDLL(path).pjmedia_wav_writer_port_get_pos
        self._position.argtypes, self._position.restype = (pointer,), ctypes.c_ssize_t

    def offer_telephone_event(self, offered: bool) -> None:
        """Whether SDP made from now on names telephone-event."""
        flag = ctypes.c_int(offered)
        endpoint = self._library.pjsua_get_pjmedia_endpt()
        self._library.pjmedia_endpt_set_flag(endpoint, _TELEPHONE_EVENT_FLAG, ctypes.byref(flag))

    def sdp_text(self, session: int) -> str:
        """What a ``pjmedia_sdp_session`` says: pjsua2 has no more than 1024 octets of it."""
        room = ctypes.create_string_buffer(_LONGEST_SDP)
        length = max(0, self._library.pjmedia_sdp_print(session, room, _LONGEST_SDP))
        return room.raw[:length].decode("utf-8", "replace")

    def accounts(self) -> int:
        """How many there are."""
        return int(self._library.pjsua_acc_get_count())

    def calls(self) -> int:
        """How many pjsua has a place for, which a call keeps until its last transaction has ended."""
        return int(self._library.pjsua_call_get_count())

    def udp_transport(self, account: int) -> int:
        """The transport (``pjsip_transport *``) that an account is bound to."""
        selector = _Selector()
        self._library.pjsua_init_tpselector(account, ctypes.byref(selector))
        return int(selector.transport)

    def close_udp_socket(self, transport: int) -> None:
        """Close a transport's socket now, instead of when its last transaction has timed out."""
        self._library.pjsip_udp_transport_pause(transport, _DESTROY_SOCKET)

    def has_ipv6(self) -> bool:
        """Whether pjsua can call over IPv6; the wheels on PyPI are compiled without (``PJ_HAS_IPV6`` 0)."""
        address, parsed = b"::1", ctypes.create_string_buffer(_ADDRESS_OCTETS)
        text = _Text(address, len(address))
        return int(self._library.pj_sockaddr_parse(0, 0, ctypes.byref(text), ctypes.byref(parsed))) == 0

    def look_up_with(self, names: Names) -> NamedMedia:
        """Have pjsip's names looked up by ``names``, and those in SDP before pjmedia sees them."""
        names.serve(self._library)
        self._named_media = NamedMedia(self._library, names.look_up_media)
        return self._named_media

    def filter_messages(
        self,
        first: Callable[[Arrival], int],
        then: Callable[[Arrival], int],
        unanswered: Callable[[str, Sequence[str]], list[bool]],
        was_asked: Callable[[str], bool],
        fault: Callable[[str], None],
    ) -> None:
        """Ask about each request that comes: ``first`` before it is logged, ``then`` about what is left, once it is.

        And which challenges of a response get no answer: ``unanswered``; and whether it answers anything: ``was_asked``.
        """
        self._filters = (
            Filter(self._library, "mod-harness-sources", BEFORE_THE_LOG, first, fault),
            Filter(
                self._library,
                "mod-harness-dialogs",
                BEHIND_THE_LOG,
                then,
                fault,
                unanswered,
                self._named_media.keeps,
                was_asked,
            ),
        )

    def before_each_connection(self, look: Callable[[], None], fault: Callable[[str], None]) -> None:
        """Have ``look`` called for each connection that was accepted or is to be made, before pjlib gives it a place.

        pjlib accepts what waits, and what comes meanwhile, in one go, and says nothing of a TLS connection before its
        handshake is over. It asks its pool factory for memory for each. A build without assertions refuses by itself.
        """
        if not self.asserts:
            return
        self._library.pjsua_get_pool_factory.restype = ctypes.c_void_p
        field = ctypes.c_void_p.from_address(self._library.pjsua_get_pool_factory() + _CREATE_POOL)
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
        return Player(self._library, path, loop)

    @cached_property  # pjsua is not there yet when this is made
    def _recordings(self) -> int:
        """A pool for what is known of recorders; each has its own besides."""
        return lasting_pool(self._library, b"recordings")

    def recorder(self, path: Path) -> Recorder:
        """A recorder into a WAV file. Raises ``OSError`` where there can be none."""
        return Recorder(self._library, self._recordings, self._position, path)

    def connect(self, source: int, sink: int) -> None:
        """Let one slot of the bridge hear another."""
        self._library.pjsua_conf_connect(source, sink)

    def disconnect(self, source: int, sink: int) -> None:
        """The opposite of :meth:`connect`."""
        self._library.pjsua_conf_disconnect(source, sink)

    def wait_until_removed(self, slot: int) -> None:
        """Wait until the bridge's clock has taken out a slot that is to leave it: at its next tick, or never where it is stopped."""
        by = time.monotonic() + _REMOVED_WITHIN_S
        slots, count = (ctypes.c_int * _MOST_SLOTS)(), ctypes.c_uint()
        while time.monotonic() < by:
            count.value = _MOST_SLOTS
            self._library.pjsua_enum_conf_ports(slots, ctypes.byref(count))
            if slot not in slots[: count.value]:
                return
            time.sleep(_LOOKS_EVERY_S)


def _has(path: str, name: bytes) -> bool:
    """Whether a file has these octets; ten megabytes of it are not copied at the start of each process."""
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
        return octets.find(name) != -1


class Player:
    """Plays a file to slots of the bridge, once or over and over.

    pjsua2's own AudioMediaPlayer subscribes to the end of the file, and drops a frame of 20 ms each time it comes: a
    mark that is played by it breaks at each turn.
    """

    def __init__(self, library: ctypes.CDLL, path: Path, loop: bool) -> None:
        self._library = library
        name = str(path).encode()
        text, number = _Text(name, len(name)), ctypes.c_int()
        status = library.pjsua_player_create(ctypes.byref(text), 0 if loop else _NO_LOOP, ctypes.byref(number))
        if status != 0:
            raise OSError(
                f"{path} cannot be played (pjlib status {status}): a mono WAV of 16-bit PCM, µ-law or A-law can"
            )
        self._number = number.value
        self._slot = library.pjsua_player_get_conf_port(number)

    def connect(self, sink: int) -> None:
        """Send to a slot of the bridge."""
        self._library.pjsua_conf_connect(self._slot, sink)

    def close(self) -> None:
        """Take it out of the bridge, at the clock's next tick."""
        self._library.pjsua_player_destroy(self._number)


class Recorder:
    """Records what it hears in the bridge to a WAV file; what is not on disk yet can be read all the same.

    pjmedia's writer has no word for its buffer, but is laid out so: the buffer's size, its address, where it is written next.
    """

    def __init__(self, library: ctypes.CDLL, pool: int, position: Callable[[int], int], path: Path) -> None:
        self._library, self._get_position, self._path = library, position, path
        port, slot = ctypes.c_void_p(), ctypes.c_int()
        form = (RATE, 1, _FRAME // 2, 16)  # samples a second, channels, samples a frame, bits a sample: the bridge's
        status = library.pjmedia_wav_writer_port_create(pool, bytes(path), *form, 0, _RING, ctypes.byref(port))
        if status != 0:
            raise OSError(f"{path} cannot be recorded to (pjlib status {status})")
        assert port.value
        self._port = port.value
        status = library.pjsua_conf_add_port(pool, port, ctypes.byref(slot))
        if status != 0:
            library.pjmedia_port_destroy(port)
            raise OSError(f"{path}: no place in the bridge is left (pjlib status {status})")
        self.slot = slot.value
        self._buffer = _buffer_of(port.value)

    def read(self, begin: int) -> bytes:
        """What was recorded from that octet on, to the newest frame, or as far as it is on disk if that is long ago."""
        end = self._get_position(self._port)
        if end == begin:
            return b""
        if end - begin <= _RING - 2 * _FRAME and not end % _FRAME:
            at = begin % _RING
            read = ctypes.string_at(self._buffer + at, min(end - begin, _RING - at))
            read += ctypes.string_at(self._buffer, end - begin - len(read))
            if self._get_position(self._port) - begin <= _RING - _FRAME:  # nothing was written over it meanwhile
                return read
        with self._path.open("rb") as file:
            file.seek(_WAV_HEADER + begin)
            read = file.read()
            return read[: len(read) // _FRAME * _FRAME]

    def close(self) -> None:
        """Take it out of the bridge; the file is closed at the clock's next tick."""
        self._library.pjsua_conf_remove_port(self.slot)
        self._library.pjmedia_port_destroy(self._port)  # the bridge holds it until then


def _buffer_of(port: int) -> int:
    """The address of a new WAV writer's buffer."""
    words = (ctypes.c_size_t * _PORT_WORDS).from_address(port)
    for size, address, written in zip(words, words[1:], words[2:], strict=False):
        if size == _RING and address == written != 0:
            return int(address)
    raise OSError("this pjproject lays its WAV writer out otherwise than 2.15 does")
