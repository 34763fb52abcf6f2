"""The faults shown on third-party programs: what the table promises."""

from __future__ import annotations

import re
from typing import get_args

from harness.integrations import find
from tools.strangers.fault import FAULTS, MediaChange, Side, Sip, SipChange


def test_there_are_as_many_faults_as_promised_and_a_tenth_is_held_out() -> None:
    assert len(FAULTS) >= 60
    assert len(FAULTS) / 12 <= sum(fault.held_out for fault in FAULTS) <= len(FAULTS) / 8


def test_each_fault_is_made_in_one_place_and_has_rows_that_exist_and_a_cause() -> None:
    for fault in FAULTS:
        assert bool(fault.platform) != bool(fault.wire), fault.name
        assert fault.causes, fault.name
        for row in fault.rows:
            find("talkdesk").row(row)
        for change in fault.wire:
            assert change.side in get_args(Side)
            assert change.do in get_args(SipChange if isinstance(change, Sip) else MediaChange)
            if isinstance(change, Sip):
                re.compile(change.pattern)
