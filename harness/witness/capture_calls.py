"""Which calls of a run a capture shows, what of them passed its point of the network, and what
should have passed and did not.

Neither names nor clocks are trusted. A call is known by its Call-ID, by an ID of another leg that a
platform sends along (X-EI, X-Talkdesk-Other-Leg-Call-Id), by the marks in its RTP, or by its
numbers and its place among the calls with these numbers; without SIP also by the SSRCs and
addresses of its RTP. The offset of the capture's clock follows
from INVITEs that both sides have, else from marks.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from harness.audio.marks import SAMPLE_RATE
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Request, Response
from harness.witness.capture import Capture, CapturedMessage, described
from harness.witness.matching import (
    LEAST_S,
    MOSTLY,
    KnownLeg,
    Match,
    Stretch,
    Times,
    match,
    overlap,
)
from harness.witness.packets import Address, Way, as_text
from harness.witness.rtp_streams import Stream
from harness.witness.sound_file import Sound, marks_in

How = Literal["Call-ID", "header", "SSRC", "media", "mark", "numbers"]

#: Headers in which platforms name the other leg of a call.
_OTHER_LEG: Final = ("X-Talkdesk-Other-Leg-Call-Id", "X-EI")
#: A mark is detected this much later than it begins or ends, and its way takes time.
_SLACK_S: Final = 0.5
_SUREST: Final = ("Call-ID", "header", "SSRC", "media", "mark", "numbers")
#: Known by its RTP alone: no SIP of it is in the capture.
_BY_RTP: Final = ("SSRC", "media")
_NEAR_S: Final = 10.0  #: between the INVITE of a leg and the one that a platform makes of it
#: A mark that was sent for so long while a call could carry it, and is in none of its streams, was
#: lost ahead of this point. A caller sends half a second before it speaks to an AI; undamaged G.711
#: shows two periods of a mark for certain.
ABSENT_S: Final = 0.4
_MOST_LOSS: Final = 0.05  #: of a stream whose silence about a mark says something
_SUBSCRIBER: Final = 9
_JOINED_S: Final = 0.5  #: a shorter gap in a mark is one in its detection


@dataclass(frozen=True)
class Voice:
    """A mark in a stream, on the capture's clock."""

    stream: Stream
    mark: int
    began: float
    ended: float


@dataclass(frozen=True)
class HopCall:
    """The messages of one Call-ID and its streams; without SIP the streams between two addresses."""

    call_id: str
    messages: tuple[CapturedMessage, ...]
    streams: tuple[Stream, ...]
    voices: tuple[Voice, ...]

    @property
    def invite(self) -> CapturedMessage | None:
        """The INVITE that begins it."""
        return self._first("INVITE")

    def _first(self, method: str) -> CapturedMessage | None:
        """The first request of that method."""
        for one in self.messages:
            if isinstance(one.message, Request) and one.message.method == method:
                return one
        return None

    def ends(self, speaker: KnownLeg) -> Way:
        """From where to where its signalling goes, in the direction of the speaker's voice."""
        first = self.invite or self.messages[0]
        if speaker.is_caller:
            return first.source, first.target
        return first.target, first.source

    @property
    def began(self) -> float:
        message_at = [message.at for message in self.messages[:1]]
        return min(message_at + [stream.first for stream in self.streams])

    @property
    def answered(self) -> Times | None:
        """From when to when it could carry sound, as far as the capture shows; None where it was
        not answered there.
        """
        answered_at = self._answered_at()
        if answered_at is None or not self.streams:
            return None
        bye = self._first("BYE")
        return answered_at, bye.at if bye else self.sounded[1]

    def _answered_at(self) -> float | None:
        """When the first 2xx to an INVITE passed."""
        for one in self.messages:
            answer = one.message
            is_2xx = isinstance(answer, Response) and 200 <= answer.status < 300
            if is_2xx and _is_of_invite(answer):
                return one.at
        return None

    @property
    def sounded(self) -> Times:
        """From when to when RTP passed."""
        return min(one.first for one in self.streams), max(one.last for one in self.streams)

    def streams_to(self, *, callee: bool) -> tuple[Stream, ...] | None:
        """The streams towards its callee, or towards its caller; None where its SDP does not say
        which these are.
        """
        calling = _sender_tag(self.invite.message) if self.invite else None
        if not calling:
            return None
        caller, other = set[Address](), set[Address]()
        for message in self.messages:
            description = described(message)
            if description is not None:
                is_callers = _sender_tag(message.message) == calling
                (caller if is_callers else other).add(description.place)
        if not caller or not other or caller & other:
            return None
        there, here = (other, caller) if callee else (caller, other)
        return tuple(one for one in self.streams if one.target in there or one.source in here)

    def __str__(self) -> str:
        first = self.invite
        if first is not None and isinstance(first.message, Request):
            return f"call {self.call_id} from {first.source[0]} to {first.message.request_uri}"
        if self.streams:
            seen = Counter[str]()
            for one in self.streams:
                seen[f"{as_text(one.source)} to {as_text(one.target)}"] += one.packets
            ways = " and ".join(f"from {way} ({packets} packets)" for way, packets in seen.items())
            return f"RTP {ways}{'' if len(seen) > 1 else ', none back'}"
        return f"{self.messages[0].message.start_line} of call {self.call_id}"


