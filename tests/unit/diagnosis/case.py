"""A made-up case with its evidence, as a run would have left it: the words that examples and tests
are written in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Self

from harness.case.check_table import CHECKS, read_measurement
from harness.case.events import (
    CallState,
    Event,
    FarEndRecord,
    LegStarted,
    MarkHeard,
    MediaState,
    SipMessage,
    TransferProgress,
    TransportFailed,
)
from harness.case.measurement import Measurement
from harness.case.verdict import Finding, Strength, Verdict
from harness.deployment import Deployment, Handover, from_plain, to_plain
from harness.diagnosis import Diagnosis, Visibility, diagnose
from harness.diagnosis.catalogue import Rule
from harness.diagnosis.engine import observe
from harness.diagnosis.facts import Facts
from harness.diagnosis.scene import Scene
from harness.integrations import find, load
from harness.support.resources import EXAMPLES
from tests.unit.phone_events import rtp_statistics, sip_message

AI = "192.0.2.60"  #: Synthflow's host; documentation addresses, RFC 5737
STAND_IN = "192.0.2.90"
STRANGER = "192.0.2.91"  #: an address of the stand-in's machine that is not allowed
CALLER = "+14155550101"


def description(
    host: str, formats: str = "0 8", *, protocol: str = "RTP/AVP", lines: str = ""
) -> str:
    """SDP with one audio section."""
    session = f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
    return f"{session}m=audio 4000 {protocol} {formats}\r\n{lines}"


@cache
def deployment(integration: str, *changes: tuple[str, Any]) -> Deployment:
    """A simulated deployment with its addresses filled in; each trunk has one of its own at the
    platform.

    A change is of one key of the file (``timings.ring_timeout_s``).
    """
    plain = to_plain(load(EXAMPLES / f"simulated-{integration}.toml"))
    for index, trunk in enumerate(plain["trunks"]):
        trunk["host"] = AI if trunk["ai"] == "synthflow" else STAND_IN
        trunk["termination"] = f"198.51.100.{20 + index}:5060"
        if trunk.get("username"):
            trunk["password"] = "made-up"
    plain["synthflow"]["api_base"] = "https://api.example/v2"
    plain["stand_in"] |= {"bind": STAND_IN, "stranger_bind": STRANGER}
    for place, value in changes:
        *tables, key = place.split(".")
        table = plain
        for name in tables:
            table = table.setdefault(name, {})
        table[key] = value
    return from_plain(plain)


@dataclass
class Example:
    """One case under construction, on a clock of its own, in a simulated deployment whose addresses
    are filled in.
    """

    integration: str = "talkdesk"
    row: str = "TD-INBOUND"
    ai: str = "synthflow"
    transport: str = "udp"
    authentication: str = "ip"
    line: str = "inbound"
    now: float = 1000.0
    axes: dict[str, str] = field(default_factory=dict)
    handovers: dict[str, Handover] = field(
        default_factory=dict
    )  #: of the line's assistant, beside its own table's
    file: dict[str, Any] = field(
        default_factory=dict
    )  #: what the deployment file says otherwise, by place
    events: list[Event] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    _messages: list[dict[str, str]] = field(default_factory=list)
    _record: dict[str, Any] = field(default_factory=dict)

    @property
    def moment(self) -> str:
        """What the row is about."""
        return find(self.integration).row(self.row).moment

    @property
    def deployment(self) -> Deployment:
        plain = deployment(self.integration, *self.file.items())
        if not self.handovers:
            return plain
        name = str(plain.lines[self.line].assistant)
        changed = plain.assistants[name].model_copy(update={"handovers": self.handovers})
        return plain.model_copy(update={"assistants": {**plain.assistants, name: changed}})

    @property
    def trunk(self) -> Any:
        wanted = (self.ai, self.transport, self.authentication)
        return next(
            t for t in self.deployment.trunks if (t.ai, t.transport, t.authentication) == wanted
        )

    @property
    def did(self) -> str:
        return self.deployment.did(self.line, self.trunk.name)

    @property
    def caller(self) -> str:
        return str(self.deployment.phones["caller"].number)

    @property
    def assistant(self) -> str:
        return str(self.deployment.lines[self.line].assistant)

    def after(self, seconds: float) -> Self:
        self.now += seconds
        return self

    def tells(self, kind: type[Event], where: str, **values: Any) -> Self:
        """An event of a phone, or of one of its legs."""
        phone, dot, _ = where.partition(".")
        leg = where if dot else None
        self.events.append(kind(at=self.now, phone=phone, leg=leg, **values))
        return self

    def _records(self) -> list[Event]:
        if not self._messages and not self._record:
            return []
        record = {"call_id": "c1", **self._record}
        record["witness"] = {"messages": self._messages, **self._record.get("witness", {})}
        return [
            FarEndRecord(at=self.now, phone="synthflow", source="GET /v2/calls/c1", record=record)
        ]

    # -- what harness phones saw

    def dials(self, *, taken: bool = True, withheld: bool = False, number: str = "") -> Self:
        """The caller's INVITE; one that is ``taken`` is answered with 100."""
        uri = f"sip:{number or self.did}@carrier.example"
        self.tells(LegStarted, "caller.1", direction="outgoing", mark=7, remote_uri=uri)
        self._at_caller("sent", f"INVITE {uri} SIP/2.0" + ("\r\nPrivacy: id" if withheld else ""))
        if taken:
            self._at_caller("received", "SIP/2.0 100 Trying")
        return self

    def dials_too(self, phone: str) -> Self:
        """Another caller's call at the same time."""
        uri = f"sip:{self.did}@carrier.example"
        return self.tells(LegStarted, f"{phone}.1", direction="outgoing", mark=8, remote_uri=uri)

    def replaces(self) -> Self:
        """The caller's phone places the call that a REFER asked for, and it is answered."""
        asked = {"remote_uri": "sip:x@y.example", "replaces": "caller.1"}
        self.tells(LegStarted, "caller.2", direction="outgoing", mark=7, **asked)
        return self.tells(CallState, "caller.2", state="confirmed", code=200)

    def at_phone(
        self,
        phone: str,
        method: str,
        body: str = "",
        *,
        code: int = 0,
        reason: str = "OK",
        sent: bool | None = None,
        within: bool = False,
        leg: str | None = None,
    ) -> Self:
        """A message of a harness phone: a request, or the answer with that code; what it is asked
        it receives.
        """
        start = f"SIP/2.0 {code} {reason}" if code else f"{method} sip:{phone} SIP/2.0"
        out = bool(code) if sent is None else sent
        to = "<sip:y@y.example>;tag=t" if within or code else "<sip:y@y.example>"
        head = [
            start,
            "From: <sip:x@y.example>;tag=f",
            f"To: {to}",
            f"Call-ID: at-{phone}",
            f"CSeq: 1 {method}",
        ]
        if body:
            head.append("Content-Type: application/sdp")
        text = "\r\n".join([*head, f"Content-Length: {len(body)}", "", body])
        where = {"transport": "udp", "local": "192.0.2.7:5060", "remote": "192.0.2.2:5060"}
        direction = "sent" if out else "received"
        return self.tells(SipMessage, leg or phone, direction=direction, text=text, **where)

    def caller_gets(self, text: str) -> Self:
        """A message of the platform's to the caller."""
        self._at_caller("received", text)
        return self

    def _at_caller(self, direction: Any, text: str, *, whole: bool = False) -> None:
        message = sip_message(direction, text if whole else text + "\r\n\r\n", at=self.now)
        self.events.append(message)

    def state(self, state: Any, code: int = 0, reason: str = "", phone: str = "caller") -> Self:
        return self.tells(CallState, f"{phone}.1", state=state, code=code, reason=reason)

    def answered(self) -> Self:
        return self.state("confirmed", 200, "OK")

    def ends_here(self, code: int, reason: str) -> Self:
        """The caller's call is over."""
        return self.state("disconnected", code, reason)

    def ends_at_once(self, code: int, reason: str) -> Self:
        return self.after(0.1).ends_here(code, reason)

    def gives_up(self) -> Self:
        self._at_caller("sent", f"CANCEL sip:{self.did}@carrier.example SIP/2.0")
        return self.state("disconnected", 487, "Request Terminated")

    def rings(self, phone: str, leg: str = "") -> Self:
        came = {"direction": "incoming", "remote_uri": "sip:x@y.example"}
        return self.tells(LegStarted, leg or f"{phone}.1", mark=9, **came)

    def reaches(self, phone: str) -> Self:
        """It rings the agent whom it was to ring."""
        return self.rings(phone).landed(phone, phone)

    def codec(self, leg: str, codec: str) -> Self:
        media = {"active": True, "direction": "sendrecv", "clock_rate": 8000}
        return self.tells(MediaState, leg, codec=codec, **media)

    def hears_mark(self, leg: str, mark: int) -> Self:
        heard = {"level_dbov": -15.0, "quality": 0.9}
        return self.tells(MarkHeard, leg, mark=mark, began=self.now, **heard)

    def counted(
        self,
        leg: str = "caller.1",
        received: int = 200,
        lost: int = 0,
        rtt_ms: float = 0.0,
        reordered: int = 0,
        late: int = 0,
        elsewhere: str = "",
    ) -> Self:
        both = dict.fromkeys(("tx_packets", "rx_packets"), received)
        both |= dict.fromkeys(("tx_bytes", "rx_bytes"), 160 * received)
        told: dict[str, Any] = {"rx_lost": lost, "rx_reordered": reordered, "rx_late": late}
        told |= {"rtt_ms": rtt_ms, "rx_elsewhere": elsewhere}
        jitter = {"rx_jitter_ms": 1.0, "tx_jitter_ms": 1.0}
        self.events.append(rtp_statistics(self.now, leg, **both | jitter | told))
        return self

    def calls_again(self, asks: str, dialled: str, **outcome: object) -> Self:
        """The second call, after the case has failed."""
        for record in ({"begins": True}, outcome):
            told = {"of": "second call", "asks": asks, "dialled": dialled, **record}
            self.after(1).tells(FarEndRecord, "probe", source="second call", record=told)
            if "begins" in record:
                uri = f"sip:{dialled}@carrier.example"
                self.tells(LegStarted, "caller.2", direction="outgoing", mark=8, remote_uri=uri)
        return self

    # -- what the AI's side saw, and what probes found

    def _sip(
        self,
        direction: str,
        start: str,
        method: str = "",
        body: str = "",
        remote: str = "",
        **headers: str,
    ) -> Self:
        """A message at the AI's side; ``method`` of a response, or before a body."""
        invite_from = headers.pop("from_", f"<sip:{self.caller}@platform.example>;tag=a")
        lines = [
            start,
            "Via: SIP/2.0/UDP 198.51.100.20:5060;branch=z9hG4bK1",
            f"From: {invite_from}",
            f"To: {headers.pop('to', '<sip:ai@192.0.2.60>')}",
            f"Call-ID: {headers.pop('call_id', 'at-the-ai')}",
            f"CSeq: {headers.pop('number', '1')} {method or start.partition(' ')[0]}",
            *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
            f"Content-Length: {len(body.encode())}",
            "",
            body,
        ]
        text = "\r\n".join(lines)
        remote = remote or self.trunk.termination
        local = f"{AI if self.ai == 'synthflow' else STAND_IN}:{self.trunk.port}"
        message = {"direction": direction, "transport": self.transport, "text": text}
        message |= {"local": local, "remote": remote}
        if self.ai == "synthflow":
            self._messages.append(message)
            return self
        return self.tells(SipMessage, "stand-in.1", **message)

    def ai_gets(
        self,
        *,
        did: str = "",
        offer: str = "G.711",
        address: str = "198.51.100.70",
        shown: str = "",
        over: str = "",
        trunk: str = "",
        remote: str = "",
        authorization: str = "",
        tls: bool | None = None,
        events: bool = False,
        direction: str = "",
        call_id: str = "at-the-ai",
        number: str = "1",
    ) -> Self:
        """The INVITE that reached the AI."""
        formats, protocol, lines = {
            "G.711": ("0 8 101", "RTP/AVP", "a=rtpmap:0 PCMU/8000\r\n"),
            "no G.711": ("9 18", "RTP/AVP", "a=rtpmap:9 G722/8000\r\na=rtpmap:18 G729/8000\r\n"),
            "named only": (
                "101",
                "RTP/AVP",
                "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n",
            ),
            "SRTP alone": ("0 8", "RTP/SAVP", "a=rtpmap:0 PCMU/8000\r\n"),
            "no media": ("", "", ""),
        }[offer]
        lines += "a=rtpmap:101 telephone-event/8000\r\n" if events else ""
        lines += f"a={direction}\r\n" if direction else ""
        sdp = description(address, formats, protocol=protocol, lines=lines)
        if offer == "no media":
            sdp = sdp[: sdp.index("m=")]
        user = did or self.deployment.assistants[self.assistant].address
        secure = self.transport == "tls" if tls is None else tls
        uri = f"sip:{user}@{AI}:{self.trunk.port}" + (";transport=tls" if secure else "")
        if trunk:
            remote = next(t.termination for t in self.deployment.trunks if t.name == trunk) or ""
        headers = {"Content_Type": "application/sdp", "call_id": call_id, "number": number}
        headers |= {"from_": shown} if shown else {}
        headers |= {"Proxy_Authorization": authorization} if authorization else {}
        self._sip("received", f"INVITE {uri} SIP/2.0", "INVITE", sdp, remote, **headers)
        if over and self._messages:
            self._messages[-1]["transport"] = over
            self._messages[-1]["local"] = f"{AI}:{32682 if over == 'tls' else 32681}"
        return self

    def ai_answers(
        self,
        code: int = 200,
        reason: str = "",
        method: str = "INVITE",
        sdp: str = "",
        call_id: str = "at-the-ai",
        number: str = "1",
    ) -> Self:
        to = "<sip:ai@192.0.2.60>;tag=b"
        return self._sip(
            "sent", f"SIP/2.0 {code} {reason}", method, sdp, to=to, call_id=call_id, number=number
        )

    def reinvites(self) -> Self:
        """The caller changes the call."""
        self._at_caller("sent", "INVITE sip:platform SIP/2.0\r\nTo: <sip:platform>;tag=p")
        return self

    def asks(
        self,
        method: str,
        code: int = 0,
        reason: str = "",
        *,
        within: bool = True,
        answer: str = "",
        offer: str = "",
        takes_s: float = 0.0,
        **headers: str,
    ) -> Self:
        """A request of the caller's within its call (or the INVITE that begins it), and the final
        response, if one came, that much later.
        """
        host = "192.0.2.1"
        if method == "INVITE":
            offer = offer or description(host)
        more = [f"{name}: {value}" for name, value in headers.items()]
        head = [
            f"Via: SIP/2.0/UDP {host}:5060;branch=z9hG4bK7",
            f"From: <sip:{self.caller}@carrier.example>;tag=c",
            f"To: <sip:{self.did}@carrier.example>{';tag=p' if within else ''}",
            "Call-ID: at-the-caller",
            f"CSeq: {len(self.events) + 10} {method}",
        ]

        def text(start: str, body: str) -> str:
            typed = ["Content-Type: application/sdp"] if body else []
            lines = [start, *head, *more, *typed, f"Content-Length: {len(body)}", "", body]
            return "\r\n".join(lines)

        self._at_caller("sent", text(f"{method} sip:platform SIP/2.0", offer), whole=True)
        if code:
            self.after(takes_s)
            self._at_caller("received", text(f"SIP/2.0 {code} {reason}", answer), whole=True)
        return self

    def invited(self, offer: str = "", answer: str = "") -> Self:
        """The INVITE that begins the caller's call, and its 200."""
        return self.asks("INVITE", 200, "OK", within=False, offer=offer, answer=answer)

    def ends(self, at_the_ai: str) -> Self:
        """A BYE reaches the caller; the AI sent one, or received one."""
        self._sip(at_the_ai, "BYE sip:x SIP/2.0", "BYE", to="<sip:x@y.example>;tag=p", number="3")
        self._at_caller("received", "BYE sip:caller SIP/2.0")
        return self

    def ai_refreshes(self, *answers: int, interval: str = "90;refresher=uas") -> Self:
        """The AI refreshes the session, once for each answer; 0: none came."""
        for number, code in enumerate(answers, start=5):
            asked = {"to": "<sip:x@y.example>;tag=p", "number": str(number)}
            asked |= {"Session_Expires": interval} if interval else {}
            self._sip("sent", "UPDATE sip:x SIP/2.0", **asked)
            if code:
                self._sip("received", f"SIP/2.0 {code} x", "UPDATE", number=str(number))
        return self

    def ai_refers(self, to: str, embedded: str = "") -> Self:
        return self._sip(
            "sent",
            "REFER sip:platform SIP/2.0",
            to="<sip:x@y.example>;tag=p",
            Refer_To=f"<sip:{to}@platform.example{embedded}>",
            number="2",
        )

    def ai_invites(
        self, to: str, remote: str = "", authorization: str = "", shown: str = ""
    ) -> Self:
        """The AI's own call to people; ``shown`` is the number in its From, the caller's where
        there is none.
        """
        more = {"Proxy_Authorization": authorization} if authorization else {}
        more |= {"from_": f"<sip:{shown}@synthflow.example>;tag=a"} if shown else {}
        start = f"INVITE sip:{to if '@' in to else f'{to}@platform.example'} SIP/2.0"
        return self._sip("sent", start, "INVITE", "", remote, call_id="onward", number="2", **more)

    def platform_says(
        self, code: int, reason: str = "", method: str = "REFER", number: int = 2
    ) -> Self:
        call = "at-the-ai" if method == "REFER" else "onward"
        return self._sip(
            "received", f"SIP/2.0 {code} {reason}", method, call_id=call, number=str(number)
        )

    def notified(self, code: int, reason: str = "") -> Self:
        body = f"SIP/2.0 {code} {reason}\r\n"
        return self._sip(
            "received",
            "NOTIFY sip:ai SIP/2.0",
            body=body,
            number="9",
            Content_Type="message/sipfrag",
        )

    def record(self, **values: Any) -> Self:
        self._record |= values
        return self

    def sip_number(self, **values: Any) -> Self:
        """What Synthflow says of the SIP number that should register."""
        trunk = self.trunk
        record = {
            "termination_uri": trunk.termination,
            "username": trunk.username,
            "registrations": [],
            **values,
        }
        source = "GET /v2/sip_numbers/n1"
        return self.tells(FarEndRecord, "synthflow", source=source, record=record)

    def probed(self, of: str, reach: str, certificate: str | None = None) -> Self:
        record = {"of": of, "reach": reach} | ({"certificate": certificate} if certificate else {})
        return self.tells(FarEndRecord, "probe", source=f"OPTIONS to {of}", record=record)

    def all_ports_answer(self) -> Self:
        self.probed("ai", "answers", "valid" if self.transport == "tls" else None)
        return self.probed("termination", "answers")

    def transport_failed(self, phone: str, reason: str) -> Self:
        where = {"transport": self.transport, "remote": "198.51.100.20:5060"}
        return self.tells(TransportFailed, phone, reason=reason, **where)

    def refer_ended(self, code: int, *, final: bool = True) -> Self:
        return self.tells(TransferProgress, "stand-in.1", code=code, reason="", final=final)

    # -- findings, and the diagnosis

    @property
    def case(self) -> dict[str, Any]:
        axes = {"ai": self.ai, "transport": self.transport, "authentication": self.authentication}
        return {
            "id": f"{self.row}[example]",
            "row": self.row,
            "moment": self.moment,
            "integration": self.integration,
            "trunk": self.trunk.name,
            "axes": axes | self.axes,
        }

    def diagnose(
        self, visibility: Visibility = "all", rules: Sequence[Rule] | None = None
    ) -> Diagnosis:
        events = [*self.events, *self._records()]
        return diagnose(
            self.case, self.findings, events, self.deployment, visibility=visibility, rules=rules
        )

    def finding(
        self,
        check: str,
        subject: str,
        passed: bool = False,
        actual: str = "seen",
        expected: str = "promised",
        **facts: object,
    ) -> Self:
        self.findings.append(
            Finding(
                check=check,
                subject=subject,
                verdict=Verdict.PASSED if passed else Verdict.FAILED,
                expected=expected,
                actual=actual,
                at=self.now,
                strength=Strength.PROVED if passed else None,
                measured=_measured(check, subject, facts),
            )
        )
        return self

    def unanswered(self) -> Self:
        return self.finding(
            "answered", "caller.1", actual="it never came", seconds=None, limit_s=4.0
        )

    def still_up(self, subject: str) -> Self:
        """It was to end, and has not."""
        return self.finding("released", subject, actual="it is still up", seconds=None)

    def never(self, why: str = "it never came") -> Self:
        """What the caller waited for did not come."""
        return self.finding("phone.wait", "caller.1", actual=why, why=why)

    @property
    def ai_label(self) -> str:
        return f"assistant {self.assistant}" if self.ai == "synthflow" else "stand-in.1"

    def taken(self) -> Self:
        """The right assistant answered."""
        return self.finding(
            "landing.answered_by",
            "the call",
            True,
            answered=[self.assistant],
            wanted=self.assistant,
        )

    def not_taken(self, *answered: str, attempted: Sequence[str] = ()) -> Self:
        """It did not; these did."""
        return self.finding(
            "landing.answered_by",
            "the call",
            answered=list(answered),
            wanted=self.assistant,
            attempted=list(attempted),
        )

    def to_ai(self, kind: str = "heard", packets: int | None = 0, **facts: object) -> Self:
        return self._direction("caller.1", self.ai_label, kind, packets, **facts)

    def to_caller(self, kind: str = "heard", packets: int | None = 0, **facts: object) -> Self:
        return self._direction(self.ai_label, "caller.1", kind, packets, **facts)

    def both_hear(self) -> Self:
        return self.to_ai().to_caller()

    def unheard(self) -> Self:
        """No RTP comes to either."""
        return self.to_ai("no-rtp").to_caller("no-rtp")

    def with_agent(
        self,
        phone: str,
        to_agent: str = "heard",
        to_caller: str = "heard",
        packets: int = 0,
        **facts: object,
    ) -> Self:
        self._direction("caller.1", f"{phone}.1", to_agent, packets, **facts)
        return self._direction(f"{phone}.1", "caller.1", to_caller, packets, **facts)

    def _direction(
        self, speaker: str, listener: str, kind: str, packets: int | None, **more: Any
    ) -> Self:
        foreign = [99] if kind == "crossed" else []
        heard = kind == "heard"
        instead = {"kind": kind, "rx_packets": packets, "foreign": foreign}
        facts: dict[str, Any] = {"delay_ms": 120.0} if heard else instead
        return self.finding("audio", f"{speaker} → {listener}", heard, actual=kind, **facts | more)

    def caller_id(
        self, subject: str, user: str, *, passed: bool = False, anonymous: bool = False
    ) -> Self:
        e164 = user if user.startswith("+") else f"+1{user}" if user.isdigit() else None
        return self.finding(
            "caller_id",
            subject,
            passed,
            from_user=user,
            from_e164=e164,
            anonymous=anonymous,
            number=self.caller,
            asserted=[self.caller],
        )

    def landed(self, wanted: str, *rang: str) -> Self:
        return self.finding(
            "landing", "the call", wanted in rang, wanted=wanted, rang=list(rang), phones=list(rang)
        )

    def copy(self, **changes: Any) -> Self:
        fresh: dict[str, Any] = {
            "events": list(self.events),
            "findings": list(self.findings),
            "_messages": list(self._messages),
        }
        return replace(self, **(fresh | {"_record": dict(self._record)} | changes))


