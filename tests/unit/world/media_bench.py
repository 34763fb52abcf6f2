"""Streams of one media engine, and what they hear."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import numpy as np

from harness.world.audit import Audit, AuditHandler
from harness.world.media import sound
from harness.world.media.digits import ReceivedDigit
from harness.world.media.leg import LegMedia
from harness.world.media.rtp import Packet
from harness.world.media.sound import PHASES, Ticker
from harness.world.settings import AssistantSettings
from harness.world.synthflow.media_engine import Channel, MediaEngine

if TYPE_CHECKING:
    from harness.world.synthflow.conversation import Conversation

VOICE, CALLER = 240, 17


class Notes:
    """A listener that writes everything down."""

    def __init__(self) -> None:
        self.marks: list[int] = []
        self.digits: list[ReceivedDigit] = []
        self.prompts: list[str] = []
        self.silent_for = 0.0

    def heard_mark(self, mark: int, began: float, level_dbov: float) -> None:
        self.marks.append(mark)

    def heard_digit(self, digit: ReceivedDigit) -> None:
        self.digits.append(digit)

    def heard_prompt(self, name: str) -> None:
        self.prompts.append(name)

    def heard_nothing(self, seconds: float) -> None:
        self.silent_for = seconds


class Still(Ticker):
    """The world's clock, stopped at 0."""

    def start(self) -> None:
        pass


class Bench:
    """A channel whose ticks the test makes itself, with ``peer`` as the far end's media."""

    def __init__(self, prompts: tuple[str, ...] = ()) -> None:
        self.media, self.peer = LegMedia("127.0.0.1"), LegMedia("127.0.0.1")
        self.peer.learn(self.media.answer(self.peer.offer()))
        self.notes = Notes()
        self.audit = Audit()
        self.media_engine = MediaEngine(Still(), prompts, capacity=1)
        self.channel = self.open()
        self.said: list[Packet] = []
        self.media.port.send = self._sent  # type: ignore[method-assign]
        self._sequence = 0

    def open(self) -> Channel:
        return self.media_engine.open(
            self.media, cast("Conversation", self.notes), VOICE, AssistantSettings()
        )

    def _sent(self, data: bytes) -> None:
        packet = Packet.parse(data)
        assert packet is not None
        self.said.append(packet)

    def hear(self, payload: bytes, payload_type: int = 0, timestamp: int | None = None) -> None:
        self.receive(payload, payload_type, timestamp)
        self.idle(1)

    def receive(self, payload: bytes, payload_type: int = 0, timestamp: int | None = None) -> None:
        """Have a packet come, without a tick."""
        self._sequence += 1
        assert self.media.port.on_packet is not None
        when = self._sequence * 160 if timestamp is None else timestamp
        self.media.port.on_packet(bytes(Packet(payload_type, self._sequence, when, 5, payload)))

    def lose(self, count: int) -> None:
        self._sequence += count

    def idle(self, ticks: int) -> None:
        for _ in range(ticks):
            for phase in range(PHASES):
                self.media_engine.advance(phase)

    def hear_mark(self, mark: int, frames: int) -> None:
        period = sound.mark(mark, "PCMU")
        for at in range(frames):
            self.hear(period[at % len(period)])

    def hear_samples(self, samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
        for frame in sound.frames(samples, "PCMU"):
            self.hear(frame)

    def close(self) -> None:
        self.channel.close()
        self.media.close()
        self.peer.close()


@contextmanager
def bench(prompts: tuple[str, ...] = ()) -> Iterator[Bench]:
    async def make() -> Bench:
        return Bench(prompts)

    with asyncio.Runner() as runner:
        made = runner.run(make())
        handler = AuditHandler(made.audit)
        logging.getLogger("harness.world").addHandler(handler)
        try:
            yield made
            assert made.audit.errors == []
        finally:
            logging.getLogger("harness.world").removeHandler(handler)

            async def close() -> None:
                made.close()

            runner.run(close())
