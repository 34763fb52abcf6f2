"""The faults that a tenant can have, by name, and which of them are on.

A fault is looked up at the one place where the behaviour it changes is decided. Those marked ``per_line`` can be set for one
line of the deployment alone; the others are a property of the whole tenant (a port, a certificate, a registration).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from harness.errors import SelectionError
from harness.model_words import nearest


class Fault(StrEnum):
    """The faults' names."""

    # Registration fails
    TERMINATION_URI_WRONG = "termination-uri-wrong"
    USERNAME_WRONG = "username-wrong"
    PASSWORD_WRONG = "password-wrong"
    FIREWALL_UDP = "firewall-udp-32681"
    FIREWALL_UDP_REJECTS = "firewall-udp-32681-rejected"
    FIREWALL_TCP = "firewall-tcp-32681"
    FIREWALL_TCP_REJECTS = "firewall-tcp-32681-rejected"
    FIREWALL_TLS = "firewall-tls-32682"
    FIREWALL_TLS_REJECTS = "firewall-tls-32682-rejected"
    IP_NOT_ALLOWED = "synthflow-ip-not-allowed"
    REGISTRATION_EXPIRES_EARLY = "registration-expires-early"
    # Calls not reaching Synthflow
    ROUTE_WRONG_DID = "route-wrong-did"
    ROUTE_WRONG_TRUNK = "route-wrong-trunk"
    ROUTE_MISSING = "route-missing"
    TRANSPORT_MISMATCH = "trunk-transport-mismatch"
    ASSISTANT_NOT_ATTACHED = "assistant-not-attached"
    CONCURRENCY_EXHAUSTED = "concurrency-exhausted"
    LIMIT_LOWER = "trunk-limit-lower"
    LIMIT_NOT_ENFORCED = "trunk-limit-not-enforced"
    NATIONAL_FORM_REFUSED = "national-form-refused"
    X_HEADERS_STRIPPED = "x-headers-stripped"
    ANSWERS_FIRST = "platform-answers-first"
    # One-way or no audio
    RTP_BLOCKED_TO_AI = "rtp-blocked-to-ai"
    RTP_BLOCKED_TO_CALLER = "rtp-blocked-to-caller"
    RTP_BLOCKED_BOTH = "rtp-blocked-both"
    RTP_BLOCKED_LATER = "rtp-blocked-after-10s"
    SDP_PRIVATE_ADDRESS = "sdp-private-address"
    MEDIA_HOST_UNKNOWN = "media-host-unknown"
    AGENT_AUDIO_STOPS = "agent-audio-stops"
    RTP_ONE_PACKET = "rtp-one-packet-to-caller"
    NO_G711 = "no-g711"
    CODECS_STRIPPED = "codecs-stripped-to-ai"
    TELEPHONE_EVENT_STRIPPED = "telephone-event-stripped-to-ai"
    G711_ONE_SIDE = "g711-one-side"
    PAYLOAD_MISMATCH = "payload-mismatch"
    SRTP_MISMATCH = "srtp-mismatch"
    AUDIO_CROSSED = "audio-crossed"
    HEAVY_LOSS = "heavy-loss"
    HIGH_DELAY = "high-delay"
    # Caller ID missing
    FROM_ANONYMOUS = "from-anonymous"
    FROM_TRUNK_DID = "from-trunk-did"
    FROM_NATIONAL = "from-national"
    FROM_OTHER_NUMBER = "from-other-number"
    PAI_STRIPPED = "pai-stripped"
    CALLER_ID_LOST_ON_TRANSFER = "caller-id-lost-on-transfer"
    CALLER_ID_LOST_ON_FALLBACK = "caller-id-lost-on-fallback"
    # Transfer fails
    GROUP_DID_WRONG = "group-did-wrong"
    GROUP_WRONG = "group-wrong"
    TRUNK_INACTIVE = "trunk-inactive"
    REFER_REJECTED = "refer-rejected"
    REFER_ACCEPTED_THEN_FAILED = "refer-accepted-then-failed"
    REFER_NEVER_NOTIFIED = "refer-never-notified"
    REFER_OTHER_WAY = "refer-other-way"
    TRANSFER_NO_AUDIO = "transfer-no-audio"
    AI_LEG_LEFT_BEHIND = "ai-leg-left-behind"
    TRUNK_WANTS_DIGEST = "trunk-wants-digest"
    GROUP_ANSWERED_BY_OTHERS = "group-answered-by-others"
    # Hang-up
    CALLER_HANGUP_KEPT = "caller-hangup-not-passed-on"
    AI_HANGUP_KEPT = "ai-hangup-not-passed-on"
    AGENT_HANGUP_KEPT = "agent-hangup-not-passed-on"
    # Fallback
    FALLBACK_MISSING = "fallback-missing"
    FALLBACK_WRONG_GROUP = "fallback-wrong-group"
    RING_TIMEOUT_WRONG = "ring-timeout-wrong"
    # TLS and Gladly's headers
    TLS_NOT_APPENDED = "tls-not-appended"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_WRONG_NAME = "certificate-wrong-name"
    CALLER_HEADER_MISSING = "caller-header-missing"
    CALLER_HEADER_WITHOUT_PLUS = "caller-header-without-plus"
    CALLER_HEADER_WRONG = "caller-header-wrong"
    SELECTOR_MISSING = "selector-missing"
    SELECTOR_WRONG = "selector-wrong"


