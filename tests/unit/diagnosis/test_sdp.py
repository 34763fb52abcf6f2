"""Several streams in one description, and what stands for all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.diagnosis.sdp import address, holds, offered
from harness.sip.sdp import DIRECTIONS

HEAD = "v=0\r\no=- 1 1 IN IP4 10.0.0.10\r\ns=-\r\nc=IN IP4 10.0.0.10\r\nt=0 0\r\n"
AUDIO = "m=audio 4000 RTP/AVP 0\r\n"


@pytest.mark.parametrize(
    ("media", "held"),
    [
        (AUDIO, False),
        (AUDIO + "a=inactive\r\n", True),
        (AUDIO + "a=sendrecv\r\nm=video 0 RTP/AVP 96\r\na=inactive\r\n", False),
        ("a=sendonly\r\n" + AUDIO, True),
        ("a=sendonly\r\n" + AUDIO + "a=sendrecv\r\n", False),
        ("m=audio 0 RTP/AVP 0\r\na=inactive\r\n" + AUDIO, False),
        (AUDIO + "c=IN IP4 0.0.0.0\r\n", True),
    ],
)
def test_a_hold_is_the_audio_s(media: str, held: bool) -> None:
    assert holds(HEAD + media) is held


@pytest.mark.parametrize(
    ("media", "where"),
    [
        (AUDIO, "10.0.0.10"),
        (AUDIO + "c=IN IP4 198.51.100.70\r\n", "198.51.100.70"),
        (AUDIO + "m=video 4002 RTP/AVP 96\r\nc=IN IP4 198.51.100.70\r\n", "10.0.0.10"),
        (
            "m=audio 0 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\nc=IN IP6 2001:db8::1\r\n",
            "2001:db8::1",
        ),
    ],
)
def test_an_address_is_the_audio_s_own_or_the_session_s(media: str, where: str) -> None:
    assert address(HEAD + media) == where
    assert address("v=0\r\n") is None


@pytest.mark.parametrize(
    ("media", "what"),
    [
        ("m=audio 4000 RTP/SAVP 0\r\n" + AUDIO, "G.711"),
        (AUDIO + "m=audio 4000 RTP/SAVP 0\r\n", "G.711"),
        ("m=audio 4000 RTP/SAVP 0\r\nm=audio 0 RTP/AVP 0\r\n", "SRTP alone"),
        ("m=video 4000 RTP/AVP 96\r\n" + AUDIO, "G.711"),
        ("m=video 4000 RTP/AVP 0\r\n", "no audio"),
        ("m=audio 0 RTP/SAVP 0\r\nm=audio 4000 ", "no audio"),  # its end was cut off
        (
            "m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 opus/48000\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 PCMU/8000\r\n",
            "no G.711",
        ),
    ],
)
def test_what_one_stream_offers_is_enough(media: str, what: str) -> None:
    assert offered(HEAD + media) == what


LAWS = {"0", "8"}
WRITTEN = st.sampled_from(
    ["IN IP4 192.0.2.7", "IN IP4 10.0.0.3", "IN IP6 2001:db8::1", "IN  IP4  192.0.2.9", "IN IP4 0.0.0.0"]
)


@st.composite
def descriptions(draw: st.DrawFn) -> tuple[list[str], dict[str, object]]:
    """The lines of one with a single audio stream, and what they say."""
    session, own = draw(WRITTEN | st.none()), draw(WRITTEN | st.none())
    for_all, its_own = (draw(st.sampled_from([*DIRECTIONS, None])) for _ in range(2))
    port, protocol = (
        draw(st.sampled_from(["4000", "4000/2"])),
        draw(st.sampled_from(["RTP/AVP", "RTP/AVPF", "RTP/SAVP"])),
    )
    formats = draw(st.lists(st.sampled_from(["0", "8", "9", "18", "101"]), min_size=1, unique=True))
    space = draw(st.sampled_from([" ", "  "]))
    lines = ["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", *([f"c={session}"] if session else []), "t=0 0"]
    lines += [f"a={for_all}"] if for_all else []
    lines += [space.join([f"m=audio {port}", protocol, *formats]), *([f"c={own}"] if own else [])]
    lines += [f"a={its_own}"] if its_own else []
    where = (own or session or "").split()[-1:]
    said: dict[str, object] = {
        "address": where[0] if where else None,
        "holds": (its_own or for_all or "sendrecv") != "sendrecv" or where == ["0.0.0.0"],
        "offered": "SRTP alone" if "SAVP" in protocol else "G.711" if LAWS & set(formats) else "no G.711",
    }
    return lines, said


def told(lines: list[str], end: str) -> dict[str, object]:
    body = "".join(line + end for line in lines)
    return {"address": address(body), "holds": holds(body), "offered": offered(body)}


@given(description=descriptions(), end=st.sampled_from(["\r\n", "\n"]))
def test_what_is_in_order_is_read_however_it_is_written(
    description: tuple[list[str], dict[str, object]], end: str
) -> None:
    """A number of ports (RFC 4566 section 5.14), several spaces, either end of a line."""
    lines, said = description
    assert told(lines, end) == said


@given(
    description=descriptions(),
    end=st.sampled_from(["\r\n", "\n"]),
    nonsense=st.sampled_from(["", "no line", "=", "rtpmap:0 PCMU/8000", "m=", "m=audio", "m=audio 4", "é=1"]),
    at=st.integers(0, 6),
)
def test_what_is_broken_hides_nothing_else(
    description: tuple[list[str], dict[str, object]], end: str, nonsense: str, at: int
) -> None:
    lines, said = description
    stream = next(number for number, line in enumerate(lines) if line.startswith("m="))
    # A broken m-line begins a stream: it stands right ahead of the other.
    where = stream if nonsense.startswith("m=") else min(at, len(lines))
    broken = [*lines[:where], nonsense, *lines[where:]]
    assert told(broken, end) == said


@given(description=descriptions(), kept=st.integers(0, 2))
def test_without_its_first_lines_it_says_the_same(description: tuple[list[str], dict[str, object]], kept: int) -> None:
    lines, said = description
    assert told(lines[3 - kept :], "\r\n") == said
