"""The simulated worlds of a run: child processes that end with the runner, even when it is killed.

A world holds a file lock as long as it lives, so a thread that waits for the lock wakes when the
world dies (:mod:`harness.run.plugin.watch`).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from harness.deployment import Deployment, Replicas
from harness.errors import BrokenError, HarnessError, SelectionError, WorldLostError
from harness.support.files import own_directories, stem_of, user_files
from harness.support.forkserver import PYTHON, interpreter, of_a_child
from harness.support.heartbeat import Listener

_START_S = 60.0
_STOP_S = 15.0
_LOG = "world.log"
_LAST_LINES = 5
#: The kind of error that is the user's mistake; all others are the machine's.
_MISTAKE = "mistake"


def alive_lock(control: Path, name: str) -> Path:
    """The file whose lock the world of that deployment holds while it lives."""
    return control / f"world-{stem_of(name)}.alive"


def heartbeat(control: Path, name: str) -> Path:
    """The file of the heartbeat of that deployment's world."""
    return _directory(control, name) / "beat"


def stderr(control: Path, name: str) -> Path:
    """The file that the world of that deployment writes its stderr into."""
    return control / f"world-{stem_of(name)}.stderr"


def last_words(control: Path, name: str) -> str:
    """The last lines of the log of that deployment's world, for a message."""
    words: list[str] = []
    for log in (_directory(control, name) / _LOG, stderr(control, name)):
        with contextlib.suppress(OSError):
            text = user_files.read_text(log, user_files.EVIDENCE, "replace")
            words += text.strip().splitlines()[-_LAST_LINES:]
    return "\n".join(words) or "it left no log"


def erred(name: str) -> str:
    """The message about a world that had an error of its own."""
    return f"the simulated world of {name} had an error of its own; world-{stem_of(name)}.log says which"


def _directory(control: Path, name: str) -> Path:
    return control / f"world-{stem_of(name)}"  # its certificates' keys lie here


class FaultDocument(TypedDict):
    """A way in which a simulated world can be wrong, as ``harness faults --json`` lists it."""

    name: str
    issue: str
    shows: str
    integrations: list[str]
    per_line: bool


def list_faults() -> list[FaultDocument]:
    """Every way in which a simulated world can be wrong. The world is asked, because nothing
    imports it.
    """
    found: list[FaultDocument] = json.loads(_asked("--list-faults"))["faults"]
    return found


def require_playable(files: Sequence[Path], faults: Sequence[str]) -> None:
    """Have each deployment's world look at its file and the faults, and start nothing.

    Raises :class:`SelectionError` for what would keep it from starting.
    """
    injected: list[str] = []
    for fault in faults:
        injected += ("--fault", fault)
    for path in files:
        said = json.loads(_asked(str(path), "--check", *injected))
        if said["event"] == "error":
            raise SelectionError(said["message"])


def _asked(*arguments: str) -> str:
    command = [*PYTHON, "-m", "harness.world", *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=_START_S, check=False)
    if not answer.stdout.strip():
        why = answer.stderr.strip()[-500:]
        raise WorldLostError(f"the simulated world could not be asked: {why}")
    return answer.stdout


class World:
    """One simulated deployment, in a process of its own."""

    def __init__(self, name: str, command: Sequence[str], control: Path) -> None:
        """Start the process; it is ready only after :meth:`ready`. ``control`` is where it may
        leave its files.
        """
        self.name = name
        self.api = ""  #: the address of its control API, when it was asked for one
        #: One complete deployment for each, once it is ready.
        self.tenants: Sequence[Deployment] = ()
        self._control = control
        alive = own_directories.shared_file(alive_lock(control, name))
        try:
            fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with stderr(control, name).open("ab") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=of_a_child(),
                    pass_fds=(alive,),
                    start_new_session=True,  # Ctrl-C is for the runner, which then ends the world in order
                )
        except OSError as error:
            raise WorldLostError(f"the world of {name} could not be started: {error}") from error
        finally:
            os.close(alive)

    @property
    def pid(self) -> int:
        """The process's id; of a forked world, its client's."""
        return self._process.pid

    def ready(self, within: float = _START_S) -> Replicas:
        """Wait for the world; its :attr:`tenants`.

        Raises :class:`SelectionError` for what the user can mend, else :class:`WorldLostError`.
        """
        line = self._first_line(time.monotonic() + within)
        try:
            said: dict[str, Any] = json.loads(line)
        except ValueError:
            words = self._last_words()
            raise WorldLostError(f"the world of {self.name} did not start:\n{words}") from None
        if said.get("event") == "ready":
            self.api = str(said.get("control") or "")
            self.tenants = replicas = Replicas(said["deployments"])
            return replicas
        message = str(said.get("message", line))
        if said.get("kind") == _MISTAKE:
            raise SelectionError(message)
        raise WorldLostError(f"the world of {self.name} did not start: {message}")

    def _last_words(self) -> str:
        return last_words(self._control, self.name)

    def _first_line(self, deadline: float) -> str:
        """The first line of the world's output; what it wrote until then, where it ends before."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        read = bytearray()
        waiting = select.poll()  # select() is limited to descriptors below 1024
        waiting.register(descriptor, select.POLLIN)
        while not read.endswith(b"\n"):
            left_ms = 1000 * max(0.0, deadline - time.monotonic())
            if not waiting.poll(left_ms):
                words = self._last_words()
                raise WorldLostError(f"the world of {self.name} was not ready in time:\n{words}")
            chunk = os.read(descriptor, 1 << 20)
            if not chunk:
                break
            read += chunk
        return read.decode("utf-8", "replace")

    def stop(self, within: float = _STOP_S) -> None:
        """End the world; harmless when done twice. Raises :class:`WorldLostError` when it died,
        hung, or its audit is not clean.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self._process.stdin.closed:
            return
        died = self._process.poll() is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            died = True
        self._process.stdout.close()
        try:
            code = self._process.wait(within)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise WorldLostError(
                f"the world of {self.name} did not end in {within:g} s and was killed"
            ) from None
        if died or code < 0:  # by a signal, which poll may not have shown yet
            raise WorldLostError(
                f"the world of {self.name} died (exit code {code})\nIt last said:\n{self._last_words()}"
            )
        if code:
            raise WorldLostError(
                f"the world of {self.name} ended with an error of its own, or with calls left over\nIt last said:\n{self._last_words()}"
            )


