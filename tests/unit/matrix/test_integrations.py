"""What integrations declare: their rows, rows of one's own beside them, and packages that cannot be
loaded.
"""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint

import pytest

from harness import integrations
from harness.case.check_table import CHECKS
from harness.errors import SelectionError
from harness.finding_kinds import ANSWERED, LANDING, ROUTE_NOT_ANSWERED, ROUTE_NOT_REACHED
from harness.integrations import own_row
from harness.integrations.matrix import Selection, calls_of, cases
from harness.integrations.which import FALLBACK, TO_AI, unassigned
from harness.support.resources import EXAMPLES
from tests.unit.matrix.conftest import changed, example, of, why

ROWS = [row for name in integrations.names() for row in integrations.find(name).rows]


@pytest.fixture(autouse=True)
def nothing_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integrations, "_own_rows", {})


def test_every_row_has_a_scenario_and_every_scenario_a_row() -> None:
    text = "".join(path.read_text() for path in (EXAMPLES.parent).glob("test_*.py"))
    there = {
        name
        for names in re.findall(r"@scenario\((.*?)\)", text)
        for name in re.findall(r'"([^"]+)"', names)
    }
    assert there == {row.scenario for row in ROWS}


def test_every_row_says_what_it_has_to_find() -> None:
    for row in ROWS:
        kinds = [
            *row.required_findings,
            *(kind for more in row.required_findings_at.values() for kind in more),
        ]
        assert kinds, row.id
        assert {one.check for kind in kinds for one in kind.each()} <= set(CHECKS)
    never = {row.id: row for row in ROWS if "never reaches the AI" in row.proves}
    assert set(never) == {"PEOPLE", "CLOSED", "VOICEMAIL", "CLOSED-VOICEMAIL"}
    assert all(ROUTE_NOT_REACHED in row.required_findings for row in never.values())


def test_what_is_found_in_some_cells_alone_comes_on_top() -> None:
    row = integrations.find("gladly").row("GL-PLAINTEXT")
    assert row.required_in({"ai": "synthflow"}) == row.required_findings
    assert (
        row.required_in({"ai": "stand-in"})[ROUTE_NOT_ANSWERED]
        == row.required_findings[ROUTE_NOT_ANSWERED] + 2
    )


def test_a_package_that_cannot_be_loaded_is_a_line_and_spoils_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = integrations._installed()
    point = EntryPoint("acme", "acme_that_is_gone:INTEGRATION", integrations.GROUP)
    monkeypatch.setattr(integrations, "_installed", lambda: {**there, "acme": point})
    with pytest.raises(SelectionError) as said:
        integrations.find("acme")
    why_not = "ModuleNotFoundError: No module named 'acme_that_is_gone'"
    allowed = "a package that is installed whole, or none"
    assert str(said.value) == f"integration 'acme' cannot be loaded: {why_not}; allowed: {allowed}"
    assert {one.name for one in integrations.loadable()} == set(there)


# -- rows of one's own


def test_a_row_of_ones_own_calls_a_number_that_can_prove_it_or_says_why_there_is_none() -> None:
    own_row("OWN-NIGHT", "Night", which=(TO_AI, FALLBACK), required_findings={LANDING: 1})
    for name in ("simulated-talkdesk", "simulated-gladly", "simulated-generic"):
        deployment = example(name)
        (case, *_) = of(deployment, "OWN-NIGHT")
        assert (case.row.scenario, case.row.documented, case.required_findings) == (
            "OWN-NIGHT",
            False,
            {LANDING: 1},
        )
        assert deployment.lines[str(case.line)].fallback is not None
        bare = changed(deployment, {"lines.*.fallback": None})
        assert (
            why(bare, "OWN-NIGHT")
            == "no number has a fallback to a group with a harness phone, or to a machine"
        )


def test_the_plan_has_as_many_calls_as_the_row_says() -> None:
    for _ in range(2):  # as by a conftest.py that is read twice, and makes its functions anew
        own_row("OWN-ONCE", "Once", required_findings={ANSWERED: 1})
        own_row("OWN-TWICE", "Twice", required_findings={ANSWERED: 2}, calls=2)
        own_row(
            "OWN-OTHER",
            "Other",
            required_findings={ANSWERED: 1},
            calls=lambda cell: unassigned(cell),
        )
    deployment = example("simulated-generic")
    found = {}
    for case in cases([deployment], Selection(rows=("OWN-ONCE", "OWN-TWICE", "OWN-OTHER"))):
        did = deployment.did(case.line or "", case.trunk)
        found[case.row.id] = [
            "" if call.number == did else call.number for call in calls_of(case, deployment)
        ]
    assert found == {
        "OWN-ONCE": [""],
        "OWN-TWICE": ["", ""],
        "OWN-OTHER": [deployment.numbers.no_such_number],
    }


def test_no_row_takes_the_place_of_another() -> None:
    own_row("OWN-TWICE", "Twice", required_findings={ANSWERED: 2})
    with pytest.raises(SelectionError, match="another row has this id"):
        own_row("OWN-TWICE", "Twice", required_findings={ANSWERED: 1})
    own_row("TD-INBOUND", "Mine", required_findings={})
    with pytest.raises(SelectionError, match="talkdesk has a row of this id"):
        integrations.find("talkdesk")
    assert integrations.find("gladly").row("TD-INBOUND").source == "own"


def test_what_a_row_requires_are_kinds_and_no_texts() -> None:
    with pytest.raises(SelectionError, match=r"allowed: kinds of harness\.finding_kinds"):
        own_row("OWN-WORDS", "Words", required_findings={"answered": 2})  # type: ignore[dict-item]
