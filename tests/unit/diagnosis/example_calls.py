"""What our own phones saw in a made-up example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from harness.calls.events import CallState, FarEndRecord, LegStarted, MarkHeard, MediaState, SipMessage
from tests.unit.diagnosis.example_case import CaseExample
from tests.unit.phone_events import rtp_statistics, sip_message


@dataclass
class CallExample(CaseExample):
    """The caller and the agents."""

    def dials(self, *, taken: bool = True, withheld: bool = False, number: str = "") -> Self:
        """The caller's INVITE; one that is ``taken`` is answered with 100."""
        uri = f"sip:{number or self.did}@carrier.example"
        self.events.append(
            LegStarted(at=self.now, phone="caller", leg="caller.1", direction="outgoing", mark=7, remote_uri=uri)
        )
        self._at_caller("sent", f"INVITE {uri} SIP/2.0" + ("\r\nPrivacy: id" if withheld else ""))
        if taken:
            self._at_caller("received", "SIP/2.0 100 Trying")
        return self

    def dials_too(self, phone: str) -> Self:
        """Another caller's call at the same time."""
        uri = f"sip:{self.did}@carrier.example"
        self.events.append(
            LegStarted(at=self.now, phone=phone, leg=f"{phone}.1", direction="outgoing", mark=8, remote_uri=uri)
        )
        return self

    def replaces(self) -> Self:
        """The caller's phone places the call that a REFER asked for, and it is answered."""
        fields = {"direction": "outgoing", "mark": 7, "remote_uri": "sip:x@y.example", "replaces": "caller.1"}
        self.events.append(LegStarted(at=self.now, phone="caller", leg="caller.2", **fields))  # type: ignore[arg-type]
        self.events.append(CallState(at=self.now, phone="caller", leg="caller.2", state="confirmed", code=200))
        return self

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
        """A message of a harness phone: a request, or the answer with that code; what it is asked it receives."""
        start = f"SIP/2.0 {code} {reason}" if code else f"{method} sip:{phone} SIP/2.0"
        out = bool(code) if sent is None else sent
        to = "<sip:y@y.example>;tag=t" if within or code else "<sip:y@y.example>"
        head = [start, "From: <sip:x@y.example>;tag=f", f"To: {to}", f"Call-ID: at-{phone}", f"CSeq: 1 {method}"]
        if body:
            head.append("Content-Type: application/sdp")
        text = "\r\n".join([*head, f"Content-Length: {len(body)}"]) + "\r\n\r\n" + body
        where = {"transport": "udp", "local": "192.0.2.7:5060", "remote": "192.0.2.2:5060"}
        direction = "sent" if out else "received"
        self.events.append(
            SipMessage(at=self.now, phone=phone, leg=leg, direction=direction, text=text, **where)  # type: ignore[arg-type]
        )
        return self

    def caller_gets(self, text: str) -> Self:
        """A message of the platform's to the caller."""
        self._at_caller("received", text)
        return self

    def _at_caller(self, direction: Any, text: str, *, whole: bool = False) -> None:
        message = sip_message(direction, text if whole else text + "\r\n\r\n", at=self.now)
        self.events.append(message)

    def state(self, state: Any, code: int = 0, reason: str = "", phone: str = "caller") -> Self:
        self.events.append(CallState(at=self.now, phone=phone, leg=f"{phone}.1", state=state, code=code, reason=reason))
        return self

    def answered(self) -> Self:
        return self.state("confirmed", 200, "OK")

    def ends_here(self, code: int, reason: str) -> Self:
        """The caller's call is over."""
        return self.state("disconnected", code, reason)

    def gives_up(self) -> Self:
        self._at_caller("sent", f"CANCEL sip:{self.did}@carrier.example SIP/2.0")
        return self.state("disconnected", 487, "Request Terminated")

    def rings(self, phone: str, leg: str = "") -> Self:
        self.events.append(
            LegStarted(
                at=self.now,
                phone=phone,
                leg=leg or f"{phone}.1",
                direction="incoming",
                mark=9,
                remote_uri="sip:x@y.example",
            )
        )
        return self

    def codec(self, leg: str, codec: str) -> Self:
        phone = leg.partition(".")[0]
        self.events.append(
            MediaState(
                at=self.now, phone=phone, leg=leg, active=True, direction="sendrecv", codec=codec, clock_rate=8000
            )
        )
        return self

    def hears_mark(self, leg: str, mark: int) -> Self:
        phone = leg.partition(".")[0]
        self.events.append(
            MarkHeard(at=self.now, phone=phone, leg=leg, mark=mark, began=self.now, level_dbov=-15.0, quality=0.9)
        )
        return self

    def counted(
        self,
        leg: str = "caller.1",
        received: int = 200,
        lost: int = 0,
        rtt_ms: float = 0.0,
        reordered: int = 0,
        elsewhere: str = "",
    ) -> Self:
        both = {"tx_packets": received, "tx_bytes": 160 * received, "rx_packets": received, "rx_bytes": 160 * received}
        jitter = {"rx_jitter_ms": 1.0, "tx_jitter_ms": 1.0}
        told = {"rx_lost": lost, "rx_reordered": reordered, "rtt_ms": rtt_ms, "rx_elsewhere": elsewhere}
        self.events.append(rtp_statistics(self.now, leg, **both | jitter | told))
        return self

    def calls_again(self, asks: str, dialled: str, **outcome: object) -> Self:
        """The second call, after the case has failed."""
        for record in ({"begins": True}, outcome):
            told = {"of": "second call", "asks": asks, "dialled": dialled, **record}
            self.after(1).events.append(FarEndRecord(at=self.now, phone="probe", source="second call", record=told))
            if "begins" in record:
                leg = {"direction": "outgoing", "mark": 8, "remote_uri": f"sip:{dialled}@carrier.example"}
                self.events.append(LegStarted(at=self.now, phone="caller", leg="caller.2", **leg))  # type: ignore[arg-type]
        return self
