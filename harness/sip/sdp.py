"""Session descriptions, and offer and answer on them (RFC 4566/8866, RFC 3264, RFC 4568, RFC 4733).

A description keeps every line in its place, known or not, so that a relay passes on what it does not understand.
All values are immutable; changing one gives a new one.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.sip.grammar import SipSyntaxError

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
DIRECTIONS: tuple[Direction, ...] = ("sendrecv", "sendonly", "recvonly", "inactive")
Line = tuple[str, str]
"""Type letter and value of one line."""

_REVERSED: dict[Direction, Direction] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}
_RTPMAP = re.compile(r"(\d{1,3})\s+([^/\s]+)/(\d+)(?:/(\d+))?\s*\Z")
_SUITE_KEY_BYTES = {
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
    "AES_256_CM_HMAC_SHA1_80": 46,
    "AES_256_CM_HMAC_SHA1_32": 46,
}


class SdpError(SipSyntaxError):
    """A body that is no session description."""


class NoAgreementError(ValueError):
    """An offer that cannot be answered: SIP says 488 (RFC 3261 section 13.3.1.3)."""


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
OPUS = Codec("opus", 48000, 96, 2, "useinbandfec=1")
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
        if len(words) < 3 or not words[0].isdigit():
            raise SdpError("not a crypto attribute")
        return cls(int(words[0]), words[1], words[2], " ".join(words[3:]))

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
        port, _, count = words[1].partition("/")
        if not (port.isdigit() and int(port) <= 65535 and (not count or count.isdigit())):
            raise SdpError(f"not a media port: {words[1]!r}")
        return cls(words[0], int(port), words[2], tuple(words[3:]), (), int(count or 1))

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
        maps: dict[int, Codec] = {}
        for value in self.attributes("rtpmap"):
            match = _RTPMAP.match(value)
            if match:
                number = int(match[1])
                maps[number] = Codec(match[2], int(match[3]), number, int(match[4] or 1))
        for value in self.attributes("fmtp"):
            number_text, _, parameters = value.partition(" ")
            if number_text.isdigit():
                number = int(number_text)
                known = maps.get(number) or STATIC.get(number)
                if known is not None:
                    maps[number] = replace(known, fmtp=parameters.strip())
        numbers = [int(form) for form in self.formats if form.isdigit()]
        return tuple(codec for n in numbers if (codec := maps.get(n) or STATIC.get(n)) is not None)

    @property
    def voice(self) -> tuple[Codec, ...]:
        """The codecs that carry speech."""
        return tuple(c for c in self.codecs if c.name.lower() not in ("telephone-event", "cn", "red"))

    @property
    def telephone_event(self) -> Codec | None:
        """The format of DTMF by RFC 4733, None without."""
        return next((c for c in self.codecs if c.name.lower() == "telephone-event"), None)

    @property
    def ptime(self) -> int | None:
        """Packet time in ms, None when not said."""
        text = self.attribute("ptime") or ""
        return int(text) if text.isdigit() else None

    @property
    def crypto(self) -> tuple[Crypto, ...]:
        """The SDES keys offered. Raises SdpError."""
        return tuple(Crypto.parse(value) for value in self.attributes("crypto"))

    @property
    def own_direction(self) -> Direction | None:
        """The direction said in this section; None when it says none."""
        return _direction(self.lines)

    @property
    def connection(self) -> str | None:
        """The address of its own c line, None without."""
        return _connection(self.lines)

    def with_attribute(self, name: str, value: str | None) -> Media:
        """The same with exactly one ``a=name``; None makes it a flag."""
        text = name if value is None else f"{name}:{value}"
        return replace(self, lines=(*self.without_attribute(name).lines, ("a", text)))

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
        cut = next((i for i, (letter, _) in enumerate(kept.lines) if letter == "a"), len(kept.lines))
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
        """Raises SdpError for a line that is not ``letter=value``, a missing v line or a broken m line."""
        text = data.decode("utf-8", "surrogateescape") if isinstance(data, bytes) else data
        session: list[Line] = []
        media: list[Media] = []
        current: list[Line] = session
        collected: list[list[Line]] = []
        for raw in text.replace("\r\n", "\n").split("\n"):
            if not raw.strip():
                continue
            if len(raw) < 2 or raw[1] != "=" or not raw[0].isalpha():
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
        sections = tuple(replace(section, lines=tuple(lines)) for section, lines in zip(media, collected, strict=True))
        return cls(tuple(session), sections)

    @property
    def origin(self) -> tuple[str, str, int]:
        """Username, session id and version of the o line. Raises SdpError."""
        words = (_value(self.lines, "o") or "").split()
        if len(words) != 6 or not words[2].isdigit():
            raise SdpError("not an origin line")
        return words[0], words[1], int(words[2])

    @property
    def audio(self) -> Media | None:
        """The first audio section that is not refused."""
        return next((m for m in self.media if m.kind == "audio" and not m.is_rejected), None)

    def address_of(self, media: Media) -> str | None:
        """Where a section wants its packets: its own c line, else the session's."""
        return media.connection or _connection(self.lines)

    @property
    def rtp(self) -> tuple[str, int] | None:
        """Address and port of the audio; None without audio or address."""
        audio = self.audio
        address = self.address_of(audio) if audio else None
        return None if audio is None or address is None else (address, audio.port)

    @property
    def direction(self) -> Direction:
        """Direction of the audio, as its sender sees it; a null address is an old way to say inactive sending."""
        audio = self.audio
        if audio is None:
            return "inactive"
        said = audio.own_direction or _direction(self.lines) or "sendrecv"
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
        """The same with its audio at another place: what a relay writes into a description it passes on.

        The origin's and the session's address change too; an own c line of the section goes, and so do RTCP and ICE
        attributes that name the old place.
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
                if line[0] != "c" and not any(_names(line, n) for n in ("rtcp", "candidate", "ice-ufrag", "ice-pwd"))
            ),
        )
        media = tuple(moved if m is audio else m for m in self.media)
        return Description(tuple(lines), media)

    def with_direction(self, direction: Direction) -> Description:
        """The same with its audio in another direction, said in the section."""
        audio = self.audio
        return self if audio is None else self.with_audio(audio.with_direction(direction))

    def with_codecs(self, codecs: Iterable[Codec]) -> Description:
        """The same with these audio formats only."""
        audio = self.audio
        return self if audio is None else self.with_audio(audio.with_codecs(codecs))

    def bumped(self) -> Description:
        """The same with the origin's version one higher: a changed offer has to (RFC 3264 section 8)."""
        username, number, version = self.origin
        rest = (_value(self.lines, "o") or "").split()[3:]
        value = " ".join([username, number, str(version + 1), *rest])
        return replace(self, lines=tuple(("o", value) if line[0] == "o" else line for line in self.lines))

    def __str__(self) -> str:
        return "".join(f"{letter}={value}\r\n" for letter, value in self.lines) + "".join(map(str, self.media))

    def __bytes__(self) -> bytes:
        return str(self).encode("utf-8", "surrogateescape")


