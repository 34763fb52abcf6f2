"""The AI's recording of a call: how it is fetched, and what it shows of who heard whom."""

from __future__ import annotations

import socket
from collections.abc import Callable

import numpy as np
import pytest

from harness.audio.marks import waveform
from harness.audio.prompts import prompt_samples
from harness.audio.wav import to_int16
from harness.errors import FarEndError
from harness.witness.recordings import CallAudio, Shown, fetch, shown
from harness.witness.sound_file import sound_of
from harness.witness.synthflow import SynthflowApi
from tests.unit.witness.conftest import Web, answer
from tests.unit.witness.recorded_calls import (
    AI,
    CALLER,
    MARK,
    RATE,
    SHORT_MARK,
    WORDS,
    Samples,
    encoded,
    join,
    mixed,
    over_the_line,
    quiet,
)
from tools.accuracy.music import hold_music

Make = Callable[..., Web]


def fetched(api: Web, *, waits: int = 0, old: str | None = None) -> bytes:
    left = iter([True] * waits)
    found = fetch(
        SynthflowApi(api.base, "secret"), "c1", lambda: next(left, False), lambda: old, None
    )
    assert found.name.startswith("c1")
    return found.content


def redirected(to: str) -> bytes:
    return answer("302 Found", "", f"Location: {to}")


def test_the_token_goes_to_the_api_alone(web: Make) -> None:
    store = web(answer("200 OK", b"sound"))
    api = web(answer("404 Not Found"), redirected(f"{store.base}/c1.mp3?signature=x"))
    assert fetched(api, waits=1) == b"sound"
    assert all(b"Authorization: Bearer secret" in request for request in api.requests)
    assert len(api.requests) == 2
    assert all(b"secret" not in request for request in store.requests)
    assert store.requests[0].startswith(b"GET /c1.mp3?signature=x ")


def test_the_records_old_field_counts_where_the_endpoint_has_nothing(web: Make) -> None:
    store = web(answer("200 OK", b"old"))
    assert fetched(web(answer("404 Not Found")), waits=2, old=f"{store.base}/old.wav") == b"old"


@pytest.mark.parametrize(
    ("api", "said"),
    [
        (answer("404 Not Found"), "404, so there is no recording"),
        (answer("403 Forbidden"), "403 Forbidden"),
        (answer("502 Bad Gateway"), "502 Bad Gateway"),
        (answer("302 Found"), "302 without a Location"),
        (redirected("http://recordings.example/c1.mp3"), "on recordings.example is not https"),
        (redirected("ftp://127.0.0.1/c1.mp3"), "is not https"),
        (redirected("/c1.mp3"), "is not https"),
    ],
)
def test_what_cannot_be_had_is_said_in_words(web: Make, api: bytes, said: str) -> None:
    with pytest.raises(FarEndError, match=said):
        fetched(web(api))


def test_a_store_that_refuses_or_never_ends_is_said_in_words(web: Make) -> None:
    with pytest.raises(FarEndError, match="403 Forbidden"):
        fetched(web(redirected(web(answer("403 Forbidden")).base)))
    with pytest.raises(FarEndError, match="more than 3 redirections"):
        fetched(web(redirected(web(redirected("/again")).base)))


class ApiElsewhere(SynthflowApi):
    """An API of the Internet, which names an address of its choice."""

    def __init__(self, address: str) -> None:
        super().__init__("https://api.synthflow.ai/v2", "secret")
        self.address = address

    def recording_address(self, call_id: str) -> str | None:
        return self.address


@pytest.mark.parametrize(
    ("resolved", "host"),
    [
        *(("", host) for host in ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.7")),
        *(("", host) for host in ("169.254.169.254", "[fe80::1]", "[fd00::7]", "100.64.0.1")),
        *(("", host) for host in ("0.0.0.0", "192.168.1.1", "localhost", "224.0.0.1")),
        *((address, "recordings.example") for address in ("127.0.66.7", "10.0.0.7", "172.16.0.1")),
        *((address, "recordings.example") for address in ("169.254.169.254", "::1", "fd00::7")),
    ],
)
def test_an_api_of_the_internet_leads_to_no_address_of_a_private_network(
    web: Make, monkeypatch: pytest.MonkeyPatch, resolved: str, host: str
) -> None:
    """Written, or behind a name: it is looked at where a connection is made."""
    port = int(web(answer("200 OK", b"admin")).base.rpartition(":")[2])
    if resolved:
        family = socket.AF_INET6 if ":" in resolved else socket.AF_INET
        rest = (0, 0) if family == socket.AF_INET6 else ()
        found = [(family, socket.SOCK_STREAM, 6, "", (resolved, port, *rest))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    api = ApiElsewhere(f"https://{host}:{port}/c1.mp3")
    with pytest.raises(FarEndError, match="is no address of the Internet"):
        fetch(api, "c1", lambda: False, lambda: None, None)
    api.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "recordings.example"])
def test_an_api_of_the_internet_leads_to_https_alone(web: Make, host: str) -> None:
    store = web(answer("200 OK", b"admin"))
    api = ApiElsewhere(f"{store.base.replace('127.0.0.1', host)}/c1.mp3")
    with pytest.raises(FarEndError, match=f"on {host} is not https"):
        fetch(api, "c1", lambda: False, lambda: None, None)
    assert store.requests == []
    api.close()


