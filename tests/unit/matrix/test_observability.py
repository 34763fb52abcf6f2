"""What nobody can see is said by what there is: of a record only where one can be read."""

from __future__ import annotations

import pytest

from harness.deployment import Deployment, Synthflow
from tests.unit.matrix.conftest import why


@pytest.mark.parametrize(
    ("synthflow", "why_hold"),
    [
        (None, "synthflow.api_base: there is no access to the AI's interface"),
        (Synthflow(), "synthflow.api_base: there is no access to the AI's interface"),
        # what it would tell, nobody can ask it
        (
            Synthflow(witness=("marks", "messages", "dtmf")),
            "synthflow.api_base: there is no access to the AI's interface",
        ),
        (Synthflow(api_base="https://api.example/v2"), "the AI's record does not tell which sounds it gets"),
    ],
)
def test_a_record_is_spoken_of_only_where_there_is_one(
    talkdesk: Deployment, synthflow: Synthflow | None, why_hold: str
) -> None:
    trunks = tuple(trunk for trunk in talkdesk.trunks if trunk.ai == "synthflow")
    live = talkdesk.model_copy(update={"kind": "live", "synthflow": synthflow, "trunks": trunks})
    assert why(live, "HOLD") == why_hold
    assert why(live, "EARLYMEDIA") == "before the answer the AI cannot be told from an announcement"
