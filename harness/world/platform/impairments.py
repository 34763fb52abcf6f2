"""Impairments of RTP, packet by packet, and the faults of the media between caller and AI that
cause them.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import deque
from collections.abc import Callable, Mapping

import numpy as np

from harness.audio import g711
from harness.audio.marks import PERIOD
from harness.deployment.limits import LEG_MARKS
from harness.sip.sdp import G722, G729, PCMA, PCMU, TELEPHONE_EVENT
from harness.world.media import sound
from harness.world.media.leg import Impairment, LegMedia, Send, audio_of, encrypted, is_g711
from harness.world.media.rtp import Packet
from harness.world.media.sound import FRAME, Frames

#: The mark that stands for another call's audio: no leg sends it, so the listener cannot have it by
#: chance.
FOREIGN_MARK = LEG_MARKS
_PCMU, _PCMA = 0, 8  # payload types (RFC 3551 section 6)
_G711 = {"PCMU": (g711.encode_ulaw, g711.decode_ulaw), "PCMA": (g711.encode_alaw, g711.decode_alaw)}
_SETTLED = 50  # frames of a call after which its caller is sure to be heard
_ECHO = 10  # frames that an echo is behind at most
_BURST = 3.0  # packets lost in a row, on average
_CLOSES = 5  # frames after which a voice detector takes a pause for one
_OPENS = 10  # frames that it needs to open
_DIGITAL_SILENCE = 2  # different octets: phones send nothing else in pauses
# Bits in reverse order: what G.711 makes of octets that are something else.
_NOISE = bytes(int(f"{octet:08b}"[::-1], 2) ^ 0x5A for octet in range(256))


# An impairment is called for each packet of one direction, in the order of arrival, and calls
# ``onward`` for what gets through: at once, later, changed, or not at all. Those with a state are
# made anew for each call. The header stays as it was where only the payload changes, so that
# nothing but the audio shows the fault.


def blocked(data: bytes, onward: Send) -> None:
    """Nothing gets through."""


def blocked_after(seconds: float, clock: Callable[[], float] = time.monotonic) -> Impairment:
    """Nothing gets through from ``seconds`` after the first packet on."""
    began: list[float] = []

    def impair(data: bytes, onward: Send) -> None:
        if not began:
            began.append(clock())
        if clock() - began[0] < seconds:
            onward(data)

    return impair


def blocked_until(seconds: float, clock: Callable[[], float] = time.monotonic) -> Impairment:
    """Nothing gets through until ``seconds`` after the first packet."""
    began: list[float] = []

    def impair(data: bytes, onward: Send) -> None:
        if not began:
            began.append(clock())
        if clock() - began[0] >= seconds:
            onward(data)

    return impair


def only(count: int, after: int = 25) -> Impairment:
    """``count`` packets get through, and no more: not the first ones, which may arrive before the
    receiver is ready on a busy machine.
    """
    seen = 0

    def impair(data: bytes, onward: Send) -> None:
        nonlocal seen
        seen += 1
        if after < seen <= after + count:
            onward(data)

    return impair


def lossy(share: float, seed: int = 1) -> Impairment:
    """Loses ``share`` of the packets, three in a row on average (Gilbert's model), the same ones
    for the same ``seed``.
    """
    dice = random.Random(seed)
    losing = False
    # Chances to change the state: after each lost packet, and after each packet that got through.
    to_good = 1 / _BURST
    to_bad = share / _BURST / (1 - share)

    def impair(data: bytes, onward: Send) -> None:
        nonlocal losing
        losing = dice.random() >= to_good if losing else dice.random() < to_bad
        if not losing:
            onward(data)

    return impair


def delayed(seconds: float, jitter: float = 0.0, then: Impairment | None = None) -> Impairment:
    """Every packet arrives ``seconds`` later, and up to ``jitter`` more; what else happens to it
    happens ``then``.
    """
    dice = random.Random(1)

    def impair(data: bytes, onward: Send) -> None:
        late = seconds + jitter * dice.random()
        deliver = (onward, data) if then is None else (then, data, onward)
        asyncio.get_running_loop().call_later(late, *deliver)

    return impair


def growing(by: float, most_s: float) -> Impairment:
    """The delay grows by ``by`` seconds in each second, as where clocks differ and a buffer fills."""
    began: list[float] = []

    def impair(data: bytes, onward: Send) -> None:
        loop = asyncio.get_running_loop()
        if not began:
            began.append(loop.time())
        late = by * (loop.time() - began[0])
        loop.call_later(min(most_s, late), onward, data)

    return impair


Make = Callable[[Packet], bytes]
"""Makes the payload that takes the place of a packet's own."""


def _changed(make: Make) -> Impairment:
    """Every packet of G.711 gets the payload that ``make`` makes; others pass unchanged."""
    return lambda data, onward: onward(_with_payload(data, make))


def noise(data: bytes, onward: Send) -> None:
    """The payload does not match its payload type."""
    onward(_with_payload(data, lambda packet: packet.payload.translate(_NOISE)))


def foreign(law: str) -> Frames:
    """The mark of a call outside this world."""
    return sound.mark(FOREIGN_MARK, law)


def crossed(audio: Callable[[str], Frames] = foreign) -> Impairment:
    """Another call's ``audio`` takes this one's place, in the codec of its payload type."""
    return _changed(_looped(audio))


def mixed(beneath: Make, gain: float = 1.0) -> Impairment:
    """The voice by ``gain``, and something beneath it."""

    def mix(packet: Packet) -> bytes:
        encode, decode = _G711[_law(packet)]
        voice = gain * decode(packet.payload)
        both = voice + decode(beneath(packet)[: len(packet.payload)])
        return encode(np.clip(both, -32768, 32767).astype(np.int16))

    return _changed(mix)


def _looped(audio: Callable[[str], Frames]) -> Make:
    """Frames of a sound, one for each packet, from its beginning to its end and again."""
    count = itertools.count()

    def frame(packet: Packet) -> bytes:
        frames = audio(_law(packet))
        return frames[next(count) % len(frames)]

    return frame


_earlier: dict[str, Frames] = {}  # what a caller sent in the last call of this world, by law


def replayed() -> tuple[Impairment, Impairment]:
    """The impairments of RTP to the AI and to the caller: both hear the caller of an earlier call,
    if there was one.
    """
    audio = dict(_earlier)
    own: list[bytes] = []

    def earlier(law: str) -> Frames:
        return audio.get(law) or foreign(law)

    def record(packet: Packet) -> bytes:
        own.append(packet.payload)
        if len(own) == _SETTLED:
            _earlier[_law(packet)] = tuple(own[-(PERIOD // FRAME) :])
        return packet.payload

    to_ai = crossed(earlier)
    to_caller = crossed(earlier)
    return lambda data, onward: to_ai(_with_payload(data, record), onward), to_caller


def echoed() -> tuple[Impairment, Impairment]:
    """The impairments of RTP to the AI, which hears the caller, and to the caller, who hears itself
    instead of the AI.
    """
    said: deque[bytes] = deque(maxlen=_ECHO)

    def again(packet: Packet) -> bytes:
        return said.popleft() if said else _silence(packet)

    return kept(said), _changed(again)


def _law(packet: Packet) -> str:
    return "PCMA" if packet.payload_type == _PCMA else "PCMU"


def _silence(packet: Packet) -> bytes:
    return sound.silence(_law(packet))[0]


def _with_payload(data: bytes, make: Make) -> bytes:
    packet = Packet.parse(data)
    if packet is None or packet.payload_type not in (_PCMU, _PCMA):
        return data
    kind, sequence, timestamp, ssrc, _, marker = packet
    return bytes(Packet(kind, sequence, timestamp, ssrc, make(packet), marker))


def gated() -> Impairment:
    """The first 200 ms of each sound after a pause are silent, as behind a voice detector that is
    slow to open.
    """
    quiet, shut = _SETTLED, 0

    def pass_open(packet: Packet) -> bytes:
        nonlocal quiet, shut
        if len(set(packet.payload)) <= _DIGITAL_SILENCE:
            quiet += 1
        else:
            shut = _OPENS if quiet >= _CLOSES else max(0, shut - 1)
            quiet = 0
        return _silence(packet) if shut else packet.payload

    return _changed(pass_open)


def self_heard() -> tuple[Impairment, Impairment]:
    """Both ends hear themselves beneath the other."""
    one = deque[bytes](maxlen=_ECHO)
    other = deque[bytes](maxlen=_ECHO)

    def echo(said: deque[bytes], heard: deque[bytes]) -> Make:
        def back(packet: Packet) -> bytes:
            said.append(packet.payload)
            return heard.popleft() if heard else _silence(packet)

        return back

    return mixed(echo(one, other)), mixed(echo(other, one))


def kept(said: deque[bytes]) -> Impairment:
    """Nothing is changed; ``said`` has the last packets."""

    def keep(packet: Packet) -> bytes:
        said.append(packet.payload)
        return packet.payload

    return _changed(keep)


IsOn = Callable[[str], bool]


def faulty_offer(wrong: IsOn, media: LegMedia, toward: LegMedia) -> bytes | None:
    """The offer to the AI for a caller's leg ``toward``, as a fault makes it; None unless one is
    on.
    """
    agreed = toward.codec
    if wrong("codecs-stripped-to-ai"):
        return media.offer((TELEPHONE_EVENT,))
    if wrong("telephone-event-stripped-to-ai"):
        if toward.remote is None:
            return media.offer((PCMU, PCMA))
        if agreed is None:
            return media.pass_on(toward.remote, is_g711)
        return media.pass_on(toward.remote, lambda codec: is_g711(codec) and codec.is_same(agreed))
    if wrong("no-g711"):
        return media.offer((G722, G729, TELEPHONE_EVENT))
    if wrong("g711-one-side"):
        offered = audio_of(toward.remote).voice if toward.remote else ()
        first = agreed or next(iter(offered), PCMU)
        other_law = PCMU if first.is_same(PCMA) else PCMA
        return media.offer((other_law, TELEPHONE_EVENT))
    if wrong("srtp-mismatch"):
        return encrypted(media.offer())
    return None


BothWays = tuple[Impairment | None, Impairment | None]
Table = Mapping[str, Callable[[], BothWays]]
"""What each fault does to RTP; made anew for each call, as impairments count and keep packets."""

#: With people as well.
_OF_EVERY_CALL: Table = {
    "words-cut": lambda: (gated(), gated()),
    "voices-too-loud": lambda: (mixed(_silence, 10.0), mixed(_silence, 10.0)),
    "music-beneath": lambda: (mixed(_looped(sound.music)), mixed(_looped(sound.music))),
}
_OF_PEOPLE: Table = {**_OF_EVERY_CALL, "ends-hear-themselves": self_heard}


def _first_on(table: Table, wrong: IsOn) -> BothWays:
    """The impairments of the first fault of the table that is on: one at a time is enough."""
    for fault, make in table.items():
        if wrong(fault):
            return make()
    return None, None


def impairments_with_people(wrong: IsOn, ai_said: deque[bytes]) -> BothWays:
    """The impairments of RTP between a caller and people."""
    if ai_said and wrong("ai-stays-audible"):
        ai = tuple(ai_said)
        return mixed(_looped(lambda law: ai)), mixed(_looped(lambda law: ai))
    return _first_on(_OF_PEOPLE, wrong)


def impairments_with_ai(wrong: IsOn, ai_said: deque[bytes]) -> BothWays:
    """The impairments of RTP to the AI, and to the caller; ``ai_said`` gets the AI's last packets
    where they are needed later.
    """
    table: Table = {
        "rtp-blocked-to-ai": lambda: (blocked, None),
        "rtp-blocked-to-caller": lambda: (None, blocked),
        "rtp-one-packet-to-caller": lambda: (None, only(1)),
        "rtp-blocked-both": lambda: (blocked, blocked),
        "rtp-blocked-after-10s": lambda: (blocked_after(10.0), blocked_after(10.0)),
        # The AI's RTP goes to a network that does not exist; the relay's RTP still arrives.
        "sdp-private-address": lambda: (None, blocked),
        "payload-mismatch": lambda: (noise, noise),
        "audio-crossed": lambda: (crossed(), crossed()),
        "audio-replayed": replayed,
        "audio-echoed": echoed,
        "heavy-loss": lambda: (lossy(0.3, seed=2525), lossy(0.3, seed=1006)),
        "high-delay": lambda: (delayed(0.7), delayed(0.7)),
        "media-late": lambda: (None, blocked_until(2.0)),
        "delay-grows": lambda: (None, growing(0.008, most_s=0.35)),
        "ai-stays-audible": lambda: (None, kept(ai_said)),
        **_OF_EVERY_CALL,
    }
    return _first_on(table, wrong)