@dataclass(frozen=True)
class FoundCall:
    """A call of the capture that is of a case of the run; ``leg`` is the one that it is matched
    with.
    """

    call: HopCall
    leg: KnownLeg
    how: How

    def streams_to(self, *, callee: bool) -> tuple[Stream, ...] | None:
        """As of the call; without SIP, by the SSRCs or addresses of the leg's phone."""
        if self.how not in _BY_RTP:
            return self.call.streams_to(callee=callee)
        is_of_leg = _is_sent_by if callee is self.leg.is_caller else _is_sent_to
        return tuple(one for one in self.call.streams if is_of_leg(self.leg, one, self.how))


@dataclass(frozen=True)
class FoundVoice:
    """A leg's mark in a stream of a call."""

    voice: Voice
    leg: KnownLeg
    call: HopCall


@dataclass(frozen=True)
class AbsentVoice:
    """A leg's mark that should have passed here in a call, and did not; on the capture's clock."""

    call: HopCall
    leg: KnownLeg
    #: From where to where RTP without the mark passes; None: no RTP in this direction.
    way: Way | None
    began: float
    seconds: float  #: of the leg's mark, for which the call, or this RTP, lasted


@dataclass(frozen=True)
class CallersRtp:
    """The RTP towards a caller in an answered call, or its own RTP whose sound cannot be decoded;
    no streams where it did not pass.
    """

    call: HopCall
    leg: KnownLeg
    streams: tuple[Stream, ...]
    is_own: bool = False


@dataclass(frozen=True)
class CaptureMatch:
    """What a capture shows of a run. ``offset`` is added to the capture's clock for the run's; None
    where nothing was found.
    """

    offset: float | None
    calls: tuple[FoundCall, ...]
    heard: tuple[FoundVoice, ...]
    absent: tuple[AbsentVoice, ...]
    rtp: tuple[CallersRtp, ...]
    unmatched: tuple[str, ...]


def voices_in(stream: Stream) -> list[Voice]:
    """The marks in a stream."""
    found = []
    for part in stream.sounds():
        sound = Sound((part.samples,), SAMPLE_RATE, str(stream.ssrc))
        for one in marks_in(sound):
            found.append(Voice(stream, one.mark, part.at + one.began, part.at + one.ended))
    return _joined(found)


def _joined(voices: Iterable[Voice]) -> list[Voice]:
    """Lost packets interrupt a mark, and it is still one."""
    found: list[Voice] = []
    for voice in sorted(voices, key=lambda one: (one.mark, one.began)):
        last = found[-1] if found else None
        if last is not None and last.mark == voice.mark and voice.began - last.ended <= _JOINED_S:
            found[-1] = Voice(last.stream, last.mark, last.began, max(last.ended, voice.ended))
        else:
            found.append(voice)
    return [voice for voice in found if voice.ended - voice.began >= LEAST_S]


_Key = str | frozenset[Address]
"""A Call-ID, or the two addresses between which RTP without SIP flows."""


