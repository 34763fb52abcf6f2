"""What became of a transfer, as the AI's record tells it."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.deployment import Synthflow
from harness.scenario.endpoints import SynthflowEndpoint
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.synthflow_api import Failing, Place, call, record


def test_actions_of_a_bare_record_do_not_say_that_a_transfer_never_ended(make_context: MakeContext) -> None:
    actions = {"extract_info_1": {"name": "extract_info_1", "action_type": "EXTRACT_INFO", "return_value": {}}}
    api: Any = Failing(record(executed_actions=actions))
    told = {}
    for witness in (("record",), ("record", "marks")):
        context = make_context(api=api, synthflow=Synthflow(poll_s=0.001, witness=witness))
        talk = SynthflowEndpoint(context, api).expect_call(call(), "main", within=0.0)
        assert talk is not None
        told[witness] = talk.transfer_outcome(0.0)
    assert told == {("record",): None, ("record", "marks"): 0}


TRANSFERS: list[dict[str, Any]] = [
    {"name": "transfer_call"},
    {"name": "transfer_now", "action_type": None},
    {"name": "Transfer to billing"},
    {"name": "to a person", "action_type": "REAL_TIME_CALL_TRANSFER"},
]
NO_TRANSFERS: list[dict[str, Any]] = [
    {"name": "custom_action", "action_type": "CUSTOM_ACTION"},
    {"name": "log_transfer", "action_type": "CUSTOM_ACTION"},
    {"name": "transfer_reason", "action_type": "EXTRACT_INFO"},
    {"name": "end_call"},
]
ACTIONS = st.lists(
    st.builds(
        lambda of, code: of | ({} if code is None else {"status_code": code}),
        st.sampled_from([*TRANSFERS, *NO_TRANSFERS]),
        st.none() | st.sampled_from([200, 202, 404, 486, 503]),
    ),
    max_size=4,
)


@given(ACTIONS)
@example(
    [
        {"name": "transfer_call", "status_code": 486},
        {"name": "log_transfer", "action_type": "CUSTOM_ACTION", "status_code": 200},
    ]
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_transfers_outcome_is_a_transfers(make_context: MakeContext, actions: list[dict[str, Any]]) -> None:
    """An assistant's other actions, as a look-up at some server, have a status of their own."""
    api: Any = Failing(record(executed_actions=actions))
    talk = Place(make_context, api).endpoint.expect_call(call(), "main", within=0.0)
    assert talk is not None
    names = {transfer["name"] for transfer in TRANSFERS}
    told = [action["status_code"] for action in actions if action["name"] in names and "status_code" in action]
    assert talk.transfer_outcome(0.0) == (told[-1] if told else None)


def test_a_transfer_s_outcome_as_synthflow_documents_it(make_context: MakeContext) -> None:
    for plain, told in (
        ({"status": "transfer-success"}, 200),
        ({"status": "transfer-failed-timeout"}, "transfer-failed-timeout"),
    ):
        actions = {
            "to_billing": {"name": "to_billing", "action_type": "transfer_call_action_type", "return_value": plain}
        }
        api: Any = Failing(record(executed_actions=actions))
        talk = Place(make_context, api).endpoint.expect_call(call(), "main", within=0.0)
        assert talk is not None
        assert talk.transfer_outcome(0.0) == told