def offer(
    address: str,
    port: int,
    codecs: Sequence[Codec] = (PCMU, PCMA, TELEPHONE_EVENT),
    *,
    ptime: int | None = 20,
    direction: Direction = "sendrecv",
    crypto: Sequence[Crypto] = (),
    username: str = "-",
    session_id: int | None = None,
    version: int = 1,
) -> Description:
    """An offer of one audio stream; with ``crypto`` it is RTP/SAVP."""
    kind = "IP6" if ":" in address else "IP4"
    number = session_id if session_id is not None else secrets.randbelow(2**31)
    lines: tuple[Line, ...] = (
        ("v", "0"),
        ("o", f"{username} {number} {version} IN {kind} {address}"),
        ("s", "-"),
        ("c", f"IN {kind} {address}"),
        ("t", "0 0"),
    )
    attributes: list[Line] = [("a", f"ptime:{ptime}")] if ptime else []
    attributes += [("a", f"crypto:{key}") for key in crypto]
    protocol = "RTP/SAVP" if crypto else "RTP/AVP"
    audio = Media("audio", port, protocol, (), tuple(attributes)).with_codecs(codecs).with_direction(direction)
    return Description(lines, (audio,))


def answer(
    offered: Description,
    address: str,
    port: int,
    supported: Sequence[Codec] = (PCMU, PCMA, TELEPHONE_EVENT),
    *,
    direction: Direction = "sendrecv",
    suites: Sequence[str] = (),
    prefer: Literal["offer", "ours"] = "offer",
    single: bool = True,
    username: str = "-",
    session_id: int | None = None,
    version: int = 1,
) -> Description:
    """The answer of RFC 3264 section 6 to an offer, from who supports these codecs and SRTP suites.

    Takes the offer's payload types. ``direction`` is what we would like; the offer limits it. ``single`` answers with
    one voice codec (and telephone-event), so that nobody has to guess which one is sent. Sections that are not the
    first usable audio are refused. Raises NoAgreementError, and SdpError for broken crypto lines.
    """
    sections: list[Media] = []
    reasons: list[str] = []
    taken = False
    for section in offered.media:
        try:
            if taken or section.kind != "audio" or section.is_rejected:
                raise NoAgreementError(f"{section.kind} is not wanted")
            sections.append(_answer_audio(offered, section, port, supported, direction, suites, prefer, single))
            taken = True
        except NoAgreementError as error:
            reasons.append(str(error))
            sections.append(section.rejected())
    if not taken:
        raise NoAgreementError("; ".join(reasons) or "the offer has no media")
    base = offer(address, port, (), username=username, session_id=session_id, version=version)
    return Description(base.lines, tuple(sections))