def calls_of(capture: Capture) -> tuple[HopCall, ...]:
    """The calls of a capture, by their beginning. What begins with no INVITE, such as OPTIONS or
    REGISTER, is none.
    """
    messages: dict[_Key, list[CapturedMessage]] = defaultdict(list)
    for message in capture.messages:
        messages[message.message.call_id].append(message)
    streams: dict[_Key, list[Stream]] = defaultdict(list)
    for stream in capture.streams:
        keys: Iterable[_Key] = stream.call_ids or (frozenset(stream.way),)
        for key in keys:
            streams[key].append(stream)
    voices = {id(stream): tuple(voices_in(stream)) for stream in capture.streams}
    calls = []
    for key in dict.fromkeys([*messages, *streams]):
        call_id = key if isinstance(key, str) else ""
        of_call, sounding = tuple(messages[key]), tuple(streams[key])
        if sounding or any(_is_of_invite(one.message) for one in of_call):
            heard = tuple(voice for stream in sounding for voice in voices[id(stream)])
            calls.append(HopCall(call_id, of_call, sounding, heard))
    return tuple(sorted(calls, key=lambda call: call.began))


def _is_of_invite(message: Request | Response) -> bool:
    """Whether it is an INVITE or answers one, also where its CSeq cannot be parsed."""
    return "INVITE" in (message.get("CSeq") or "")


def match_capture(capture: Capture, legs: Sequence[KnownLeg]) -> CaptureMatch:
    """What the capture shows of these legs; what is of none of them is listed in words, and
    disturbs nothing.
    """
    calls = calls_of(capture)
    # what is surest comes first, since it helps to find the rest; keys are places in `calls`
    found: dict[int, FoundCall] = {}
    for number, call in enumerate(calls):
        by_id = _by_id(call, legs)
        if by_id is not None:
            found[number] = by_id
    offset, is_exact = _offset(found.values(), legs)
    if offset is None:
        offset, is_exact = _offset_of_marks(calls, legs), True
    heard, unclear = _whose(calls, found, legs, offset)
    found |= _by_marks(calls, found, heard)
    found |= _by_found_calls(calls, found)
    found |= _by_numbers(calls, found, legs, offset)
    if offset is None:
        offset, is_exact = _offset(found.values(), legs)
        heard, unclear = _whose(calls, found, legs, offset)
    words = []
    for number, call in enumerate(calls):
        if number not in found:
            is_sip = bool(call.messages)
            words.append(f"{call} is of no call of this run" if is_sip else _untied(call, legs))
    matched = tuple(found[number] for number in sorted(found))
    absent: list[AbsentVoice] = []
    rtp: list[CallersRtp] = []
    for each in matched:
        absent += _absent(each, heard, legs, offset, is_exact)
        rtp += _rtp(each, legs)
    return CaptureMatch(
        offset, matched, tuple(heard), tuple(absent), tuple(rtp), (*words, *unclear)
    )


# -- which call


def _by_marks(
    calls: Sequence[HopCall], found: Mapping[int, FoundCall], heard: Sequence[FoundVoice]
) -> dict[int, FoundCall]:
    """By the leg that is heard most often in it."""
    more = {}
    for number, call in enumerate(calls):
        legs = Counter(one.leg for one in heard if one.voice in call.voices)
        if number not in found and legs:
            [(leg, _)] = legs.most_common(1)
            more[number] = FoundCall(call, leg, "mark")
    return more


def _by_found_calls(
    calls: Sequence[HopCall], found: Mapping[int, FoundCall]
) -> dict[int, FoundCall]:
    """By a header that names a call which is found already as the other leg."""
    known = {one.call.call_id: one.leg for one in found.values() if one.call.call_id}
    more = {}
    for number, call in enumerate(calls):
        other = _named(call, known) if number not in found else None
        if other is not None:
            more[number] = FoundCall(call, known[other], "header")
    return more


def _by_id(call: HopCall, legs: Iterable[KnownLeg]) -> FoundCall | None:
    for leg in legs:
        if call.call_id and call.call_id in leg.call_ids:
            return FoundCall(call, leg, "Call-ID")
    if not call.messages:
        return _by_rtp(call, legs)
    by_id: dict[str, KnownLeg] = {}
    for leg in legs:
        for call_id in leg.call_ids | leg.told_ids:
            by_id.setdefault(call_id, leg)
    named = call.call_id if call.call_id in by_id else _named(call, by_id)
    return FoundCall(call, by_id[named], "header") if named is not None else None


