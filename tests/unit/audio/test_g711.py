from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from harness.audio import g711

ALL = np.arange(-32768, 32768, dtype=np.int16)


def by_libsndfile(subtype: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, ALL, 8000, subtype=subtype, format="RAW")
    return file.getvalue()


def test_ulaw_is_libsndfiles() -> None:
    assert g711.encode_ulaw(ALL) == by_libsndfile("ULAW")


def test_alaw_is_libsndfiles_but_for_ties() -> None:
    theirs, ours = (
        g711.decode_alaw(code) for code in (by_libsndfile("ALAW"), g711.encode_alaw(ALL))
    )
    apart = theirs != ours
    # Exactly between two steps, G.191 (which is followed here) and libsndfile choose different
    # ones.
    assert np.all(ALL[apart] % 16 == 0)
    assert np.all(
        np.abs(ALL[apart] - ours[apart].astype(int))
        <= np.abs(ALL[apart] - theirs[apart].astype(int))
    )


@pytest.mark.parametrize("law", ["ulaw", "alaw"])
def test_every_code_comes_back(law: str) -> None:
    codes = bytes(range(256))
    decoded = getattr(g711, f"decode_{law}")(codes)
    again = getattr(g711, f"decode_{law}")(getattr(g711, f"encode_{law}")(decoded))
    assert np.array_equal(decoded, again)
