"""Facts that our own phones tell of themselves: a name they could not find, a password they kept, a call they had no room for."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TypeVar

from harness.calls.events import (
    AskedByOptions,
    CallsRefused,
    Event,
    LegStarted,
    NameLookup,
    PasswordWithheld,
    SipMessage,
    TransportFailed,
    WithheldBy,
)
from harness.diagnosis.derive import Scene
from harness.diagnosis.vantage import Role
from harness.sip.grammar import SipSyntaxError

#: Why a password was kept: the realms of the challenge and of the deployment file, or of the challenge before (RFC 7616 section 3.3).
CONFIGURED, SECOND, WEAKER = "another realm than configured", "another realm than the first", "a weaker algorithm"
_KEPT_BY: dict[WithheldBy, str] = {
    "realm configured": CONFIGURED,
    "first realm": SECOND,
    "stronger algorithm": WEAKER,
}
WITHHELD = tuple(_KEPT_BY.values())
#: What a name server said, or that none did.
NO_SUCH_NAME, NO_ANSWER = "no such name", "no name server knows"
NO_ROOM = "no room"
#: That a platform had not asked by OPTIONS since the stand-in's phone came.
NOT_YET = "none since its phone came"
#: Who has not asked by then asks less than once a minute, or never.
_ASKED_WITHIN_S = 120.0
#: What became of a connection.
CLOSED = "closed by its far end"

Told = TypeVar("Told", bound=Event)


def tell(scene: Scene) -> None:
    """Make all of them known that can be."""
    _name(scene)
    _password(scene)
    _connection(scene)
    _options(scene)
    facts: tuple[tuple[Role, str], ...] = (
        ("caller", "customer.room"),
        ("agent", "refusal.agent"),
        ("ai", "refusal.ai"),
    )
    for role, fact in facts:
        if refused := [event for event in _of(scene, CallsRefused, role) if not event.why]:
            last = refused[-1]
            told = f"{last.phone} refused {len(refused)} calls by itself with 486, the last from {last.source}"
            scene.facts.record(fact, NO_ROOM, told)


def _of(scene: Scene, kind: type[Told], role: Role) -> list[Told]:
    events = (event for event in scene.events if isinstance(event, kind) and event.at <= scene.over)
    return [event for event in events if scene.vantage.role(event.phone) == role]


def _name(scene: Scene) -> None:
    asked = _of(scene, NameLookup, "caller")
    unknown = [event for event in asked if event.media and event.denied]
    if unknown:
        told = f"{unknown[-1].phone} got an SDP that names {unknown[-1].name}: {unknown[-1].problem}"
        scene.facts.record("name.media", NO_SUCH_NAME, told)
    began = {e.leg for e in scene.events if isinstance(e, LegStarted) and e.replaces is None}
    signalling = [event for event in asked if not event.media]
    _looked_up(scene, "name.caller", [e for e in signalling if e.leg in began or scene.call is None])
    named = _hosts_named(scene)
    _looked_up(scene, "name.dialog", [e for e in signalling if e.leg is None and e.name.lower() in named])


def _looked_up(scene: Scene, fact: str, lookups: Sequence[NameLookup]) -> None:
    if lookups and (last := lookups[-1]).problem:
        told = f"{last.phone} looked {last.name} up for {last.seconds:.1f} s: {last.problem}"
        scene.facts.record(fact, NO_SUCH_NAME if last.denied else NO_ANSWER, told)


def _hosts_named(scene: Scene) -> set[str]:
    """Those that the caller's requests within a call go to (RFC 3261 sections 12.1 and 12.2.1.1)."""
    hosts: set[str] = set()
    for _, message in scene.received_by("caller"):
        with contextlib.suppress(SipSyntaxError):
            hosts |= {each.uri.host.lower() for each in message.contacts + message.record_routes}
    return hosts


def _password(scene: Scene) -> None:
    kept = _of(scene, PasswordWithheld, "caller")
    if kept and (rule := kept[-1].rule) is not None:
        scene.facts.record("password.withheld", _KEPT_BY[rule], f"{kept[-1].phone}: {kept[-1].why}")


def _options(scene: Scene) -> None:
    """Whether the platform had asked the stand-in by OPTIONS ahead of the call: many call nobody there who has not answered."""
    told = next((event for event in scene.events if isinstance(event, AskedByOptions)), None)
    if told is None or scene.call is None:
        return
    asked = [
        event.at
        for event in scene.events
        if isinstance(event, SipMessage) and event.phone == told.phone and event.text.startswith("OPTIONS ")
    ]
    often = f"every {told.every_s:g} s" if told.every_s else ""
    if asked or told.answered or often:
        scene.facts.record("trunk.asks", True, often)
    if told.answered or any(at < scene.call.at for at in asked):
        return
    there_s = told.there_s + scene.call.at - told.at
    if often or there_s < _ASKED_WITHIN_S:
        scene.facts.record("trunk.asked", NOT_YET, f"{told.phone} had been there for {there_s:.1f} s")


def _connection(scene: Scene) -> None:
    """That the caller's connection was closed amid its INVITE's transaction: behind a provisional response, ahead of a final one.

    One that ends before any response may have been refused, or failed its TLS handshake.
    """
    call = scene.call
    if call is None or not scene.vantage.sees("caller"):
        return
    received = (e.text for e in scene.messages(call.leg) if e.direction == "received")
    answers = [text for text in received if text.startswith("SIP/2.0 ")]
    ended = next((state for state in scene.states(call.leg) if state.state == "disconnected"), None)
    if ended is None or not answers or any(not text.startswith("SIP/2.0 1") for text in answers):
        return
    lost = (e for e in scene.events if isinstance(e, TransportFailed) and e.phone == call.phone and e.at <= ended.at)
    for event in lost:
        if event.reason == ended.reason:  # pjsua gives the call up for it
            told = f"{event.phone}: {event.reason} ({event.transport} to {event.remote})"
            scene.facts.record("connection.caller", CLOSED, told)
