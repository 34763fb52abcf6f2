"""A Redis server for tests."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import redis

from harness.run.fleet.state import State

INSTALLED = shutil.which("redis-server") is not None


def until(what: str, condition: Callable[[], bool], within_s: float = 400.0) -> None:
    """Wait until ``condition`` holds."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"it never came: {what}"
        time.sleep(0.05)


class Redis:
    """A redis-server process that writes every change to disk."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        with socket.create_server(("127.0.71.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.address = f"redis://127.0.71.1:{self._port}/0"
        self.client = redis.Redis.from_url(self.address, decode_responses=True)
        self._connections = contextlib.ExitStack()
        self._connections.callback(self.client.close)
        self.start()

    def start(self) -> None:
        options = {
            "port": self._port,
            "bind": "127.0.71.1",
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
        }
        command = ["redis-server", "--dir", str(self._directory)]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        with (self._directory / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until("Redis answers", self._answers)

    def _answers(self) -> bool:
        with contextlib.suppress(redis.ConnectionError):
            return bool(self.client.ping())
        return False

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def state(self, within_s: float) -> State:
        state = State(self.address, within_s=within_s)
        self._connections.callback(state.close)
        return state

    def close(self) -> None:
        self._connections.close()
        self.kill()
