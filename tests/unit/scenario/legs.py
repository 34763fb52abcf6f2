"""A scripted conversation: legs whose events come as a clock goes on, at phones that nobody
started.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from harness.case.events import CallState, Event, Listened, MarkHeard, SipMessage
from harness.case.legs import LegEvents
from harness.phone.leg import accept_every_leg
from harness.phone.waiter import never_came
from tests.unit.clock import Clock

CALLER, OTHER, STRANGER = "+14155550101", "+14155550199", "+13035550177"
TOLD: dict[str, Any] = {"phone": "caller", "leg": "caller.1"}


class ScriptedLeg:
    """A leg with these events: each comes when ``clock`` gets there; without a clock, all have
    come.

    What the leg is made to do is in ``did``.
    """

    successor = predecessor = None
    taken = False
    lost = 0
    counted: Any = None

    def __init__(
        self,
        *told: Event,
        name: str = "caller.1",
        mark: int = 7,
        direction: str = "outgoing",
        clock: Clock | None = None,
        phone: Any = None,
        state: str = "",
        heard: Callable[[float], Any] = lambda since: np.zeros(0, np.int16),
    ) -> None:
        self.id, self.mark, self.direction, self._state = name, mark, direction, state
        self.told = sorted(told, key=lambda event: event.at)
        self.phone = phone or SimpleNamespace(name=name.partition(".")[0])
        self.received_since = heard
        self._clock = clock
        self.did: list[Any] = []

    def received(self) -> tuple[Any, float]:
        return self.received_since(0.0), 0.0

    def sent(self) -> Any:
        return np.zeros(0, np.int16)

    @property
    def events(self) -> list[Event]:
        return [event for event in self.told if self._clock is None or event.at <= self._clock.now]

    @property
    def facts(self) -> LegEvents:
        return LegEvents(self.events)

    @property
    def messages(self) -> list[SipMessage]:
        return [event for event in self.events if isinstance(event, SipMessage)]

    @property
    def invite(self) -> SipMessage:
        return next(message for message in self.messages if message.text.startswith("INVITE "))

    @property
    def state(self) -> str:
        states = [event.state for event in self.events if isinstance(event, CallState)]
        return self._state or (states[-1] if states else "confirmed")

    def wait(
        self,
        goal: str,
        wanted: Callable[[Event], bool],
        within: float = 0.0,
        since: float = 0.0,
        **_: Any,
    ) -> Event:
        for event in self.told:
            if self._clock is not None and event.at > self._clock.now + within:
                break
            if self._clock is not None:
                before, self._clock.now = self._clock.now, max(self._clock.now, event.at)
            if event.at >= since and wanted(event):
                return event
            if self._clock is not None:
                self._clock.now = before
        if self._clock is not None:
            self._clock.now += within
        raise never_came(goal, within, self.id, "nothing", "")

    def wait_for(
        self,
        kind: type[Event],
        goal: str,
        wanted: Callable[[Any], bool],
        within: float = 0.0,
        since: float = 0.0,
        outlives_call: bool = False,
        tells: bool = True,
    ) -> Event:
        return self.wait(goal, lambda e: isinstance(e, kind) and wanted(e), within, since)

    def wait_state(self, state: str, within: float) -> Event:
        return self.wait(state, lambda event: getattr(event, "state", "") == state, within)

    def statistics(self) -> Any:
        return self.counted

    def answer(self) -> None:
        self.did.append("answers")

    def hangup(self, code: int = 0) -> None:
        self.did.append("BYE")

    def reject(self, code: int) -> None:
        self.did.append(code)

    def play(self, source: Any) -> None:
        self.did.append(source)

    def send_digits(self, digits: str, method: str) -> None:
        self.did.append(digits)


def leg(*told: Event, **more: Any) -> Any:
    """The same, as what takes a leg takes it."""
    return ScriptedLeg(*told, **more)


def states(
    *named: str, began: float = 1.0, apart_s: float = 0.1, leg: str = "caller.1", **more: Any
) -> list[Event]:
    """A call that is in these states, one after the other."""
    about: dict[str, Any] = {"phone": leg.partition(".")[0], "leg": leg, **more}
    return [
        CallState(at=began + apart_s * n, state=state, **about)  # type: ignore[arg-type]
        for n, state in enumerate(named)
    ]


def heard(at: float, mark: int) -> MarkHeard:
    return MarkHeard(at=at, mark=mark, began=at, level_dbov=-20.0, quality=0.99, **TOLD)


def sounds(
    began: float, seconds: float, speaks: Callable[[float], bool] = lambda at: True
) -> list[Event]:
    """What a listener says each 0.2 s: whether it is loud."""
    pulses = [number / 5 for number in range(1, round(seconds * 5) + 1)]
    return [
        Listened(at=began + at, seconds=at, level_dbov=-20.0 if speaks(at) else -96.0, **TOLD)
        for at in pulses
    ]


def message(
    at: float, direction: str, start: str, to_tag: str, method: str = "INVITE"
) -> SipMessage:
    text = (
        f"{start}\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nFrom: <sip:a@example.com>;tag=1\r\n"
        f"To: <sip:b@example.com>{to_tag and f';tag={to_tag}'}\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
    )
    where: Any = {
        "transport": "udp",
        "local": "192.0.2.9:5060",
        "remote": "192.0.2.1:5060",
        "direction": direction,
    }
    return SipMessage(at=at, text=text, **where, **TOLD)


def invite(shown: str, *more: str, number: str = "ada", at: float = 1.0) -> SipMessage:
    """An INVITE for ``number`` that shows a caller's number, or a word where none is told."""
    lines = [f"INVITE sip:{number}@p.example SIP/2.0", "Via: SIP/2.0/UDP x;branch=z9hG4bK1"]
    lines += [
        f"From: <sip:{shown}@b.example>;tag=1",
        "To: <sip:ada@p.example>",
        "Call-ID: c",
        "CSeq: 1 INVITE",
        *more,
    ]
    where: Any = {
        "transport": "udp",
        "local": "192.0.2.9:5060",
        "remote": "192.0.2.1:5060",
        "direction": "received",
    }
    return SipMessage(at=at, text="\r\n".join(lines) + "\r\n\r\n", **where, **TOLD)


