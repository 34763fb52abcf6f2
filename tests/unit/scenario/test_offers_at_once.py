"""Two offers at once (RFC 3261 section 14.1): who gets 491 offers again, later where it owns the Call-ID."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.calls.events import Event, MediaState, SipMessage
from harness.phone.waiter import NeverCame, never_came
from harness.scenario.call import Call
from tests.unit.phone_events import sip_message


class Leg:
    """A leg whose offers are answered as told: with 491, another refusal, or as asked for."""

    id, successor = "caller.1", None

    def __init__(self, direction: str, *answers: int) -> None:
        self.direction, self.answers = direction, list(answers)
        self.offers = 0
        self.events: list[Event] = [cast("Any", SimpleNamespace(at=0.0))]
        self.messages: list[SipMessage] = []  #: so far
        self.later: list[SipMessage] = []

    def hold(self) -> None:
        self.offers += 1
        self.events = []
        code = self.answers.pop(0)
        for method in ("UPDATE", "INVITE"):
            text = f"SIP/2.0 {code if method == 'INVITE' else 491} A\r\nCSeq: {self.offers} {method}\r\n\r\n"
            self.events.append(sip_message("received", text))
        if code == 200:
            self.events.append(MediaState(at=1.0, phone="caller", active=True, direction="sendonly"))

    def wait(self, goal: str, predicate: Callable[[Event], bool], within: float, since: float) -> Event:
        while self.later:
            self.messages.append(message := self.later.pop(0))
            if predicate(message):
                return message
        for event in self.events:
            if predicate(event):
                return event
        raise never_came(goal, within, self.id, "it never came", "")


class Context:
    """A case's, as far as an offer asks it; remembers how long it was to pause."""

    patience = 1.0

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self.pause = self.pauses.append
        self.evidence = SimpleNamespace(step=self.step, scripted=lambda *_, **__: None)

    @contextlib.contextmanager
    def step(self, _: str) -> Iterator[None]:
        yield


def hold(direction: str, *answers: int) -> tuple[Leg, list[float]]:
    leg, context = Leg(direction, *answers), Context()
    Call(cast("Any", context), cast("Any", leg), "caller").hold()
    return leg, context.pauses


@pytest.mark.parametrize(("direction", "least", "most"), [("outgoing", 2.1, 4.0), ("incoming", 0.0, 2.0)])
@pytest.mark.parametrize("glares", [0, 1, 2])
def test_it_offers_again(direction: str, least: float, most: float, glares: int) -> None:
    leg, pauses = hold(direction, *[491] * glares, 200)
    assert (leg.offers, len(pauses)) == (glares + 1, glares)
    assert all(least <= pause <= most for pause in pauses)


@pytest.mark.parametrize("answers", [(491, 491, 491), (488,), (491, 500)])
def test_what_is_refused_for_good_never_came(answers: tuple[int, ...]) -> None:
    with pytest.raises(NeverCame):
        hold("outgoing", *answers)


def theirs(start: str, direction: str = "received", cseq: str = "7 INVITE") -> SipMessage:
    """A message of an INVITE of the far end's within the call."""
    text = f"{start}\r\nTo: <sip:caller@b>;tag=1\r\nCSeq: {cseq}\r\n\r\n"
    return sip_message(direction, text)


ASKS, TAKES = theirs("INVITE sip:caller@b SIP/2.0"), theirs("SIP/2.0 200 OK", "sent")
REFUSES, ACKNOWLEDGES = theirs("SIP/2.0 488 No", "sent"), theirs("ACK sip:caller@b SIP/2.0", cseq="7 ACK")


@pytest.mark.parametrize(
    ("so_far", "later", "left"),
    [
        ([ASKS, TAKES], [ACKNOWLEDGES, ASKS], 1),  # nothing is waited for beyond it
        ([ASKS], [TAKES, ACKNOWLEDGES, ASKS], 1),
        ([ASKS], [REFUSES, ACKNOWLEDGES], 1),
        ([ASKS, TAKES, ACKNOWLEDGES], [ASKS], 1),
        ([ASKS, TAKES, ACKNOWLEDGES, ASKS], [TAKES], 1),  # once more, since the network had it twice
        ([], [ASKS], 1),
        ([ASKS, TAKES], [], 0),  # it is offered all the same where no ACK comes
    ],
)
def test_the_far_end_s_own_offer_is_over_first(so_far: list[Any], later: list[Any], left: int) -> None:
    """RFC 3261 section 14.1: no INVITE while another one is under way, in either direction."""
    leg = Leg("outgoing", 200)
    leg.messages, leg.later = list(so_far), list(later)
    waiting: list[int] = []
    hold_ = leg.hold

    def hold_then() -> None:
        waiting.append(len(leg.later))
        hold_()
        leg.later = []

    leg.hold = hold_then  # type: ignore[method-assign]
    Call(cast("Any", Context()), cast("Any", leg), "caller").hold()
    assert waiting == [left]
