"""Phones for the contract: of child processes that all tests share, or of the test's own."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import ResourceError
from harness.phone import PhoneForkServer, PhonePool
from tests.loopback import fresh_address
from tests.phones import Authority, Desk
from tests.registrar import Registrar
from tests.stranger import Stranger


@pytest.fixture(scope="session")
def fork_server() -> Iterator[Path]:
    """What child processes are forked from, as in a run; each starts in a tenth of the time."""
    with contextlib.closing(PhoneForkServer()) as server:
        yield server.path


@pytest.fixture(scope="session")
def pools(
    fork_server: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[PhonePool, PhonePool]]:
    """Two pools, so that a phone of the one never shares a child with a phone of the other."""
    with contextlib.ExitStack() as stack:
        one, other = (
            stack.enter_context(PhonePool(tmp_path_factory.mktemp(name), fork_server=fork_server))
            for name in ("phones", "apart")
        )
        yield one, other


@pytest.fixture
def lease(pools: tuple[PhonePool, PhonePool], tmp_path: Path) -> Iterator[Desk]:
    with contextlib.closing(Desk(pools[0], tmp_path)) as desk:
        yield desk


@pytest.fixture
def apart(pools: tuple[PhonePool, PhonePool], tmp_path: Path) -> Iterator[Desk]:
    """As ``lease``, from another child process."""
    with contextlib.closing(Desk(pools[1], tmp_path)) as desk:
        yield desk


@pytest.fixture
def own(fork_server: Path, tmp_path: Path) -> Iterator[Desk]:
    """As ``lease``, from a pool of the test's own, whose child a test may kill."""
    with (
        PhonePool(tmp_path / "own", fork_server=fork_server) as pool,
        contextlib.closing(Desk(pool, tmp_path)) as desk,
    ):
        yield desk


@pytest.fixture
def peer() -> Iterator[Stranger]:
    """A SIP peer that sends what the test says, message by message."""
    with contextlib.closing(Stranger(fresh_address())) as peer:
        yield peer


@pytest.fixture
def registrar() -> Iterator[Registrar]:
    with contextlib.closing(Registrar(fresh_address())) as registrar:
        yield registrar


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def holds(pools: tuple[PhonePool, PhonePool], tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many calls a child holds: a phone that may have so many has a child for itself."""
    with pytest.raises(ResourceError) as caught:
        Desk(pools[0], tmp_path_factory.mktemp("many"))("many", max_calls=1000)
    (found,) = re.findall(r"build .* has (\d+)", str(caught.value))
    return int(found)
