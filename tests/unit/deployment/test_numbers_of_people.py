"""A number that leads to people only, and the number of their group that transfers go to: they may be one."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.integrations import load
from tests.unit.deployment.test_mistakes import FILES, mistakes, swapped

OWN_NUMBER = swapped('did = "+17735550196"', 'did = "+18155550105"')


def test_a_number_of_people_may_be_their_groups_own(tmp_path: Path) -> None:
    """The number that transfers go to is one of the platform's, which outsiders can call: a spreadsheet of all numbers has it."""
    shutil.copy(FILES / "simulated-talkdesk.csv", tmp_path)
    path = tmp_path / "file.toml"
    path.write_text(OWN_NUMBER((FILES / "simulated-talkdesk.toml").read_text(encoding="utf-8")), encoding="utf-8")
    found = load(path)
    assert found.lines["people-in-turns"].did == found.groups["everybody"].did


def test_a_number_of_people_is_no_other_groups(tmp_path: Path) -> None:
    assert mistakes(
        tmp_path, "simulated-talkdesk", OWN_NUMBER, swapped('group = "everybody"', 'group = "machine"')
    ) == [
        "groups.everybody.did: +18155550105 is already lines.people-in-turns.did; allowed: a number of its own for each role"
    ]