class Worlds:
    """All worlds of a run."""

    def __init__(self, control: Path) -> None:
        """``control`` is the run's directory for what its processes share."""
        self._control = control
        self.all: list[World] = []  #: those that were started and not stopped, in order

    def start(
        self,
        simulated: Sequence[tuple[Path, Deployment]],
        *,
        tenants: int,
        timings: str,
        faults: Sequence[str],
        controlled: bool = False,
        speech: bool = False,
        fork_server: Path | None = None,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> dict[str, Replicas]:
        """Start a world for each, side by side, do something ``meanwhile``, and wait until all are
        ready.

        Raises what :meth:`World.ready` raises.

        ``controlled`` worlds have a control API (:attr:`controls`). With ``speech``, their
        assistants speak as real ones do, and send no marks. Where there is a ``fork_server``, it
        forks the worlds.
        """
        options = ["--tenants", str(tenants), "--timings", timings]
        if controlled:
            options.append("--control")
        if speech:
            options.append("--speech")
        for fault in faults:
            options += ("--fault", fault)
        for path, deployment in simulated:
            directory = _directory(self._control, deployment.name)
            program = [*interpreter(fork_server), "-m", "harness.world"]
            command = [*program, str(path), "--directory", str(directory), *options]
            self.all.append(World(deployment.name, command, self._control))
        meanwhile()
        return {world.name: world.ready() for world in self.all}

    @property
    def controls(self) -> dict[str, str]:
        """The addresses of the control APIs, by deployment."""
        return {world.name: world.api for world in self.all if world.api}

    def require_sound(self) -> None:
        """Raise :class:`WorldLostError` where one has had an error of its own."""
        for world in self.all:
            listener = Listener(heartbeat(self._control, world.name))
            if listener.has_erred(0.0):
                words = last_words(self._control, world.name)
                raise WorldLostError(f"{erred(world.name)}:\n{words}")

    def stop(self, keep_logs: Path | None = None) -> list[HarnessError]:
        """End them all, and keep their logs in that directory; return what went wrong."""
        faults: list[HarnessError] = []
        for world in self.all:
            try:
                world.stop()
            except BrokenError as error:
                faults.append(error)
            log = _directory(self._control, world.name) / _LOG
            if keep_logs is not None and log.exists():
                with contextlib.suppress(OSError):  # a full disk is reported elsewhere
                    shutil.copyfile(log, keep_logs / f"world-{stem_of(world.name)}.log")
        self.all.clear()
        return faults


@contextlib.contextmanager
def one_world(
    path: Path,
    deployment: Deployment,
    control: Path,
    *,
    tenants: int = 1,
    timings: str = "quick",
    faults: Sequence[str] = (),
    controlled: bool = False,
    speech: bool = False,
) -> Iterator[World]:
    """A world that is up as long as this lasts; raises what :meth:`Worlds.start` and
    :meth:`World.stop` raise.
    """
    worlds = Worlds(control)
    try:
        worlds.start(
            [(path, deployment)],
            tenants=tenants,
            timings=timings,
            faults=faults,
            controlled=controlled,
            speech=speech,
        )
        yield worlds.all[0]
    finally:
        ended = worlds.stop()
    if ended:
        raise ended[0]
