"""Attribution of messages to phones and legs when both ends of a call are in one process."""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass, field
from typing import Any

from harness.phone.child.attribution import Attribution
from harness.phone.child.messages import WireMessage, read_text


@dataclass(eq=False)
class FakePhone:
    address: str
    user: str
    transport_name: str = "udp"
    gone: bool = False

    @property
    def host(self) -> str:
        return self.address.split(":")[0]


@dataclass(eq=False)
class FakeLeg:
    phone: FakePhone
    call_id: str
    direction: str
    tag: str = ""
    branch: str = ""
    seen: list[str] = field(default_factory=list)

    def saw(self, message: WireMessage) -> None:
        self.seen.append(message.text.split("\r\n")[0])


def request(method: str, uri: str, *, branch: str = "b1") -> str:
    return (
        f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:1;branch={branch}\r\nFrom: <sip:a@x>;tag=fa\r\n"
        f"To: <sip:b@x>\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
    )


def response(status: int, method: str = "INVITE", *, to_tag: str = "", branch: str = "b1") -> str:
    return (
        f"SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 127.0.0.1:1;branch={branch}\r\nFrom: <sip:a@x>;tag=fa\r\n"
        f"To: <sip:b@x>{';tag=' + to_tag if to_tag else ''}\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
    )


class Scene:
    """Alice and bob in one process."""

    def __init__(self) -> None:
        self.alice, self.bob = FakePhone("127.0.0.1:1", "a"), FakePhone("127.0.0.2:2", "b")
        self.phones = [self.alice, self.bob]
        self.delivered: list[tuple[str, FakePhone, FakeLeg | None]] = []
        self.attribution: Any = Attribution(self._current, self._deliver)

    def _current(self) -> Any:
        return self.phones

    def _deliver(self, _: float, message: WireMessage, phone: Any, leg: Any) -> None:
        self.delivered.append((message.text.split("\r\n")[0], phone, leg))

    def sent(self, text: str) -> None:
        self.attribution.message(
            0.0, read_text(text, direction="sent", transport="udp", remote="127.0.0.9:9")
        )

    def received(self, text: str) -> None:
        self.attribution.message(
            0.0, read_text(text, direction="received", transport="udp", remote="127.0.0.9:9")
        )

    def begins(self, leg: FakeLeg) -> FakeLeg:
        self.attribution.catch_up(leg, self.attribution.begins(leg))
        return leg


def test_each_fork_gets_the_messages_of_its_own_invite() -> None:
    """A proxy rings two phones of one process, as for a ring group, and cancels the one that has
    not answered.
    """
    scene = Scene()
    legs: dict[str, FakeLeg] = {}
    for phone, branch in ((scene.alice, "f1"), (scene.bob, "f2")):
        scene.received(request("INVITE", f"sip:{phone.user}@{phone.address}", branch=branch))
        scene.sent(response(100, branch=branch))  # pjsua's, before it says that there is a call
        legs[branch] = scene.begins(FakeLeg(phone, "c", "incoming"))
    for branch in ("f2", "f1"):
        scene.sent(response(180, to_tag=f"t-{branch}", branch=branch))
    scene.sent(response(200, to_tag="t-f1", branch="f1"))
    scene.received(request("CANCEL", "sip:b@127.0.0.2:2", branch="f2"))
    scene.sent(response(200, "CANCEL", to_tag="t-f2", branch="f2"))
    seen = {
        branch: [line.removeprefix("SIP/2.0 ").split()[0] for line in leg.seen]
        for branch, leg in legs.items()
    }
    assert seen == {
        "f1": ["INVITE", "100", "180", "200"],
        "f2": ["INVITE", "100", "180", "CANCEL", "200"],
    }
    assert {branch: leg.tag for branch, leg in legs.items()} == {"f1": "t-f1", "f2": "t-f2"}


def test_a_refused_invite_is_attributed_to_the_called_phone() -> None:
    scene = Scene()
    scene.received(request("INVITE", "sip:b@127.0.0.2:2"))
    scene.sent(response(486, to_tag="t"))
    assert scene.delivered == []
    scene.attribution.give_up_unbound()
    assert [(phone, leg) for _, phone, leg in scene.delivered] == [(scene.bob, None)] * 2


def test_messages_for_a_removed_phone_are_dropped() -> None:
    """Another phone may have its user and address by now. The removed phone is not kept in memory."""
    scene = Scene()
    options = request("OPTIONS", "sip:b@127.0.0.2:2")
    scene.received(options)
    scene.sent(response(200, "OPTIONS", to_tag="t"))
    gone = weakref.ref(scene.bob)
    scene.bob = FakePhone("127.0.0.2:2", "b")
    scene.phones = [scene.alice, scene.bob]
    scene.delivered.clear()
    gc.collect()
    assert gone() is None
    scene.received(options)
    scene.sent(response(200, "OPTIONS", to_tag="t"))
    assert scene.delivered == []


def test_the_called_phone_is_found_by_address_then_user() -> None:
    scene = Scene()

    def called(uri: str, to: str = "<sip:z@x>") -> FakePhone | None:
        text = request("INVITE", uri).replace("To: <sip:b@x>", f"To: {to}")
        found: FakePhone | None = scene.attribution.called(
            read_text(text, direction="received", transport="udp")
        )
        return found

    assert called("sip:z@127.0.0.2:2") is scene.bob
    assert called("sip:a@example.com") is scene.alice
    assert called("sip:z@127.0.0.1") is scene.alice
    assert called("tel:b") is scene.bob
    assert called("sip:z@example.com") is None
    scene.phones.remove(scene.alice)
    assert called("sip:z@example.com") is scene.bob
