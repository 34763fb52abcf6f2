"""The ACKs of a call's 2xx responses (RFC 3261 sections 13.2.2.4 and 13.3.1.4), by the CSeq number of their INVITE."""

from __future__ import annotations

from harness.sip.message import Request, Response
from harness.world.wire.repeat import Repeater
from harness.world.wire.transport import Flow


class Acks:
    """Our ACKs, sent again whenever their 2xx comes again, and the 2xx of ours that wait for the peer's ACK."""

    def __init__(self) -> None:
        self._sent: dict[int, tuple[Request, Flow]] = {}
        self._awaited: dict[int, Repeater] = {}

    def sent(self, ack: Request, flow: Flow) -> None:
        """Keep an ACK that we have sent."""
        self._sent[ack.cseq.number] = ack, flow

    def again(self, response: Response) -> None:
        """Send the ACK of a 2xx again, which came again since the ACK was lost."""
        sent = self._sent.get(response.cseq.number)
        if sent is not None:
            ack, flow = sent
            flow.send(ack.raw)

    def expect(self, cseq: int, repeater: Repeater) -> None:
        """A 2xx of ours is being repeated until its ACK comes."""
        self._awaited[cseq] = repeater

    def take(self, cseq: int) -> bool:
        """Stop repeating the 2xx of that CSeq; returns whether its ACK was expected."""
        repeater = self._awaited.pop(cseq, None)
        if repeater is not None:
            repeater.stop()
        return repeater is not None

    def stop(self) -> None:
        """Expect no ACK any longer."""
        for cseq in list(self._awaited):
            self.take(cseq)