def _by_rtp(call: HopCall, legs: Iterable[KnownLeg]) -> FoundCall | None:
    """By its SSRCs, which many relays pass on, else by where the phone of a leg received or sent
    RTP. What fits the legs of several cases is of none.
    """
    for how in _BY_RTP:
        fitting = _of_rtp(call, legs, how)
        if len({leg.case for leg in fitting}) == 1:
            callers = [leg for leg in fitting if leg.is_caller]
            return FoundCall(call, (callers or fitting)[0], how)
    return None


def _of_rtp(call: HopCall, legs: Iterable[KnownLeg], how: How) -> list[KnownLeg]:
    """The legs whose phones sent or received one of its streams."""

    def is_of(leg: KnownLeg, stream: Stream) -> bool:
        return _is_sent_by(leg, stream, how) or _is_sent_to(leg, stream, how)

    return [leg for leg in legs if any(is_of(leg, stream) for stream in call.streams)]


def _is_sent_by(leg: KnownLeg, stream: Stream, how: How) -> bool:
    if how == "SSRC":
        return stream.ssrc in leg.ssrcs
    return stream.source in leg.media or stream.target in leg.far_media


def _is_sent_to(leg: KnownLeg, stream: Stream, how: How) -> bool:
    if how == "SSRC":
        return stream.ssrc in leg.far_ssrcs
    return stream.target in leg.media or stream.source in leg.far_media


def _untied(call: HopCall, legs: Iterable[KnownLeg]) -> str:
    """Why RTP without SIP is of no call of the run."""
    for how in _BY_RTP:
        cases = {leg.case for leg in _of_rtp(call, legs, how)}
        if cases:
            what = "SSRC" if how == "SSRC" else "address"
            return f"{call}: its {what} is that of calls in {' and '.join(sorted(cases))}"
    unread = next((one.unread for one in call.streams if one.unread), "")
    marks = unread or "no mark in it is of this run alone"
    return f"{call}: no SIP, SSRC or address ties it to a call of this run, and {marks}"


def _named(call: HopCall, call_ids: Iterable[str]) -> str | None:
    """The first of these that its headers name as that of another leg."""
    values: list[str] = []
    for one in call.messages:
        for name in _OTHER_LEG:
            values += one.message.get_all(name)
    if not values:  # as in most calls, while there may be many ids
        return None
    for call_id in call_ids:
        if call_id and any(call_id in value for value in values):
            return call_id
    return None


def _by_numbers(
    calls: Sequence[HopCall],
    found: Mapping[int, FoundCall],
    legs: Sequence[KnownLeg],
    offset: float | None,
) -> dict[int, FoundCall]:
    """By the caller's and the called number, where one call alone fits one case alone: in time;
    without an offset by order, if as many calls as legs have these numbers.
    """
    with_numbers: dict[frozenset[str], list[int]] = defaultdict(list)
    for number, call in enumerate(calls):
        numbers = numbers_of(call.invite.message) if call.invite else frozenset[str]()
        if len(numbers) > 1:
            with_numbers[numbers].append(number)
    fits: list[tuple[int, KnownLeg]] = []
    for numbers, same in with_numbers.items():
        fitting = [leg for leg in legs if leg.numbers >= numbers]
        fitting.sort(key=lambda leg: leg.invited)
        if offset is None:
            if len(same) == len(fitting):
                fits += zip(same, fitting, strict=True)
            continue
        for number in same:
            if number not in found:
                at = calls[number].began + offset
                fits += [(number, leg) for leg in fitting if abs(at - leg.invited) < _NEAR_S]
    pairs = {(number, leg.case) for number, leg in fits}
    cases_of_call = Counter(number for number, _ in pairs)
    calls_of_case = Counter(case for _, case in pairs)
    more: dict[int, FoundCall] = {}
    for number, leg in reversed(fits):  # of a case's legs, the one that was invited first counts
        is_alone = offset is None or calls_of_case[leg.case] == 1
        if cases_of_call[number] == 1 and is_alone:
            more[number] = FoundCall(calls[number], leg, "numbers")
    return more


