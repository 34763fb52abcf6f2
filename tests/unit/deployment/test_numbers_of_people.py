"""A number that leads to people only, and the number of their group that transfers go to: they may be one."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.integrations import load
from harness.support.resources import EXAMPLES
from tests.unit.deployment.edits import mistakes, swapped

OWN_NUMBER = swapped('did = "+17735550196"', 'did = "+18155550105"')


def test_a_number_of_people_may_be_their_groups_own(tmp_path: Path) -> None:
    """The number that transfers go to is one of the platform's, which outsiders can call: a spreadsheet of all numbers has it."""
    shutil.copy(EXAMPLES / "simulated-talkdesk.csv", tmp_path)
    path = tmp_path / "file.toml"
    path.write_text(OWN_NUMBER((EXAMPLES / "simulated-talkdesk.toml").read_text(encoding="utf-8")), encoding="utf-8")
    found = load(path)
    assert found.lines["people-in-turns"].did == found.groups["everybody"].did


def test_a_number_of_people_is_one_lines(tmp_path: Path) -> None:
    """Where it was their group's own, two of a spreadsheet's rows could have it, and the same people were called twice."""
    again = '\n[lines.again]\ndid = "+18155550105"\ntrunk = "udp-ip"\ngroup = "everybody"\n'
    assert mistakes(tmp_path, "simulated-talkdesk", OWN_NUMBER, lambda text: text + again) == [
        "lines.again.did: +18155550105 is already lines.people-in-turns.did; allowed: a number of its own for each role"
    ]


def test_two_choices_of_a_menu_have_no_number_in_common(tmp_path: Path) -> None:
    menu = '[lines.{}]\ndid = "+12135550171"\ntrunk = "udp-ip"\nassistant = "main"\npress = "{}"\n'
    assert mistakes(
        tmp_path, "simulated-talkdesk", lambda text: f"{text}\n{menu.format('a', 1)}{menu.format('b', 2)}"
    ) == ["lines.b.did: +12135550171 is already lines.a.did; allowed: one choice of the menu for each number"]


def test_a_number_of_people_is_no_other_groups(tmp_path: Path) -> None:
    assert mistakes(
        tmp_path, "simulated-talkdesk", OWN_NUMBER, swapped('group = "everybody"', 'group = "machine"')
    ) == [
        "groups.everybody.did: +18155550105 is already lines.people-in-turns.did; allowed: a number of its own for each role"
    ]
