"""One thread analyses all legs. It reads the recorders' buffers, or the file when it is late."""

from __future__ import annotations

import ctypes
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.phone.child.hearing import Hearing, MarkListener
from harness.phone.child.native import RATE, Recorder

FRAME, FRAMES, HEADER = 320, 22, 44
RING = FRAMES * FRAME
POOL = 1


class Writer:
    """pjmedia's WAV writer: its port in memory, its file, and its functions."""

    def __init__(self, path: Path, *, sized: bool = True, room: bool = True) -> None:
        self.path, self.written = path, 0
        self.destroyed = False
        self._buffer = ctypes.create_string_buffer(RING)
        self._words = (ctypes.c_size_t * 26)()
        address = ctypes.addressof(self._buffer)
        self._words[17:20] = [RING if sized else 5000, address, address]
        self._room = room

    def pjmedia_wav_writer_port_create(self, pool: int, path: bytes, *rest: Any) -> int:
        *form, flags, size, port = rest
        assert (form, flags, size) == ([RATE, 1, 160, 16], 0, RING)
        Path(path.decode()).write_bytes(bytes(HEADER))
        port._obj.value = ctypes.addressof(self._words)
        return 0

    def pjsua_conf_add_port(self, pool: int, port: Any, slot: Any) -> int:
        slot._obj.value = 3
        return 0 if self._room else 70010

    def pjmedia_port_destroy(self, port: Any) -> int:
        self.destroyed = True
        return 0

    def position(self, _: int) -> int:
        return self.written

    def put(self, frame: bytes) -> None:
        at = self.written % RING
        if self.written and not at:
            with self.path.open("ab") as file:
                file.write(self._buffer.raw[:RING])
        ctypes.memmove(ctypes.addressof(self._buffer) + at, frame, FRAME)
        self.written += FRAME


def frame(number: int) -> bytes:
    return bytes([number % 251]) * FRAME


def recorder(writer: Writer) -> Recorder:
    return Recorder(writer, POOL, writer.position, writer.path)  # type: ignore[arg-type]


@pytest.mark.parametrize("at_once", [1, 3, 9, 15, 20])
def test_each_frame_is_read_once_as_soon_as_it_is_written(tmp_path: Path, at_once: int) -> None:
    writer = Writer(tmp_path / "x.wav")
    read, own = b"", recorder(writer)
    for number in range(180):
        writer.put(frame(number))
        if number % at_once == at_once - 1:
            read += own.read(len(read))
            assert len(read) == writer.written
    assert read == b"".join(map(frame, range(180)))
    assert own.read(len(read)) == b""


def test_a_late_reader_reads_the_file_and_then_the_buffer(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "x.wav")
    own = recorder(writer)
    for number in range(100):
        writer.put(frame(number))
    read = own.read(0)
    assert len(read) == 100 // FRAMES * RING, "the rest is in the buffer"
    read += own.read(len(read))
    assert read == b"".join(map(frame, range(100)))


def test_overwritten_audio_is_read_from_disk(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "x.wav")
    asked: list[int] = []

    def position(port: int) -> int:
        asked.append(port)
        if len(asked) == 2:  # between reading and looking again
            for number in range(20, 34):
                writer.put(frame(number))
        return writer.written

    own = Recorder(writer, POOL, position, writer.path)  # type: ignore[arg-type]
    for number in range(20):
        writer.put(frame(number))
    assert own.read(0) == b"".join(map(frame, range(FRAMES)))


def test_an_unknown_layout_of_the_writer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="WAV writer of this pjproject differs"):
        recorder(Writer(tmp_path / "x.wav", sized=False))


def test_a_failing_mark_listener_is_reported() -> None:
    faults: queue.SimpleQueue[str] = queue.SimpleQueue()

    @contextmanager
    def together() -> Iterator[None]:
        yield

    class Broken:
        def read(self, begin: int) -> bytes:
            raise OSError("no such file")

    recorder: Any = Broken()
    MarkListener(together, faults.put).begin(recorder, Hearing("a", "a.1", lambda events: None))
    assert "no such file" in faults.get(timeout=30)
