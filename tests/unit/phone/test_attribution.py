"""Whose message is whose, when both ends of a call live in one process."""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass, field
from typing import Any

from harness.phone.child.attribution import UNKNOWN, Attribution
from harness.phone.child.messages import Connection, WireMessage, read_text
from harness.phone.child.socket_limits import SocketName


@dataclass(eq=False)
class FakePhone:
    address: str
    user: str
    transport_name: str = "udp"
    gone: bool = False
    public: str = ""
    at: str = ""  #: where it is bound, when that is not its address
    asking: list[FakePhone] = field(default_factory=list)  #: who share it, and have asked for a request each

    def asker(self, _: WireMessage) -> FakePhone:
        return self.asking.pop(0) if self.asking else self

    @property
    def host(self) -> str:
        return self.address.split(":")[0]

    @property
    def bound(self) -> SocketName:
        return SocketName.parse(self.at or self.address)

    @property
    def sent_by(self) -> str:
        return f"{self.public}:{self.address.split(':')[1]}" if self.public else self.address


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


def request(
    method: str, uri: str, *, to_tag: str = "", branch: str = "b1", call_id: str = "c", via: str = "127.0.0.1:1"
) -> str:
    return (
        f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch={branch}\r\nFrom: <sip:a@x>;tag=fa\r\n"
        f"To: <sip:b@x>{';tag=' + to_tag if to_tag else ''}\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n\r\n"
    )


