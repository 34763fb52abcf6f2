"""Nothing that a customer declares is passed over without a word: it is called, or the plan names it with the reason."""

from __future__ import annotations

from harness.deployment import Deployment
from harness.integrations import load
from harness.integrations.matrix import cases, left_out
from harness.support.resources import EXAMPLES
from tests.unit.matrix.conftest import of, why


def test_numbers_of_people_are_called_whichever_trunk_they_are_bound_to() -> None:
    """A number that nobody calls, and of which no plan says that it is left out, would be taken for verified."""
    large = load(EXAMPLES / "live-large.toml", secrets=False)
    of_people = {line for line, entry in large.lines.items() if entry.group}
    assert len({trunk for line, trunk, _ in large.all_dids() if line in of_people}) > 1
    every = large.model_copy(update={"lines": {name: large.lines[name] for name in of_people}})
    assert {case.line for case in of(every, "PEOPLE")} == of_people
    # a group rings as it is set up, whichever number leads to it
    groups = {
        large.lines[line].group for line in of_people if len(large.groups[str(large.lines[line].group)].present) > 1
    }
    assert groups == {large.lines[str(case.line)].group for case in of(every, "GROUP-RINGING")}


def test_every_number_that_can_proves_a_row_whichever_trunk_carries_it(talkdesk: Deployment) -> None:
    entry = talkdesk.lines["inbound"].model_copy(update={"dids": {}})
    lines = {
        trunk.name: entry.model_copy(update={"did": f"+1312555010{place}", "trunk": trunk.name})
        for place, trunk in enumerate(talkdesk.trunks[:2])
    }
    for depth, numbers in (("once", 1), ("every-number", 1), ("full", 2)):
        found = of(talkdesk.model_copy(update={"lines": lines, "depth": depth}), "HANGUP-CALLER")
        assert [case.line for case in found] == list(lines)[:numbers]
    assert len(of(talkdesk.model_copy(update={"lines": lines, "depth": "full"}), "NOSUCHNUMBER")) == 1


def test_a_stand_in_hangs_up_and_sends_digits_whatever_an_ai_is_asked_by(talkdesk: Deployment) -> None:
    """These rows were left out of every stand-in's file without these keys, since nothing made the AI do so."""
    rows, asked = ("HANGUP-AI", "DTMF-RFC4733", "DTMF-INFO"), talkdesk.escalation
    for keys in ({"goodbye_digit": None, "digits_back": None}, {"goodbye_digit": None, "digits_back_digit": None}):
        silent = talkdesk.model_copy(update={"escalation": asked.model_copy(update=keys)})
        for row in rows:
            assert {case.axes["ai"] for case in of(silent, row)} == {"stand-in"}, row
            assert {case.axes["ai"] for case in of(talkdesk, row)} == {"synthflow", "stand-in"}, row
    live = silent.model_copy(update={"trunks": tuple(t for t in silent.trunks if t.ai == "synthflow")})
    assert why(live, "HANGUP-AI") == "escalation.goodbye_digit: nothing makes the AI hang up"
    assert why(live, "DTMF-INFO") == "escalation: nothing makes the AI send digits (digits_back_digit, and digits_back)"


def test_a_number_of_people_who_have_no_phone_of_ours_is_named_beside_those_that_are_called(
    talkdesk: Deployment,
) -> None:
    """The plan said nothing of it where others of its row were called, so that it was taken for verified."""
    ours = next(entry for entry in talkdesk.lines.values() if entry.group == "reception")
    others = talkdesk.groups["reception"].model_copy(update={"agents": (), "did": None})
    update = {
        "depth": "every-number",
        "groups": talkdesk.groups | {"others": others},
        "lines": talkdesk.lines | {"complaints": ours.model_copy(update={"did": "+17735550181", "group": "others"})},
    }
    two = talkdesk.model_copy(update=update)
    assert "complaints" not in {case.line for case in cases([two])}
    said = [(left.row, left.why) for left in left_out(two) if left.line == "complaints"]
    assert said == [("PEOPLE", "not observable: complaints leads to people of whom none has a harness phone")]
    assert [left for left in left_out(talkdesk) if left.line == "complaints"] == []
