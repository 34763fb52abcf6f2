"""Calls that are held for some seconds, and until the calls they are to meet are up as well."""

from __future__ import annotations

import os
import time
from pathlib import Path

from harness.scenario import scenario
from harness.scenario.context import CaseContext

LONGEST_S = 60.0  # a call is hung up after two minutes


@scenario("INBOUND")
def test_call_is_held(cast, context, caller, line, assistant, expect):  # type: ignore[no-untyped-def]
    call = caller.call(line)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    expect(talk).caller_id(caller.number)
    expect(talk).addressed_to(line)
    expect(call).codec()
    expect(talk).codec()
    expect(call).hears_only(talk)
    for group in cast.all_groups():
        expect(group).never_rang()
    if "MEET" in os.environ:
        meet(context, Path(os.environ["MEET"]))
    context.pause(float(os.environ["HELD_S"]))


def meet(context: CaseContext, place: Path) -> None:
    """Wait until as many calls are up at once as the deployment's name ends with; the call fails if
    they never are.
    """
    deployment = context.deployment.name
    (place / f"{deployment}-{time.monotonic_ns()}").touch()
    deadline = time.monotonic() + LONGEST_S
    while sum(1 for _ in place.glob(f"{deployment}-*")) < int(deployment.rpartition("-")[2]):
        assert time.monotonic() < deadline, "the other sites' calls never came"
        context.pause(0.05)