def dialled(**fields: Any) -> Example:
    return Example(**fields).dials()


def call(**fields: Any) -> Example:
    """The caller dials, at 0.0."""
    return dialled(now=0.0, **fields)


def talk(**changes: Any) -> Example:
    """The right assistant answers at once."""
    return call(**changes).ai_gets().answered().taken()


def named(example: Example, visibility: Visibility = "all") -> list[tuple[str, str]]:
    """Each cause that is named, in order, and its confidence."""
    return [(cause.id, cause.confidence) for cause in example.diagnose(visibility).causes]


def scene_of(
    example: Example, visibility: Visibility = "all", *, has_deployment: bool = True
) -> Scene:
    """The case as that vantage sees it, before any rule is applied."""
    deployment = example.deployment if has_deployment else None
    events = [*example.events, *example._records()]
    return observe(
        example.case,
        example.findings,
        events,
        deployment,
        visibility=visibility,
        number_of=lambda _: "m1",
    )


def facts_of(example: Example, visibility: Visibility = "all") -> Facts:
    """All that is known of it."""
    return scene_of(example, visibility).facts


def value(example: Example, fact: str, visibility: Visibility = "all") -> object:
    """A fact of it; None if it is unknown."""
    return facts_of(example, visibility).value(fact)


def _measured(check: str, subject: str, facts: dict[str, Any]) -> Measurement | None:
    if CHECKS[check].measures is None:
        return None
    speaker, arrow, listener = subject.partition(" → ")
    return read_measurement(
        check, {"speaker": speaker, "listener": listener, **facts} if arrow else facts
    )
