"""Two softphones on loopback, one of which keeps rules."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.deployment import Limits
from harness.deployment.limits import CallGate
from harness.errors import WrongTargetError
from harness.phone import PhoneConfig
from harness.phone.phone import Phone
from harness.phone.pool import PhonePool
from harness.phone.rules import Rules
from tests.loopback import fresh_address

FORBIDDEN = "+12065550199"


def refuse(uri: str) -> None:
    """The guard of these tests."""
    if FORBIDDEN in uri:
        raise WrongTargetError(f"{uri} is not called")


class Line:
    """Leases phones of one pool, each on an address of its own."""

    def __init__(self, pool: PhonePool, directory: Path) -> None:
        self.pool, self.directory = pool, directory
        self.phones: list[Phone] = []

    def gate(self, **limits: object) -> CallGate:
        """A gate of a run's own."""
        asked = {"concurrent_calls": 4, "calls_per_second": 1e6, **limits}
        return CallGate(self.directory / "gate", Limits.model_validate(asked))

    def phone(
        self,
        name: str,
        gate: CallGate | None = None,
        seconds: float | None = None,
        guard: Callable[[str], None] = refuse,
        within: float = 0.2,
        **options: object,
    ) -> Phone:
        """A phone that keeps to the gate, if there is one."""
        fields: dict[str, object] = {
            "user": f"+1206555010{len(self.phones) + 1}",
            "domain": "example.com",
            "bind_address": fresh_address(),
        }
        config = PhoneConfig(name=name, **(fields | options))  # type: ignore[arg-type]
        rules = Rules(guard, gate.admit if gate else None, within, seconds)
        phone = self.pool.lease(
            config,
            sink=lambda event: None,
            marks=itertools.count(),
            directory=self.directory,
            rules=rules,
        )
        self.phones.append(phone)
        return phone


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PhonePool]:
    with PhonePool(tmp_path_factory.mktemp("phones")) as pool:
        yield pool


@pytest.fixture
def line(pool: PhonePool, tmp_path: Path) -> Iterator[Line]:
    line = Line(pool, tmp_path)
    yield line
    for phone in line.phones:
        phone.release()
