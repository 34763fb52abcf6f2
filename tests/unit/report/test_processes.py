"""Work for many cases, on all cores."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from harness.report.processes import WORTH, each

Item = tuple[Path, int]


def _both_begin(there: Path) -> bool:
    """Wait until another process has begun as well; whether this is the other one."""
    if multiprocessing.parent_process() is not None:
        there.touch()
        return True
    deadline = time.monotonic() + 30
    while not there.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return False


def tell(item: Item) -> tuple[int, int]:
    _both_begin(item[0])
    return item[1], os.getpid()


def die_elsewhere(item: Item) -> tuple[int, int]:
    if _both_begin(item[0]):
        os._exit(1)  # as the kernel does for want of memory
    return item[1], os.getpid()


def test_the_same_processes_do_it_again_and_one_that_dies_is_made_up_for(tmp_path: Path) -> None:
    def made(name: str) -> list[Item]:
        return [(tmp_path / name, number) for number in range(WORTH)]

    first, again = list(each(tell, made("first"))), list(each(tell, made("again")))
    assert [item for item, _ in first] == [item for item, _ in again] == list(range(WORTH))
    for found in (first, again):
        assert os.getpid() in {pid for _, pid in found}  # this process does its part
    helpers = {pid for _, pid in first + again} - {os.getpid()}
    assert 1 <= len(helpers) <= max(1, (os.cpu_count() or 1) - 1)

    assert list(each(die_elsewhere, made("death"))) == [(number, os.getpid()) for number in range(WORTH)]
    others = {pid for _, pid in each(tell, made("after"))} - {os.getpid()}
    assert others
    assert others.isdisjoint(helpers)


def test_they_end_with_the_process_that_they_work_for_however_that_ends() -> None:
    program = "import os, signal\nfrom tests.unit.report import test_processes as of\n"
    program += "print({pid for pid in of.each(of._late, range(of.WORTH))} != {os.getpid()}, flush=True)\n"
    program += "os.kill(os.getpid(), signal.SIGKILL)"
    killed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    # whoever is left would hold the other end of its output
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, "True\n")


def _late(item: int) -> int:
    time.sleep(0.01)  # so that the others, who begin at the other end, have their part
    return os.getpid()


def test_few_are_done_by_this_process_alone() -> None:
    assert {pid for _, pid in each(_who, range(WORTH - 1))} == {os.getpid()}


def _who(item: int) -> tuple[int, int]:
    return item, os.getpid()
