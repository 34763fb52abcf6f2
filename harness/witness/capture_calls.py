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
        return (first.source, first.target) if speaker.is_caller else (first.target, first.source)

    @property
    def began(self) -> float:
        return min([m.at for m in self.messages[:1]] + [s.first for s in self.streams])

    @property
    def answered(self) -> Times | None:
        """From when to when it could carry sound, as far as the capture shows; None where it was
        not answered there.
        """
        answers = (
            m
            for m in self.messages
            if isinstance(m.message, Response) and 200 <= m.message.status < 300
        )
        answer = next((m for m in answers if "INVITE" in (m.message.get("CSeq") or "")), None)
        if answer is None or not self.streams:
            return None
        bye = self._first("BYE")
        return answer.at, bye.at if bye else self.sounded[1]

    @property
    def sounded(self) -> Times:
        """From when to when RTP passed."""
        return min(one.first for one in self.streams), max(one.last for one in self.streams)

    def streams_to(self, *, callee: bool) -> tuple[Stream, ...] | None:
        """The streams towards its callee, or towards its caller; None where its SDP does not say
        which these are.
        """
        caller, other = set[Address](), set[Address]()
        calling = _sender_tag(self.invite.message) if self.invite else None
        for message in self.messages if calling else ():
            if (description := described(message)) is not None:
                (caller if _sender_tag(message.message) == calling else other).add(
                    description.place
                )
        if not caller or not other or caller & other:
            return None
        to_caller = tuple(
            one for one in self.streams if one.target in caller or one.source in other
        )
        to_callee = tuple(
            one for one in self.streams if one.target in other or one.source in caller
        )
        return to_callee if callee else to_caller

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
    way: (
        Way | None
    )  #: from where to where RTP without the mark passes; None: no RTP in this direction
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
    found = [
        Voice(stream, one.mark, part.at + one.began, part.at + one.ended)
        for part in stream.sounds()
        for one in marks_in(Sound((part.samples,), SAMPLE_RATE, str(stream.ssrc)))
    ]
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
        of_call, sounding = tuple(messages[key]), tuple(streams[key])
        if sounding or any("INVITE" in (one.message.get("CSeq") or "") for one in of_call):
            heard = tuple(voice for stream in sounding for voice in voices[id(stream)])
            calls.append(HopCall(key if isinstance(key, str) else "", of_call, sounding, heard))
    return tuple(sorted(calls, key=lambda call: call.began))


def match_capture(capture: Capture, legs: Sequence[KnownLeg]) -> CaptureMatch:
    """What the capture shows of these legs; what is of none of them is listed in words, and
    disturbs nothing.
    """
    calls = calls_of(capture)
    found: dict[int, FoundCall] = {}
    for number, call in enumerate(calls):
        if (by_id := _by_id(call, legs)) is not None:
            found[number] = by_id
    offset, is_exact = _offset(found.values(), legs)
    if offset is None:
        offset, is_exact = _offset_of_marks(calls, legs), True
    heard, unclear = _whose(calls, found, legs, offset)
    for number, call in enumerate(calls):
        of_call = [one for one in heard if one.voice in call.voices]
        if number not in found and of_call:
            found[number] = FoundCall(
                call, Counter(one.leg for one in of_call).most_common(1)[0][0], "mark"
            )
    known = {one.call.call_id: one.leg for one in found.values() if one.call.call_id}
    for number, call in enumerate(calls):
        if number not in found and (other := _named(call, known)) is not None:
            found[number] = FoundCall(call, known[other], "header")
    found |= _by_numbers(calls, found, legs, offset)
    if offset is None:
        offset, is_exact = _offset(found.values(), legs)
        heard, unclear = _whose(calls, found, legs, offset)
    words = [
        f"{call} is of no call of this run" if call.messages else _untied(call, legs)
        for number, call in enumerate(calls)
        if number not in found
    ]
    matched = tuple(found[number] for number in sorted(found))
    absent = tuple(one for each in matched for one in _absent(each, heard, legs, offset, is_exact))
    rtp = tuple(one for each in matched for one in _rtp(each, legs))
    return CaptureMatch(offset, matched, tuple(heard), absent, rtp, (*words, *unclear))


# -- which call


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
            leg = next((one for one in fitting if one.is_caller), fitting[0])
            return FoundCall(call, leg, how)
    return None


def _of_rtp(call: HopCall, legs: Iterable[KnownLeg], how: How) -> list[KnownLeg]:
    return [
        leg
        for leg in legs
        if any(_is_sent_by(leg, one, how) or _is_sent_to(leg, one, how) for one in call.streams)
    ]


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
    several = {how: {leg.case for leg in _of_rtp(call, legs, how)} for how in _BY_RTP}
    for how, cases in several.items():
        if cases:
            what = "SSRC" if how == "SSRC" else "address"
            return f"{call}: its {what} is that of calls in {' and '.join(sorted(cases))}"
    unread = next((one.unread for one in call.streams if one.unread), "")
    marks = unread or "no mark in it is of this run alone"
    return f"{call}: no SIP, SSRC or address ties it to a call of this run, and {marks}"


def _named(call: HopCall, call_ids: Iterable[str]) -> str | None:
    """The first of these that its headers name as that of another leg."""
    reported = [
        value for one in call.messages for name in _OTHER_LEG for value in one.message.get_all(name)
    ]
    return (
        next((one for one in call_ids if one and any(one in value for value in reported)), None)
        if reported
        else None
    )


