"""Work for many cases, on all cores."""

from __future__ import annotations

import multiprocessing
import os

from harness.report.processes import WORTH, each


def tell(item: int) -> tuple[int, int]:
    return item, os.getpid()


def die_elsewhere(item: int) -> int:
    if multiprocessing.parent_process() is not None:
        os._exit(1)  # as the kernel does for want of memory
    return item


def test_the_same_processes_do_it_again_and_one_that_dies_is_made_up_for() -> None:
    items = range(WORTH)
    first, again = list(each(tell, items)), list(each(tell, items))
    assert [item for item, _ in first] == [item for item, _ in again] == list(items)
    helpers = {pid for _, pid in first + again}
    assert os.getpid() not in helpers
    assert len(helpers) <= (os.cpu_count() or 1)

    assert list(each(die_elsewhere, items)) == list(items)
    assert {pid for _, pid in each(tell, items)}.isdisjoint({os.getpid(), *helpers})
