from __future__ import annotations

import base64
import re
import struct
import zlib
from xml.etree import ElementTree

from harness.audio.classify import Span
from harness.audio.spectrogram import spectrogram_svg

from .sounds import join, mark, silence


def png_of(svg: str) -> bytes:
    found = re.search(r"data:image/png;base64,([^\"]+)", svg)
    assert found
    return base64.b64decode(found[1])


def chunks_of(png: bytes) -> dict[bytes, bytes]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", png, at + 8 + length) == (zlib.crc32(kind + data),)
        chunks[kind] = data
        at += 12 + length
    return chunks


def test_a_picture_with_its_spans() -> None:
    audio = join(silence(1.0), mark(5, 2.0), silence(1.0))
    svg = spectrogram_svg(
        audio, 8000, [Span("mark", 1.0, 3.0, "mark 5"), Span("silence", 3.0, 4.0)], "leg <caller>"
    )
    root = ElementTree.fromstring(svg)
    titles = [element.text for element in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["leg <caller>", "mark 5: 1.00 to 3.00 s"]
    chunks = chunks_of(png_of(svg))
    width, height, depth, kind = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (height, depth, kind, len(chunks[b"PLTE"])) == (128, 8, 3, 768)
    rows = zlib.decompress(chunks[b"IDAT"])
    assert len(rows) == height * (width + 1)
    picture = [rows[row * (width + 1) + 1 : (row + 1) * (width + 1)] for row in range(height)]
    at_mark, at_silence = (max(row[int(share * width)] for row in picture) for share in (0.5, 0.1))
    assert at_mark > 180
    assert at_silence == 0


def test_long_and_short_recordings() -> None:
    for seconds in (0.0, 0.01, 90.0):
        svg = spectrogram_svg(silence(seconds))
        ElementTree.fromstring(svg)
        (width,) = struct.unpack(">I", chunks_of(png_of(svg))[b"IHDR"][:4])
        assert 1 <= width <= 1200
