"""Softphones over loopback: a pool for the session, phones for a test on addresses of its own."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from harness.errors import RefusedError
from harness.events import CallState, Event, MarkHeard, MediaState, SipMessage
from harness.phone import PhoneConfig, TlsConfig
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from harness.phone.pool import PhonePool
from harness.phone.process import PhoneProcess
from harness.phone.rules import Rules
from tests import certificates
from tests.loopback import fresh_address
from tests.process.phone.stranger import Stranger

Lease = Callable[..., Phone]

FORBIDDEN = "+12065550199"


def guard(uri: str) -> None:
    """What the pools of these tests refuse."""
    if FORBIDDEN in uri:
        raise RefusedError(f"{uri} may not be called")


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PhonePool]:
    with PhonePool(tmp_path_factory.mktemp("phones")) as pool:
        yield pool


@dataclass
class Desk:
    """Leases phones for one test, each on an address of its own, and gives them back."""

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

    @cached_property
    def process(self) -> PhoneProcess:
        """A process of the installed pjsua2, to read off what it can do."""
        probe = self("probe")
        probe.release()
        return probe.process

    @property
    def process_holds(self) -> int:
        """How many calls one process holds: a phone that may have so many has it for itself."""
        return self.process.most_calls

    def of(self, config: PhoneConfig) -> Phone:
        """The phone of a whole configuration."""
        phone = self.pool.lease(
            config, sink=self.events.append, marks=self.marks, directory=self.directory, rules=Rules(guard)
        )
        self.phones.append(phone)
        return phone

    def close(self) -> None:
        for phone in self.phones:
            phone.release()


@pytest.fixture
def lease(pool: PhonePool, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(pool, tmp_path)
    yield desk
    desk.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Desk]:
    """As ``lease``, of processes of the test's own: what others left in theirs (sockets, accounts) makes no difference."""
    with PhonePool(tmp_path / "own") as pool:
        desk = Desk(pool, tmp_path)
        yield desk
        desk.close()


def uri_of(phone: Phone) -> str:
    """How to dial a phone directly."""
    return f"sip:{phone.config.user}@{phone.address}"


def connect(caller: Phone, callee: Phone, **options: Any) -> tuple[Leg, Leg]:
    """A confirmed call; the caller's leg and the callee's."""
    out = caller.dial(uri_of(callee), **options)
    back = callee.expect_call(10)
    out.wait_state("confirmed", 10)
    back.wait_state("confirmed", 10)
    return out, back


def told(*phones: Phone) -> None:
    """What their processes have said so far has been read: an answer comes behind it. Of two processes either may be read first."""
    for phone in phones:
        phone.command("free_slots")


def hears(leg: Leg, other: Leg, within: float = 10.0, since: float | None = None) -> MarkHeard:
    """Wait until ``leg`` hears the mark of ``other``."""
    event = leg.wait(
        f"{leg.id} hears {other.id}", lambda e: isinstance(e, MarkHeard) and e.mark == other.mark, within, since
    )
    assert isinstance(event, MarkHeard)
    return event


def media_of(leg: Leg, within: float) -> MediaState:
    """Its media, once that is active."""
    event = leg.wait(f"{leg.id} has media", lambda e: isinstance(e, MediaState) and e.active, within)
    assert isinstance(event, MediaState)
    return event


def states(leg: Leg) -> list[tuple[str, int]]:
    """The states the call went through, with their codes."""
    return [(event.state, event.code) for event in leg.events if isinstance(event, CallState)]


def once(messages: Iterable[SipMessage]) -> list[SipMessage]:
    """Each message once: over UDP a busy machine has some repeated, byte by byte (RFC 3261 section 17)."""
    return list({(message.direction, message.text): message for message in messages}.values())


class Authority(certificates.Authority):
    """A certificate authority for phones."""

    def server(
        self, address: str, *, days: tuple[int, int] = (-1, 30), self_signed: bool = False, **options: Any
    ) -> TlsConfig:
        """The settings of a phone that shows a certificate for ``address``."""
        certificate, key = self.issue(address, days=days, self_signed=self_signed)
        return TlsConfig(ca_file=self.ca_file, certificate=str(certificate), private_key=str(key), **options)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    with contextlib.closing(Stranger(fresh_address())) as stranger:
        yield stranger
