"""What became of the AI's last REFER, where it sent two (RFC 3515 section 2.4.6)."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.stories import GROUP, transfer


def two_refers(first: int = 202) -> Example:
    example = transfer(Example())
    for number, code in (("2", first), ("3", 202)):
        start = "REFER sip:platform SIP/2.0"
        example._sip(
            "sent", start, "REFER", to="<sip:x@y.example>;tag=p", Refer_To=f"<sip:{GROUP}@y.example>", number=number
        )
        example._sip("received", f"SIP/2.0 {code} x", "REFER", number=number)
    return example


def notified(example: Example, said: list[tuple[str, str]]) -> object:
    for event, body in said:
        example._sip("received", "NOTIFY sip:ai SIP/2.0", "NOTIFY", f"{body}\r\n", number="9", Event=event)
    return facts_of(example).value("transfer.outcome")


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ([("refer;id=2", "SIP/2.0 486 x")], "nothing"),
        ([("refer;id=3", "SIP/2.0 200 x"), ("refer;id=2", "SIP/2.0 486 x")], 200),
        ([("refer", "SIP/2.0 486 x"), ("refer", "SIP/2.0 200 x")], 200),
        ([("refer", "SIP/2.0 486 x")], "nothing"),
    ],
)
def test_news_of_the_first_say_nothing_of_the_second(said: list[tuple[str, str]], outcome: object) -> None:
    assert notified(two_refers(), said) == outcome
