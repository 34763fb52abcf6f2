"""Session descriptions (RFC 4566/8866), with their SDES keys (RFC 4568) and telephone-event (RFC
4733).

A description keeps every line in its place, known or not, so that a relay passes on what it does
not understand. All values are immutable; changing one gives a new one.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from harness.sip.grammar import SipSyntaxError, decimal

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
DIRECTIONS: tuple[Direction, ...] = ("sendrecv", "sendonly", "recvonly", "inactive")
Line = tuple[str, str]
"""Type letter and value of one line."""

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_RTPMAP = re.compile(r"([0-9]{1,3})\s+([^/\s]+)/([0-9]{1,9})(?:/([0-9]{1,2}))?\s*\Z")
_MOST_PAYLOAD_TYPE = 127  # seven bits (RFC 3550 section 5.1)
_SUITE_KEY_BYTES = {
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
    "AES_256_CM_HMAC_SHA1_80": 46,
    "AES_256_CM_HMAC_SHA1_32": 46,
}


class SdpError(SipSyntaxError):
    """A body that is no session description."""


@dataclass(frozen=True, slots=True)
class Codec:
    """A format of an RTP stream. ``fmtp`` is its parameters as written."""

    name: str
    clock_rate: int = 8000
    payload_type: int = 0
    channels: int = 1
    fmtp: str | None = None

    def is_same(self, other: Codec) -> bool:
        """Whether it is the same format, whatever its payload type; names compare without case."""
        mine = (self.name.upper(), self.clock_rate, self.channels)
        return mine == (other.name.upper(), other.clock_rate, other.channels)

    @property
    def rtpmap(self) -> str:
        """The value of its ``a=rtpmap``."""
        channels = f"/{self.channels}" if self.channels > 1 else ""
        return f"{self.payload_type} {self.name}/{self.clock_rate}{channels}"


PCMU = Codec("PCMU", 8000, 0)
PCMA = Codec("PCMA", 8000, 8)
G722 = Codec("G722", 8000, 9)
GSM = Codec("GSM", 8000, 3)
G729 = Codec("G729", 8000, 18)
TELEPHONE_EVENT = Codec("telephone-event", 8000, 101, 1, "0-16")
STATIC = {codec.payload_type: codec for codec in (PCMU, GSM, PCMA, G722, G729)} | {
    4: Codec("G723", 8000, 4),
    5: Codec("DVI4", 8000, 5),
    10: Codec("L16", 44100, 10, 2),
    11: Codec("L16", 44100, 11),
    13: Codec("CN", 8000, 13),
    15: Codec("G728", 8000, 15),
}
"""Payload types that need no rtpmap (RFC 3551 section 6)."""


@dataclass(frozen=True, slots=True)
class Crypto:
    """One ``a=crypto`` (RFC 4568). The key is not shown in a repr."""

    tag: int
    suite: str
    key: str
    """``inline:…``, with lifetime and MKI if given."""
    parameters: str = ""

    @classmethod
    def parse(cls, text: str) -> Crypto:
        """Raises SdpError."""
        words = text.split()
        # RFC 4568 section 4.1: a tag has nine digits at most.
        tag = decimal(words[0], most=999_999_999) if len(words) >= 3 else None
        if tag is None:
            raise SdpError("not a crypto attribute")
        return cls(tag, words[1], words[2], " ".join(words[3:]))

    @property
    def has_mki(self) -> bool:
        """Whether it has a master key identifier, or several keys, which need one each (RFC 4568
        section 6.1).
        """
        return ";" in self.key or any(":" in part for part in self.key.split("|")[1:])

    @classmethod
    def fresh(cls, suite: str = "AES_CM_128_HMAC_SHA1_80", tag: int = 1) -> Crypto:
        """One with a new random key."""
        key = secrets.token_bytes(_SUITE_KEY_BYTES[suite])
        return cls(tag, suite, "inline:" + base64.b64encode(key).decode())

    def __repr__(self) -> str:
        return f"Crypto(tag={self.tag}, suite={self.suite!r})"

    def __str__(self) -> str:
        return " ".join(filter(None, (str(self.tag), self.suite, self.key, self.parameters)))


@dataclass(frozen=True, slots=True)
class Media:
    """One ``m=`` section. ``lines`` are those after its m line, in order."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    lines: tuple[Line, ...] = ()
    port_count: int = 1

    @classmethod
    def parse(cls, value: str) -> Media:
        """From the value of an m line. Raises SdpError."""
        words = value.split()
        if len(words) < 4:
            raise SdpError(f"not a media line: {value!r}")
        port_text, _, count_text = words[1].partition("/")
        port, count = decimal(port_text, most=65535), decimal(count_text or "1", most=65535)
        if port is None or not count:
            raise SdpError(f"not a media port: {words[1]!r}")
        if "RTP/" in words[2].upper() and (
            odd := next((w for w in words[3:] if _payload_type(w) is None), None)
        ):
            # RFC 8866 section 5.14: over RTP the formats are payload types.
            raise SdpError(f"not a payload type: {odd!r}")
        return cls(words[0], port, words[2], tuple(words[3:]), (), count)

    def attribute(self, name: str) -> str | None:
        """The value of the first ``a=name``; "" for a flag, None when absent."""
        return next(iter(self.attributes(name)), None)

    def attributes(self, name: str) -> list[str]:
        """The values of all ``a=name``."""
        return _attributes(self.lines, name)

    @property
    def is_rejected(self) -> bool:
        """Port zero: refused, or switched off (RFC 3264 section 6)."""
        return self.port == 0

    @property
    def is_secure(self) -> bool:
        """Whether it runs over SRTP."""
        return "SAVP" in self.protocol.upper()

    @property
    def codecs(self) -> tuple[Codec, ...]:
        """Its formats in order of preference, telephone-event and comfort noise among them.

        A dynamic payload type without an rtpmap is left out: nothing is known of it.
        """
        return _codecs(self.formats, self.lines)

    @property
    def voice(self) -> tuple[Codec, ...]:
        """The codecs that carry speech."""
        return tuple(
            c for c in self.codecs if c.name.lower() not in ("telephone-event", "cn", "red")
        )

    @property
    def telephone_event(self) -> Codec | None:
        """The format of DTMF by RFC 4733, None without."""
        return next((c for c in self.codecs if c.name.lower() == "telephone-event"), None)

    @property
    def ptime(self) -> int | None:
        """Packet time in ms, None when not said."""
        return decimal(self.attribute("ptime") or "", most=65535)

    @property
    def crypto(self) -> tuple[Crypto, ...]:
        """The SDES keys offered. Raises SdpError."""
        return tuple(Crypto.parse(value) for value in self.attributes("crypto"))

    def with_attribute(self, name: str, value: str) -> Media:
        """The same with exactly one ``a=name``."""
        return replace(self, lines=(*self.without_attribute(name).lines, ("a", f"{name}:{value}")))

    def without_attribute(self, name: str) -> Media:
        """The same without any ``a=name``."""
        return replace(self, lines=tuple(line for line in self.lines if not _names(line, name)))

    def with_direction(self, direction: Direction) -> Media:
        """The same in another direction."""
        kept = self
        for name in DIRECTIONS:
            kept = kept.without_attribute(name)
        return replace(kept, lines=(*kept.lines, ("a", direction)))

    def with_codecs(self, codecs: Iterable[Codec]) -> Media:
        """The same with these formats only, their rtpmap and fmtp lines written anew."""
        wanted = tuple(codecs)
        kept = self.without_attribute("rtpmap").without_attribute("fmtp")
        lines: list[Line] = []
        for codec in wanted:
            lines.append(("a", f"rtpmap:{codec.rtpmap}"))
            if codec.fmtp:
                lines.append(("a", f"fmtp:{codec.payload_type} {codec.fmtp}"))
        # Behind i, c, b, k lines, ahead of the other attributes: where they are usually read.
        cut = next(
            (i for i, (letter, _) in enumerate(kept.lines) if letter == "a"), len(kept.lines)
        )
        lines = [*kept.lines[:cut], *lines, *kept.lines[cut:]]
        return replace(kept, formats=tuple(str(c.payload_type) for c in wanted), lines=tuple(lines))

    def rejected(self) -> Media:
        """The same refused: port zero, one format kept because the grammar wants one."""
        return Media(self.kind, 0, self.protocol, self.formats[:1])

    def __str__(self) -> str:
        count = f"/{self.port_count}" if self.port_count > 1 else ""
        head = f"m={self.kind} {self.port}{count} {self.protocol} {' '.join(self.formats)}\r\n"
        return head + "".join(f"{letter}={value}\r\n" for letter, value in self.lines)


