"""What the processes of one run may use, and how much at once: leases, marks and the gate every
call passes.

All of it rests on ``flock`` in the run's directory: the kernel frees what a dead process held, at
once, so nothing here has to be cleaned up after a crash. A lock file that cannot be read or written
refuses the call (it fails closed).
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import mmap
import os
import random
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from pydantic import BaseModel, ConfigDict

from harness.deployment import Limits
from harness.errors import RefusedError, ResourceError
from harness.support.files import own_directories, stem_of, user_files, whole_file

#: Marks 0…238 belong to the harness's legs; 239 stands for a stranger's voice; 240 and up are
#: assistants' voices.
LEG_MARKS = 239
#: Every worker needs marks for the legs of the largest case (a full trunk, one more caller, and
#: their callees).
MARKS_A_WORKER = 10
MOST_WORKERS = LEG_MARKS // MARKS_A_WORKER

_POLL_S = 0.01


class Lease:
    """Something held by this process until :meth:`release`, or until the process ends."""

    def __init__(self, descriptor: int, index: int) -> None:
        self._descriptor: int | None = descriptor
        self.index = index  #: which of the things asked for it is

    def twin(self) -> Lease:
        """A second hold on the same lock, which is free when both are released. Raises
        :class:`ResourceError`.
        """
        assert self._descriptor is not None
        try:
            return Lease(os.dup(self._descriptor), self.index)
        except OSError as error:
            raise ResourceError(f"a lock cannot be held twice: {error.strerror}") from error

    def release(self) -> None:
        """Give it back; harmless when done twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)  # and with it the lock
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def try_lease(path: Path, index: int = 0, *, shared: bool = False) -> Lease | None:
    """Lock ``path`` (made when missing) for this process, or None when another holds it;
    ``shared``: beside others who share it.
    """
    try:
        return Lease(
            _locked(path, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB), index
        )
    except BlockingIOError:
        return None


def lease(paths: Sequence[Path]) -> Lease:
    """Lock the first of ``paths`` that is free; when none is, wait for the last one. A signal
    handler may raise out of it.
    """
    for index, path in enumerate(paths):
        if held := try_lease(path, index):
            return held
    return Lease(_locked(paths[-1], fcntl.LOCK_EX), len(paths) - 1)


def _locked(path: Path, how: int) -> int:
    """``path`` (made when missing), locked. Raises ``BlockingIOError`` where it is held, and is not
    to be waited for.
    """
    while True:
        descriptor = _open(path)
        try:
            fcntl.flock(descriptor, how)
        except BaseException:
            os.close(descriptor)
            raise
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(
            descriptor
        )  # /tmp was tidied meanwhile (tmpfiles.d(5)): the next to want it would make and lock another


def places() -> int:
    """How many cases this machine carries at once: a call waits far more than it computes, but its
    audio does not wait.
    """
    return max(8, 4 * len(os.sched_getaffinity(0)))


def place(most: int) -> Lease:
    """Wait for one of the machine's places for a case, shared by all of a user's runs.

    Several runs at once then take longer, instead of spoiling each other's audio. Raises
    :class:`ResourceError`.
    """
    directory = _of_the_machine()
    with lease(
        [directory / "next-place"]
    ):  # the next one tries again and again; those behind it sleep in the kernel
        while True:
            for index in range(most):
                if held := try_lease(directory / f"place-{index}", index):
                    return held
            time.sleep(_POLL_S)


def address(name: str, waiting: Callable[[], None]) -> Lease:
    """An address of this machine for this run alone, of all of a user's runs: of two, one waits.

    ``waiting`` is called when it has to. Raises :class:`ResourceError`.
    """
    path = _of_the_machine() / f"address-{stem_of(name)}"
    if (held := try_lease(path)) is None:
        waiting()
        held = lease([path])
    with contextlib.suppress(OSError):
        os.utime(path)  # what tidies /tmp leaves it alone
    return held