class ScriptedPhone:
    """A harness phone with the calls that came to it."""

    fault: Callable[[], None] = staticmethod(lambda: None)
    declined: Any = None
    guessed = False

    def __init__(
        self, name: str, *legs: Any, is_ours: Callable[[Any], bool] = accept_every_leg
    ) -> None:
        self.name, self.legs, self.is_ours = name, list[Any](), is_ours
        self.registration: Any = SimpleNamespace(active=True)
        self.process: Any = SimpleNamespace(pid=id(self), stood_still=lambda *_: 0.0)
        for each in legs:
            self.add(each)

    def add(self, leg: Any) -> Any:
        leg.phone = self
        self.legs.append(leg)
        return leg

    def rings(
        self, shown: str, *named: str, at: float = 1.0, number: str = "ada", **more: Any
    ) -> Any:
        """A call comes, and is in these states."""
        name = f"{self.name}.{len(self.legs) + 1}"
        told = states(*named or ("incoming",), began=at, leg=name)
        return self.add(
            leg(invite(shown, number=number, at=at), *told, name=name, direction="incoming", **more)
        )

    @property
    def incoming(self) -> list[Any]:
        return [each for each in self.legs if each.direction == "incoming" and self.is_ours(each)]

    def next_call(self, within: float) -> Any:
        for each in self.incoming:
            if not each.taken:
                each.taken = True
                return each
        raise never_came("a call", within, self.name, "none", "")

    def expect_call(self, within: float, answer: bool = True) -> Any:
        return self.next_call(within)