@dataclass(frozen=True, slots=True)
class Description:
    """A whole session description: the lines ahead of the first media section, and the sections."""

    lines: tuple[Line, ...]
    media: tuple[Media, ...]

    @classmethod
    def parse(cls, data: bytes | str) -> Description:
        """Raises SdpError for a line that is not ``letter=value``, a missing v line or a broken m
        line.
        """
        text = data.decode("utf-8", "surrogateescape") if isinstance(data, bytes) else data
        session: list[Line] = []
        media: list[Media] = []
        current: list[Line] = session
        collected: list[list[Line]] = []
        for raw in text.replace("\r\n", "\n").split("\n"):
            if not raw.strip():
                continue
            if len(raw) < 2 or raw[1] != "=" or raw[0] not in _LETTERS:
                raise SdpError(f"not a line of a session description: {raw!r}")
            letter, value = raw[0], raw[2:]
            if letter == "m":
                media.append(Media.parse(value))
                current = []
                collected.append(current)
            else:
                current.append((letter, value))
        if not session or session[0] != ("v", "0"):
            raise SdpError("a session description starts with v=0")
        sections = tuple(
            replace(section, lines=tuple(lines))
            for section, lines in zip(media, collected, strict=True)
        )
        return cls(tuple(session), sections)

    @property
    def audio(self) -> Media | None:
        """The first audio section that is not refused."""
        return next((m for m in self.media if m.kind == "audio" and not m.is_rejected), None)

    def address_of(self, media: Media) -> str | None:
        """Where a section wants its packets: its own c line, else the session's."""
        return _connection(media.lines) or _connection(self.lines)

    def direction_of(self, media: Media) -> Direction:
        """What a section, or the session for it, says of its direction."""
        return _direction(media.lines) or _direction(self.lines) or "sendrecv"

    @property
    def rtp(self) -> tuple[str, int] | None:
        """Address and port of the audio; None without audio or address."""
        audio = self.audio
        address = self.address_of(audio) if audio else None
        return None if audio is None or address is None else (address, audio.port)

    @property
    def direction(self) -> Direction:
        """Direction of the audio, as its sender sees it; a null address is an old way to say
        inactive sending.
        """
        audio = self.audio
        if audio is None:
            return "inactive"
        said = self.direction_of(audio)
        if self.address_of(audio) == "0.0.0.0":
            # RFC 3264 section 8.4: the sender does not want to receive.
            return "sendonly" if said in ("sendrecv", "sendonly") else "inactive"
        return said

    @property
    def is_hold(self) -> bool:
        """Whether the sender wants no audio from us: sendonly or inactive."""
        return self.direction in ("sendonly", "inactive")

    def with_audio(self, change: Media) -> Description:
        """The same with its audio section replaced."""
        audio = self.audio
        return replace(self, media=tuple(change if m is audio else m for m in self.media))

    def with_rtp(self, address: str, port: int) -> Description:
        """The same with its audio at another place: what a relay writes into a description it
        passes on.

        The origin's and the session's address change too; an own c line of the section goes, and so
        do RTCP and ICE attributes that name the old place.
        """
        audio = self.audio
        if audio is None:
            return self
        kind = "IP6" if ":" in address else "IP4"
        lines: list[Line] = []
        for letter, value in self.lines:
            if letter == "o" and len(value.split()) == 6:
                value = " ".join([*value.split()[:4], kind, address])
            elif letter == "c":
                continue
            lines.append((letter, value))
        at = next((i for i, (letter, _) in enumerate(lines) if letter in "btrzka"), len(lines))
        lines.insert(at, ("c", f"IN {kind} {address}"))
        moved = replace(
            audio,
            port=port,
            lines=tuple(
                line
                for line in audio.lines
                if line[0] != "c"
                and not any(_names(line, n) for n in ("rtcp", "candidate", "ice-ufrag", "ice-pwd"))
            ),
        )
        return replace(self.with_audio(moved), lines=tuple(lines))

    def with_codecs(self, codecs: Iterable[Codec]) -> Description:
        """The same with these audio formats only."""
        audio = self.audio
        return self if audio is None else self.with_audio(audio.with_codecs(codecs))

    def __str__(self) -> str:
        return "".join(f"{letter}={value}\r\n" for letter, value in self.lines) + "".join(
            map(str, self.media)
        )

    def __bytes__(self) -> bytes:
        return str(self).encode("utf-8", "surrogateescape")


