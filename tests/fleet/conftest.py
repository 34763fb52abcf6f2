from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.fleet import Fleet
from tests.redis_server import Redis

collect_ignore = ["calls"]


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[Redis]:
    assert shutil.which("redis-server"), "redis-server is missing; apt-get install redis-server"
    server = Redis(tmp_path)
    yield server
    server.close()


@pytest.fixture
def fleet(tmp_path: Path, redis_server: Redis) -> Iterator[Fleet]:
    made = Fleet(tmp_path, redis_server)
    yield made
    made.close()