def _answer_audio(
    offered: Description,
    section: Media,
    port: int,
    supported: Sequence[Codec],
    direction: Direction,
    suites: Sequence[str],
    prefer: Literal["offer", "ours"],
    single: bool,
) -> Media:
    common = [codec for codec in section.voice if any(codec.is_same(ours) for ours in supported)]
    if not common:
        names = ", ".join(codec.name for codec in section.voice) or "none"
        raise NoAgreementError(f"no codec in common (offered: {names})")
    if prefer == "ours":
        common.sort(key=lambda codec: next(i for i, ours in enumerate(supported) if ours.is_same(codec)))
    chosen = common[:1] if single else common
    event = section.telephone_event
    if event is not None and any(event.is_same(ours) for ours in supported):
        chosen = [*chosen, event]
    lines: list[Line] = []
    if section.ptime:
        lines.append(("a", f"ptime:{section.ptime}"))
    if section.is_secure:
        key = next((c for c in section.crypto if c.suite in suites), None)
        if key is None:
            raise NoAgreementError("no SRTP suite in common" if suites else "SRTP is not wanted")
        lines.append(("a", f"crypto:{Crypto.fresh(key.suite, key.tag)}"))
    elif suites:
        raise NoAgreementError("SRTP is needed")
    theirs = replace(offered, media=(section,)).direction
    media = Media("audio", port, section.protocol, (), tuple(lines)).with_codecs(chosen)
    return media.with_direction(meet(reverse(theirs), direction))


def reverse(direction: Direction) -> Direction:
    """The same stream as the other side sees it."""
    return _REVERSED[direction]


def meet(one: Direction, other: Direction) -> Direction:
    """What is left when both limits hold."""
    sends = all(d in ("sendrecv", "sendonly") for d in (one, other))
    receives = all(d in ("sendrecv", "recvonly") for d in (one, other))
    if sends:
        return "sendrecv" if receives else "sendonly"
    return "recvonly" if receives else "inactive"


@dataclass(frozen=True, slots=True)
class Agreed:
    """What offer and answer come to for the audio, from the point of view of the side named to `agreed`."""

    codec: Codec
    """What this side sends: the payload type is the remote's (RFC 3264 section 6.1)."""
    receive_payload_types: tuple[int, ...]
    telephone_event: int | None
    remote: tuple[str, int]
    direction: Direction
    ptime: int
    secure: bool


def agreed(ours: Description, theirs: Description) -> Agreed | None:
    """What one side may send and expect, once both descriptions are known; None when no audio came of it."""
    mine, other = ours.audio, theirs.audio
    remote = theirs.rtp
    if mine is None or other is None or remote is None:
        return None
    common = [codec for codec in other.voice if any(codec.is_same(m) for m in mine.voice)]
    if not common:
        return None
    event = other.telephone_event if mine.telephone_event is not None else None
    return Agreed(
        codec=common[0],
        receive_payload_types=tuple(m.payload_type for m in mine.voice if any(m.is_same(c) for c in common)),
        telephone_event=None if event is None else event.payload_type,
        remote=remote,
        direction=meet(ours.direction, reverse(theirs.direction)),
        ptime=other.ptime or 20,
        secure=other.is_secure,
    )


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
