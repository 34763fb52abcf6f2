"""The catalogue of strangers' faults: what it promises."""

from __future__ import annotations

import re

from harness.integrations import find
from tools.strangers.catalogue import FAULTS
from tools.strangers.fault import Sip


def test_there_are_as_many_faults_as_promised() -> None:
    assert len(FAULTS) >= 60
    assert sum(not fault.known for fault in FAULTS) >= 30
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_a_tenth_is_held_out() -> None:
    kept = sum(fault.held_out for fault in FAULTS)
    assert len(FAULTS) / 12 <= kept <= len(FAULTS) / 8


def test_each_fault_has_one_place_where_it_is_made_rows_that_exist_and_a_cause() -> None:
    for fault in FAULTS:
        assert bool(fault.platform) != bool(fault.wire), fault.name
        assert fault.causes, fault.name
        for row in fault.rows:
            find("talkdesk").row(row)
        for change in fault.wire:
            if isinstance(change, Sip):
                re.compile(change.pattern)
