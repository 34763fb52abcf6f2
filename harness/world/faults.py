"""The faults that a tenant can have, by name, and which of them are on.

A fault is read at the one place that decides the behaviour it changes. Faults marked ``per_line`` can be set for one
line of the deployment alone; the others are a property of the whole tenant (a port, a certificate, a registration).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from harness.errors import SelectionError
from harness.support.model_words import nearest

_REGISTRATION = "Registration fails"
_REACHING = "Calls not reaching Synthflow"
_AUDIO = "One-way or no audio"
_CALLER_ID = "Caller ID missing"
_TRANSFER = "Transfer fails"
_FALLBACK = "Fallback"
_HANGUP = "Hang-up"
_GLADLY = "Gladly"
_EVERYWHERE = ("talkdesk", "gladly", "generic")
_BUT_GLADLY, _GLADLY_ALONE, _NOT_GENERIC = ("talkdesk", "generic"), ("gladly",), ("talkdesk", "gladly")


class Fault(StrEnum):
    """The table of faults: name, the guides' troubleshooting issue, symptom, integrations, and whether it can be set per line."""

    issue: str
    shows: str
    integrations: tuple[str, ...]
    per_line: bool

    def __new__(
        cls, name: str, issue: str, shows: str, integrations: tuple[str, ...] = _EVERYWHERE, per_line: bool = True
    ) -> Fault:
        """See the class."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.issue, member.shows, member.integrations, member.per_line = issue, shows, integrations, per_line
        return member

    TERMINATION_URI_WRONG = (
        "termination-uri-wrong",
        _REGISTRATION,
        "Synthflow's Termination URI names a host without a listener: its REGISTER and INVITE time out",
        _BUT_GLADLY,
        False,
    )
    USERNAME_WRONG = (
        "username-wrong",
        _REGISTRATION,
        "Synthflow has another SIP username: its REGISTER is refused, the platform's INVITE fails its challenge",
        _BUT_GLADLY,
        False,
    )
    PASSWORD_WRONG = (
        "password-wrong",
        _REGISTRATION,
        "Synthflow has another SIP password: its REGISTER is refused, the platform's INVITE fails its challenge",
        _BUT_GLADLY,
        False,
    )
    FIREWALL_UDP = (
        "firewall-udp-32681",
        _REGISTRATION,
        "a firewall drops all signalling over UDP 32681 to and from Synthflow",
        _BUT_GLADLY,
        False,
    )
    FIREWALL_UDP_REJECTS = (
        "firewall-udp-32681-rejected",
        _REGISTRATION,
        "a firewall rejects all signalling over UDP 32681 to and from Synthflow",
        _BUT_GLADLY,
        False,
    )
    FIREWALL_TCP = (
        "firewall-tcp-32681",
        _REGISTRATION,
        "a firewall drops all signalling over TCP 32681 to and from Synthflow",
        _BUT_GLADLY,
        False,
    )
    FIREWALL_TCP_REJECTS = (
        "firewall-tcp-32681-rejected",
        _REGISTRATION,
        "a firewall rejects all signalling over TCP 32681 to and from Synthflow",
        _BUT_GLADLY,
        False,
    )
    FIREWALL_TLS = (
        "firewall-tls-32682",
        _REGISTRATION,
        "a firewall drops all signalling over TLS 32682 to and from Synthflow",
        _NOT_GENERIC,
        False,
    )
    FIREWALL_TLS_REJECTS = (
        "firewall-tls-32682-rejected",
        _REGISTRATION,
        "a firewall rejects all signalling over TLS 32682 to and from Synthflow",
        _NOT_GENERIC,
        False,
    )
    IP_NOT_ALLOWED = (
        "synthflow-ip-not-allowed",
        _REGISTRATION,
        "the trunk's allowed list lacks the AI's address: its REGISTER and INVITE get 403",
        _EVERYWHERE,
        False,
    )
    REGISTRATION_EXPIRES_EARLY = (
        "registration-expires-early",
        _REGISTRATION,
        "the platform grants a fifth of the interval asked for, and Synthflow refreshes by its own setting: gaps",
        _BUT_GLADLY,
        False,
    )
    ROUTE_WRONG_DID = "route-wrong-did", _REACHING, "the line's routing names another assistant's DID: that one answers"
    ROUTE_WRONG_TRUNK = (
        "route-wrong-trunk",
        _REACHING,
        "the line's routing names another trunk: the call arrives over that, or not at all",
    )
    ROUTE_MISSING = "route-missing", _REACHING, "the line has no SIP transfer: the platform's own agent answers"
    TRANSPORT_MISMATCH = (
        "trunk-transport-mismatch",
        _REACHING,
        "the trunk signals TLS to 32681, or in the clear to 32682: nothing is understood, the fallback answers",
    )
    ASSISTANT_NOT_ATTACHED = (
        "assistant-not-attached",
        _REACHING,
        "the number is attached to no assistant: Synthflow answers 404",
    )
    CONCURRENCY_EXHAUSTED = "concurrency-exhausted", _REACHING, "Synthflow's plan has no call left: it answers 429"
    LIMIT_LOWER = "trunk-limit-lower", _REACHING, "the platform lets one call fewer onto the trunk than was agreed"
    LIMIT_NOT_ENFORCED = (
        "trunk-limit-not-enforced",
        _REACHING,
        "the platform lets more calls onto the trunk than was agreed",
    )
    NATIONAL_FORM_REFUSED = (
        "national-form-refused",
        _REACHING,
        "the carrier takes the line's number in E.164 alone: in national form or as 00… it answers 404",
    )
    X_HEADERS_STRIPPED = "x-headers-stripped", _REACHING, "the caller's X- headers do not reach the AI"
    ANSWERS_FIRST = (
        "platform-answers-first",
        _REACHING,
        "the platform answers the caller before it calls anybody: no ringing, no refusal gets to the caller",
    )
    RTP_BLOCKED_TO_AI = "rtp-blocked-to-ai", _AUDIO, "no RTP gets from the platform to the AI"
    RTP_BLOCKED_TO_CALLER = "rtp-blocked-to-caller", _AUDIO, "no RTP gets from the platform to the caller"
    RTP_BLOCKED_BOTH = "rtp-blocked-both", _AUDIO, "no RTP gets through either way"
    RTP_BLOCKED_LATER = "rtp-blocked-after-10s", _AUDIO, "RTP stops both ways ten seconds after it began"
    AGENT_AUDIO_STOPS = (
        "agent-audio-stops",
        _AUDIO,
        "RTP between a caller and people, or voicemail, stops soon after it began",
    )
    SDP_PRIVATE_ADDRESS = (
        "sdp-private-address",
        _AUDIO,
        "the platform's SDP names a private address (10.0.0.10): the AI's RTP goes nowhere",
    )
    MEDIA_HOST_UNKNOWN = (
        "media-host-unknown",
        _AUDIO,
        "the platform's SDP to the caller names a host that does not exist: the caller hangs up",
    )
    RTP_ONE_PACKET = (
        "rtp-one-packet-to-caller",
        _AUDIO,
        "one RTP packet gets from the platform to the caller, and no more",
    )
    CODECS_STRIPPED = "codecs-stripped-to-ai", _AUDIO, "the offer to the AI has lost its voice codecs on the way: 488"
    TELEPHONE_EVENT_STRIPPED = (
        "telephone-event-stripped-to-ai",
        _AUDIO,
        "the offer to the AI has lost telephone-event on the way: digits cannot be sent by RFC 4733",
    )
    NO_G711 = "no-g711", _AUDIO, "the trunk offers no G.711: the AI answers 488"
    G711_ONE_SIDE = (
        "g711-one-side",
        _AUDIO,
        "caller and AI have negotiated different G.711 laws, the relay does not transcode: each drops what it gets",
    )
    PAYLOAD_MISMATCH = "payload-mismatch", _AUDIO, "the payload is not what its type says: noise at both ends"
    SRTP_MISMATCH = "srtp-mismatch", _AUDIO, "the trunk offers SRTP alone to an AI without it: 488"
    AUDIO_CROSSED = "audio-crossed", _AUDIO, "both ends hear another call's audio"
    AUDIO_REPLAYED = ("audio-replayed", _AUDIO, "both ends hear what a caller sent in an earlier call")
    AUDIO_ECHOED = ("audio-echoed", _AUDIO, "the caller hears itself instead of the AI, for the whole call")
    HEAVY_LOSS = "heavy-loss", _AUDIO, "three packets of ten are lost, in bursts, both ways"
    HIGH_DELAY = "high-delay", _AUDIO, "each direction takes 700 ms longer"
    FROM_ANONYMOUS = "from-anonymous", _CALLER_ID, "the platform's From to the AI is anonymous"
    FROM_TRUNK_DID = "from-trunk-did", _CALLER_ID, "the platform's From to the AI is the line's own number"
    FROM_NATIONAL = "from-national", _CALLER_ID, "the platform's From to the AI lacks plus and country code"
    FROM_OTHER_NUMBER = (
        "from-other-number",
        _CALLER_ID,
        "the platform's From to the AI is a number of no party to the call",
    )
    PAI_STRIPPED = "pai-stripped", _CALLER_ID, "the platform sends the AI no P-Asserted-Identity"
    CALLER_ID_LOST_ON_TRANSFER = (
        "caller-id-lost-on-transfer",
        _CALLER_ID,
        "the agent is shown the line's number, not the caller's",
    )
    CALLER_ID_LOST_ON_FALLBACK = (
        "caller-id-lost-on-fallback",
        _CALLER_ID,
        "the fallback's agent is shown the line's number, not the caller's",
    )
    TRUNK_WANTS_DIGEST = (
        "trunk-wants-digest",
        _TRANSFER,
        "the trunk challenges the AI's new calls (407), though it was set up for its address alone",
    )
    GROUP_ANSWERED_BY_OTHERS = (
        "group-answered-by-others",
        _TRANSFER,
        "somebody else answers the group's calls: another member, or another device of the agent's",
    )
    GROUP_DID_WRONG = "group-did-wrong", _TRANSFER, "Synthflow's transfer names an unassigned number: 404"
    GROUP_WRONG = "group-wrong", _TRANSFER, "the platform maps the group's DID to another group: that one rings"
    TRUNK_INACTIVE = (
        "trunk-inactive",
        _TRANSFER,
        "the trunk takes nothing from the AI: REFER, INVITE and REGISTER get 503",
    )
    REFER_REJECTED = "refer-rejected", _TRANSFER, "the platform answers REFER with 403"
    REFER_ACCEPTED_THEN_FAILED = (
        "refer-accepted-then-failed",
        _TRANSFER,
        "the platform accepts REFER, and its NOTIFY says 486; no agent rings",
    )
    REFER_NEVER_NOTIFIED = "refer-never-notified", _TRANSFER, "the platform accepts REFER, and nothing follows"
    REFER_OTHER_WAY = (
        "refer-other-way",
        _TRANSFER,
        "the platform hands on the REFERs that it should consume, and consumes the others",
    )
    TRANSFER_NO_AUDIO = (
        "transfer-no-audio",
        _TRANSFER,
        "after the transfer no RTP gets through between caller and agent",
    )
    AI_LEG_LEFT_BEHIND = "ai-leg-left-behind", _TRANSFER, "after the transfer the AI's leg stays up"
    CALLER_HANGUP_KEPT = (
        "caller-hangup-not-passed-on",
        _HANGUP,
        "the caller's BYE is answered, and the other side learns nothing",
    )
    AI_HANGUP_KEPT = "ai-hangup-not-passed-on", _HANGUP, "the AI's BYE is answered, and the caller learns nothing"
    AGENT_HANGUP_KEPT = (
        "agent-hangup-not-passed-on",
        _HANGUP,
        "the agent's BYE is answered, and the caller learns nothing",
    )
    FALLBACK_MISSING = (
        "fallback-missing",
        _FALLBACK,
        "the line has no fallback: the AI's refusal is passed on to the caller",
    )
    FALLBACK_WRONG_GROUP = "fallback-wrong-group", _FALLBACK, "the line's fallback rings another group"
    RING_TIMEOUT_WRONG = (
        "ring-timeout-wrong",
        _FALLBACK,
        "the fallback comes after two and a half times the configured ring timeout",
    )
    TLS_NOT_APPENDED = (
        "tls-not-appended",
        _GLADLY,
        "the destination lacks transport=tls: the INVITE goes out in the clear, and Synthflow refuses it",
        _GLADLY_ALONE,
    )
    CERTIFICATE_EXPIRED = (
        "certificate-expired",
        _GLADLY,
        "Synthflow's certificate has expired: the platform does not talk to it",
        _EVERYWHERE,
        False,
    )
    CERTIFICATE_WRONG_NAME = (
        "certificate-wrong-name",
        _GLADLY,
        "Synthflow's certificate is made out to another name: the platform does not talk to it",
        _EVERYWHERE,
        False,
    )
    CALLER_HEADER_MISSING = (
        "caller-header-missing",
        _GLADLY,
        "the INVITE to the AI has no X-Gladly-Caller-Id",
        _GLADLY_ALONE,
    )
    CALLER_HEADER_WITHOUT_PLUS = (
        "caller-header-without-plus",
        _GLADLY,
        "X-Gladly-Caller-Id lacks its plus",
        _GLADLY_ALONE,
    )
    CALLER_HEADER_WRONG = "caller-header-wrong", _GLADLY, "X-Gladly-Caller-Id is not the caller's number", _GLADLY_ALONE
    SELECTOR_MISSING = "selector-missing", _GLADLY, "a configured X-Gladly-Routing-Selector is not sent", _GLADLY_ALONE
    SELECTOR_WRONG = "selector-wrong", _GLADLY, "X-Gladly-Routing-Selector names another topic", _GLADLY_ALONE


def listed() -> list[dict[str, object]]:
    """Every fault, JSON-ready."""
    fields = ("issue", "shows", "integrations", "per_line")
    return [{"name": str(fault), **{name: getattr(fault, name) for name in fields}} for fault in Fault]


class Faults:
    """The faults that a tenant has now. ``lines`` are the deployment's."""

    def __init__(self, integration: str, lines: frozenset[str]) -> None:
        known = any(integration in fault.integrations for fault in Fault)
        self._integration = integration if known else "generic"  # a customer's own integration is simulated as an SBC
        self._lines = lines
        self._on: dict[Fault, set[str | None]] = {}
        #: Called after each change, for what a tenant sets up once and not per call.
        self.on_change: list[Callable[[], None]] = []

    def __bool__(self) -> bool:
        return bool(self._on)

    def on(self, fault: Fault, line: str | None = None) -> bool:
        """Whether the fault is on for the tenant, or for that line."""
        places = self._on.get(fault)
        return places is not None and (None in places or line in places)

    def set(self, name: str, line: str | None = None) -> None:
        """Turn a fault on. Raises :class:`SelectionError` for a fault or line that does not exist here."""
        self._on.setdefault(self._known(name, line), set()).add(line)
        self._changed()

    def clear(self, name: str, line: str | None = None) -> None:
        """Turn a fault off. Raises :class:`SelectionError` as :meth:`set` does."""
        fault = self._known(name, line)
        places = self._on.get(fault, set())
        places.discard(line)
        if not places:
            self._on.pop(fault, None)
        self._changed()

    def clear_all(self) -> None:
        """Turn all faults off."""
        self._on.clear()
        self._changed()

    def listed(self) -> list[str]:
        """The faults that are on, as ``NAME`` or ``NAME@LINE``."""
        return sorted(f"{f}@{line}" if line else str(f) for f, places in self._on.items() for line in places)

    def _changed(self) -> None:
        for listener in self.on_change:
            listener()

    def _known(self, name: str, line: str | None) -> Fault:
        here = {str(fault): fault for fault in Fault if self._integration in fault.integrations}
        if (fault := here.get(name)) is None:
            elsewhere = next((fault.integrations for fault in Fault if fault == name), ())
            hint = f" (it is one of {elsewhere[0]})" if elsewhere else nearest(name, here)
            raise SelectionError(
                f"fault {name}: not one of {self._integration}{hint}; allowed: {', '.join(sorted(here))}"
            )
        if line is not None:
            if not fault.per_line:
                raise SelectionError(f"fault {name}@{line}: concerns the whole tenant; allowed: {name}")
            if line not in self._lines:
                raise SelectionError(
                    f"fault {name}@{line}: no such line{nearest(line, self._lines)}; allowed: {', '.join(sorted(self._lines))}"
                )
        return fault