def _by_numbers(
    calls: Sequence[HopCall],
    found: Mapping[int, FoundCall],
    legs: Sequence[KnownLeg],
    offset: float | None,
) -> dict[int, FoundCall]:
    """By the caller's and the called number, where one call alone fits one case alone: in time;
    without an offset by order, if as many calls as legs have these numbers.
    """
    left: dict[frozenset[str], list[int]] = defaultdict(list)
    for number, call in enumerate(calls):
        numbers = numbers_of(call.invite.message) if call.invite else frozenset[str]()
        if len(numbers) > 1:
            left[numbers].append(number)
    fits: list[tuple[int, KnownLeg]] = []
    for numbers, same in left.items():
        fitting = sorted(
            (leg for leg in legs if leg.numbers >= numbers), key=lambda leg: leg.invited
        )
        if offset is None and len(same) == len(fitting):
            fits += zip(same, fitting, strict=True)
        elif offset is not None:
            fits += [
                (number, leg)
                for number in same
                for leg in fitting
                if number not in found and abs(calls[number].began + offset - leg.invited) < _NEAR_S
            ]
    cases = Counter((number, leg.case) for number, leg in fits)
    alone = Counter(number for number, _ in cases), Counter(case for _, case in cases)
    return {
        number: FoundCall(calls[number], leg, "numbers")
        for number, leg in reversed(fits)
        if alone[0][number] == 1 and (offset is None or alone[1][leg.case] == 1)
    }


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
        for each in match(voices, of_case)[0]:
            if one.call.invite is None:
                return _by_its_end(each, voices[each.stretch]), True
            if each.offset >= _since_invite(one) - _SLACK_S:
                return each.offset, True
    invited = [one for one in found if one.call.invite]
    offsets = [_since_invite(one) for one in invited if one.how == invited[0].how]
    return (statistics.median(offsets), False) if offsets else (None, False)


def _by_its_end(found: Match, voice: Voice) -> float:
    """The offset of a match; by the end of the mark where the capture began amid it."""
    if voice.began - voice.stream.first > _SLACK_S:
        return found.offset
    ended = voice.ended + found.offset
    sent = min(found.leg.sent, key=lambda times: abs(times[1] - ended))
    return found.offset + sent[1] - ended if sent[0] < ended < sent[1] else found.offset


def _since_invite(found: FoundCall) -> float:
    assert found.call.invite is not None
    return found.leg.invited - found.call.invite.at


def _offset_of_marks(calls: Iterable[HopCall], legs: Sequence[KnownLeg]) -> float | None:
    """By several marks, or by one in a call with the numbers of its leg: one mark alone may be an
    earlier run's.
    """
    stretches = {
        Stretch(voice.mark, voice.began, voice.ended): call
        for call in calls
        for voice in call.voices
    }
    matches, _ = match(stretches, legs)
    for offset in dict.fromkeys(one.offset for one in matches):
        together = [one for one in matches if one.offset == offset]
        if len({one.leg.mark for one in together}) > 1:
            return offset
        invites = [(one.leg, stretches[one.stretch].invite) for one in together]
        if any(invite and leg.numbers >= numbers_of(invite.message) for leg, invite in invites):
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
    for number, call in enumerate(calls):
        case = found[number].leg.case if number in found else None
        for voice in call.voices:
            fitting = [
                leg
                for leg in legs
                if leg.mark == voice.mark
                and offset is not None
                and _fits(leg, voice, offset, is_known=leg.case == case)
            ]
            fitting = [leg for leg in fitting if leg.case == case] or fitting
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
    began, ended = voice.began + offset, voice.ended + offset
    aligned = is_known or any(
        min(abs(first - began), abs(last - ended)) <= _SLACK_S for first, last in leg.sent
    )
    return aligned and overlap(leg.sent, began, ended) >= MOSTLY * (ended - began)


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
        if streams is None or any(
            one.unread or one.lost > _MOST_LOSS * one.packets for one in streams
        ):
            continue
        passed = {one.voice.stream.way for one in heard if one.leg is leg}
        # A mark that does not fit the times is no evidence that it is missing.
        passed |= {one.stream.way for one in found.call.voices if one.mark == leg.mark}
        lasted: dict[Way | None, Times] = {} if streams or is_by_rtp else {None: answered}
        for one in streams:
            first, last = lasted.get(one.way, (one.first, one.last))
            lasted[one.way] = min(first, one.first), max(last, one.last)
        for way, (first, last) in lasted.items():
            first, last = max(first, answered[0]), min(last, answered[1])
            sent = ((began - offset, ended - offset) for began, ended in leg.sent)
            times = [(max(began, first), min(ended, last)) for began, ended in sent]
            times = [(began, ended) for began, ended in times if ended > began]
            seconds = sum(ended - began for began, ended in times)
            if way not in passed and seconds >= ABSENT_S:
                yield AbsentVoice(found.call, leg, way, times[0][0], seconds)


def _own(found: FoundCall, legs: Iterable[KnownLeg]) -> list[KnownLeg]:
    """The legs of its case that a call may be of."""
    own = [leg for leg in legs if leg.case == found.leg.case]
    several = len({leg.phone for leg in own if leg.is_caller}) > 1  # each has a call of its own
    return [found.leg] if several else own


def _rtp(found: FoundCall, legs: Iterable[KnownLeg]) -> Iterator[CallersRtp]:
    if found.how == "numbers":
        return
    callers = [leg for leg in _own(found, legs) if leg.is_caller]
    towards, own = found.streams_to(callee=False), found.streams_to(callee=True)
    is_up = found.call.answered is not None or found.how in _BY_RTP
    # A relay may give one direction an SSRC of its own.
    is_clear = bool(towards) or found.how != "SSRC"
    if towards is not None and is_clear and len(callers) == 1 and is_up:
        yield CallersRtp(found.call, callers[0], towards)
    if own is not None and found.leg.is_caller and any(one.unread for one in own):
        yield CallersRtp(found.call, found.leg, own, is_own=True)