def _payload_type(text: str) -> int | None:
    return decimal(text, most=_MOST_PAYLOAD_TYPE)


@lru_cache(maxsize=64)  # a description may be long
def _codecs(formats: tuple[str, ...], lines: tuple[Line, ...]) -> tuple[Codec, ...]:
    maps: dict[int, Codec] = {}
    for value in _attributes(lines, "rtpmap"):
        match = _RTPMAP.match(value)
        if match and (number := _payload_type(match[1])) is not None:
            maps[number] = Codec(match[2], int(match[3]), number, int(match[4] or 1))
    for value in _attributes(lines, "fmtp"):
        number_text, _, parameters = value.partition(" ")
        number = _payload_type(number_text)
        known = None if number is None else maps.get(number) or STATIC.get(number)
        if known is not None:
            maps[known.payload_type] = replace(known, fmtp=parameters.strip())
    numbers = [number for form in formats if (number := _payload_type(form)) is not None]
    return tuple(codec for n in numbers if (codec := maps.get(n) or STATIC.get(n)) is not None)


def _value(lines: Iterable[Line], letter: str) -> str | None:
    return next((value for found, value in lines if found == letter), None)


def _names(line: Line, name: str) -> bool:
    return line[0] == "a" and line[1].partition(":")[0].strip().lower() == name


def _attributes(lines: Iterable[Line], name: str) -> list[str]:
    return [line[1].partition(":")[2].strip() for line in lines if _names(line, name)]


def _direction(lines: Iterable[Line]) -> Direction | None:
    for letter, value in lines:
        if letter == "a":
            for direction in DIRECTIONS:
                if value.strip().lower() == direction:
                    return direction
    return None


def _connection(lines: Iterable[Line]) -> str | None:
    words = (_value(lines, "c") or "").split()
    # A TTL or a count may follow the address of a group (RFC 4566 section 5.7).
    return words[2].partition("/")[0] if len(words) >= 3 else None
