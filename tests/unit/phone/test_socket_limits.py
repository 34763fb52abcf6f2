"""When pjlib has free socket slots for another call."""

from __future__ import annotations

from harness.phone.child.socket_limits import SocketSlots


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def invite(number: int) -> tuple[str, str, str]:
    return (f"z9hG4bK{number}", "192.0.2.1", f"call-{number}")


def test_the_sockets_of_closed_calls_take_places_for_a_while() -> None:
    clock = Clock()
    places = SocketSlots(clock)
    for _ in range(19):
        places.closed()
    assert places.may_dial
    places.closed()
    assert not places.may_dial
    clock.now += 0.59
    assert not places.may_dial
    clock.now += 0.02
    assert places.may_dial


def test_a_repetition_has_the_answer_that_the_invite_had() -> None:
    """RFC 3261 section 17.2.1: it is no other request. What was let in goes on; what was refused
    begins no call later.
    """
    clock = Clock()
    places = SocketSlots(clock)
    for number in range(28):
        places.admits(invite(number))
    assert places.admits(invite(3))
    clock.now += 16
    assert not places.admits(invite(27))
    assert places.admits(("z9hG4bK27", "192.0.2.1", "another call"))
    clock.now += 17.1
    assert places.admits(invite(27))


def test_a_build_without_assertions_is_not_limited() -> None:
    places = SocketSlots(Clock())
    places.needed = False
    for number in range(100):
        places.closed()
        assert places.may_dial
        assert places.admits(invite(number))
