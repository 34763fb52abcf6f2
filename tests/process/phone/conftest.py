"""Softphones over loopback: a pool for the session, phones for a test on addresses of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import pytest

from harness.phone import Phone, PhonePool
from harness.phone.process import PhoneProcess
from tests import phones
from tests.loopback import fresh_address
from tests.phones import Authority, connect, event_of, hears, media_of, once, uri_of
from tests.stranger import Stranger

__all__ = [
    "Authority",
    "Desk",
    "connect",
    "event_of",
    "hears",
    "media_of",
    "once",
    "told",
    "uri_of",
]


class Desk(phones.Desk):
    """As :class:`tests.phones.Desk`, and knows the process of its phones."""

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


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PhonePool]:
    with PhonePool(tmp_path_factory.mktemp("phones")) as pool:
        yield pool


@pytest.fixture
def lease(pool: PhonePool, tmp_path: Path) -> Iterator[Desk]:
    with contextlib.closing(Desk(pool, tmp_path)) as desk:
        yield desk


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Desk]:
    """As ``lease``, of processes of the test's own: what others left in theirs (sockets, accounts)
    makes no difference.
    """
    with PhonePool(tmp_path / "own") as pool, contextlib.closing(Desk(pool, tmp_path)) as desk:
        yield desk


def told(*phones: Phone) -> None:
    """What their processes have said so far has been read: an answer comes behind it. Of two
    processes either may be read first.
    """
    for phone in phones:
        phone.command("free_slots")


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    with contextlib.closing(Stranger(fresh_address())) as stranger:
        yield stranger
