"""Rows of one's own stand beside an integration's, and cannot take the place of one."""

from __future__ import annotations

import pytest

from harness import integrations
from harness.errors import SelectionError
from harness.finding_kinds import ANSWERED, LANDING
from harness.integrations import custom_rows, load, own_row
from harness.integrations.matrix import Selection, calls_of, cases, left_out
from harness.integrations.plans import unassigned
from harness.integrations.which import FALLBACK, TO_AI
from harness.support.resources import EXAMPLES


@pytest.fixture(autouse=True)
def nothing_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(custom_rows, "_ROWS", {})


def test_a_row_of_ones_own_has_cases_in_every_deployment() -> None:
    own_row("OWN-TWICE", "Twice", required_findings={ANSWERED: 2})
    for name in ("simulated-talkdesk", "simulated-gladly", "simulated-generic"):
        deployment = load(EXAMPLES / f"{name}.toml")
        found = cases([deployment], Selection(rows=("OWN-TWICE",)))
        assert {case.row.scenario for case in found} == {"OWN-TWICE"}
        assert all(case.required_findings == {ANSWERED: 2} and case.line for case in found)
        assert not found[0].row.documented


def test_it_calls_a_number_that_can_prove_it_or_says_why_there_is_none() -> None:
    own_row("OWN-NIGHT", "Night", which=(TO_AI, FALLBACK), required_findings={LANDING: 1})
    deployment = load(EXAMPLES / "simulated-generic.toml")
    (case, *_) = cases([deployment], Selection(rows=("OWN-NIGHT",)))
    assert case.line is not None
    assert deployment.lines[case.line].fallback is not None
    bare = deployment.model_copy(
        update={"lines": {n: li.model_copy(update={"fallback": None}) for n, li in deployment.lines.items()}}
    )
    (missing,) = [one for one in left_out(bare) if one.row == "OWN-NIGHT"]
    assert missing.why == "no number has a fallback to a group with a harness phone"


def test_the_same_row_may_be_announced_again_and_another_may_not() -> None:
    first = own_row("OWN-TWICE", "Twice", required_findings={ANSWERED: 2})
    assert own_row("OWN-TWICE", "Twice", required_findings={ANSWERED: 2}) == first
    assert [row.id for row in integrations.find("gladly").rows].count("OWN-TWICE") == 1
    with pytest.raises(SelectionError, match="another row has this id"):
        own_row("OWN-TWICE", "Twice", required_findings={ANSWERED: 1})


def test_the_plan_has_as_many_calls_as_the_row_says() -> None:
    def announced() -> None:
        own_row("OWN-ONCE", "Once", required_findings={ANSWERED: 1})
        own_row("OWN-TWICE", "Twice", required_findings={ANSWERED: 2}, calls=2)
        own_row("OWN-OTHER", "Other", required_findings={ANSWERED: 1}, calls=lambda cell: unassigned(cell))

    announced()
    announced()  # as by a conftest.py that is read twice, and makes its functions anew
    deployment = load(EXAMPLES / "simulated-generic.toml")
    found = {}
    for case in cases([deployment], Selection(rows=("OWN-ONCE", "OWN-TWICE", "OWN-OTHER"))):
        did = deployment.did(case.line or "", case.trunk)
        found[case.row.id] = ["" if call.number == did else call.number for call in calls_of(case, deployment)]
    assert found == {"OWN-ONCE": [""], "OWN-TWICE": ["", ""], "OWN-OTHER": [deployment.numbers.no_such_number]}


def test_an_integrations_row_cannot_be_replaced() -> None:
    own_row("TD-INBOUND", "Mine", required_findings={})
    with pytest.raises(SelectionError, match="talkdesk has a row of this id"):
        integrations.find("talkdesk")
    assert integrations.find("gladly").row("TD-INBOUND").source == "own"


def test_what_a_row_requires_are_kinds_and_no_texts() -> None:
    with pytest.raises(SelectionError, match=r"allowed: kinds of harness\.finding_kinds"):
        own_row("OWN-WORDS", "Words", required_findings={"answered": 2})  # type: ignore[dict-item]
