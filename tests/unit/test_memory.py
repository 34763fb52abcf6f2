"""What a long-lived process no longer needs goes back to the system."""

from __future__ import annotations

import contextlib
import gc
import subprocess
import sys
import textwrap

import pytest

from harness.support.memory import lasting

FREED = textwrap.dedent(
    """
    import gc, os, sys, time
    from harness.support import memory

    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    class Cycle:
        def __init__(self, octets):
            self.octets, self.itself = octets, self

    gc.disable()  # as good as never, where a process has many objects
    freed = memory.FreedMemory(collects=sys.argv[1] == "cycles")
    kept = [(Cycle(bytes(2000)), bytes(2000)) for _ in range(20_000)]
    kept = [octets for number, (_, octets) in enumerate(kept) if number % 50 == 0]
    if sys.argv[1] == "trim":
        gc.collect()
    before = resident()
    freed.give_back()
    assert resident() > 0.9 * before, "at once"
    at = time.monotonic() + memory._EVERY_S
    time.monotonic = lambda: at
    freed.give_back()
    print(before - resident())
    """
)


def freed(what: str) -> int:
    command = [sys.executable, "-c", FREED, what]
    return int(
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    )


def test_what_lies_between_what_is_in_use_is_given_back() -> None:
    assert freed("trim") > 20_000_000


def test_garbage_is_looked_for_first() -> None:
    assert freed("cycles") > 20_000_000


@pytest.mark.parametrize("error", [None, ImportError])
def test_while_what_lasts_is_made_no_garbage_is_looked_for(error: type[Exception] | None) -> None:
    frozen = gc.get_freeze_count()
    with contextlib.suppress(ImportError), lasting():
        collections = [each["collections"] for each in gc.get_stats()]
        made = [[] for _ in range(5_000)]  # type: ignore[var-annotated]
        assert [each["collections"] for each in gc.get_stats()] == collections
        if error:
            raise error
    assert gc.isenabled()
    assert gc.get_freeze_count() >= frozen + len(made)
    gc.unfreeze()