@dataclass(frozen=True, slots=True)
class FaultInfo:
    """The guides' troubleshooting issue that a fault belongs to, how it shows, and where it exists."""

    issue: str
    shows: str
    integrations: tuple[str, ...] = ("talkdesk", "gladly", "generic")
    per_line: bool = True


_REGISTRATION = "Registration fails"
_REACHING = "Calls not reaching Synthflow"
_AUDIO = "One-way or no audio"
_CALLER_ID = "Caller ID missing"
_TRANSFER = "Transfer fails"
_FALLBACK = "Fallback"
_HANGUP = "Hang-up"
_GLADLY = "Gladly"
_BUT_GLADLY, _GLADLY_ALONE = ("talkdesk", "generic"), ("gladly",)


def _firewall(what: str, how: str, integrations: tuple[str, ...]) -> FaultInfo:
    return FaultInfo(
        _REGISTRATION, f"a firewall {how} all signalling over {what} to and from Synthflow", integrations, False
    )


FAULTS: dict[Fault, FaultInfo] = {
    Fault.TERMINATION_URI_WRONG: FaultInfo(
        _REGISTRATION,
        "Synthflow's Termination URI names a host where nobody is: its REGISTER and INVITE time out",
        _BUT_GLADLY,
        False,
    ),
    Fault.USERNAME_WRONG: FaultInfo(
        _REGISTRATION,
        "Synthflow has another SIP username: its REGISTER is refused, the platform's INVITE fails its challenge",
        _BUT_GLADLY,
        False,
    ),
    Fault.PASSWORD_WRONG: FaultInfo(
        _REGISTRATION,
        "Synthflow has another SIP password: its REGISTER is refused, the platform's INVITE fails its challenge",
        _BUT_GLADLY,
        False,
    ),
    Fault.FIREWALL_UDP: _firewall("UDP 32681", "drops", _BUT_GLADLY),
    Fault.FIREWALL_UDP_REJECTS: _firewall("UDP 32681", "rejects", _BUT_GLADLY),
    Fault.FIREWALL_TCP: _firewall("TCP 32681", "drops", _BUT_GLADLY),
    Fault.FIREWALL_TCP_REJECTS: _firewall("TCP 32681", "rejects", _BUT_GLADLY),
    Fault.FIREWALL_TLS: _firewall("TLS 32682", "drops", ("talkdesk", "gladly")),
    Fault.FIREWALL_TLS_REJECTS: _firewall("TLS 32682", "rejects", ("talkdesk", "gladly")),
    Fault.IP_NOT_ALLOWED: FaultInfo(
        _REGISTRATION,
        "the trunk's allowed list lacks the AI's address: its REGISTER and INVITE get 403",
        per_line=False,
    ),
    Fault.REGISTRATION_EXPIRES_EARLY: FaultInfo(
        _REGISTRATION,
        "the platform grants a fifth of the interval asked for, and Synthflow refreshes by its own setting: gaps",
        _BUT_GLADLY,
        False,
    ),
    Fault.ROUTE_WRONG_DID: FaultInfo(_REACHING, "the line's routing names another assistant's DID: that one answers"),
    Fault.ROUTE_WRONG_TRUNK: FaultInfo(
        _REACHING, "the line's routing names another trunk: the call arrives over that, or not at all"
    ),
    Fault.ROUTE_MISSING: FaultInfo(_REACHING, "the line has no SIP transfer: the platform's own agent answers"),
    Fault.TRANSPORT_MISMATCH: FaultInfo(
        _REACHING,
        "the trunk signals TLS to 32681, or in the clear to 32682: nothing is understood, the fallback answers",
    ),
    Fault.ASSISTANT_NOT_ATTACHED: FaultInfo(_REACHING, "the number is attached to no assistant: Synthflow answers 404"),
    Fault.CONCURRENCY_EXHAUSTED: FaultInfo(_REACHING, "Synthflow's plan has no call left: it answers 429"),
    Fault.LIMIT_LOWER: FaultInfo(_REACHING, "the platform lets one call fewer onto the trunk than was agreed"),
    Fault.LIMIT_NOT_ENFORCED: FaultInfo(_REACHING, "the platform lets more calls onto the trunk than was agreed"),
    Fault.NATIONAL_FORM_REFUSED: FaultInfo(
        _REACHING, "the carrier takes the line's number in E.164 alone: in national form or as 00… it answers 404"
    ),
    Fault.X_HEADERS_STRIPPED: FaultInfo(_REACHING, "the caller's X- headers do not reach the AI"),
    Fault.ANSWERS_FIRST: FaultInfo(
        _REACHING, "the platform answers the caller before it calls anybody: no ringing, no refusal gets to the caller"
    ),
    Fault.RTP_BLOCKED_TO_AI: FaultInfo(_AUDIO, "no RTP gets from the platform to the AI"),
    Fault.RTP_BLOCKED_TO_CALLER: FaultInfo(_AUDIO, "no RTP gets from the platform to the caller"),
    Fault.RTP_BLOCKED_BOTH: FaultInfo(_AUDIO, "no RTP gets through either way"),
    Fault.RTP_BLOCKED_LATER: FaultInfo(_AUDIO, "RTP stops both ways ten seconds after it began"),
    Fault.AGENT_AUDIO_STOPS: FaultInfo(
        _AUDIO, "RTP between a caller and people, or voicemail, stops soon after it began"
    ),
    Fault.SDP_PRIVATE_ADDRESS: FaultInfo(
        _AUDIO, "the platform's SDP names a private address (10.0.0.10): the AI's RTP goes nowhere"
    ),
    Fault.MEDIA_HOST_UNKNOWN: FaultInfo(
        _AUDIO, "the platform's SDP to the caller names a host that does not exist: the caller hangs up"
    ),
    Fault.RTP_ONE_PACKET: FaultInfo(_AUDIO, "one RTP packet gets from the platform to the caller, and no more"),
    Fault.CODECS_STRIPPED: FaultInfo(_AUDIO, "the offer to the AI has lost its voice codecs on the way: 488"),
    Fault.TELEPHONE_EVENT_STRIPPED: FaultInfo(
        _AUDIO, "the offer to the AI has lost telephone-event on the way: digits cannot be sent by RFC 4733"
    ),
    Fault.NO_G711: FaultInfo(_AUDIO, "the trunk offers no G.711: the AI answers 488"),
    Fault.G711_ONE_SIDE: FaultInfo(
        _AUDIO,
        "caller and AI have negotiated different G.711 laws, the relay does not transcode: each drops what it gets",
    ),
    Fault.PAYLOAD_MISMATCH: FaultInfo(_AUDIO, "the payload is not what its type says: noise at both ends"),
    Fault.SRTP_MISMATCH: FaultInfo(_AUDIO, "the trunk offers SRTP alone to an AI without it: 488"),
    Fault.AUDIO_CROSSED: FaultInfo(_AUDIO, "both ends hear another call's audio"),
    Fault.HEAVY_LOSS: FaultInfo(_AUDIO, "three packets of ten are lost, in bursts, both ways"),
    Fault.HIGH_DELAY: FaultInfo(_AUDIO, "each direction takes 700 ms longer"),
    Fault.FROM_ANONYMOUS: FaultInfo(_CALLER_ID, "the platform's From to the AI is anonymous"),
    Fault.FROM_TRUNK_DID: FaultInfo(_CALLER_ID, "the platform's From to the AI is the line's own number"),
    Fault.FROM_NATIONAL: FaultInfo(_CALLER_ID, "the platform's From to the AI lacks plus and country code"),
    Fault.FROM_OTHER_NUMBER: FaultInfo(_CALLER_ID, "the platform's From to the AI is a number of nobody's in the call"),
    Fault.PAI_STRIPPED: FaultInfo(_CALLER_ID, "the platform sends the AI no P-Asserted-Identity"),
    Fault.CALLER_ID_LOST_ON_TRANSFER: FaultInfo(_CALLER_ID, "the agent is shown the line's number, not the caller's"),
    Fault.CALLER_ID_LOST_ON_FALLBACK: FaultInfo(
        _CALLER_ID, "the fallback's agent is shown the line's number, not the caller's"
    ),
    Fault.TRUNK_WANTS_DIGEST: FaultInfo(
        _TRANSFER, "the trunk challenges the AI's new calls (407), though it was set up for its address alone"
    ),
    Fault.GROUP_ANSWERED_BY_OTHERS: FaultInfo(
        _TRANSFER, "somebody else answers the group's calls: another member, or another device of the agent's"
    ),
    Fault.CALLER_HANGUP_KEPT: FaultInfo(_HANGUP, "the caller's BYE is answered, and the other side learns nothing"),
    Fault.AI_HANGUP_KEPT: FaultInfo(_HANGUP, "the AI's BYE is answered, and the caller learns nothing"),
    Fault.AGENT_HANGUP_KEPT: FaultInfo(_HANGUP, "the agent's BYE is answered, and the caller learns nothing"),
    Fault.GROUP_DID_WRONG: FaultInfo(_TRANSFER, "Synthflow's transfer names a number that nobody has: 404"),
    Fault.GROUP_WRONG: FaultInfo(_TRANSFER, "the platform maps the group's DID to another group: that one rings"),
    Fault.TRUNK_INACTIVE: FaultInfo(
        _TRANSFER, "the trunk takes nothing from the AI: REFER, INVITE and REGISTER get 503"
    ),
    Fault.REFER_REJECTED: FaultInfo(_TRANSFER, "the platform answers REFER with 403"),
    Fault.REFER_ACCEPTED_THEN_FAILED: FaultInfo(
        _TRANSFER, "the platform accepts REFER, and its NOTIFY says 486; nobody rings"
    ),
    Fault.REFER_NEVER_NOTIFIED: FaultInfo(_TRANSFER, "the platform accepts REFER, and nothing follows"),
    Fault.REFER_OTHER_WAY: FaultInfo(
        _TRANSFER, "the platform hands on the REFERs that it should consume, and consumes the others"
    ),
    Fault.TRANSFER_NO_AUDIO: FaultInfo(_TRANSFER, "after the transfer no RTP gets through between caller and agent"),
    Fault.AI_LEG_LEFT_BEHIND: FaultInfo(_TRANSFER, "after the transfer the AI's leg stays up"),
    Fault.FALLBACK_MISSING: FaultInfo(
        _FALLBACK, "the line has no fallback: the AI's refusal is passed on to the caller"
    ),
    Fault.FALLBACK_WRONG_GROUP: FaultInfo(_FALLBACK, "the line's fallback rings another group"),
    Fault.RING_TIMEOUT_WRONG: FaultInfo(
        _FALLBACK, "the fallback comes after two and a half times the configured ring timeout"
    ),
    Fault.TLS_NOT_APPENDED: FaultInfo(
        _GLADLY,
        "the destination lacks transport=tls: the INVITE goes out in the clear, and Synthflow refuses it",
        _GLADLY_ALONE,
    ),
    Fault.CERTIFICATE_EXPIRED: FaultInfo(
        _GLADLY, "Synthflow's certificate has expired: the platform does not talk to it", per_line=False
    ),
    Fault.CERTIFICATE_WRONG_NAME: FaultInfo(
        _GLADLY, "Synthflow's certificate is made out to another name: the platform does not talk to it", per_line=False
    ),
    Fault.CALLER_HEADER_MISSING: FaultInfo(_GLADLY, "the INVITE to the AI has no X-Gladly-Caller-Id", _GLADLY_ALONE),
    Fault.CALLER_HEADER_WITHOUT_PLUS: FaultInfo(_GLADLY, "X-Gladly-Caller-Id lacks its plus", _GLADLY_ALONE),
    Fault.CALLER_HEADER_WRONG: FaultInfo(_GLADLY, "X-Gladly-Caller-Id is not the caller's number", _GLADLY_ALONE),
    Fault.SELECTOR_MISSING: FaultInfo(_GLADLY, "a configured X-Gladly-Routing-Selector is not sent", _GLADLY_ALONE),
    Fault.SELECTOR_WRONG: FaultInfo(_GLADLY, "X-Gladly-Routing-Selector names another topic", _GLADLY_ALONE),
}


