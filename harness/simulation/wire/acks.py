"""The ACKs of a call's 2xx responses (RFC 3261 sections 13.2.2.4 and 13.3.1.4), by the CSeq number of their INVITE."""

from __future__ import annotations

from harness.simulation.wire.repeat import Repeater
from harness.simulation.wire.transport import Flow
from harness.sip.message import Request, Response


class Acks:
    """Ours, sent again whenever a 2xx comes again; and the peer's, until which a 2xx of ours is repeated."""

    def __init__(self) -> None:
        self._sent: dict[int, tuple[Request, Flow]] = {}
        self._awaited: dict[int, Repeater] = {}

    def sent(self, ack: Request, flow: Flow) -> None:
        """We have acknowledged a 2xx."""
        self._sent[ack.cseq.number] = ack, flow

    def again(self, response: Response) -> None:
        """That 2xx came again, so its ACK was lost."""
        sent = self._sent.get(response.cseq.number)
        if sent is not None:
            ack, flow = sent
            flow.send(ack.raw)

    def expect(self, cseq: int, repeater: Repeater) -> None:
        """A 2xx of ours is being repeated until its ACK comes."""
        self._awaited[cseq] = repeater

    def take(self, cseq: int) -> bool:
        """An ACK came, or comes no more; whether one was expected."""
        repeater = self._awaited.pop(cseq, None)
        if repeater is not None:
            repeater.stop()
        return repeater is not None

    def stop(self) -> None:
        """None is expected any longer."""
        for cseq in list(self._awaited):
            self.take(cseq)
