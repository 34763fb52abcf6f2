"""Ends a process's waits when a world, or the runner, is gone or hangs.

One thread per process waits for a lock that this process holds as long as it lives: it costs
nothing, and wakes at once. It interrupts the main thread by a signal, whose handler raises there,
whatever the case is waiting for; amid pytest's own work the signal comes again a little later,
since an error raised there spoils every later case. A process that is stopped, or caught in a loop,
keeps its locks: one more thread listens for the world's heartbeat, and the runner kills a process
that has had none for long (:class:`Watchdog`), so that everything that follows from a death
follows.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final

from harness.deployment.limits import released
from harness.errors import BrokenError, WorldLostError
from harness.run.plugin.run import Run
from harness.run.plugin.worlds import alive_lock, erred, heartbeat, last_words, stderr
from harness.support.files import user_files, whole_file
from harness.support.heartbeat import AFTERWARDS_S, DOUBTFUL_S, PERIOD_S, Heartbeat, Listener
from harness.support.mask import mask_text

#: A world without a heartbeat for this long has spoilt the case.
STALLED_S: Final = 5.0
#: Packages whose bookkeeping of fixtures must not be interrupted: a finalizer without its fixture
#: fails all later tests.
_UNINTERRUPTIBLE: Final = frozenset({"_pytest", "pluggy", "allure_pytest", "allure_commons"})
#: A process without a heartbeat for this long hangs for good.
HUNG_S: Final = 10.0
#: The key in xdist's ``workeroutput`` for a worker's threads that an exception ended.
DEAD_THREADS: Final = "harness-dead-threads"


def when_thread_dies(note: Callable[[str], None]) -> None:
    """From now on call ``note`` with a line, numbers masked, for each thread of this process that
    an exception ends; the hook that was there is called as well.
    """
    before = threading.excepthook

    def hook(arguments: threading.ExceptHookArgs) -> None:
        name = arguments.thread.name if arguments.thread is not None else "unknown"
        what = f"{arguments.exc_type.__name__}: {' '.join(str(arguments.exc_value).split())}"
        frames = traceback.extract_tb(arguments.exc_traceback)[-1:]
        where = "".join(f" at {Path(frame.filename).name}:{frame.lineno}" for frame in frames)
        note(mask_text(f"the thread {name} ended by {what}{where}"))
        before(arguments)

    threading.excepthook = hook


class Watch:
    """Watches worlds, and the runner, for one process; made in its main thread."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._stalled = ""
        #: By deployment: until when a new case may suffer from its world's last gap, and the
        #: message about it.
        self._gaps: dict[str, tuple[float, str]] = {}
        self._listeners: dict[str, Listener] = {}
        self._waiting_on: str | None = None
        self._dead_threads: list[str] = []
        self.runner_is_gone = False
        self._main = threading.get_ident()
        signal.signal(signal.SIGUSR1, self._interrupt)
        for deployment in run.deployments:
            if deployment.kind == "simulated":
                self._when_released(
                    alive_lock(run.control, deployment.name), self._world_died(deployment.name)
                )
                self._listen(deployment.name)

    def runner(self, lock: Path) -> None:
        """Watch the runner too, in a worker: when it is gone the worker ends as on Ctrl-C, in order
        and once.
        """

        def once(signum: int, frame: FrameType | None) -> None:
            # a second one would cut the hanging-up short
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            raise KeyboardInterrupt

        def gone() -> None:
            self.runner_is_gone = True
            signal.pthread_kill(self._main, signal.SIGINT)

        signal.signal(signal.SIGINT, once)
        self._when_released(lock, gone)

    def threads(self, dead: list[str]) -> None:
        """Watch this process's threads: a line for each that an exception ends goes to ``dead``."""
        self._dead_threads = dead
        when_thread_dies(dead.append)

    @contextmanager
    def waiting_on(self, deployment: str) -> Iterator[None]:
        """While this lasts, :class:`WorldLostError` is raised in the main thread when that
        deployment's world dies or hangs.
        """
        self._stalled, self._waiting_on = "", deployment
        try:
            if message := self._run.lost.get(deployment):
                raise WorldLostError(message)
            yield
        finally:
            self._waiting_on = None

    def fault(self, deployment: str, since: float) -> BaseException | None:
        """Why a case that began at ``since`` cannot count as failed: a thread of this process died,
        or its world had an error or stood still, also just before.

        However long ago in the case that was: a wait that it spoilt may end long after, and a
        time-out that it delayed may expire.
        """
        if self._dead_threads:
            return BrokenError(self._dead_threads[0])
        until, still = self._gaps.get(deployment, (0.0, ""))
        if since < until:
            return WorldLostError(still)
        listener = self.listener(deployment)
        if listener is not None and listener.has_erred(since):
            return WorldLostError(erred(deployment))
        return None

    @property
    def worlds(self) -> list[int]:
        """The processes of the worlds."""
        pids = (listener.pid for listener in list(self._listeners.values()))
        return [pid for pid in pids if pid is not None]

    def listener(self, deployment: str) -> Listener | None:
        """What listens to its world; None where there is no world."""
        return self._listeners.get(deployment)

    def _world_died(self, name: str) -> Callable[[], None]:
        def died() -> None:
            words = last_words(self._run.control, name)
            self._run.lost[name] = f"the simulated world of {name} died\nIt last said:\n{words}"
            while self._waiting_on == name:
                signal.pthread_kill(self._main, signal.SIGUSR1)
                time.sleep(PERIOD_S)

        return died

    def _interrupt(self, signum: int, frame: FrameType | None) -> None:
        if self._waiting_on is None or _works_for(frame) in _UNINTERRUPTIBLE:
            return
        if message := self._run.lost.get(self._waiting_on) or self._stalled:
            self._waiting_on = None
            raise WorldLostError(message)

    def _listen(self, name: str) -> None:
        listener = self._listeners[name] = Listener(heartbeat(self._run.control, name))
        listener.listen(f"listen to {name}", lambda: self._silent(name, listener.silent_s))

    def _silent(self, name: str, silent_s: float) -> None:
        if silent_s < DOUBTFUL_S:
            return
        still = f"the simulated world of {name} did not stir for {silent_s:.1f} s"
        self._gaps[name] = (time.monotonic() + AFTERWARDS_S, still)
        if silent_s > STALLED_S and self._waiting_on == name:
            self._stalled = still
            signal.pthread_kill(self._main, signal.SIGUSR1)

    @staticmethod
    def _when_released(lock: Path, then: Callable[[], None]) -> None:
        def wait() -> None:
            released(lock)
            then()

        threading.Thread(target=wait, name=f"watch {lock.name}", daemon=True).start()