def listed() -> list[dict[str, object]]:
    """Every fault, JSON-ready."""
    return [{"name": str(fault), **dataclasses.asdict(info)} for fault, info in FAULTS.items()]


class Faults:
    """Which faults a tenant has now. ``lines`` are the deployment's."""

    def __init__(self, integration: str, lines: frozenset[str]) -> None:
        known = any(integration in info.integrations for info in FAULTS.values())
        self._integration = integration if known else "generic"  # somebody's own is played as an SBC
        self._lines = lines
        self._on: dict[Fault, set[str | None]] = {}
        #: Called after each change: for what a tenant sets up once, and not for each call.
        self.on_change: list[Callable[[], None]] = []

    def __bool__(self) -> bool:
        return bool(self._on)

    def on(self, fault: Fault, line: str | None = None) -> bool:
        """Whether the tenant, or that line of it, is wrong in this way."""
        places = self._on.get(fault)
        return places is not None and (None in places or line in places)

    def set(self, name: str, line: str | None = None) -> None:
        """Make it wrong. Raises :class:`SelectionError` for a fault or line that does not exist here."""
        self._on.setdefault(self._known(name, line), set()).add(line)
        self._changed()

    def clear(self, name: str, line: str | None = None) -> None:
        """Mend it again. Raises :class:`SelectionError` as :meth:`set` does."""
        fault = self._known(name, line)
        places = self._on.get(fault, set())
        places.discard(line)
        if not places:
            self._on.pop(fault, None)
        self._changed()

    def clear_all(self) -> None:
        """Mend everything."""
        self._on.clear()
        self._changed()

    def listed(self) -> list[str]:
        """What is wrong now, as ``NAME`` or ``NAME@LINE``."""
        return sorted(f"{f}@{line}" if line else str(f) for f, places in self._on.items() for line in places)

    def _changed(self) -> None:
        for listener in self.on_change:
            listener()

    def _known(self, name: str, line: str | None) -> Fault:
        here = [fault for fault, info in FAULTS.items() if self._integration in info.integrations]
        if name not in here:
            elsewhere = next((d.integrations for f, d in FAULTS.items() if f == name), ())
            hint = f" (it is one of {elsewhere[0]})" if elsewhere else nearest(name, here)
            raise SelectionError(
                f"fault {name}: not one of {self._integration}{hint}; allowed: {', '.join(sorted(here))}"
            )
        fault = Fault(name)
        if line is not None:
            if not FAULTS[fault].per_line:
                raise SelectionError(f"fault {name}@{line}: concerns the whole tenant; allowed: {name}")
            if line not in self._lines:
                raise SelectionError(
                    f"fault {name}@{line}: no such line{nearest(line, self._lines)}; allowed: {', '.join(sorted(self._lines))}"
                )
        return fault