def _of_the_machine() -> Path:
    """Where all of a user's runs keep their locks."""
    try:
        return own_directories.of_this_machine()
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise ResourceError(
            f"{where}the machine's places cannot be kept: {error.strerror}"
        ) from error


def released(path: Path) -> None:
    """Wait until the lock of ``path`` is free. A holder that dies releases it."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        return own_directories.shared_file(path)
    except OSError as error:
        raise ResourceError(f"{path}: the lock cannot be opened: {error.strerror}") from error


class Marks:
    """The marks of one worker: its share of 0…238, handed out in turn; ``draw``, the run's own,
    says which those are.

    Within a case no mark comes twice, and the next case goes on where the last one ended, so that a
    straggling leg is not taken for a new one. Which they are is drawn anew for each run: a stranger
    cannot know what will be listened for.
    """

    def __init__(self, slot: int, slots: int, draw: int) -> None:
        drawn = random.Random(draw).sample(range(LEG_MARKS), LEG_MARKS)
        self._block = drawn[slot * LEG_MARKS // slots : (slot + 1) * LEG_MARKS // slots]
        self._turn = itertools.cycle(self._block)
        self._lock = threading.Lock()

    def of_case(self) -> Iterator[int]:
        """The marks for one case's legs. Raises :class:`ResourceError` when it asks for more than
        the block has.
        """
        for _ in self._block:
            with self._lock:
                mark = next(self._turn)
            yield mark
        raise ResourceError(
            f"no mark is left: a case has at most {len(self._block)} legs here; use fewer workers (-n)"
        )


class CallCounter:
    """How many calls each worker has up now, in a small shared file; a replaced worker begins again
    at nought.
    """

    _COUNT = struct.Struct("=I")

    def __init__(self, path: Path, slots: int) -> None:
        self._slots = slots
        descriptor = _open(path)
        try:
            os.ftruncate(descriptor, self._COUNT.size * slots)
            self._memory = mmap.mmap(descriptor, self._COUNT.size * slots)
        except OSError as error:
            raise ResourceError(f"{path}: cannot be shared: {error.strerror}") from error
        finally:
            os.close(descriptor)

    def set(self, slot: int, calls: int) -> None:
        """Say how many calls the worker in ``slot`` has up."""
        self._COUNT.pack_into(self._memory, self._COUNT.size * slot, calls)

    def total(self) -> int:
        """The calls of all workers."""
        return sum(
            self._COUNT.unpack_from(self._memory, self._COUNT.size * slot)[0]
            for slot in range(self._slots)
        )


class Usage(BaseModel):
    """What a run has used so far; kept in a file, changed under a lock."""

    model_config = ConfigDict(extra="forbid", strict=True)

    placed: int = 0
    next: float = 0.0  #: monotonic time before which no call may be placed
    seconds: float = 0.0  #: of calls that have ended, together
    cost: float = 0.0
    open: dict[str, int] = {}  #: slot → its calls: two while a transfer replaces one by the other


class CallGate:
    """Lets a call through when the deployment's limits allow it, over all workers of a run.

    ``concurrent_calls`` are lock files, so a dead worker's calls stop counting;
    ``calls_per_second`` is kept by spacing the calls evenly (GCRA with a burst of one),
    ``calls_per_run`` by a count. A call is entered at its longest time and that time's cost, and
    settled when it ends, so ``seconds_per_run`` and ``cost_per_run`` hold whatever the calls under
    way do; one whose worker died stays entered in full. A call that follows a REFER is entered and
    settled as any other, but shares the slot of the one that it replaces. ``changed`` is told how
    many calls this process has up.
    """

    def __init__(
        self, directory: Path, limits: Limits, changed: Callable[[int], None] = lambda calls: None
    ) -> None:
        self.limits = limits
        self._directory = directory
        self._changed = changed
        self._up = 0
        self._lock = threading.Lock()
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResourceError(
                f"{directory}: the call gate cannot be kept: {error.strerror}"
            ) from error

    def admit(self, within: float) -> Permit[Lease]:
        """Wait until a call may be placed now, for ``within`` seconds at most; the permit is owed
        back when it has ended.

        Raises :class:`RefusedError` when the run's calls, seconds or money are used up,
        :class:`ResourceError` when no call may be placed in time or the gate's own files cannot be
        used.
        """
        deadline = time.monotonic() + within
        slot = self._slot(deadline, within)
        try:
            start = self._reserve(str(slot.index), deadline, within)
            time.sleep(max(0.0, start - time.monotonic()))
        except BaseException:  # a signal's, too
            slot.release()
            raise
        self._count(+1)
        return Permit(slot, self._settle, self._admit_another)

    def _slot(self, deadline: float, within: float) -> Lease:
        most = self.limits.concurrent_calls
        first = (
            os.getpid() % most
        )  # workers begin at different places, so that most find a free one at once
        while True:
            for offset in range(most):
                index = (first + offset) % most
                if held := try_lease(self._slot_file(index), index):
                    return held
            if time.monotonic() >= deadline:
                raise ResourceError(
                    f"no call slot came free within {within:g} s (limits.concurrent_calls = {most})"
                )
            time.sleep(_POLL_S)

    def _slot_file(self, index: int) -> Path:
        return self._directory / f"call-{index}"

    def _reserve(self, slot: str, deadline: float, within: float) -> float:
        """The monotonic time at which the call may be placed; it is entered from here on."""
        while True:
            with self._opened() as books:
                self._close_left(books, slot)
                tight = self._tight(books)
                if tight is None:
                    start = max(books.next, time.monotonic())
                    if start > deadline:
                        raise ResourceError(
                            f"no call may be placed within {within:g} s "
                            f"(limits.calls_per_second = {self.limits.calls_per_second:g})"
                        )
                    books.next = start + 1.0 / self.limits.calls_per_second
                    self._enter(books, slot)
                    return start
                self._close_the_dead(books, slot)
            if time.monotonic() >= deadline:
                raise ResourceError(
                    f"no call may be placed within {within:g} s: those under way may use up {tight}"
                )
            time.sleep(_POLL_S)

    def _admit_another(self, of: Lease) -> Permit[Lease]:
        """A permit for one more call in a slot; it does not wait, as the far end waits for the
        answer to its REFER.
        """
        slot = of.twin()
        try:
            with self._opened() as books:
                if self._tight(books) is not None:
                    self._close_the_dead(books, str(slot.index))
                if (tight := self._tight(books)) is not None:
                    raise ResourceError(
                        f"no call may take another's place: those under way may use up {tight}"
                    )
                self._enter(books, str(slot.index))
        except BaseException:
            slot.release()
            raise
        self._count(+1)
        return Permit(slot, self._settle, self._admit_another)

    @staticmethod
    def _enter(books: Usage, slot: str) -> None:
        books.placed += 1
        books.open[slot] = books.open.get(slot, 0) + 1

    def _tight(self, books: Usage) -> str | None:
        """The cap that calls under way may use up, None when there is room. Raises
        :class:`RefusedError` at a cap's end.
        """
        limits, longest, calls = (
            self.limits,
            self.limits.seconds_per_call,
            self.limits.calls_per_run,
        )
        if books.placed >= calls:
            raise RefusedError(
                f"this run has placed its {books.placed} calls; allowed: limits.calls_per_run = {calls}"
            )
        caps = [("limits.seconds_per_run", books.seconds, longest, limits.seconds_per_run, " s")]
        if limits.cost_per_run is not None:
            caps.append(
                ("limits.cost_per_run", books.cost, limits.cost(longest), limits.cost_per_run, "")
            )
        tight = None
        for name, used, more, most, unit in caps:
            if used + more > most:
                raise RefusedError(
                    f"this run's calls have used {used:.4g}{unit}, and another may take {more:.4g}{unit}; "
                    f"allowed: {name} = {most:g}"
                )
            if used + more * (sum(books.open.values()) + 1) > most:
                tight = f"{name} = {most:g}"
        return tight

    def _settle(self, slot: Lease, placed_at: float) -> None:
        with contextlib.suppress(
            ResourceError
        ):  # it then stays entered in full, which errs on the safe side
            with self._opened() as books:
                self._close(
                    books,
                    str(slot.index),
                    min(time.monotonic() - placed_at, self.limits.seconds_per_call),
                )
        slot.release()
        self._count(-1)

    def _close(self, books: Usage, slot: str, seconds: float) -> None:
        """Settle one of the calls in ``slot``."""
        if calls := books.open.pop(slot, 0):
            if calls > 1:
                books.open[slot] = calls - 1
            books.seconds += seconds
            books.cost += self.limits.cost(seconds)

    def _close_left(self, books: Usage, slot: str) -> None:
        """Settle in full what a worker that died left in ``slot``."""
        while slot in books.open:
            self._close(books, slot, self.limits.seconds_per_call)

    def _close_the_dead(self, books: Usage, own: str) -> None:
        for slot in [slot for slot in books.open if slot != own]:
            if held := try_lease(self._slot_file(int(slot))):
                self._close_left(books, slot)
                held.release()

    @contextmanager
    def _opened(self) -> Iterator[Usage]:
        """The books, for this process alone; they are written back unless an error comes out."""
        path = self._directory / "books.json"
        with lease([self._directory / "books.lock"]):
            try:
                books = Usage.model_validate_json(user_files.read(path, user_files.EVIDENCE))
            except FileNotFoundError:
                books = Usage()
            except (OSError, ValueError) as error:
                raise ResourceError(
                    f"{path}: the run's count of calls cannot be read, so no call is placed"
                ) from error
            yield books
            try:
                whole_file.write(path, books.model_dump_json())
            except OSError as error:
                raise ResourceError(
                    f"{path}: the run's count of calls cannot be kept: {error.strerror}"
                ) from error

    def _count(self, change: int) -> None:
        with self._lock:
            self._up += change
            self._changed(self._up)


class Admitted(Protocol):
    """One call's place in a gate."""

    def another(self) -> Admitted:
        """The place of a call that replaces this one on a REFER: one more call, but no more at
        once. It must be released too.

        Raises what :meth:`Gate.admit` raises.
        """

    def release(self) -> None:
        """The call has ended; harmless when done twice."""


