"""The codecs that the accuracy run sends its sounds through: int16 samples at 8 kHz in, the same
number out.

libsndfile has G.711 and GSM; PyAV (a developers' dependency) has Opus, G.722, AMR and G.726. The
pjsua2 wheel's library has iLBC, which is reached by ctypes (importing pjsua2 stays the phone's own
affair). G.729 is used where Debian's ``libbcg729-0`` is installed.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from harness.audio import g711
from harness.audio.samples import resample
from harness.audio.wav import to_int16

Samples = NDArray[np.int16]


def ulaw(samples: Samples) -> Samples:
    """G.711 µ-law and back."""
    return g711.decode_ulaw(g711.encode_ulaw(samples))


def alaw(samples: Samples) -> Samples:
    """G.711 A-law and back."""
    return g711.decode_alaw(g711.encode_alaw(samples))


def tandem(samples: Samples) -> Samples:
    """µ-law, A-law, µ-law: two conversions on the way."""
    return ulaw(alaw(ulaw(samples)))


def gsm(samples: Samples) -> Samples:
    """GSM 06.10 full rate (13 kbit/s)."""
    return _by_soundfile(samples, "GSM610", "WAV", block=320)


def opus(samples: Samples, vbr: str = "on") -> Samples:
    """Opus at 12 kbit/s, 20 ms frames, for voice; its bit rate varies unless told otherwise, as is
    its default.
    """
    options = {"application": "voip", "frame_duration": "20", "vbr": vbr, "compression_level": "10"}
    return _by_av(samples, "libopus", 8000, 12000, options)


def g722(samples: Samples) -> Samples:
    """G.722 (64 kbit/s, 16 kHz), between two conversions of the sample rate."""
    wide = resample(samples, 8000, 16000)
    decoded = resample(_by_av(wide, "g722", 16000, 64000, {}), 16000, 8000)
    return _fitted(decoded, len(samples))


def amr(samples: Samples) -> Samples:
    """AMR narrow band at 12.2 kbit/s."""
    return _by_av(samples, "libopencore_amrnb", 8000, 12200, {})


def g726(samples: Samples) -> Samples:
    """G.726 at 32 kbit/s (by libsndfile under its old name, G.721)."""
    return _by_soundfile(samples, "G721_32", "AU", block=120)


def _by_soundfile(samples: Samples, subtype: str, form: str, block: int) -> Samples:
    file = io.BytesIO()
    soundfile.write(file, _padded(samples, block), 8000, subtype=subtype, format=form)
    file.seek(0)
    decoded: Samples = soundfile.read(file, dtype="int16")[0]
    return _fitted(decoded, len(samples))


def _padded(samples: Samples, block: int, more: int = 0) -> Samples:
    """The samples, with silence up to whole blocks, and ``more`` samples of silence."""
    return np.concatenate([samples, np.zeros(-len(samples) % block + more, np.int16)])


def _by_av(
    samples: Samples, name: str, rate: int, bit_rate: int, options: dict[str, str]
) -> Samples:
    encoder: Any = av.CodecContext.create(name, "w")
    encoder.sample_rate, encoder.layout, encoder.bit_rate = rate, "mono", bit_rate
    encoder.format = "s16"
    encoder.options = options
    encoder.open()
    decoder: Any = av.CodecContext.create(
        "opus" if name == "libopus" else _DECODERS.get(name, name), "r"
    )
    decoder.sample_rate, decoder.layout = rate, "mono"
    if encoder.extradata:
        decoder.extradata = encoder.extradata
    size = encoder.frame_size or rate // 50
    padded = _padded(samples, size, 2 * size)
    parts: list[NDArray[Any]] = []
    resampler: Any = None

    def take(packets: list[Any]) -> None:
        nonlocal resampler
        for packet in packets:
            for decoded in decoder.decode(packet):
                if decoded.sample_rate != rate and resampler is None:
                    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
                frames = [decoded] if resampler is None else resampler.resample(decoded)
                parts.extend(_pcm(frame.to_ndarray()[0]) for frame in frames)

    for number, at in enumerate(range(0, len(padded), size)):
        frame = av.AudioFrame.from_ndarray(
            padded[None, at : at + size], format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts = rate, number * size
        take(encoder.encode(frame))
    take(encoder.encode(None))
    return _fitted(np.concatenate(parts), len(samples))


def _pcm(decoded: NDArray[Any]) -> Samples:
    # A copy: the array looks into the frame's memory, which the decoder uses again.
    return decoded.copy() if decoded.dtype == np.int16 else to_int16(decoded)


_DECODERS: Final = {"libopencore_amrnb": "amrnb"}


def _fitted(samples: Samples, length: int) -> Samples:
    return np.concatenate([samples[:length], np.zeros(max(0, length - len(samples)), np.int16)])


def ilbc(samples: Samples) -> Samples:
    """iLBC with 30 ms frames (RFC 3951)."""
    library = _pjsua()
    encoder, decoder = (ctypes.create_string_buffer(1 << 17) for _ in range(2))
    library.initEncode(encoder, 30)
    library.initDecode(decoder, 30, 1)
    size = 240
    padded = _padded(samples, size).astype(np.float32)
    out = np.zeros(len(padded), np.float32)
    payload = ctypes.create_string_buffer(50)
    block = np.zeros(size, np.float32)
    pointer = block.ctypes.data_as(ctypes.c_void_p)
    for at in range(0, len(padded), size):
        block[:] = padded[at : at + size]
        library.iLBC_encode(payload, pointer, encoder)
        library.iLBC_decode(pointer, payload, decoder, 1)
        out[at : at + size] = block
    return to_int16(out[: len(samples)] / 32768)


@cache
def _pjsua() -> Any:
    spec = importlib.util.find_spec("pjsua2")
    assert spec is not None
    assert spec.origin is not None
    # Found, not imported: only the codec's functions of the shared library are called.
    return ctypes.PyDLL(str(next(Path(spec.origin).parent.glob("_pjsua2*.so"))))


def g729(samples: Samples) -> Samples:
    """G.729 Annex A (8 kbit/s)."""
    library = _bcg729()
    encoder = library.initBcg729EncoderChannel(0)
    decoder = library.initBcg729DecoderChannel()
    size = 80
    padded = _padded(samples, size)
    out = np.zeros(len(padded), np.int16)
    payload = ctypes.create_string_buffer(10)
    length = ctypes.c_uint8(0)
    for at in range(0, len(padded), size):
        library.bcg729Encoder(
            encoder, padded[at:].ctypes.data_as(ctypes.c_void_p), payload, ctypes.byref(length)
        )
        library.bcg729Decoder(
            decoder, payload, length, 0, 0, 0, out[at:].ctypes.data_as(ctypes.c_void_p)
        )
    library.closeBcg729EncoderChannel(encoder)
    library.closeBcg729DecoderChannel(decoder)
    return out[: len(samples)]


@cache
def _bcg729() -> Any:
    library: Any = ctypes.CDLL("libbcg729.so.0")
    for name in ("initBcg729EncoderChannel", "initBcg729DecoderChannel"):
        getattr(library, name).restype = ctypes.c_void_p
    pointer, octet = ctypes.c_void_p, ctypes.c_uint8
    library.bcg729Encoder.argtypes = [pointer, pointer, pointer, pointer]
    library.bcg729Decoder.argtypes = [pointer, pointer, octet, octet, octet, octet, pointer]
    library.closeBcg729EncoderChannel.argtypes = library.closeBcg729DecoderChannel.argtypes = [
        pointer
    ]
    return library


def has_g729() -> bool:
    """Whether a G.729 encoder is at hand."""
    try:
        _bcg729()
    except OSError:
        return False
    return True


CODECS: Final[dict[str, Callable[[Samples], Samples]]] = {
    "ulaw": ulaw,
    "alaw": alaw,
    "tandem": tandem,
    "gsm": gsm,
    "opus": opus,
    "opus, constant rate": lambda samples: opus(samples, "off"),
    "g722": g722,
    "amr": amr,
    "g726": g726,
    "ilbc": ilbc,
    "g729": g729,
}
