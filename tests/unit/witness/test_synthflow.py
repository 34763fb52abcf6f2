"""What the API answers, understood."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest

from harness.deployment import Synthflow
from harness.errors import FarEndError
from harness.witness.synthflow import SynthflowApi, api_of, path_segment
from tests.unit.witness.conftest import Web, in_json

Make = Callable[..., Web]


def api_that_says(web: Make, plain: object) -> SynthflowApi:
    return SynthflowApi(web(in_json(plain)).base, "token")


def test_a_call_in_the_public_wrapping(web: Make) -> None:
    plain = {"status": "ok", "response": {"calls": [{"call_id": "c1", "status": "in-progress"}]}}
    record = api_that_says(web, plain).call("c1")
    assert (record.id, record.answered, record.over) == ("c1", True, False)


def test_fields_that_changed_are_unknown_not_wrong(web: Make) -> None:
    record = api_that_says(web, {"call_id": "c1", "status": 7, "executed_actions": "none"}).call(
        "c1"
    )
    assert record.status is None
    assert record.actions == []
    assert not record.answered


@pytest.mark.parametrize(
    ("declared", "codec"),
    [(["record"], None), ([], None), (["marks"], "PCMA"), (["record", "messages"], "PCMA")],
)
def test_what_a_deployment_does_not_declare_it_is_not_told(
    web: Make, runs: ModuleType, declared: list[str], codec: str | None
) -> None:
    live, plain = (
        runs.live(),
        {"call_id": "c1", "status": "completed", "witness": {"codec": "PCMA"}},
    )
    server = web(in_json(plain), in_json({"calls": [plain]}))
    synthflow = Synthflow(api_base=server.base, api_token="token", witness=declared)
    api = api_of(live.model_copy(update={"synthflow": synthflow}))
    assert api is not None
    assert [each.witness("codec") for each in (api.call("c1"), *api.calls(0.0))] == [codec, codec]
    assert api_of(live.model_copy(update={"synthflow": Synthflow()})) is None
    assert api_of(live.model_copy(update={"synthflow": None})) is None


@pytest.mark.parametrize("region", ["DE", "US"])
@pytest.mark.parametrize("prefix", ["", "00"])
def test_a_number_of_the_deployments_is_known_without_its_plus(
    web: Make, runs: ModuleType, region: str, prefix: str
) -> None:
    """A From in digits alone reaches the record so: in Germany those of another country may be a
    number of its own as well.
    """
    live = runs.live()
    called = next(iter(live.assistants.values())).did
    phones = {
        name: phone.model_copy(update={"number": "+442079460101"})
        for name, phone in live.phones.items()
    }
    plain = {
        "call_id": "c1",
        "phone_number_from": f"{prefix}44 20-79460101",
        "phone_number_to": prefix + called[1:],
    }
    synthflow = Synthflow(api_base=web(in_json(plain)).base, api_token="token")
    api = api_of(
        live.model_copy(update={"synthflow": synthflow, "phones": phones, "region": region})
    )
    assert api is not None
    record = api.call("c1")
    assert (record.number_from, record.number_to) == ("+442079460101", called)


@pytest.mark.parametrize(
    "call_id",
    [
        "../../../admin/delete?x=",
        "..",
        "a?b",
        "a%2fb",
        "a b",
        "",
        "\ud800",
        "a\n",
        "x" * 129,
        "é",
        7,
        None,
    ],
)
def test_an_id_that_leads_elsewhere_is_asked_for_nowhere(web: Make, call_id: object) -> None:
    server = web(in_json({"calls": [{"call_id": call_id, "status": "completed"}]}))
    api = SynthflowApi(server.base, "token")
    with pytest.raises(FarEndError, match=r"call_id|an id that is none"):
        api.calls(since=0.0)
    with pytest.raises(FarEndError, match="an id that is none"):
        path_segment(call_id)
    with pytest.raises(FarEndError):
        api.call(str(call_id) if call_id not in (7, None) else "")
    assert len(server.requests) == 1, "the list alone was asked for"


@pytest.mark.parametrize(
    "call_id", ["c1", "7b0c1e7e-6f2a-4c53-9c39-0a7d1d0b8f11", "1716220000.123", "a:b_c"]
)
def test_ids_as_they_are_pass(web: Make, call_id: str) -> None:
    server = web(in_json({"call_id": call_id}))
    assert SynthflowApi(server.base, "token").call(call_id).id == call_id
    assert server.requests[0].startswith(f"GET /calls/{call_id} ".encode())