def _works_for(frame: FrameType | None) -> str:
    """The package whose code a frame runs, directly or through the standard library; empty if there
    is none.
    """
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in sys.stdlib_module_names:
            return package
        frame = frame.f_back
    return ""


def start_heartbeat(run: Run) -> None:
    """Have this process, a worker, send heartbeats for as long as it lives."""
    try:
        own = Heartbeat(_beat_of_slot(run, run.slot))
    except OSError:
        return  # the disk is full: this worker cannot be watched; other code reports the full disk

    def beat() -> None:
        while True:
            own.beat()
            time.sleep(PERIOD_S)

    threading.Thread(target=beat, name="heartbeat", daemon=True).start()


class Watchdog:
    """In the runner: kills those of its workers and worlds that hang."""

    def __init__(self, run: Run) -> None:
        #: Each with the file that says that its process was killed.
        self._listeners: dict[Listener, Path] = {}
        for deployment in run.deployments:
            if deployment.kind == "simulated":
                world = Listener(heartbeat(run.control, deployment.name))
                self._listeners[world] = stderr(run.control, deployment.name)
        for slot in range(run.slots):
            self._listeners[Listener(_beat_of_slot(run, slot))] = Path(os.devnull)
        self._ended = threading.Event()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Stop killing workers."""
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(PERIOD_S):
            for listener, words in self._listeners.items():
                beat = listener.look()
                if beat is None or listener.silent_s <= HUNG_S or not _is_descendant(beat.pid):
                    continue
                said = f"it had not stirred for {listener.silent_s:.0f} s, and was ended\n"
                with suppress(OSError):  # a full disk does not keep it alive
                    whole_file.append(words, said)
                with suppress(ProcessLookupError):  # it has ended by itself
                    os.kill(beat.pid, signal.SIGKILL)


def _beat_of_slot(run: Run, slot: int) -> Path:
    return run.control / f"slot-{slot}.beat"


def _is_descendant(pid: int) -> bool:
    """Whether it is a living descendant of this process: the id may have been reused."""
    while pid > 1:
        try:
            stat = user_files.read_text(Path(f"/proc/{pid}/stat"), user_files.SETTINGS)
            # behind the program's name, which may hold anything (proc_pid_stat(5))
            _, _, fields = stat.rpartition(")")
            state, parent = fields.split()[:2]
        except (OSError, ValueError):
            return False
        if state == "Z":
            return False
        if int(parent) == os.getpid():
            return True
        pid = int(parent)  # a forked worker is the fork server's child
    return False
