"""A world as the runner sees it: a program that prints one line and ends when its stdin closes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness.deployment import to_plain
from harness.deployment.limits import released
from harness.errors import SelectionError, WorldLostError
from harness.integrations import load
from harness.run.plugin.worlds import World, alive_lock, list_faults, one_world
from harness.support.forkserver import ForkServer, interpreter, of_a_child
from harness.support.resources import EXAMPLES

FILE = EXAMPLES / "simulated-gladly.toml"

READY = json.dumps({"event": "ready", "pid": 1, "deployments": [to_plain(load(FILE))] * 2})
WAIT = "sys.stdin.read()"


def world(control: Path, script: str) -> World:
    return World("lab", [sys.executable, "-c", f"import os, sys\n{script}"], control)


def says(line: str) -> str:
    return f"print({line!r}, flush=True)\n"


def test_ready_world_has_a_deployment_per_tenant_and_ends_on_request(tmp_path: Path) -> None:
    started = world(tmp_path, says(READY) + WAIT)
    deployments = started.ready(60)
    assert [deployment.name for deployment in deployments] == ["simulated-gladly"] * 2
    started.stop()
    started.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(started.pid, 0)


def test_world_has_no_secret_in_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HARNESS_SYNTHFLOW_API_TOKEN", "CARRIER_PW", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "correct-horse-battery")
    started = world(tmp_path, says(READY) + WAIT)
    started.ready(60)
    environment = Path(f"/proc/{started.pid}/environ").read_bytes()
    started.stop()
    assert b"correct-horse-battery" not in environment
    assert b"PATH=" in environment


@pytest.mark.parametrize(
    ("script", "error", "said"),
    [
        (
            says('{"event": "error", "kind": "busy-port", "message": "127.64.0.1:32681 is taken"}')
            + "sys.exit(3)",
            WorldLostError,
            "the world of lab did not start: 127.64.0.1:32681 is taken",
        ),
        (
            says(
                '{"event": "error", "kind": "mistake", "message": "--fault gravity: no such fault"}'
            )
            + "sys.exit(3)",
            SelectionError,
            "--fault gravity: no such fault",
        ),
        ("raise OSError('no such thing')", WorldLostError, "OSError: no such thing"),
        (says("hello"), WorldLostError, "the world of lab did not start:\nit left no log"),
    ],
)
def test_world_that_does_not_start_says_why(
    tmp_path: Path, script: str, error: type[Exception], said: str
) -> None:
    started = world(tmp_path, script)
    with pytest.raises(error) as caught:
        started.ready(60)
    assert said in str(caught.value)
    with contextlib.suppress(WorldLostError):  # it may have ended already
        started.stop()


def test_world_that_never_gets_ready_is_given_up(tmp_path: Path) -> None:
    started = world(tmp_path, WAIT)
    with pytest.raises(WorldLostError, match="was not ready in time"):
        started.ready(0.1)
    started.stop()


def test_world_with_an_unclean_audit_is_an_error(tmp_path: Path) -> None:
    started = world(
        tmp_path,
        says(READY) + WAIT + "\nprint('call 7 was never ended', file=sys.stderr)\nsys.exit(1)",
    )
    started.ready(60)
    with pytest.raises(WorldLostError, match="call 7 was never ended"):
        started.stop()


def test_world_that_does_not_end_is_killed(tmp_path: Path) -> None:
    started = world(tmp_path, says(READY) + "import signal\nsignal.pause()")
    started.ready(60)
    with pytest.raises(WorldLostError, match=r"did not end in 0\.1 s and was killed"):
        started.stop(within=0.1)


def test_death_of_a_world_frees_its_lock_and_is_reported(tmp_path: Path) -> None:
    # printed before "ready", so before it is killed
    started = world(
        tmp_path, "print('out of luck', file=sys.stderr, flush=True)\n" + says(READY) + WAIT
    )
    started.ready(60)
    noticed = threading.Event()

    def watch() -> None:
        released(alive_lock(tmp_path, "lab"))
        noticed.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert not noticed.is_set()
    os.kill(started.pid, signal.SIGKILL)
    watcher.join(60)
    assert noticed.is_set()
    with pytest.raises(WorldLostError, match=r"died \(exit code -9\)\nIt last said:\nout of luck"):
        started.stop()


def test_error_of_a_commands_world_is_raised_at_its_end(tmp_path: Path) -> None:
    def lose(started: World, error: Exception | None = None) -> None:
        os.kill(started.pid, signal.SIGKILL)
        released(alive_lock(tmp_path, started.name))
        if error is not None:
            raise error

    with (
        pytest.raises(WorldLostError, match="died"),
        one_world(FILE, load(FILE), tmp_path) as started,
    ):
        lose(started)
    with (
        pytest.raises(SelectionError, match="the user's"),
        one_world(FILE, load(FILE), tmp_path) as started,
    ):
        lose(started, SelectionError("the user's"))


def test_world_imports_no_file_of_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ``calendar.py`` of the user's would be imported in the run's processes."""
    (tmp_path / "harness").mkdir()
    for name in ("calendar", "json", "queue", "harness/__init__"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('asked for by nobody')\n")
    monkeypatch.chdir(tmp_path)
    assert list_faults()
    server = ForkServer("harness.world.world", of_a_child())
    try:
        command = [*interpreter(server.path), "-m", "harness.world", "--list-faults"]
        asked = subprocess.run(command, capture_output=True, text=True, timeout=300)
    finally:
        server.close()
    assert json.loads(asked.stdout)["faults"] == list_faults()
