"""What the AI's side of a made-up example saw, and what probes found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from harness.calls.events import FarEndRecord, SipMessage, TransferProgress, TransportFailed
from tests.unit.diagnosis.example_calls import CallExample
from tests.unit.diagnosis.example_case import AI, SDP, STAND_IN


@dataclass
class AiExample(CallExample):
    """The AI's side, a stand-in's or Synthflow's."""

    def _sip(self, direction: str, start: str, method: str, body: str = "", remote: str = "", **headers: str) -> Self:
        invite_from = headers.pop("from_", f"<sip:{self.caller}@platform.example>;tag=a")
        lines = [
            start,
            "Via: SIP/2.0/UDP 198.51.100.20:5060;branch=z9hG4bK1",
            f"From: {invite_from}",
            f"To: {headers.pop('to', '<sip:ai@192.0.2.60>')}",
            f"Call-ID: {headers.pop('call_id', 'at-the-ai')}",
            f"CSeq: {headers.pop('number', '1')} {method}",
            *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
            f"Content-Length: {len(body.encode())}",
        ]
        text = "\r\n".join(lines) + "\r\n\r\n" + body
        remote = remote or self.trunk.termination
        local = f"{AI if self.ai == 'synthflow' else STAND_IN}:{self.trunk.port}"
        if self.ai == "synthflow":
            plain = {
                "direction": direction,
                "transport": self.transport,
                "local": local,
                "remote": remote,
                "text": text,
            }
            self._messages.append(plain)
            return self
        self.events.append(
            SipMessage(
                at=self.now,
                phone="stand-in",
                leg="stand-in.1",
                direction=direction,  # type: ignore[arg-type]
                transport=self.transport,
                local=local,
                remote=remote,
                text=text,
            )
        )
        return self

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
            "named only": ("101", "RTP/AVP", "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"),
            "SRTP alone": ("0 8", "RTP/SAVP", "a=rtpmap:0 PCMU/8000\r\n"),
            "no media": ("", "", ""),
        }[offer]
        lines += "a=rtpmap:101 telephone-event/8000\r\n" if events else ""
        lines += f"a={direction}\r\n" if direction else ""
        sdp = SDP.format(host=address, protocol=protocol, formats=formats, lines=lines)
        if offer == "no media":
            sdp = sdp[: sdp.index("m=")]
        user = did or self.deployment.assistants[self.assistant].did
        secure = self.transport == "tls" if tls is None else tls
        uri = f"sip:{user}@{AI}:{self.trunk.port}" + (";transport=tls" if secure else "")
        remote = remote or next((t.termination for t in self.deployment.trunks if t.name == trunk), "") or ""
        headers = {"Content_Type": "application/sdp", "call_id": call_id, "number": number} | (
            {"from_": shown} if shown else {}
        )
        headers |= {"Proxy_Authorization": authorization} if authorization else {}
        self._sip("received", f"INVITE {uri} SIP/2.0", "INVITE", sdp, remote, **headers)
        if over and self._messages:
            self._messages[-1]["transport"] = over
            self._messages[-1]["local"] = f"{AI}:{32682 if over == 'tls' else 32681}"
        return self

    def ai_answers(
        self,
        code: int,
        reason: str = "",
        method: str = "INVITE",
        sdp: str = "",
        call_id: str = "at-the-ai",
        number: str = "1",
    ) -> Self:
        to = "<sip:ai@192.0.2.60>;tag=b"
        return self._sip("sent", f"SIP/2.0 {code} {reason}", method, sdp, to=to, call_id=call_id, number=number)

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
        **headers: str,
    ) -> Self:
        """A request of the caller's within its call (or the INVITE that begins it), and the final response, if one came."""
        host = "192.0.2.1"
        if method == "INVITE":
            offer = offer or SDP.format(host=host, protocol="RTP/AVP", formats="0 8", lines="")
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
            return "\r\n".join([start, *head, *more, *typed, f"Content-Length: {len(body)}"]) + "\r\n\r\n" + body

        self._at_caller("sent", text(f"{method} sip:platform SIP/2.0", offer), whole=True)
        if code:
            self._at_caller("received", text(f"SIP/2.0 {code} {reason}", answer), whole=True)
        return self

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
            self._sip("sent", "UPDATE sip:x SIP/2.0", "UPDATE", **asked)
            if code:
                self._sip("received", f"SIP/2.0 {code} x", "UPDATE", number=str(number))
        return self

    def ai_refers(self, to: str, embedded: str = "") -> Self:
        return self._sip(
            "sent",
            "REFER sip:platform SIP/2.0",
            "REFER",
            to="<sip:x@y.example>;tag=p",
            Refer_To=f"<sip:{to}@platform.example{embedded}>",
            number="2",
        )

    def ai_invites(self, to: str, remote: str = "", authorization: str = "", shown: str = "") -> Self:
        """The AI's own call to people; ``shown`` is the number in its From, the caller's where there is none."""
        more = {"Proxy_Authorization": authorization} if authorization else {}
        more |= {"from_": f"<sip:{shown}@synthflow.example>;tag=a"} if shown else {}
        start = f"INVITE sip:{to if '@' in to else f'{to}@platform.example'} SIP/2.0"
        return self._sip("sent", start, "INVITE", "", remote, call_id="onward", number="2", **more)

    def platform_says(self, code: int, reason: str = "", method: str = "REFER", number: int = 2) -> Self:
        call = "at-the-ai" if method == "REFER" else "onward"
        return self._sip("received", f"SIP/2.0 {code} {reason}", method, call_id=call, number=str(number))

    def notified(self, code: int, reason: str = "") -> Self:
        body = f"SIP/2.0 {code} {reason}\r\n"
        return self._sip(
            "received", "NOTIFY sip:ai SIP/2.0", "NOTIFY", body, number="9", Content_Type="message/sipfrag"
        )

    def record(self, **values: Any) -> Self:
        self._record |= values
        return self

    def sip_number(self, **values: Any) -> Self:
        """What Synthflow says of the SIP number that should register."""
        trunk = self.trunk
        record = {"termination_uri": trunk.termination, "username": trunk.username, "registrations": [], **values}
        self.events.append(FarEndRecord(at=self.now, phone="synthflow", source="GET /v2/sip_numbers/n1", record=record))
        return self

    def probed(self, of: str, reach: str, certificate: str | None = None) -> Self:
        record = {"of": of, "reach": reach} | ({"certificate": certificate} if certificate else {})
        self.events.append(FarEndRecord(at=self.now, phone="probe", source=f"OPTIONS to {of}", record=record))
        return self

    def all_ports_answer(self) -> Self:
        self.probed("ai", "answers", "valid" if self.transport == "tls" else None)
        return self.probed("termination", "answers")

    def transport_failed(self, phone: str, reason: str) -> Self:
        self.events.append(
            TransportFailed(
                at=self.now, phone=phone, transport=self.transport, remote="198.51.100.20:5060", reason=reason
            )
        )
        return self

    def refer_ended(self, code: int, reason: str = "") -> Self:
        self.events.append(
            TransferProgress(at=self.now, phone="stand-in", leg="stand-in.1", code=code, reason=reason, final=True)
        )
        return self
