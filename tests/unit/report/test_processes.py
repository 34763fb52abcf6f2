"""Work for many cases, on all cores."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial

from harness.report.processes import WORTH, each


def tell(item: int) -> tuple[int, int]:
    return item, os.getpid()


def die_elsewhere(where: int, item: int) -> tuple[int, int]:
    if os.getpid() != where:
        os._exit(1)  # as the kernel does for want of memory
    return item, os.getpid()


def test_the_same_processes_do_it_again_and_one_that_dies_is_made_up_for() -> None:
    first, again = (list(each(tell, range(WORTH))) for _ in range(2))
    assert [item for item, _ in first] == [item for item, _ in again] == list(range(WORTH))
    helpers = {pid for _, pid in first + again}
    assert os.getpid() not in helpers
    assert len(helpers) <= (os.cpu_count() or 1)

    assert list(each(partial(die_elsewhere, os.getpid()), range(WORTH))) == [
        (number, os.getpid()) for number in range(WORTH)
    ]
    assert {pid for _, pid in each(tell, range(WORTH))}.isdisjoint(helpers | {os.getpid()})


def test_they_end_with_the_process_that_they_work_for_however_that_ends() -> None:
    program = "import os, signal\nfrom tests.unit.report import test_processes as of\n"
    program += "print(len(list(of.each(of.tell, range(of.WORTH)))) == of.WORTH, flush=True)\n"
    program += "os.kill(os.getpid(), signal.SIGKILL)"
    killed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    # a process that is left would hold the other end of its output
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, "True\n")


def test_few_are_done_by_this_process_alone() -> None:
    assert {pid for _, pid in each(tell, range(WORTH - 1))} == {os.getpid()}