def numbers_of(message: Request | Response) -> frozenset[str]:
    """The last digits of the numbers that a request is from and to, which national and
    international forms share.
    """
    found = set()
    with suppress(SipSyntaxError):
        found.add(message.from_.uri.user)
        found.add(message.uri.user if isinstance(message, Request) else message.to.uri.user)
    digits = {re.sub(r"[^0-9]", "", user or "")[-_SUBSCRIBER:] for user in found}
    return frozenset(digits - {""})


def _sender_tag(message: Request | Response) -> str | None:
    """The tag of the end that sent this message."""
    with suppress(SipSyntaxError):
        end = message.from_ if isinstance(message, Request) else message.to
        return end.params.get("tag")
    return None


# -- when, and whose


def _offset(found: Iterable[FoundCall], legs: Sequence[KnownLeg]) -> tuple[float | None, bool]:
    """The offset, and whether it is exact.

    An INVITE with the Call-ID of a leg is the leg's own INVITE. One that only names the leg may
    come later, behind an announcement or a menu: the marks in its call are surer.
    """
    found = sorted(found, key=lambda one: _SUREST.index(one.how))
    own = [_since_invite(one) for one in found if one.how == "Call-ID" and one.call.invite]
    if own:
        return statistics.median(own), True
    for one in found:
        of_case = [leg for leg in legs if leg.case == one.leg.case]
        voices = {Stretch(each.mark, each.began, each.ended): each for each in one.call.voices}
        matches, _ = match(voices, of_case)
        for each in matches:
            if one.call.invite is None:
                return _by_its_end(each, voices[each.stretch]), True
            if each.offset >= _since_invite(one) - _SLACK_S:
                return each.offset, True
    invited = [one for one in found if one.call.invite]
    if not invited:
        return None, False
    surest = [one for one in invited if one.how == invited[0].how]
    return statistics.median(map(_since_invite, surest)), False


def _by_its_end(found: Match, voice: Voice) -> float:
    """The offset of a match; by the end of the mark where the capture began amid it."""
    if voice.began - voice.stream.first > _SLACK_S:
        return found.offset
    ended = voice.ended + found.offset
    first, last = min(found.leg.sent, key=lambda times: abs(times[1] - ended))
    if not first < ended < last:
        return found.offset
    return found.offset + last - ended


def _since_invite(found: FoundCall) -> float:
    assert found.call.invite is not None
    return found.leg.invited - found.call.invite.at


def _offset_of_marks(calls: Iterable[HopCall], legs: Sequence[KnownLeg]) -> float | None:
    """By several marks, or by one in a call with the numbers of its leg: one mark alone may be an
    earlier run's.
    """
    stretches: dict[Stretch, HopCall] = {}
    for call in calls:
        for voice in call.voices:
            stretches[Stretch(voice.mark, voice.began, voice.ended)] = call
    matches, _ = match(stretches, legs)
    for offset in dict.fromkeys(one.offset for one in matches):
        together = [one for one in matches if one.offset == offset]
        if len({one.leg.mark for one in together}) > 1:
            return offset
        for one in together:
            invite = stretches[one.stretch].invite
            if invite is not None and one.leg.numbers >= numbers_of(invite.message):
                return offset
    return None


def _whose(
    calls: Sequence[HopCall],
    found: Mapping[int, FoundCall],
    legs: Sequence[KnownLeg],
    offset: float | None,
) -> tuple[list[FoundVoice], list[str]]:
    """The leg whose mark each voice is: it sent this mark at that time. Of several, the one whose
    case the call is of.
    """
    heard: list[FoundVoice] = []
    words: list[str] = []
    if offset is None:
        return heard, words
    for number, call in enumerate(calls):
        case = found[number].leg.case if number in found else None
        for voice in call.voices:
            fitting = [leg for leg in legs if _fits(leg, voice, offset, is_known=leg.case == case)]
            of_its_case = [leg for leg in fitting if leg.case == case]
            fitting = of_its_case or fitting
            if len({(leg.case, leg.leg) for leg in fitting}) == 1:
                heard.append(FoundVoice(voice, fitting[0], call))
            elif fitting:
                cases = " or ".join(sorted({leg.case for leg in fitting}))
                words.append(f"mark {voice.mark} in {call} may be of {cases}: these sent it alike")
    return list({(id(one.voice), one.leg.leg): one for one in heard}.values()), words