class Gate(Protocol):
    """What every call of a deployment passes."""

    def admit(self, within: float) -> Admitted:
        """Wait until a call may be placed, at most ``within`` seconds. Release the place when the
        call has ended.

        Raises :class:`RefusedError` when the run's calls, seconds or money are used up,
        :class:`ResourceError` when no call may be placed in time or the gate's state is unknown.
        """


#: What a gate knows a call by.
Place = TypeVar("Place")


class Permit(Generic[Place]):
    """One call's place in a gate, from the moment it may be placed; ``settle`` and ``another`` are
    the gate's.
    """

    def __init__(
        self,
        place: Place,
        settle: Callable[[Place, float], None],
        another: Callable[[Place], Permit[Place]],
    ) -> None:
        self._place: Place | None = place
        self._settle = settle
        self._another = another
        self._placed_at = time.monotonic()
        self._lock = threading.Lock()

    def another(self) -> Permit[Place]:
        """As :meth:`Admitted.another`."""
        with self._lock:
            if self._place is None:
                raise ResourceError("no call takes the place of one that has ended")
            return self._another(self._place)

    def release(self) -> None:
        """The call has ended; harmless when done twice."""
        with self._lock:
            place, self._place = self._place, None
        if place is not None:
            self._settle(place, self._placed_at)