def compared(
    recording: Samples | None = None,
    received: Samples | None = None,
    mark: int = MARK,
    kind: str = "MP3",
) -> Shown:
    """By default what a flawless call leaves: the caller's sound reaches the AI after 0.2 s, the
    AI's the caller after 0.1 s.
    """
    recording = mixed(AI, over_the_line(CALLER, 0.2)) if recording is None else recording
    received = over_the_line(AI, 0.1) if received is None else received
    call = CallAudio(received, mark, ((5.0, 5.7),), len(WORDS) / RATE)
    return shown(sound_of(encoded(recording, kind), "recording"), call)


def test_both_directions_of_a_flawless_call_are_shown() -> None:
    found = compared()
    assert [mark.mark for mark in found.mine] == [MARK]
    assert found.has_voice
    assert not found.is_missing
    assert found.round_trip_s == pytest.approx(0.3, abs=0.06)


def in_stereo(ai: Samples, caller: Samples) -> Samples:
    return np.stack([np.pad(side, (0, len(AI) - len(side))) for side in (ai, caller)], axis=1)


@pytest.mark.parametrize("swapped", [False, True])
def test_the_sides_of_a_stereo_file_may_be_either_way_round(swapped: bool) -> None:
    caller = over_the_line(CALLER, 0.2)
    found = compared(in_stereo(AI, caller)[:, :: -1 if swapped else 1], kind="WAV")
    assert found.has_voice
    assert found.mine[0].channel == int(not swapped)


def test_a_recording_without_the_mark_says_that_the_caller_was_not_heard() -> None:
    found = compared(AI)
    assert found.has_voice
    assert not found.mine
    assert found.is_missing


def test_a_mark_beneath_a_louder_one_is_not_missing() -> None:
    voice = join(quiet(4.5), to_int16(np.tile(waveform(240, level_dbov=-9.0), 12)))
    found = compared(mixed(AI, voice, over_the_line(CALLER, 0.2)))
    assert [mark.mark for mark in found.mine] == [MARK]
    assert not found.is_missing


@pytest.mark.parametrize(
    "other", [AI[: 5 * RATE], join(AI, quiet(6.0))], ids=["truncated", "of a longer call"]
)
def test_a_recording_that_does_not_end_with_the_call_says_nothing_of_a_missing_mark(
    other: Samples,
) -> None:
    found = compared(other)
    assert found.has_voice
    assert not found.is_missing


@pytest.mark.parametrize(
    "received",
    [
        join(quiet(1.0), hold_music(np.random.default_rng(2), 7)),
        join(quiet(1.0), *(prompt_samples("announcement-not-in-service-en"),) * 3),
    ],
    ids=["hold music", "an announcement"],
)
def test_what_is_not_the_ais_voice_is_told_from_it(received: Samples) -> None:
    found = compared(received=over_the_line(received, 0.1))
    assert found.mine
    assert not found.has_voice
    assert found.has_other_voice


@pytest.mark.parametrize("lost", [0, 480])
def test_a_short_greeting_is_found_though_the_jitter_buffer_slipped(lost: int) -> None:
    greeting = prompt_samples("how-can-i-help-en")[: round(1.45 * RATE)]
    heard = join(greeting[: RATE // 2], greeting[RATE // 2 + lost :])
    found = compared(join(quiet(0.4), greeting, quiet(4.0)), received=over_the_line(heard, 0.1))
    assert found.voice.is_found


def test_a_voice_that_says_the_same_again_and_again_is_found() -> None:
    repeated = join(quiet(0.5), *(prompt_samples("how-can-i-help-en"),) * 8)
    found = compared(join(quiet(0.7), repeated), received=over_the_line(repeated, 0.1))
    assert len(found.voice.agreeing) == len(found.voice.parts)
    assert found.voice.lag == pytest.approx(0.6, abs=0.08)


def test_an_echo_of_the_caller_is_not_the_ais_voice() -> None:
    words = join(prompt_samples("agent-please-es"), prompt_samples("goodbye-en"))
    caller = join(quiet(5.0), SHORT_MARK, words)
    received = over_the_line(caller, 0.4)
    call = CallAudio(received, MARK, ((5.0, 5.7),), len(words) / RATE)
    for recording in (
        mixed(AI, over_the_line(caller, 0.2)),
        over_the_line(join(quiet(5.7), words), 0.2),
    ):
        assert not shown(sound_of(encoded(recording), "recording"), call).has_voice


def test_another_calls_recording_with_the_same_greeting_is_not_taken_for_this_calls() -> None:
    later = join(quiet(6.0), AI)
    found = compared(mixed(later, over_the_line(CALLER, 0.2)), mark=MARK)
    assert found.mine
    assert found.voice.is_found
    assert not found.has_voice


@pytest.mark.parametrize(
    ("recording", "spoken"),
    [
        (mixed(AI, over_the_line(CALLER, 0.2)), True),
        (in_stereo(quiet(1.0), over_the_line(CALLER, 0.2)), False),
        (mixed(quiet(len(AI) / RATE), over_the_line(CALLER, 0.2)), None),
        (AI, None),
    ],
    ids=[
        "the AI speaks",
        "its side is silent",
        "one side alone, perhaps the caller's",
        "no mark of this call",
    ],
)
def test_a_recording_says_whether_the_ai_spoke_to_a_caller_who_heard_nothing(
    recording: Samples, spoken: bool | None
) -> None:
    found = compared(recording, quiet(len(AI) / RATE), kind="WAV" if recording.ndim == 2 else "MP3")
    assert (None if found.spoken_s is None else found.spoken_s > 0) is spoken
