"""Softphones on loopback for tests, through the public names of ``harness.phone`` alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from harness.case.events import (
    CallState,
    Event,
    MarkHeard,
    MediaState,
    Recorded,
    SipMessage,
    StrangerRefused,
    TransferProgress,
)
from harness.errors import RefusedError
from harness.phone import Leg, Phone, PhoneConfig, PhonePool, Rules, TlsConfig
from tests import certificates
from tests.loopback import fresh_address

FORBIDDEN = "+12065550199"
KindT = TypeVar("KindT", bound=Event)


def guard(uri: str) -> None:
    """Refuse calls to the forbidden number."""
    if FORBIDDEN in uri:
        raise RefusedError(f"{uri} may not be called")


@dataclass
class Desk:
    """Leases phones for one test, each on its own address; :meth:`close` gives them back."""

    pool: PhonePool
    directory: Path
    events: list[Event] = field(default_factory=list)
    phones: list[Phone] = field(default_factory=list)
    marks: Iterator[int] = field(default_factory=lambda: itertools.cycle(range(240)))

    def __call__(self, name: str, **options: Any) -> Phone:
        settings: dict[str, Any] = {
            "user": f"+1206555010{len(self.phones) + 1}",
            "domain": "example.com",
            "bind_address": fresh_address(),
            **options,
        }
        return self.of(PhoneConfig(name=name, **settings))

    def of(self, config: PhoneConfig, rules: Rules | None = None) -> Phone:
        """The phone of a whole configuration."""
        phone = self.pool.lease(
            config,
            sink=self.events.append,
            marks=self.marks,
            directory=self.directory,
            rules=rules or Rules(guard),
        )
        self.phones.append(phone)
        return phone

    def close(self) -> None:
        for phone in self.phones:
            phone.release()


def uri_of(phone: Phone) -> str:
    """The URI that reaches a phone directly."""
    return f"sip:{phone.config.user}@{phone.address}"


def connect(caller: Phone, callee: Phone, **options: Any) -> tuple[Leg, Leg]:
    """A confirmed call: the caller's leg and the callee's."""
    out = caller.dial(uri_of(callee), **options)
    back = callee.expect_call(10)
    out.wait_state("confirmed", 10)
    back.wait_state("confirmed", 10)
    return out, back


def settle(*phones: Phone) -> None:
    """Wait until everything that the phones' processes have reported so far has been read."""
    for phone in phones:
        assert phone.options(uri_of(phone), within=10)[0] == 200


def event_of(
    where: Leg | Phone,
    kind: type[KindT],
    within: float = 10.0,
    since: float | None = None,
    **values: object,
) -> KindT:
    """Wait for an event of that kind whose attributes have these values."""

    def fits(event: Event) -> bool:
        return isinstance(event, kind) and all(
            getattr(event, name) == value for name, value in values.items()
        )

    event = where.wait(f"{kind.__name__} {values or ''}", fits, within, since)
    assert isinstance(event, kind)
    return event


def hears(leg: Leg, other: Leg, within: float = 10.0, since: float | None = None) -> MarkHeard:
    """Wait until ``leg`` hears the mark of ``other``."""
    return event_of(leg, MarkHeard, within, since, mark=other.mark)


def media_of(leg: Leg, within: float) -> MediaState:
    """The leg's media, once it is active."""
    return event_of(leg, MediaState, within, active=True)


def outcome(leg: Leg) -> int:
    """The final status of the leg's REFER."""
    return event_of(leg, TransferProgress, final=True).code


def recorded(leg: Leg) -> Recorded:
    """The leg's recordings, once they are complete."""
    event = leg.wait(
        f"{leg.id} recorded", lambda e: isinstance(e, Recorded), 10, outlives_call=True
    )
    assert isinstance(event, Recorded)
    return event


def refusals(phone: Phone) -> list[StrangerRefused]:
    """What the phone and its legs report of strangers."""
    events = [*phone.events, *(event for leg in phone.legs for event in leg.events)]
    return [event for event in events if isinstance(event, StrangerRefused)]


def states(leg: Leg) -> list[tuple[str, int]]:
    """The states the call went through, with their codes."""
    return [(event.state, event.code) for event in leg.events if isinstance(event, CallState)]


def once(messages: Iterable[SipMessage]) -> list[SipMessage]:
    """Each message once: on a busy machine, messages over UDP are repeated byte by byte (RFC 3261
    section 17).
    """
    return list({(message.direction, message.text): message for message in messages}.values())


class Authority(certificates.Authority):
    """A certificate authority for phones."""

    def server(
        self,
        address: str,
        *,
        days: tuple[int, int] = (-1, 30),
        self_signed: bool = False,
        rsa_key: bool = False,
        **options: Any,
    ) -> TlsConfig:
        """The settings of a phone that shows a certificate for ``address``."""
        certificate, key = self.issue(address, days=days, self_signed=self_signed, rsa_key=rsa_key)
        return TlsConfig(
            ca_file=self.ca_file, certificate=str(certificate), private_key=str(key), **options
        )

    def settings(self, transport: str) -> dict[str, Any]:
        """The settings of a phone at an address of its own over ``transport``; with a certificate
        over TLS.
        """
        address = fresh_address()
        tls = self.server(address) if transport == "tls" else TlsConfig()
        return {"transport": transport, "bind_address": address, "tls": tls}
