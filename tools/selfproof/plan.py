"""What the self-proof does: every fault over every trunk it can show on, pairs of faults, and clean runs.

Faults are named as the verification matrix names them; this is the matrix's promise, written down apart from the world
that keeps it. A fault is injected where it can show: a wrong password needs a trunk with digest, a wrong selector a number
that has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from harness.deployment import Deployment
from harness.integrations.matrix import Case, Selection, cases
from tools.trials import AXIS

Kind = Literal["fault", "pair", "clean"]

_INBOUND = ("TD-INBOUND", "GL-INBOUND")
_BLIND = ("TD-TRANSFER-BLIND", "GL-TRANSFER-PLAIN")
_WARM = ("TD-TRANSFER-WARM",)
_REGISTER = ("TD-REGISTER-OK",)
_REFUSED = ("TD-FALLBACK-REFUSED", "GL-FALLBACK-REFUSED")
_TIMEOUT = ("TD-FALLBACK-TIMEOUT", "GL-FALLBACK-TIMEOUT")


@dataclass(frozen=True)
class Where:
    """Rows on which a fault shows, narrowed by axes (a case that lacks an axis is let through)."""

    rows: tuple[str, ...]
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def admits(self, case: Case) -> bool:
        """Whether the case is one of them."""
        if case.row.id not in self.rows:
            return False
        return all(case.axes.get(axis, values[0]) in values for axis, values in self.axes.items())


def _at(*rows: str, **axes: str | tuple[str, ...]) -> Where:
    return Where(rows, {a: (v,) if isinstance(v, str) else v for a, v in axes.items()})


def _firewall(transport: str) -> tuple[Where, ...]:
    return (_at(*_INBOUND, transport=transport), _at(*_REGISTER, transport=transport))


_EVERY_CALL = (_at(*_INBOUND),)
_EVERY_REFER = (_at(*_BLIND, ask="digit"),)
#: Faults of what the platform does with a transfer it carries out itself; one it hands on is the caller's phone's affair.
_CONSUMED = (_at(*_BLIND, ask="digit", refer="consumed"),)

#: Where each fault of the guides' troubleshooting tables can show; its cause has its name.
OF_THE_GUIDES: Mapping[str, tuple[Where, ...]] = {
    "termination-uri-wrong": (_at(*_REGISTER, ai="synthflow"), _at(*_WARM, caller_id="original", ai="synthflow")),
    "username-wrong": (
        _at(*_REGISTER, ai="synthflow"),
        _at("TD-INBOUND", authentication="digest", ai="synthflow"),
    ),
    "password-wrong": (
        _at(*_REGISTER, ai="synthflow"),
        _at("TD-INBOUND", authentication="digest", ai="synthflow"),
    ),
    "firewall-udp-32681": _firewall("udp"),
    "firewall-udp-32681-rejected": _firewall("udp"),
    "firewall-tcp-32681": _firewall("tcp"),
    "firewall-tcp-32681-rejected": _firewall("tcp"),
    "firewall-tls-32682": _firewall("tls"),
    "firewall-tls-32682-rejected": _firewall("tls"),
    "synthflow-ip-not-allowed": (_at(*_REGISTER), _at(*_WARM, caller_id="original"), _at("GL-ALLOWLIST-LISTED")),
    "registration-expires-early": (_at(*_REGISTER, ai="synthflow"),),
    "route-wrong-did": _EVERY_CALL,
    "route-wrong-trunk": _EVERY_CALL,
    "route-missing": (*_EVERY_CALL, _at(*_REFUSED)),
    "trunk-transport-mismatch": _EVERY_CALL,
    "assistant-not-attached": (_at(*_INBOUND, "BUSY", "ABANDON", ai="synthflow"),),
    "concurrency-exhausted": (_at(*_INBOUND, ai="synthflow"),),
    "rtp-blocked-to-ai": (*_EVERY_CALL, _at("DTMF-RFC4733", digits="to-ai")),
    "rtp-blocked-to-caller": (*_EVERY_CALL, _at("EARLYMEDIA")),
    "rtp-blocked-both": _EVERY_CALL,
    "rtp-blocked-after-10s": (_at("SESSIONTIMER"),),
    "sdp-private-address": _EVERY_CALL,
    "no-g711": _EVERY_CALL,
    "g711-one-side": _EVERY_CALL,
    "payload-mismatch": _EVERY_CALL,
    "srtp-mismatch": _EVERY_CALL,
    "audio-crossed": _EVERY_CALL,
    "heavy-loss": (*_EVERY_CALL, _at("TD-CAPACITY"), _at("CONCURRENT")),
    "high-delay": (*_EVERY_CALL, _at("SESSIONTIMER")),
    "from-anonymous": _EVERY_CALL,
    "from-trunk-did": _EVERY_CALL,
    "from-national": _EVERY_CALL,
    "from-other-number": _EVERY_CALL,
    "pai-stripped": (_at("ANONYMOUS"),),
    "caller-id-lost-on-transfer": _CONSUMED,
    "group-did-wrong": (
        _at(*_BLIND, ask="digit", ai="synthflow"),
        _at(*_WARM, caller_id="original", ai="synthflow"),
    ),
    "group-wrong": (
        *_EVERY_REFER,
        _at(*_WARM, caller_id="original"),
        _at("TRANSFER-UNAVAILABLE", "PEOPLE", "GROUP-RINGING", "VOICEMAIL"),
    ),
    "trunk-inactive": (
        *_EVERY_REFER,
        _at(*_WARM, caller_id="original"),
        _at(*_REGISTER, "TD-REGISTER-BADPASS"),
    ),
    "refer-rejected": _EVERY_REFER,
    "refer-accepted-then-failed": _EVERY_REFER,
    "refer-never-notified": _EVERY_REFER,
    "refer-other-way": (_at(*_BLIND),),
    "transfer-no-audio": _CONSUMED,
    "ai-leg-left-behind": (_at(*_BLIND, ask="digit", refer="consumed", ai="synthflow"),),
    "fallback-missing": (_at(*_REFUSED), _at(*_TIMEOUT)),
    "fallback-wrong-group": (_at(*_REFUSED), _at(*_TIMEOUT)),
    "ring-timeout-wrong": (_at(*_TIMEOUT),),
    "tls-not-appended": (_at("GL-INBOUND"),),
    "certificate-expired": (_at(*_INBOUND, transport="tls", ai="synthflow"),),
    "certificate-wrong-name": (_at(*_INBOUND, transport="tls", ai="synthflow"),),
    "caller-header-missing": (_at("GL-HEADER-CALLER"),),
    "caller-header-without-plus": (_at("GL-HEADER-CALLER"),),
    "caller-header-wrong": (_at("GL-HEADER-CALLER"),),
    "selector-missing": (_at("GL-HEADER-SELECTOR", selector=("billing", "support")),),
    "selector-wrong": (_at("GL-HEADER-SELECTOR", selector=("billing", "support")),),
}

#: What else was met with on real platforms: its cause, and where it can show.
_FURTHER: Mapping[str, tuple[str, tuple[Where, ...]]] = {
    "trunk-limit-lower": ("limit-too-low", (_at("TD-CAPACITY"),)),
    "trunk-limit-not-enforced": ("limit-not-enforced", (_at("TD-CAPACITY"),)),
    "national-form-refused": ("number-form-refused", (_at("NUMBERFORMATS", form="national"),)),
    "x-headers-stripped": ("header-not-passed-on", (_at("XEI"),)),
    # A record does not tell when the AI answered: of its early media no more is known than that it was kept.
    "platform-answers-first": (
        "platform-answers-first",
        (_at("BUSY", "ABANDON", "PRACK"), _at("EARLYMEDIA", ai="stand-in")),
    ),
    "audio-replayed": ("audio-crossed", _EVERY_CALL),
    "audio-echoed": ("echo", _EVERY_CALL),
    "media-host-unknown": ("media-host-unknown", _EVERY_CALL),
    "rtp-one-packet-to-caller": ("rtp-blocked-to-caller", _EVERY_CALL),
    "codecs-stripped-to-ai": ("no-g711", _EVERY_CALL),
    "agent-audio-stops": (
        "agent-audio-stops",
        (*_CONSUMED, _at(*_REFUSED), _at(*_TIMEOUT), _at("PEOPLE")),
    ),
    "telephone-event-stripped-to-ai": ("dtmf-not-negotiated", (_at("DTMF-RFC4733"),)),
    "caller-id-lost-on-fallback": ("caller-id-lost-on-fallback", (_at(*_REFUSED), _at(*_TIMEOUT))),
    "trunk-wants-digest": ("transfer-call-challenged", (_at(*_WARM, authentication="ip", ai="synthflow"),)),
    "group-answered-by-others": ("another-device-answered", (*_EVERY_REFER, _at(*_WARM, caller_id="original"))),
    "caller-hangup-not-passed-on": ("hangup-not-passed-on", (_at("HANGUP-CALLER"),)),
    "ai-hangup-not-passed-on": ("ai-hangup-not-passed-on", (_at("HANGUP-AI"),)),
    "agent-hangup-not-passed-on": ("agent-hangup-not-passed-on", (_at("HANGUP-AGENT"),)),
}

FAULTS: Mapping[str, tuple[Where, ...]] = {
    **OF_THE_GUIDES,
    **{fault: places for fault, (_, places) in _FURTHER.items()},
}


#: Where credentials differ, who is refused tells: if the AI refuses the platform's INVITE, the trunk's copy is the first to check.
_OF_THE_INVITE: Mapping[str, str] = {"username-wrong": "trunk-username-wrong", "password-wrong": "trunk-password-wrong"}


def cause_of(fault: str, row: str = "") -> str:
    """The cause that has to be named when this fault is on, in a case of that row."""
    if row.endswith("-INBOUND") and fault in _OF_THE_INVITE:
        return _OF_THE_INVITE[fault]
    return _FURTHER[fault][0] if fault in _FURTHER else fault


#: Two faults at once, on the row where both can show.
PAIRS: tuple[tuple[str, str, Where], ...] = (
    ("from-anonymous", "rtp-blocked-to-ai", _at(*_INBOUND)),
    ("from-trunk-did", "rtp-blocked-to-caller", _at(*_INBOUND)),
    ("from-national", "rtp-blocked-both", _at(*_INBOUND)),
    ("from-other-number", "audio-crossed", _at(*_INBOUND)),
    ("from-anonymous", "sdp-private-address", _at(*_INBOUND)),
    ("from-national", "payload-mismatch", _at(*_INBOUND)),
    ("from-trunk-did", "g711-one-side", _at(*_INBOUND)),
    ("from-other-number", "high-delay", _at(*_INBOUND)),
    ("from-anonymous", "heavy-loss", _at("CONCURRENT")),
    ("route-wrong-trunk", "from-national", _at("TD-INBOUND", authentication="digest", ai="synthflow")),
    ("assistant-not-attached", "fallback-missing", _at(*_INBOUND, ai="synthflow")),
    ("concurrency-exhausted", "fallback-missing", _at(*_INBOUND, ai="synthflow")),
    ("no-g711", "fallback-missing", _at(*_INBOUND)),
    ("no-g711", "fallback-wrong-group", _at(*_INBOUND)),
    ("srtp-mismatch", "fallback-missing", _at(*_INBOUND)),
    ("assistant-not-attached", "fallback-wrong-group", _at(*_INBOUND, ai="synthflow")),
    ("password-wrong", "fallback-missing", _at("TD-INBOUND", authentication="digest", ai="synthflow")),
    ("certificate-expired", "fallback-missing", _at(*_INBOUND, transport="tls", ai="synthflow")),
    ("firewall-tls-32682", "fallback-missing", _at(*_INBOUND, transport="tls", ai="synthflow")),
    ("caller-id-lost-on-transfer", "transfer-no-audio", _at(*_BLIND, ask="digit", refer="consumed")),
    ("caller-id-lost-on-transfer", "ai-leg-left-behind", _at(*_BLIND, ask="digit", refer="consumed", ai="synthflow")),
    ("transfer-no-audio", "ai-leg-left-behind", _at(*_BLIND, ask="digit", refer="consumed", ai="synthflow")),
    ("group-wrong", "rtp-blocked-to-caller", _at(*_BLIND, ask="digit", refer="consumed")),
    ("refer-rejected", "rtp-blocked-to-caller", _at(*_BLIND, ask="digit", refer="consumed")),
    ("caller-header-missing", "rtp-blocked-to-ai", _at("GL-HEADER-CALLER")),
    ("caller-header-wrong", "rtp-blocked-both", _at("GL-HEADER-CALLER")),
    ("caller-header-without-plus", "sdp-private-address", _at("GL-HEADER-CALLER")),
    ("trunk-inactive", "from-national", _at("TD-TRANSFER-BLIND", ask="digit", refer="consumed")),
)


_UNREACHED = frozenset(
    {
        "route-missing",
        "trunk-transport-mismatch",
        "route-wrong-trunk",
        "tls-not-appended",
        "firewall-udp-32681-rejected",
        "firewall-tcp-32681-rejected",
        "firewall-tls-32682-rejected",
    }
)
_NEVER_ARRIVED = (
    "The platform's agents ring at once, the ports answer when they are asked, and nothing ever came to the AI: what the "
    "platform did instead stands in its own call log alone."
)


@dataclass(frozen=True)
class Undecided:
    """Faults that leave the same evidence on these cases, so that the answer is a list."""

    faults: tuple[str, ...]
    among: frozenset[str]
    why: str
    rows: tuple[str, ...] = ()  #: empty: every row
    integration: str = ""
    axes: Mapping[str, str] = field(default_factory=dict)

    def covers(self, fault: str, row: str, integration: str, axes: Mapping[str, str]) -> bool:
        """Whether this case of that fault is one of them."""
        return (
            fault in self.faults
            and (not self.rows or row in self.rows)
            and self.integration in ("", integration)
            and all(axes.get(axis) == value for axis, value in self.axes.items())
        )


#: The documented lists of candidates: where two causes leave the same evidence, and why.
UNDECIDED: tuple[Undecided, ...] = (
    Undecided(("route-missing", "trunk-transport-mismatch"), _UNREACHED, _NEVER_ARRIVED),
    Undecided(
        ("route-wrong-trunk",),
        _UNREACHED,
        "The other trunk leads to a place where nobody listens. " + _NEVER_ARRIVED,
        axes={"ai": "stand-in"},
    ),
    Undecided(
        ("route-wrong-trunk",),
        _UNREACHED,
        "The other trunk leads to the stand-in's address, where nobody listens. " + _NEVER_ARRIVED,
        integration="gladly",
    ),
    Undecided(
        ("tls-not-appended",),
        _UNREACHED,
        "The stand-in listens on TLS alone and does not see calls in the clear. " + _NEVER_ARRIVED,
        axes={"ai": "stand-in"},
    ),
    Undecided(
        ("firewall-udp-32681", "firewall-udp-32681-rejected"),
        frozenset({"firewall-udp-32681", "firewall-udp-32681-rejected"}),
        "A REGISTER over UDP that nobody answers was dropped, or rejected by an ICMP message that did not come back.",
        rows=("TD-REGISTER-OK",),
    ),
)


#: Checks that no fault of the catalogue makes fail, and why; what they let through and what not is shown by
#: ``tests/unit/checks/check_examples.py``.
UNREACHED: Mapping[str, str] = {
    **dict.fromkeys(
        ("manners.dead_air", "manners.answer", "manners.transfer", "manners.interruption"),
        "the deployments of the proof set no limit to it",
    ),
    "answered": "each fault that keeps a call from being answered is seen before, at the AI",
    "route.not_answered": "no fault lets a call through that has to be refused",
    "route.not_reached": "no fault makes the platform talk to a bad certificate",
    "codec": "a call without G.711 is refused before it has a codec",
    "media.encrypted": "no fault takes SRTP away from a call that goes on",
    "audio.silent": "no fault lets a voice through a hold, or leaves the AI in a warm transfer",
    "call.up": "no fault ends a call by itself",
    "answered.once": "no fault has a call answered twice",
    "answered.acknowledged": "no fault loses the caller's ACK",
    "audio.level": "no fault changes a voice's level",
    "header.absent": "no fault adds a header",
    "landing.stops": "no fault lets a phone ring on when another has answered",
    "ringing": "a call that does not reach the AI rings at somebody else",
    "transfer.told": "the deployments of the proof have the caller return to the AI",
    "voicemail": "what keeps a caller from voicemail keeps the call from being answered, which is seen first",
    "one_call": "no fault leaves a party with two calls",
    "session.interval": "no fault spoils session timers",
    "prack": "no fault spoils reliable provisional responses",
    "campaign": "it says that nothing can start a campaign",
    "case": "it says that a case looked at nothing",
}


@dataclass(frozen=True)
class Trial:
    """One case to run with these faults switched on."""

    kind: Kind
    faults: tuple[str, ...]
    case: Case


def trials(deployments: Sequence[Deployment], clean_cases: int, faults: Iterable[str] = ()) -> list[Trial]:
    """All of them; with ``faults`` only those of these faults, and no clean runs.

    ``pairs`` stands for all pairs, ``guides`` for each fault of the guides once. Clean runs go over the whole matrix, as often
    as it takes to reach ``clean_cases``.
    """
    every = cases(deployments, Selection(rows=()))
    wanted = tuple(faults)
    found = list(_single(every, [name for name in wanted or FAULTS if name not in ("pairs", "guides")]))
    if "guides" in wanted:
        found += [next(_single(every, [fault])) for fault in OF_THE_GUIDES]
    if not wanted or "pairs" in wanted:
        found += _pairs(every)
    if not wanted:
        found += _clean(every, clean_cases)
    return found


def _single(every: Sequence[Case], wanted: Sequence[str]) -> Iterator[Trial]:
    for fault in wanted:
        for where in FAULTS[fault]:
            for case in _variants(every, where):
                yield _trial("fault", (fault,), case, fault)


def _pairs(every: Sequence[Case]) -> Iterator[Trial]:
    """Each pair once per integration and kind of AI: what is proved is the reasoning, the trunks are proved one by one."""
    for one, other, where in PAIRS:
        seen: set[tuple[str, str]] = set()
        for case in _variants(every, where):
            place = (case.integration, case.axes["ai"])
            if place not in seen:
                seen.add(place)
                yield _trial("pair", (one, other), case, f"{one}+{other}")


def _clean(every: Sequence[Case], wanted: int) -> Iterator[Trial]:
    # a fifty-second row is proved clean once
    short = [case for case in every if case.row.seconds < 20.0]
    count, turn = 0, 0
    while count < wanted:
        turn += 1
        for case in every if turn == 1 else short:
            yield _trial("clean", (), case, f"clean-{turn}")
            count += 1


def _variants(every: Sequence[Case], where: Where) -> Iterator[Case]:
    """The cases a fault is tried on: one codec for each trunk and value of the row's own axes."""
    seen: set[tuple[str, ...]] = set()
    for case in every:
        place = (case.row.id, case.trunk, *(v for axis, v in case.axes.items() if axis != "codec"))
        if where.admits(case) and place not in seen:
            seen.add(place)
            yield case


def _trial(kind: Kind, faults: tuple[str, ...], case: Case, name: str) -> Trial:
    return Trial(kind, faults, replace(case, axes={**case.axes, AXIS: name}))
