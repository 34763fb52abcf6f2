"""The id that the AI's interface gives for a coming call goes into a header: no other text than an id does."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.deployment import Synthflow
from harness.errors import FarEndError
from harness.report.evidence import CaseEvidence
from tests.unit.scenario.conftest import MakeContext


def prepared(make_context: MakeContext, answer: str | FarEndError) -> tuple[str | None, list[str]]:
    def prepare_inbound(caller: str, number: str, model: str | None) -> str:
        if isinstance(answer, FarEndError):
            raise answer
        return answer

    api = SimpleNamespace(prepare_inbound=prepare_inbound)
    context = make_context(api=api, synthflow=Synthflow(prepare=True))
    found = context.far_end.prepared("+14155550101", context.deployment.assistants["main"])
    return found, [note.text for note in CaseEvidence.read(context.evidence.directory).notes]


@pytest.mark.parametrize("answer", ["abc123", "1c9f0e6e-7f0d-4a55-9d3b-0a2f3c9d8e11", "S.1_2"])
def test_an_id_is_taken(make_context: MakeContext, answer: str) -> None:
    assert prepared(make_context, answer) == (answer, [])


@pytest.mark.parametrize(
    "answer",
    [
        "abc\r\nRoute: <sip:evil.example;lr>",
        "abc\nX-Injected: 1",
        "abc;O.+19005550100",
        "911;",
        "abc\0",
        "",
        " ",
        "a" * 81,
        "<sip:911@evil.example>",
        "١٢٣",
        FarEndError("Synthflow API: POST /prepare_inbound: 500"),
    ],
)
def test_anything_else_is_trouble_of_the_interface(make_context: MakeContext, answer: str | FarEndError) -> None:
    found, troubles = prepared(make_context, answer)
    assert found is None
    assert len(troubles) == 1
