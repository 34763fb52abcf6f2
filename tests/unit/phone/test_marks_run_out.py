"""More calls come than there are marks: the case is broken by its own words, and the thread that reads for all phones goes on."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import ResourceError
from harness.phone.config import PhoneConfig
from harness.phone.phone import Phone
from harness.phone.rules import Rules


def test_a_call_for_which_no_mark_is_left_ends_the_waits_of_its_phone(tmp_path: Path) -> None:
    """A ring group of many agents, or strangers at a shared one, beside many workers: each call takes a mark."""
    owner: Any = SimpleNamespace(changed=threading.Condition(), deadlines=None, fatal_error=None, loss=None)
    process: Any = SimpleNamespace()
    told: list[Any] = []
    config = PhoneConfig(name="desk", user="ada", domain="p.example")
    phone = Phone(owner, process, 1, config, sink=told.append, marks=iter([7]), directory=tmp_path, rules=Rules())
    for key in (1, 2):
        came = {"leg": key, "name": f"desk.{key}", "direction": "incoming", "remote_uri": "sip:x@p.example"}
        phone.told("leg_started", {**came, "mark": None, "replaces": None, "at": time.monotonic()})
    first, second = phone.legs
    assert first.mark == 7
    assert second.mark != 7
    with pytest.raises(ResourceError, match="no mark is left for a leg of phone desk"):
        second.wait("anything", lambda event: False, within=0.0)