def _fits(leg: KnownLeg, voice: Voice, offset: float, *, is_known: bool) -> bool:
    """Whether the leg sent this mark then. Other runs may send it as well, but hardly begin or end
    at the same moment; in a call that is known to be the leg's, the capture may have begun or ended
    amid the mark.
    """
    if leg.mark != voice.mark:
        return False
    began, ended = voice.began + offset, voice.ended + offset

    def is_aligned(sent: Times) -> bool:
        return min(abs(sent[0] - began), abs(sent[1] - ended)) <= _SLACK_S

    if not is_known and not any(map(is_aligned, leg.sent)):
        return False
    return overlap(leg.sent, began, ended) >= MOSTLY * (ended - began)


# -- what is missing


def _absent(
    found: FoundCall,
    heard: Sequence[FoundVoice],
    legs: Iterable[KnownLeg],
    offset: float | None,
    is_exact: bool,
) -> Iterator[AbsentVoice]:
    """The marks of the case's legs that did not pass. Nothing is said of RTP that cannot be
    decoded, and of a call that numbers alone made known: another run may call from and to the same
    ones. By an offset that is not exact, nothing is said of other legs than the call's.
    """
    is_by_rtp = found.how in _BY_RTP
    answered = found.call.sounded if is_by_rtp else found.call.answered
    if answered is None or offset is None or found.how == "numbers":
        return
    for leg in _own(found, legs) if is_exact else [found.leg]:
        streams = found.streams_to(callee=leg.is_caller)
        if streams is None or any(map(_says_nothing, streams)):
            continue
        passed = {one.voice.stream.way for one in heard if one.leg is leg}
        # A mark that does not fit the times is no evidence that it is missing.
        passed |= {one.stream.way for one in found.call.voices if one.mark == leg.mark}
        lasted = _times_by_way(streams)
        if not streams and not is_by_rtp:
            lasted[None] = answered
        sent = [(began - offset, ended - offset) for began, ended in leg.sent]
        for way, (first, last) in lasted.items():
            within = max(first, answered[0]), min(last, answered[1])
            times = _parts_within(sent, within)
            seconds = sum(ended - began for began, ended in times)
            if way not in passed and seconds >= ABSENT_S:
                yield AbsentVoice(found.call, leg, way, times[0][0], seconds)


def _says_nothing(stream: Stream) -> bool:
    """Whether a mark may be in it and not be found."""
    return bool(stream.unread) or stream.lost > _MOST_LOSS * stream.packets


def _times_by_way(streams: Iterable[Stream]) -> dict[Way | None, Times]:
    """From when to when RTP passed, from each source to each target."""
    lasted: dict[Way | None, Times] = {}
    for one in streams:
        first, last = lasted.get(one.way, (one.first, one.last))
        lasted[one.way] = min(first, one.first), max(last, one.last)
    return lasted


def _parts_within(times: Iterable[Times], within: Times) -> list[Times]:
    first, last = within
    parts = [(max(began, first), min(ended, last)) for began, ended in times]
    return [(began, ended) for began, ended in parts if ended > began]


def _own(found: FoundCall, legs: Iterable[KnownLeg]) -> list[KnownLeg]:
    """The legs of its case that a call may be of."""
    own = [leg for leg in legs if leg.case == found.leg.case]
    several = len({leg.phone for leg in own if leg.is_caller}) > 1  # each has a call of its own
    return [found.leg] if several else own


def _rtp(found: FoundCall, legs: Iterable[KnownLeg]) -> Iterator[CallersRtp]:
    if found.how == "numbers":
        return
    callers = [leg for leg in _own(found, legs) if leg.is_caller]
    is_up = found.call.answered is not None or found.how in _BY_RTP
    towards = found.streams_to(callee=False)
    # A relay may give one direction an SSRC of its own.
    is_clear = bool(towards) or found.how != "SSRC"
    if towards is not None and is_clear and is_up and len(callers) == 1:
        yield CallersRtp(found.call, callers[0], towards)
    own = found.streams_to(callee=True)
    if own is not None and found.leg.is_caller and any(one.unread for one in own):
        yield CallersRtp(found.call, found.leg, own, is_own=True)
