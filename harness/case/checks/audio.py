"""Checks of audio: whose voice arrived in one direction of a conversation, by the marks decoded at
the listener; loss and delay.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from harness.audio.delay import Delay
from harness.audio.describe import TONES, HeardDescription
from harness.audio.marks import DEFAULT_LEVEL_DBOV
from harness.audio.residue import Beneath
from harness.case import measurement
from harness.case.checks.claims import STRENGTH, Claim, Denial, Observation
from harness.case.checks.finding import heard_at, judged, not_observable
from harness.case.checks.registry import check
from harness.case.events import RtpStatistics, SipMessage
from harness.case.measurement import Direction
from harness.case.verdict import Finding, Strength

#: ITU-T G.101 and G.111 plan some 10 dB of loss from end to end; 20 dB exceeds any plan. More gain
#: than 9 dB would clip.
MOST_LOSS_DB, MOST_GAIN_DB = 20.0, 9.0
MOST_CLIPPED = 0.01

#: Keep-alive packets for NAT come every few seconds (RFC 6263 section 6); speech has at least 16
#: packets a second.
MOST_KEEPING_ALIVE = 3
#: This many ignored RTP packets, half a second of audio, are a stream and not stray packets.
FEWEST_UNHEARD = 25
#: RTP packets, whatever they carry.
_PACKETS = (Observation.RTCP, Observation.HOP_RTCP, Observation.SENT)
_WITH_AUDIO = re.compile(r"SIP/2\.0 18\d .*^m=audio ", re.DOTALL | re.MULTILINE)
#: Sound below this level is no speech (the idle noise of G.711 is quieter).
AUDIBLE_DBOV = -60.0
#: Comfort noise is no louder. ITU-T P.56 puts the active level of speech on telephone lines at -26
#: dBov.
COMFORT_NOISE_DBOV = -45.0


@dataclass(frozen=True, slots=True)
class Sound:
    """A mark (or a weaker sign) of the speaker, as it arrived at the listener. Times are monotonic
    seconds.
    """

    at: float
    observation: Observation
    evidence: str
    mark: int | None = None
    level_dbov: float | None = None

    @property
    def strength(self) -> Strength:
        """How strongly the sound proves that the speaker is heard."""
        return STRENGTH[Claim.HEARD][self.observation]


@dataclass(frozen=True, slots=True)
class ListenerReport:
    """Everything the listener received while it listened."""

    seconds: float  #: audio looked at
    level_dbov: float | None  #: loudest part
    marks: tuple[int, ...] = ()  #: every mark heard, in order
    rx_packets: int | None = None  #: RTP packets received in that time
    rx_other_type: int = 0  #: of these, packets of another codec than the one agreed on
    tx_packets: int | None = None
    unheard_packets: int = 0  #: ignored RTP: from hosts that neither SDP nor signalling names
    unheard_from: str = ""
    undeciphered_from: str = (
        ""  #: source of SRTP packets that the key does not decrypt, when it decrypted none
    )
    instead: HeardDescription | None = (
        None  #: what was heard in the speaker's place; times from when listening began
    )


@check("audio")
def direction(
    speaker: str,
    listener: str,
    sound: Sound | None,
    account: ListenerReport | None,
    *,
    since: float,
    own: Collection[int],
    least: Strength,
    names: Mapping[int, str],
    towards: str,
    again: bool = False,
    denial: Denial | None = None,
) -> Finding:
    """``listener`` hears ``speaker``.

    ``own``: the listener's marks; hearing them is echo. ``names``: the leg of this case that a mark
    belongs to; marks of other cases are missing. ``towards``: the listener's role (``ai``,
    ``caller``, ``agent``). ``again``: the call was changed after the two first heard each other.
    ``denial``: contrary evidence. The finding shows both, and passes only on the stronger one.
    Counted packets do not contradict a denial of sound: RTP carries silence as well.
    """
    found = _Found(heard_at(speaker, listener), f"{listener} hears {speaker}", denial)
    measured = _measured(
        Direction(speaker=speaker, listener=listener, towards=towards, again=again),
        account,
        own,
        names,
    )
    if denial is not None:
        measured = replace(measured, denied_by=denial.observation.name.lower())
    counted = None
    if denial is not None and denial.observation not in _PACKETS and _are_packets(sound):
        counted, sound = sound, None
    if sound is not None:
        return found.by(sound, max(least, Strength.INDICATED), (sound.at - since) * 1000, measured)
    if account is None and denial is None:  # without a listener, absence proves nothing
        return found.unknown(f"nothing tells what {listener} hears", measured)
    # A sender may send RTP from another address than it receives at (SDP names only the latter, RFC
    # 3264 section 5.1; RFC 4961 merely recommends the same one). The ignored packets may therefore
    # have been the speaker's.
    if account is not None and denial is None and _came_unheard(account, own, names):
        return found.unknown(
            f"{_instead(account, own, names)} from where SDP or signalling says, but {_unheard(account)}",
            measured,
        )
    kind = "unheard" if account is None else _kind(account, own, names)
    actual = [_instead(account, own, names)] if account is not None else []
    evidence = [] if denial is None else [denial.evidence]
    actual += evidence
    though = ""
    if counted is not None and denial is not None:
        evidence = [*evidence, counted.evidence]
        though = f", though {counted.evidence}"
        arrived = counted.observation is Observation.RTCP
        if arrived and denial.observation is Observation.RECORDING and account is None:
            kind = "silent RTP"
    return judged(
        "audio",
        found.subject,
        False,
        expected=found.expected,
        actual=" and ".join(actual) + though,
        strength=Strength.UNKNOWN,
        evidence=evidence,
        measured=replace(measured, kind=kind),
    )


def _are_packets(sound: Sound | None) -> bool:
    return sound is not None and sound.observation in _PACKETS


def _measured(
    bare: Direction, account: ListenerReport | None, own: Collection[int], names: Mapping[int, str]
) -> Direction:
    if account is None:
        return bare
    return replace(
        bare,
        rx_packets=account.rx_packets,
        tx_packets=account.tx_packets,
        level_dbov=account.level_dbov,
        echo=any(mark in own for mark in account.marks),
        foreign=tuple(
            mark for mark in dict.fromkeys(account.marks) if mark not in own and mark not in names
        ),
        listened_s=account.seconds,
        instead=account.instead.what if account.instead else None,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """Makes the finding of one direction when the speaker was heard, or when that is unknown."""

    subject: str
    expected: str
    denial: Denial | None

    def by(self, sound: Sound, least: Strength, delay_ms: float, measured: Direction) -> Finding:
        """A finding from this sound. Not observable if it is weaker than ``least``, or not stronger
        than the denial.
        """
        expected = f"{self.expected} (evidence required: {least.name.lower()})"
        evidence = [sound.evidence, *([self.denial.evidence] if self.denial else ())]
        measured = replace(
            measured,
            delay_ms=delay_ms,
            level_dbov=sound.level_dbov,
            observation=sound.observation.name.lower(),
        )
        if self.denial is not None and sound.strength <= self.denial.strength:
            why = f"contradictory: {sound.evidence}; but {self.denial.evidence}"
            return self._not(
                why, expected, sound, evidence, replace(measured, kind="contradictory")
            )
        if sound.strength < least:  # too weak a proof is not the platform's fault
            why = f"only {sound.strength.name.lower()}: {sound.evidence}"
            return self._not(why, expected, sound, evidence, measured)
        though = f", though {self.denial.evidence}" if self.denial else ""
        return judged(
            "audio",
            self.subject,
            True,
            expected=expected,
            actual=f"{sound.strength.name.lower()} after {delay_ms:.0f} ms{though}",
            strength=sound.strength,
            evidence=evidence,
            measured=measured,
        )

    def _not(
        self, why: str, expected: str, sound: Sound, evidence: Sequence[str], measured: Direction
    ) -> Finding:
        return not_observable(
            "audio",
            self.subject,
            expected=expected,
            why=why,
            strength=sound.strength,
            evidence=evidence,
            measured=measured,
        )

    def unknown(self, why: str, measured: Direction) -> Finding:
        return not_observable(
            "audio",
            self.subject,
            expected=self.expected,
            why=why,
            measured=replace(measured, kind="unknown"),
        )


@check("audio.crossed")
def no_crossing(
    listener: str,
    marks: Sequence[int],
    own: Collection[int],
    allowed: Collection[int],
    names: Mapping[int, str] = MappingProxyType({}),
) -> Finding:
    """The leg heard no voice of another call and no echo of itself, from its start to its end.

    ``names``: the owner of a forbidden mark, if it belongs to this case.
    """
    foreign = sorted({mark for mark in marks if mark not in allowed and mark not in own})
    echo = sorted({mark for mark in marks if mark in own})
    wrong = [names.get(mark) or f"mark {mark} of another call" for mark in foreign]
    wrong += ["its own mark, as echo"] * bool(echo)
    return judged(
        "audio.crossed" if foreign or not echo else "audio.echo",
        listener,
        not wrong,
        expected="only voices of its own call",
        actual="it heard " + (" and ".join(wrong) if wrong else "no other"),
        measured=measurement.Crossing(
            foreign=tuple(foreign), echo=bool(echo), heard=len(set(marks))
        ),
    )


@check("audio.level")
def level(speaker: str, listener: str, dbov: float, clipped: float = 0.0) -> Finding:
    """A mark arrives at a level suitable for conversation. Marks are always sent at the same level.

    ``clipped``: the share of its samples at full scale.
    """
    change = dbov - DEFAULT_LEVEL_DBOV
    cut = f"; {clipped:.0%} of its samples are clipped" if clipped > MOST_CLIPPED else ""
    return judged(
        "audio.level",
        heard_at(speaker, listener),
        -MOST_LOSS_DB <= change <= MOST_GAIN_DB and not cut,
        expected=f"{speaker} is heard at {DEFAULT_LEVEL_DBOV - MOST_LOSS_DB:.0f} to {DEFAULT_LEVEL_DBOV + MOST_GAIN_DB:.0f} dBov",
        actual=f"at {dbov:.0f} dBov, {abs(change):.0f} dB {'below' if change < 0 else 'above'} what was sent{cut}",
        measured=measurement.Level(
            speaker=speaker, listener=listener, level_dbov=dbov, change_db=change, clipped=clipped
        ),
    )


@check("audio.clipping")
def clipping(speaker: str, listener: str, clipped: float) -> Finding:
    """A voice of unknown level is not clipped: of recorded voices 0.02 % of the samples stand at
    full scale at most.
    """
    return judged(
        "audio.level",
        heard_at(speaker, listener),
        clipped <= MOST_CLIPPED,
        expected=f"at most {MOST_CLIPPED:.0%} of the samples of {speaker}'s voice are at full scale",
        actual=f"{clipped:.0%} of its samples are clipped",
        measured=measurement.Level(speaker=speaker, listener=listener, clipped=clipped),
    )


@check("audio.beneath")
def beneath(
    listener: str,
    listened_s: float,
    floor_db: float,
    sound: Beneath | None,
    left: Sequence[str] = (),
) -> Finding:
    """Nothing else is heard at ``listener`` beneath the marks that belong there, while they sound.

    ``left``: the AIs that handed the call to a person and are heard beside that person.
    """
    heard = [f"{' and '.join(left)}, beside the person who has the call now"] * bool(left)
    if sound is not None:
        hertz, *_ = sound.detail.split(",")
        what = f"{TONES.get(sound.kind, sound.kind)}{f' ({hertz})' if hertz else ''}"
        heard.append(
            f"{what} beneath the voice, from {sound.began:.1f} s on, for {sound.seconds:.1f} s, "
            f"at {sound.relative_db:+.0f} dB"
        )
    return judged(
        "audio.beneath",
        listener,
        not heard,
        expected="nothing beneath the voices that belong to the call",
        actual="it heard " + (" and ".join(heard) or f"nothing else in {listened_s:.1f} s"),
        measured=measurement.Beneath(
            kind="voice" if left else sound.kind if sound else "",
            seconds=sound.seconds if sound else 0.0,
            relative_db=sound.relative_db if sound else None,
            listened_s=listened_s,
            floor_db=floor_db,
        ),
    )


def opens_early_media(message: SipMessage) -> bool:
    """Whether the message is a provisional response (180 to 189) with audio in its SDP (RFC 3261
    section 13.2.1).
    """
    return message.direction == "received" and _WITH_AUDIO.match(message.text) is not None


@check("audio.early")
def early(
    speaker: str, listener: str, sound: Sound | None, answered_at: float | None, provisional: int
) -> Finding:
    """``speaker`` was heard before the answer; ``provisional`` 18x responses had an SDP (RFC 3960
    section 1).
    """
    before = sound is not None and (answered_at is None or sound.at < answered_at)
    heard = (
        "it was heard" + ("" if before else " only after the answer")
        if sound
        else "nothing was heard"
    )
    return judged(
        "audio.early",
        heard_at(speaker, listener),
        before and provisional > 0,
        expected="audio before the 200, opened by a 18x with SDP",
        actual=heard + ("" if provisional else "; no 18x with SDP came"),
        strength=sound.strength if sound else Strength.UNKNOWN,
        measured=measurement.EarlyMedia(
            speaker=speaker, listener=listener, provisional=provisional, early=before
        ),
    )


@check("audio.silent")
def silent(
    speaker: str,
    listener: str,
    heard: Sequence[int],
    voices: Collection[int],
    listened_s: float,
    discarded: int | None = None,
) -> Finding:
    """While it should not be heard, ``speaker`` was not; shown only if the listener was listening.

    A phone that holds the call takes no audio, whatever is sent: there the RTP packets count that
    it ``discarded``, of which none are to be sent (RFC 3264 section 8.4), but for what keeps a NAT
    binding alive.
    """
    arrived = sorted({mark for mark in heard if mark in voices})
    if listened_s <= 0:
        return judged(
            "audio.silent",
            heard_at(speaker, listener),
            False,
            expected=f"{listener} does not hear {speaker}",
            actual="nothing was listened to, so nothing is shown",
            measured=measurement.Silence(speaker=speaker, listener=listener, listened_s=listened_s),
        )
    flows = discarded is not None and discarded > MOST_KEEPING_ALIVE
    text = f"its mark was {'' if arrived else 'not '}heard in {listened_s:.1f} s"
    return judged(
        "audio.silent",
        heard_at(speaker, listener),
        not arrived and not flows,
        expected=f"{listener} does not hear {speaker}"
        + ("" if discarded is None else ", and is sent no RTP on hold"),
        actual=f"{discarded} RTP packets came in {listened_s:.1f} s, though {listener} holds the call"
        if flows
        else text,
        measured=measurement.Silence(
            speaker=speaker,
            listener=listener,
            listened_s=listened_s,
            heard=tuple(arrived),
            discarded=discarded,
        ),
    )


def _kind(account: ListenerReport, own: Collection[int], names: Mapping[int, str]) -> str:
    if any(mark not in own and mark not in names for mark in account.marks):
        return "crossed"
    if account.marks and all(mark in own for mark in account.marks):
        return "echo"
    if account.rx_packets == 0 and account.undeciphered_from:
        return "undeciphered"
    if account.rx_packets == 0 or _without_media(account):
        return "no-rtp"
    if account.level_dbov is None and account.rx_packets:
        return "unmarked"  # the level was not measured
    if account.level_dbov is None or _is_silent(account, account.level_dbov):
        # nearly all packets: some were in transit when the call changed
        return (
            "other-codec" if account.rx_other_type > 0.9 * (account.rx_packets or 0) else "silence"
        )
    return "other"


def _is_silent(account: ListenerReport, loudest_dbov: float) -> bool:
    """Whether nothing but silence or comfort noise was heard, although the first moment may have
    held the end of another sound.
    """
    if account.instead is not None and loudest_dbov >= AUDIBLE_DBOV:
        return account.instead.what == "silence"
    return loudest_dbov < COMFORT_NOISE_DBOV


def _came_unheard(account: ListenerReport, own: Collection[int], names: Mapping[int, str]) -> bool:
    nothing_else = account.rx_packets == 0 and _kind(account, own, names) == "no-rtp"
    return nothing_else and account.unheard_packets >= FEWEST_UNHEARD


def _unheard(account: ListenerReport) -> str:
    return (
        f"{account.unheard_packets} from {account.unheard_from}, which the phone does not listen to"
    )


def _without_media(account: ListenerReport) -> bool:
    """Whether no media was negotiated, so nothing was counted or heard."""
    return account.rx_packets is None and account.seconds <= 0.0


def _instead(account: ListenerReport, own: Collection[int], names: Mapping[int, str]) -> str:
    kind = _kind(account, own, names)
    heard = [
        names.get(mark) or f"a call that is not this one (mark {mark})"
        for mark in dict.fromkeys(account.marks)
    ]
    seconds = f"in {account.seconds:.1f} s"
    if account.instead is not None and kind in ("crossed", "echo", "other"):
        return f"{seconds} it heard {account.instead.words}"
    reported = {
        "crossed": f"{seconds} it heard {', '.join(heard)}: crossed audio",
        "echo": f"{seconds} it heard only itself: echo",
        "no-rtp": "no media was set up, so nothing arrived"
        if _without_media(account)
        else f"no RTP packet arrived {seconds}",
        "undeciphered": f"no packet arrived {seconds} that the SRTP key of the SDP fits, but others from {account.undeciphered_from}",
        "silence": f"{account.rx_packets if account.rx_packets is not None else 'RTP'} packets arrived {seconds}, all silence"
        + (
            " or background noise"
            if account.instead and (account.level_dbov or 0.0) >= AUDIBLE_DBOV
            else ""
        ),
        "other-codec": f"{account.rx_packets} packets arrived {seconds}, of another codec than the one agreed on",
        "unmarked": f"{account.rx_packets} packets arrived {seconds}, and no mark was heard in them"
        + (f", but {', '.join(heard)}" if heard else ""),
        "other": f"{seconds} it heard sound without a mark"
        + (f" at {account.level_dbov:.0f} dBov" if account.level_dbov is not None else "")
        + (f", and {', '.join(heard)}" if heard else ""),
    }
    return reported[kind]


# -- quality: RTP loss and delay


#: One second of packets. With fewer, a share of losses says little.
FEWEST_PACKETS = 50
#: With this many packets the share is conclusive.
ENOUGH_PACKETS = 2 * FEWEST_PACKETS
#: Few packets are judged only if the loss would occur by chance in fewer than one of 10,000 calls
#: on a network at the limit.
_BY_CHANCE = 1e-4
#: Beyond this, concealment no longer hides the gaps (ITU-T G.113 appendix I: G.711 with packet loss
#: concealment).
MOST_LOST = 0.05
#: A stream is judged after one second. A missing quarter is more than a slow clock explains or
#: concealment hides.
LEAST_SPANNED_MS = 1000
LEAST_FILLED = 0.75
#: Half a second of packets: a party that is put on the line, and another again, changes the source
#: a few times.
FEWEST_UNPLAYABLE = 25
#: One pause amid a voice may be due to a busy processor; two or more are due to the stream.
FEWEST_PAUSES = 2
#: ITU-T G.114 section 5: one way, 400 ms should not be exceeded for general network planning.
MOST_DELAY_MS = 400.0
#: Time that the detector needs to decode a mark, in addition to the network's delay: 116 ms over
#: G.711, p95 (docs/audio.md).
DECISION_MS = 120.0
#: A delay may grow by this much during a call: by as much as a jitter buffer that adapts to a busy
#: path.
MOST_GROWTH_MS = 200.0

#: A voice detector takes some packets to open; more is a syllable.
MOST_CUT_MS = 100.0


@check("audio.loss")
def loss(leg: str, statistics: RtpStatistics, paused_ms: Sequence[float] = ()) -> Finding | None:
    """At most 5 % of the RTP to ``leg`` is lost (RFC 3550 section 6.4.1), or too late to be played
    (ITU-T G.1020 section 7.3: a jitter buffer discards it); None when too few packets came to judge.

    Few packets are judged only when the loss is beyond chance. Packets that were never sent leave
    no gap in the sequence numbers, but one in the audio. ``paused_ms``: unannounced pauses, each
    amid one voice.
    """
    if (unplayable := _unplayable(leg, statistics)) is not None:
        return unplayable
    if (thin := _thin(leg, statistics, paused_ms)) is not None:
        return thin
    expected, late = statistics.rx_expected, statistics.rx_late
    missed = statistics.rx_lost + late
    if expected < FEWEST_PACKETS and _chance_of(missed, expected) > _BY_CHANCE:
        return None
    share = missed / expected
    of_digits = statistics.rx_events_missing
    text = f", {of_digits} of them beside telephone-events" if of_digits else ""
    text += f", and {late} came too late to be played" if late else ""
    return judged(
        "audio.loss",
        leg,
        share <= MOST_LOST,
        expected=f"at most {MOST_LOST:.0%} of the RTP packets to {leg} are lost",
        actual=f"{statistics.rx_lost} of {expected} were{text} ({share:.1%})",
        measured=measurement.Loss(
            lost=statistics.rx_lost,
            late=late,
            bursts=statistics.rx_bursts,
            events=of_digits,
            expected=expected,
            share=share,
        ),
    )


def _unplayable(leg: str, statistics: RtpStatistics) -> Finding | None:
    """Packets that no receiver can put in order, if there are many."""
    turns, still = statistics.rx_turns, statistics.rx_still
    if max(turns, still) < FEWEST_UNPLAYABLE:
        return None
    return judged(
        "audio.loss",
        leg,
        False,
        expected=f"RTP to {leg} is one stream whose timestamps go on (RFC 3550 sections 5.1 and 8.1)",
        actual=f"two sources (SSRC) took turns {turns} times"
        if turns >= still
        else f"{still} packets of audio have the timestamp of the one before",
        measured=measurement.Loss(expected=statistics.rx_expected, turns=turns, still=still),
    )


def _thin(leg: str, statistics: RtpStatistics, paused_ms: Sequence[float]) -> Finding | None:
    spanned, filled = statistics.rx_spanned_ms + sum(paused_ms), statistics.rx_filled_ms
    lost = (
        f"with {statistics.rx_lost} lost packets in it"
        if statistics.rx_lost
        else "with no gap in its sequence numbers"
    )
    dropouts = f"{len(paused_ms)} dropouts amid a voice, the longest of {max(paused_ms, default=0):.0f} ms; "
    least = 1 - MOST_LOST if is_broken_up(paused_ms) else LEAST_FILLED
    if spanned < LEAST_SPANNED_MS or filled >= least * spanned:
        return None
    return judged(
        "audio.loss",
        leg,
        False,
        expected=f"RTP to {leg} carries audio for all the time that it flows (RFC 3551 section 4.1)",
        actual=f"of {spanned / 1000:.1f} s it filled {filled / 1000:.1f} s ({filled / spanned:.0%}), {lost}: "
        f"{dropouts if paused_ms else ''}its source sends too few packets, and announces no silence",
        measured=measurement.Loss(
            lost=statistics.rx_lost,
            expected=statistics.rx_expected,
            spanned_s=spanned / 1000,
            filled_s=filled / 1000,
        ),
    )


@check("audio.holes")
def holes(
    leg: str, speaker: str, paused_ms: Sequence[float], voice_s: float, sent_s: float = 0.0
) -> Finding:
    """A voice is not broken up by silence at ``leg``, in packets that all came. ``voice_s``: how
    long it was heard, with these pauses; ``sent_s``: what its own pauses took of them.
    """
    silent_s = max(0.0, sum(paused_ms) / 1000 - sent_s)
    return judged(
        "audio.loss",
        leg,
        not is_broken_up(paused_ms) or silent_s <= MOST_LOST * voice_s,
        expected=f"{leg} hears {speaker} without holes, as it was sent",
        actual=f"silences: {len(paused_ms)}, at most of {max(paused_ms, default=0.0):.0f} ms, in all "
        f"{silent_s / voice_s:.0%} of the {voice_s:.1f} s in which it speaks",
        measured=measurement.Loss(spanned_s=voice_s, filled_s=voice_s - silent_s),
    )


def is_broken_up(paused_ms: Sequence[float]) -> bool:
    """Whether a voice paused too often for a single busy moment or change of the call to explain."""
    return len(paused_ms) >= FEWEST_PAUSES


def is_open(statistics: RtpStatistics) -> bool:
    """Whether packets are missing, but too few have come to judge the share."""
    return statistics.rx_lost > 0 and statistics.rx_expected < ENOUGH_PACKETS


def is_late(statistics: RtpStatistics) -> bool:
    """Whether packets that came, and too late, decide that too much is missing."""
    return statistics.rx_lost <= MOST_LOST * statistics.rx_expected and statistics.rx_late > 0


def _chance_of(lost: int, of: int) -> float:
    """The probability of at least ``lost`` losses, if packets are lost independently at the highest
    permitted rate.
    """
    return 1 - sum(
        math.comb(of, k) * MOST_LOST**k * (1 - MOST_LOST) ** (of - k) for k in range(lost)
    )


@check("audio.first")
def first(speaker: str, listener: str, seconds: float, limit_s: float) -> Finding:
    """``listener`` heard ``speaker`` within ``limit_s`` after both were connected, or after the
    last that they were told instead.
    """
    return judged(
        "audio.first",
        heard_at(speaker, listener),
        seconds <= limit_s,
        expected=f"{speaker} is heard within {limit_s:g} s after the answer",
        actual=f"nothing was heard for {seconds:.2f} s",
        measured=measurement.Delay(
            speaker=speaker, listener=listener, delay_ms=1000 * seconds, limit_ms=1000 * limit_s
        ),
    )


@check("audio.delay")
def delay(speaker: str, listener: str, milliseconds: float, again: float | None = None) -> Finding:
    """``listener`` heard ``speaker`` soon enough after both were connected.

    ``again``: a second measurement, made when the first was too long. The shorter one counts.
    """
    limit = MOST_DELAY_MS + DECISION_MS
    shorter = milliseconds if again is None else min(milliseconds, again)
    return judged(
        "audio.delay",
        heard_at(speaker, listener),
        shorter <= limit,
        expected=f"{speaker} is heard within {limit:.0f} ms ({MOST_DELAY_MS:.0f} ms delay + {DECISION_MS:.0f} ms detection)",
        actual=f"it took {milliseconds:.0f} ms"
        + ("" if again is None else f", and {again:.0f} ms when tried again"),
        measured=measurement.Delay(
            speaker=speaker, listener=listener, delay_ms=shorter, limit_ms=limit
        ),
    )


@check("audio.round_trip")
def round_trip(speaker: str, listener: str, milliseconds: float) -> Finding:
    """Half of a round trip by RTCP (RFC 3550 section 6.4.1) is no more than a voice may take."""
    one_way = milliseconds / 2
    return judged(
        "audio.delay",
        heard_at(speaker, listener),
        one_way <= MOST_DELAY_MS,
        expected=f"at most {MOST_DELAY_MS:.0f} ms one way (ITU-T G.114)",
        actual=f"{one_way:.0f} ms, half of the round trip by RTCP",
        measured=measurement.Delay(
            speaker=speaker, listener=listener, delay_ms=one_way, limit_ms=MOST_DELAY_MS
        ),
    )


@check("audio.words")
def words(speaker: str, listener: str, heard_s: Sequence[float], whole_s: float) -> Finding:
    """Words of a known length arrive whole. A path that cuts them does so each time: the one that
    lost least counts.
    """
    cut_ms = 1000 * max(0.0, whole_s - max(heard_s, default=0.0))
    return judged(
        "audio.words",
        heard_at(speaker, listener),
        cut_ms <= MOST_CUT_MS,
        expected=f"each word is heard at {listener}, but for {MOST_CUT_MS:.0f} ms at most",
        actual=f"of each word of {1000 * whole_s:.0f} ms after a pause, {cut_ms:.0f} ms are missing",
        measured=measurement.Delay(
            speaker=speaker, listener=listener, delay_ms=cut_ms, limit_ms=MOST_CUT_MS
        ),
    )


@check("audio.one_way_delay")
def one_way_delay(
    speaker: str,
    listener: str,
    measured: Delay | None,
    listened_s: float,
    before_ms: float | None = None,
) -> Finding:
    """The pulses of a probe took at most 400 ms from ``speaker`` to ``listener``. None: fewer than
    three pulses arrived.

    ``before_ms``: their delay earlier in the call, from which it must not grow: clocks that differ
    fill a buffer on the way.
    """
    grew_ms = 0.0 if measured is None or before_ms is None else measured.median_ms - before_ms
    return judged(
        "audio.one_way_delay",
        heard_at(speaker, listener),
        measured is not None and measured.median_ms <= MOST_DELAY_MS and grew_ms <= MOST_GROWTH_MS,
        expected=f"at most {MOST_DELAY_MS:.0f} ms one way (ITU-T G.114)"
        + ("" if before_ms is None else f", and at most {MOST_GROWTH_MS:.0f} ms more than before"),
        actual=f"{measured.median_ms:.0f} ms ({measured.least_ms:.0f} to {measured.most_ms:.0f} over {measured.pulses} pulses)"
        + ("" if before_ms is None else f", {before_ms:.0f} ms before")
        if measured is not None
        else f"fewer than three of its pulses were heard in {listened_s:.1f} s",
        measured=measurement.Delay(
            speaker=speaker,
            listener=listener,
            delay_ms=None if measured is None else measured.median_ms,
            limit_ms=MOST_DELAY_MS,
        ),
    )
