"""Facts that harness phones report of themselves: a failed DNS lookup, a withheld password, a full phone, a closed connection."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TypeVar

from harness.calls.events import (
    AskedByOptions,
    CallsRefused,
    Event,
    NameLookup,
    PasswordWithheld,
    TransportFailed,
    WithheldBy,
)
from harness.diagnosis.scene import Scene
from harness.diagnosis.vantage import Role
from harness.sip.grammar import SipSyntaxError

#: Why a password was withheld: the realm is not the configured one, or another than in the first challenge (RFC 7616 section 3.3).
_WITHHELD_BY: dict[WithheldBy, str] = {
    "realm configured": "another realm than configured",
    "first realm": "another realm than the first",
    "stronger algorithm": "a weaker algorithm",
}
#: A platform that sent no OPTIONS within this time sends them less than once a minute, or never.
_ASKED_WITHIN_S = 120.0

Told = TypeVar("Told", bound=Event)


def tell(scene: Scene) -> None:
    _name(scene)
    for kept in _of(scene, PasswordWithheld, "caller")[-1:]:
        if kept.rule is not None:
            scene.record("password.withheld", _WITHHELD_BY[kept.rule], f"{kept.phone}: {kept.why}")
    _connection(scene)
    _options(scene)
    facts: dict[Role, str] = {"caller": "customer.room", "agent": "refusal.agent", "ai": "refusal.ai"}
    for role, fact in facts.items():
        if refused := [event for event in _of(scene, CallsRefused, role) if not event.why]:
            last = refused[-1]
            told = f"{last.phone} refused {len(refused)} calls by itself with 486, the last from {last.source}"
            scene.record(fact, "no room", told)


def _of(scene: Scene, kind: type[Told], role: Role) -> list[Told]:
    events = (event for event in scene.events if isinstance(event, kind) and event.at <= scene.over)
    return [event for event in events if scene.vantage.role(event.phone) == role]


def _name(scene: Scene) -> None:
    asked = _of(scene, NameLookup, "caller")
    for event in [event for event in asked if event.media and event.denied][-1:]:
        told = f"{event.phone} got an SDP that names {event.name}: {event.problem}"
        scene.record("name.media", "no such name", told)
    began = {leg.leg for leg in scene.legs if leg.replaces is None}
    signalling = [event for event in asked if not event.media]
    _looked_up(scene, "name.caller", [e for e in signalling if e.leg in began or scene.call is None])
    # Requests within a call go to the hosts in Contact and Record-Route (RFC 3261 sections 12.1 and 12.2.1.1).
    named: set[str] = set()
    for seen in scene.messages_of("caller"):
        if seen.received:
            with suppress(SipSyntaxError):
                named |= {each.uri.host.lower() for each in seen.message.contacts + seen.message.record_routes}
    _looked_up(scene, "name.dialog", [e for e in signalling if e.leg is None and e.name.lower() in named])


def _looked_up(scene: Scene, fact: str, lookups: Sequence[NameLookup]) -> None:
    if lookups and (last := lookups[-1]).problem:
        told = f"{last.phone} looked {last.name} up for {last.seconds:.1f} s: {last.problem}"
        scene.record(fact, "no such name" if last.denied else "no name server knows", told)


def _options(scene: Scene) -> None:
    """Whether the platform sent the stand-in an OPTIONS before the call. Many platforms call no address that has not answered one."""
    told = next((event for event in scene.events if isinstance(event, AskedByOptions)), None)
    if told is None or scene.call is None:
        return
    asked = [m.time for m in scene.messages if m.phone == told.phone and m.is_request("OPTIONS")]
    often = f"every {told.every_s:g} s" if told.every_s else ""
    if asked or told.answered or often:
        scene.record("trunk.asks", True, often)
    if told.answered or any(at < scene.call.at for at in asked):
        return
    there_s = told.there_s + scene.call.at - told.at
    if often or there_s < _ASKED_WITHIN_S:
        scene.record("trunk.asked", "none since its phone came", f"{told.phone} had been there for {there_s:.1f} s")


def _connection(scene: Scene) -> None:
    """Whether the caller's connection was closed after a provisional response to the INVITE and before a final one.

    A connection that ends before any response may have been refused, or failed its TLS handshake.
    """
    call = scene.call
    if call is None or not scene.vantage.sees("caller"):
        return
    answers = [m.status for m in scene.own if m.received and m.status]
    ended = scene.state(call.leg, "disconnected")
    if ended is None or not answers or max(answers) >= 200:
        return
    for event in scene.events:
        # pjsua ends the call with the reason of the transport's failure.
        lost = isinstance(event, TransportFailed) and event.phone == call.phone and event.at <= ended.at
        if lost and isinstance(event, TransportFailed) and event.reason == ended.reason:
            told = f"{event.phone}: {event.reason} ({event.transport} to {event.remote})"
            scene.record("connection.caller", "closed by its far end", told)
