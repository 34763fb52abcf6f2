"""G.711 µ-law and A-law by table (ITU-T G.711), bytes to and from int16 samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]


def decode_ulaw(payload: bytes) -> Samples:
    """Expand µ-law octets to int16 samples, one per octet."""
    return _ULAW_TO_LINEAR[np.frombuffer(payload, np.uint8)]


def encode_ulaw(samples: Samples) -> bytes:
    """Compress int16 samples to µ-law octets, one per sample."""
    return _LINEAR_TO_ULAW[_as_index(samples)].tobytes()


def decode_alaw(payload: bytes) -> Samples:
    """Expand A-law octets to int16 samples, one per octet."""
    return _ALAW_TO_LINEAR[np.frombuffer(payload, np.uint8)]


def encode_alaw(samples: Samples) -> bytes:
    """Compress int16 samples to A-law octets, one per sample."""
    return _LINEAR_TO_ALAW[_as_index(samples)].tobytes()


def _as_index(samples: Samples) -> NDArray[np.uint16]:
    # The tables are indexed by the sample's two's-complement bit pattern, which costs no
    # arithmetic.
    return np.ascontiguousarray(samples, dtype=np.int16).view(np.uint16)


def _ulaw_expansion() -> Samples:
    """G.711 table 2a: sign, three bits of exponent, four of mantissa, with a bias of 132."""
    code = ~np.arange(256, dtype=np.uint8)  # G.711 table 2a: all bits are inverted on the line
    exponent = ((code >> 4) & 7).astype(np.int32)
    mantissa = (code & 15).astype(np.int32)
    magnitude = (((mantissa << 3) + 132) << exponent) - 132
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_expansion() -> Samples:
    """G.711 table 1a: the same without a bias; the first two segments have the same steps."""
    # G.711 table 1a: even bits are inverted on the line.
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent = ((code >> 4) & 7).astype(np.int32)
    mantissa = (code & 15).astype(np.int32)
    first_segment = (mantissa << 4) + 8  # which has no leading one
    others = ((mantissa << 4) + 264) << np.maximum(exponent - 1, 0)
    magnitude = np.where(exponent == 0, first_segment, others)
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _ulaw_compression() -> NDArray[np.uint8]:
    """The code of each sample. What is louder than the last step has the code of that."""
    linear = _every_sample()
    magnitude = np.minimum(np.abs(linear), 32635) + 132
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 15
    sign = np.where(linear < 0, 0x80, 0)
    code = sign | (exponent << 4) | mantissa
    on_the_line: NDArray[np.uint8] = (~code & 0xFF).astype(np.uint8)
    return on_the_line


def _alaw_compression() -> NDArray[np.uint8]:
    """The code of each sample, whose lowest four bits A-law does not keep."""
    linear = _every_sample()
    # One's-complement magnitude, as the reference coder of G.191 takes it: -1 belongs to the first
    # step.
    magnitude = np.where(linear < 0, ~linear, linear) >> 4
    highest_bit = np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32)
    exponent = np.maximum(highest_bit - 3, 0)
    shifted = magnitude >> np.maximum(exponent - 1, 0)
    mantissa = np.where(exponent < 2, magnitude, shifted) & 15
    exponent = np.where(magnitude < 16, 0, exponent)
    sign = np.where(linear < 0, 0, 0x80)
    code = sign | (exponent << 4) | mantissa
    on_the_line: NDArray[np.uint8] = (code ^ 0x55).astype(np.uint8)
    return on_the_line


def _every_sample() -> NDArray[np.int32]:
    """All values of int16, in the order of their bit patterns, as the tables are indexed."""
    return np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)


_ULAW_TO_LINEAR = _ulaw_expansion()
_ALAW_TO_LINEAR = _alaw_expansion()
_LINEAR_TO_ULAW = _ulaw_compression()
_LINEAR_TO_ALAW = _alaw_compression()
