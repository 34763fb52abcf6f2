"""OPTIONS that a platform sends to a phone, and how long to wait for one."""

from __future__ import annotations

import threading

import pytest

from harness.case.events import SipMessage, StrangerRefused
from harness.phone import options_seen
from harness.phone.options_seen import OptionsSeen

ANSWER = (
    "SIP/2.0 {status}\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-{number}\r\nFrom: <sip:sbc@192.0.2.1>;tag=1\r\n"
    "To: <sip:192.0.2.9>;tag=2\r\nCall-ID: {number}@192.0.2.1\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
)


def answer(at: float, number: int, method: str = "OPTIONS", status: str = "200 OK") -> SipMessage:
    text = ANSWER.format(number=number, method=method, status=status)
    place = {"transport": "udp", "local": "192.0.2.9:32681", "remote": "192.0.2.1:5060"}
    return SipMessage(at=at, phone="stand-in", direction="sent", text=text, **place)


def refused(source: str, method: str = "OPTIONS") -> StrangerRefused:
    kind = {"transport": "udp", "method": method, "user_agent": "", "count": 1}
    return StrangerRefused(at=0.0, phone="stand-in", source=source, why="address", **kind)  # type: ignore[arg-type]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def seen() -> OptionsSeen:
    """Its clock stands still, so that a slow machine does not shorten a wait."""
    seen = OptionsSeen("stand-in", "192.0.2.9:32681/udp", clock=lambda: 0.0)
    seen.phone_came()
    return seen


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for beyond twice the interval."""
    monkeypatch.setattr(options_seen, "_SLACK_S", 0.0)


def test_where_nothing_tells_that_a_platform_asks_nothing_is_waited_for(
    seen: OptionsSeen, said: list[str]
) -> None:
    told = seen.wait(None, said.append)
    assert (told.answered, told.every_s, told.phone, said) == (False, None, "stand-in", [])
    seen.take(answer(10.0, 1))
    assert seen.wait(None, said.append).answered
    seen.phone_came()
    told = seen.wait(None, said.append)
    assert (told.answered, told.every_s, said) == (False, None, []), (
        "one alone does not tell how often"
    )


def test_what_the_file_says_is_waited_for_and_each_who_waits_goes_on_with_the_first(
    seen: OptionsSeen, said: list[str]
) -> None:
    waiting, told = threading.Event(), list[bool]()

    def say(text: str) -> None:
        said.append(text)
        waiting.set()

    cases = [
        threading.Thread(target=lambda: told.append(seen.wait(600.0, say).answered))
        for _ in range(2)
    ]
    for case in cases:
        case.start()
    assert waiting.wait(20)
    seen.take(answer(10.0, 1, method="INVITE"))
    seen.take(answer(10.0, 1, status="486 Busy Here"))
    assert told == []
    seen.take(answer(11.0, 2))
    for case in cases:
        case.join(20)
    assert told == [True, True]
    (line,) = said
    assert line.startswith(
        "WAITING  for an OPTIONS of the platform to the stand-in at 192.0.2.9:32681/udp, at most 1205 s"
    )
    assert seen.wait(600.0, said.append).answered
    assert len(said) == 1


@pytest.mark.usefixtures("_at_once")
def test_options_far_apart_are_no_keep_alive_and_not_waited_for_unless_the_file_says_so(
    seen: OptionsSeen, said: list[str]
) -> None:
    for number, at in enumerate(
        (10.0, 1210.0, 2410.0)
    ):  # as a monitoring system's, or what is asked when a trunk is saved
        seen.take(answer(at, number))
    seen.phone_came()
    told = seen.wait(None, said.append)
    assert (told.answered, told.every_s, said) == (False, None, [])
    for number, at in enumerate((2500.0, 2530.0), start=10):
        seen.take(answer(at, number))
    assert seen.wait(None, said.append).every_s == 30.0, "those of every half minute are"


@pytest.mark.usefixtures("_at_once")
def test_a_phone_that_comes_again_is_asked_anew_as_often_as_was_seen(
    seen: OptionsSeen, said: list[str]
) -> None:
    for at, number in (
        (10.0, 1),
        (10.01, 2),
        (10.05, 3),
        (10.9, 3),
        (10.07, 4),
    ):  # the third once more, late
        seen.take(answer(at, number))
    seen.phone_came()
    told = seen.wait(None, said.append)
    assert not told.answered
    assert told.every_s == pytest.approx(0.04), (
        "the longest time between two, a repeated one left out"
    )
    assert len(said) == 2


@pytest.mark.usefixtures("_at_once")
def test_what_never_comes_is_waited_for_once_and_said_with_who_was_refused(
    seen: OptionsSeen, said: list[str]
) -> None:
    seen.take(refused("198.51.100.7"))
    seen.take(refused("198.51.100.8", "INVITE"))
    for _ in range(2):
        told = seen.wait(0.01, said.append)
        assert (told.answered, told.every_s) == (False, 0.01)
    assert len(said) == 2
    assert "no OPTIONS came" in said[1]
    assert "(OPTIONS from 198.51.100.7 were refused" in said[1]
    seen.phone_came()
    assert not seen.wait(600.0, said.append).answered, (
        "none ever came, and it is not waited for again"
    )
    assert len(said) == 2
