"""Workers that are forked: each is as one that an interpreter was started for."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.alive import gone

FORK_SERVER = """
import sys, types
from harness.run.plugin.workers import worker_fork_server
with worker_fork_server() as forks:
    specs = [types.SimpleNamespace(popen=True, python=None)]
    forks.pytest_xdist_setupnodes(specs)
    print(specs[0].python, flush=True)
    sys.stdin.read()
"""


class Runner:
    """A process that has a fork server."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", FORK_SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self.process.stdout is not None
        self.command = shlex.split(self.process.stdout.readline())

    def worker(self, code: str, **options: object) -> subprocess.Popen[str]:
        """As execnet starts one: its code is the last argument."""
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
            [*self.command, "-u", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **options,
        )

    def close(self) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(10)


@contextlib.contextmanager
def running(directory: Path) -> Iterator[Runner]:
    runner = Runner({**os.environ, "TMPDIR": str(directory)})
    try:
        yield runner
    finally:
        runner.process.kill()
        runner.close()


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """For tests of what it forks: none of them ends it, or changes what it has."""
    with running(tmp_path_factory.mktemp("runner")) as runner:
        yield runner


@pytest.fixture
def own_runner(tmp_path: Path) -> Iterator[Runner]:
    with running(tmp_path) as runner:
        yield runner


def test_a_worker_has_its_starters_streams_environment_and_place(
    runner: Runner, tmp_path: Path
) -> None:
    code = "import os, sys; print(sys.stdin.readline().strip(), os.environ, os.getcwd(), sys.argv, __name__)"
    worker = runner.worker(code, env={"LC_ALL": "C.UTF-8"}, cwd=tmp_path)
    output, _ = worker.communicate("said\n", timeout=60)
    assert output == f"said environ({{'LC_ALL': 'C.UTF-8'}}) {tmp_path} ['-c'] __main__\n"
    assert worker.returncode == 0


def test_what_workers_need_is_there_when_they_begin(runner: Runner) -> None:
    code = "import sys; print({'harness.scenario.audio_quality', 'harness.support.http_client.session'} <= {*sys.modules})"
    output, _ = runner.worker(code).communicate(timeout=60)
    assert output == "True\n"


def test_workers_start_no_process_to_say_what_machine_they_run_on(runner: Runner) -> None:
    """xdist asks each worker for ``platform.platform()``, which starts ``uname``."""
    code = (
        "import platform, subprocess as s; s.check_output = None; print(bool(platform.platform()))"
    )
    output, _ = runner.worker(code).communicate(timeout=60)
    assert output == "True\n"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise SystemExit(7)", 7),
        ("raise SystemExit('why')", 1),
        ("1 / 0", 1),
        ("import os; os.abort()", -signal.SIGABRT),
    ],
)
def test_its_end_is_its_starters(runner: Runner, code: str, expected: int) -> None:
    worker = runner.worker(code, stderr=subprocess.PIPE)
    _, words = worker.communicate(timeout=60)
    assert worker.returncode == expected
    assert ("ZeroDivisionError" in words) == (code == "1 / 0")


def test_what_a_worker_asked_to_be_done_at_its_end_is_done(runner: Runner) -> None:
    worker = runner.worker("import atexit; atexit.register(print, 'gone')")
    assert worker.communicate(timeout=60)[0] == "gone\n"


#: Sleeps in short turns: a signal that arrives just before one long sleep begins would be handled
#: only after it.
SLEEPER = "import os, time; print(os.getpid()); [time.sleep(0.1) for _ in range(600)]"


def pid_of(worker: subprocess.Popen[str]) -> int:
    """What it says itself; who stands for it has another."""
    assert worker.stdout is not None
    return int(worker.stdout.readline())


def test_a_worker_that_is_killed_closes_its_streams(runner: Runner) -> None:
    with runner.worker(SLEEPER) as worker:
        os.kill(pid_of(worker), signal.SIGKILL)
        assert worker.communicate(timeout=60)[0] == ""
    assert worker.returncode == -signal.SIGKILL


def test_it_dies_with_whoever_stands_for_it(runner: Runner) -> None:
    with runner.worker(SLEEPER) as worker:
        pid = pid_of(worker)
        worker.kill()
    assert gone(pid)
    assert runner.worker("print('next')").communicate(timeout=60)[0] == "next\n"


def test_ctrl_c_reaches_it(runner: Runner) -> None:
    with runner.worker(SLEEPER, stderr=subprocess.PIPE) as worker:
        os.kill(pid_of(worker), signal.SIGINT)
        _, words = worker.communicate(timeout=60)
    assert "KeyboardInterrupt" in words


@pytest.mark.parametrize("killed", [False, True])
def test_a_fork_server_ends_with_its_runner(
    own_runner: Runner, tmp_path: Path, killed: bool
) -> None:
    output, _ = own_runner.worker("import os; print(os.getppid())").communicate(timeout=60)
    if killed:
        own_runner.process.kill()
    assert own_runner.close() == (-signal.SIGKILL if killed else 0)
    assert gone(int(output))
    assert killed or list(tmp_path.iterdir()) == []


def test_where_no_socket_can_be_there_is_no_fork_server(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    code = "from harness.run.plugin.workers import worker_fork_server\nwith worker_fork_server() as forks: print(forks)"
    environment = {**os.environ, "TMPDIR": str(deep)}
    assert (
        subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        ).stdout
        == "None\n"
    )
    assert list(deep.iterdir()) == []