def response(status: int, method: str = "INVITE", *, to_tag: str = "", call_id: str = "c", branch: str = "b1") -> str:
    return (
        f"SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 127.0.0.1:1;branch={branch}\r\nFrom: <sip:a@x>;tag=fa\r\n"
        f"To: <sip:b@x>{';tag=' + to_tag if to_tag else ''}\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n\r\n"
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
        self.attribution.message(0.0, read_text(text, direction="sent", transport="udp", remote="127.0.0.9:9"))

    def received(self, text: str) -> None:
        self.attribution.message(0.0, read_text(text, direction="received", transport="udp", remote="127.0.0.9:9"))

    def begins(self, leg: FakeLeg) -> FakeLeg:
        self.attribution.catch_up(leg, self.attribution.begins(leg))
        return leg


def test_both_ends_of_one_call_get_their_own_messages() -> None:
    scene = Scene()
    invite = request("INVITE", "sip:b@127.0.0.2:2")
    out = scene.begins(FakeLeg(scene.alice, "c", "outgoing"))
    scene.sent(invite)
    scene.received(invite)
    scene.sent(response(100))
    assert out.seen == [invite.split("\r\n")[0]]  # the other end has no leg yet
    back = scene.begins(FakeLeg(scene.bob, "c", "incoming"))
    assert back.branch == "b1"
    scene.received(response(100))
    for text in (response(200, to_tag="tb"),):
        scene.sent(text)
        scene.received(text)
    bye = request("BYE", "sip:a@127.0.0.1:1", to_tag="fa").replace("From: <sip:a@x>;tag=fa", "From: <sip:b@x>;tag=tb")
    scene.sent(bye)
    scene.received(bye)
    assert [line.split(" ")[0 if line[0] != "S" else 1] for line in out.seen] == ["INVITE", "100", "200", "BYE"]
    assert [line.split(" ")[0 if line[0] != "S" else 1] for line in back.seen] == ["INVITE", "100", "200", "BYE"]
    assert {(phone, leg) for _, phone, leg in scene.delivered} == {(scene.alice, out), (scene.bob, back)}


def test_each_fork_has_what_is_of_its_own_invite_whoever_answers_first() -> None:
    """A proxy rings two phones of one process, as for a ring group, and cancels the one that has not answered."""
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
    seen = {branch: [line.removeprefix("SIP/2.0 ").split()[0] for line in leg.seen] for branch, leg in legs.items()}
    assert seen == {"f1": ["INVITE", "100", "180", "200"], "f2": ["INVITE", "100", "180", "CANCEL", "200"]}
    assert {branch: leg.tag for branch, leg in legs.items()} == {"f1": "t-f1", "f2": "t-f2"}


def test_an_invite_nobody_takes_goes_to_the_phone_it_was_for() -> None:
    scene = Scene()
    scene.received(request("INVITE", "sip:b@127.0.0.2:2"))
    scene.sent(response(486, to_tag="t"))
    assert scene.delivered == []
    scene.attribution.give_up_unbound()
    assert [(phone, leg) for _, phone, leg in scene.delivered] == [(scene.bob, None)] * 2


def test_requests_outside_calls_find_both_their_phones() -> None:
    scene = Scene()
    options = request("OPTIONS", "sip:b@127.0.0.2:2")
    scene.sent(options)
    scene.received(options)
    scene.sent(response(200, "OPTIONS", to_tag="t"))
    scene.received(response(200, "OPTIONS", to_tag="t"))
    assert [phone for _, phone, _ in scene.delivered] == [scene.alice, scene.bob, scene.bob, scene.alice]


def test_what_is_for_a_phone_that_is_gone_is_nobody_elses() -> None:
    """Whoever may have its user and its address by now; and the phone is not kept for that."""
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


def test_a_request_is_that_of_the_case_that_asked_for_it_until_it_is_over() -> None:
    scene = Scene()
    mine = FakePhone("127.0.0.1:1", "a")  # a share of Alice's
    scene.alice.asking.append(mine)
    options, answer = request("OPTIONS", "sip:z@127.0.0.9"), response(200, "OPTIONS", to_tag="t")
    for _ in range(2):  # it is sent again
        scene.sent(options)
    scene.received(answer)
    assert [phone for _, phone, _ in scene.delivered] == [mine] * 3
    mine.gone = True
    scene.received(answer)
    scene.sent(request("OPTIONS", "sip:z@127.0.0.9", call_id="d"))
    assert [phone for _, phone, _ in scene.delivered[3:]] == [scene.alice]


def test_what_comes_when_a_call_is_over_is_its_case_s_who_shares_the_phone() -> None:
    """A NOTIFY on what became of a REFER, say, after the BYE (RFC 5057 section 4.1)."""
    scene = Scene()
    mine = FakePhone("127.0.0.1:1", "a")  # a share of Alice's
    leg = scene.begins(FakeLeg(mine, "c", "outgoing"))
    scene.sent(request("INVITE", "sip:b@127.0.0.9"))
    scene.attribution.forget(leg)
    notify = request("NOTIFY", "sip:a@127.0.0.1:1", to_tag="fa").replace(
        "From: <sip:a@x>;tag=fa", "From: <sip:b@x>;tag=tb"
    )
    scene.received(notify)
    assert [(phone, leg) for _, phone, leg in scene.delivered[1:]] == [(mine, None)]


def test_a_call_placed_on_a_refer_is_known_by_its_first_invite() -> None:
    scene = Scene()
    leg = scene.begins(FakeLeg(scene.alice, UNKNOWN, "outgoing"))
    scene.sent(request("INVITE", "sip:c@127.0.0.3", call_id="chosen-by-pjsua"))
    assert leg.call_id == "chosen-by-pjsua"
    scene.received(response(180, to_tag="t", call_id="chosen-by-pjsua"))
    assert len(leg.seen) == 2
    scene.attribution.forget(leg)
    scene.received(response(200, to_tag="t", call_id="chosen-by-pjsua"))
    assert len(leg.seen) == 2


def test_phones_are_told_by_address_then_user_then_as_the_only_one() -> None:
    scene = Scene()

    def called(uri: str, to: str = "<sip:z@x>") -> FakePhone | None:
        text = request("INVITE", uri).replace("To: <sip:b@x>", f"To: {to}")
        found: FakePhone | None = scene.attribution.called(read_text(text, direction="received", transport="udp"))
        return found

    assert called("sip:z@127.0.0.2:2") is scene.bob
    assert called("sip:a@example.com") is scene.alice
    assert called("sip:z@127.0.0.1") is scene.alice
    assert called("tel:b") is scene.bob
    assert called("sip:z@example.com") is None
    scene.phones.remove(scene.alice)
    assert called("sip:z@example.com") is scene.bob


def test_connections_say_where_a_message_left_from() -> None:
    scene = Scene()
    carol = FakePhone("127.0.0.3:5060", "c", "tcp")
    scene.phones.append(carol)
    scene.attribution.connected(Connection("tcp", "127.0.0.3:40001", "127.0.0.9:9", 7))
    message = read_text(response(200), direction="received", transport="tcp", remote="127.0.0.9:9")
    assert scene.attribution.local_address(carol, message) == "127.0.0.3:40001"
    assert [phone for _, phone in scene.attribution.opened_by(7)] == [carol]
    twin = FakePhone("127.0.0.3:5061", "d", "tcp")
    scene.phones.append(twin)
    assert scene.attribution.take_connections(carol) == set()
    scene.phones.remove(twin)
    assert scene.attribution.take_connections(carol) == {("127.0.0.3", 40001)}
    assert scene.attribution.local_address(carol, message) == carol.address
