"""An agent's telephone that the file says shows a number of the platform's: another one is no caller's number that was lost.

A platform has more numbers than a file of it, and shows its main one, say.
"""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.building import Example, named
from tests.unit.diagnosis.leg_examples import fallback
from tests.unit.diagnosis.stories import GROUP, transfer

MAIN = "+12015550199"  #: the platform's, and nobody's in the file


def landings(telephone: str) -> list[Example]:
    people = (
        Example(row="PEOPLE", line="people", telephone=telephone and "reception").dials().rings("reception").answered()
    )
    fell_back = fallback()
    fell_back.telephone = telephone and "reception"
    return [
        transfer(Example(telephone=telephone))
        .ai_refers(GROUP)
        .rings("billing")
        .landed("billing", "billing")
        .caller_id("billing.1", MAIN),
        fell_back.caller_id("reception.1", MAIN),
        people.landed("reception", "reception").caller_id("reception.1", MAIN),
    ]


@pytest.mark.parametrize("landed", landings("billing"), ids=lambda landed: landed.row)
def test_the_platform_is_not_asked_to_show_the_caller_s(landed: Example) -> None:
    """It was named as certain that the caller's number was lost, with the fix to show it, against the file's own word."""
    assert named(landed) == [("telephone-shown-otherwise", "likely")]


@pytest.mark.parametrize("landed", landings(""), ids=lambda landed: landed.row)
def test_where_the_caller_s_was_agreed_on_it_is_lost(landed: Example) -> None:
    ((cause, _),) = named(landed)
    assert cause.startswith("caller-id-lost-")
