"""A record that cannot be read any more says nothing of what the AI hears now: not that it hears nobody, and not that it does."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from harness.deployment import Synthflow
from harness.errors import FarEndError
from harness.scenario.ai_calls import SynthflowCall
from harness.witness.call_record import CallRecord
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.synthflow_api import FakeApi, call, record

KNOWN = record(witness={"marks": [], "digits": [{"digit": "1", "method": "rfc4733"}], "rx_packets": 50})


class Failing(FakeApi):
    """Has told of the call, and then fails."""

    fails = True

    def call(self, call_id: str) -> CallRecord:
        if self.fails:
            raise FarEndError("Synthflow API: GET /calls/{id}: 502")
        return CallRecord(call_id, KNOWN)


@pytest.mark.parametrize("fails", [True, False])
def test_what_was_read_before_the_interface_failed_is_not_what_is_heard_now(
    make_context: MakeContext, fails: bool
) -> None:
    api: Any = Failing([KNOWN])
    api.fails = fails
    context = make_context(api=api, synthflow=Synthflow(poll_s=0.001, lag_s=0.0, witness=("marks", "dtmf")))
    talk = SynthflowCall(context, api, CallRecord("c1", KNOWN), call())
    assert (talk.account(0.0) is None) is fails
    assert (talk.marks_since(0.0) is None) is fails
    assert (talk.digits(2, within=0.0) is None) is fails
    assert talk.digits(1, within=0.0) == ("1", ["rfc4733"], [None]), "what came is known all the same"


@pytest.mark.parametrize("ahead", [0.0, 90.0])
def test_what_a_record_witnesses_is_not_known_where_its_clock_is_in_doubt(
    make_context: MakeContext, ahead: float
) -> None:
    """The API's Date is ahead of its records: by that clock the AI had heard its caller, and was released, before the call."""
    of = call()
    at = time.time()
    mark = {"mark": 7, "at": at, "until": at, "level_dbov": -15.0}
    witness = {"marks": [mark], "answered_at": at, "released_at": at}
    plain = record(status="completed", telephony_duration=40, start_time=str(int(at * 1000) + 1), witness=witness)

    class Api(FakeApi):
        def call(self, call_id: str) -> CallRecord:
            return CallRecord(call_id, plain, clock_ahead_s=ahead, clock_differs_s=ahead, read_at=at + 1.0)

    api: Any = Api([plain])
    context = make_context(api=api, synthflow=Synthflow(poll_s=0.001, lag_s=0.0, witness=("marks",)))
    talk = SynthflowCall(context, api, api.call("c1"), of)
    speaker: Any = SimpleNamespace(mark=7)
    known = not ahead
    assert (talk.hears_mark(speaker, of.began, 0.0) is not None) is known
    assert (talk.account(of.began) is not None) is known
    assert (talk.answered_at() is not None) is known
    talk.released_at(time.monotonic() + 1.0)
    assert (talk.doubt_s == 0.0) is known
