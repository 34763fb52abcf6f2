"""Where a report says that a call landed: by this call's rows alone, whatever else it lists."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.witness.platform_report import ReportRow
from harness.witness.reported_landing import GroupNames, Sought, where_landed

CALLER, OTHER, LINE, TARGET, ELSEWHERE = (
    "+12065550100",
    "+12065550101",
    "+13125550100",
    "+13125550177",
    "+13125550178",
)
ASSISTANT = "+12065550190"
BEGAN = 1_772_373_909.0
TRANSFER = Sought(
    CALLER, CALLER, LINE, TARGET, "US", began=BEGAN, handed_over=BEGAN + 15, ended=BEGAN + 60
)
FALLBACK = replace(TRANSFER, handed_over=None)
NAMES = GroupNames.make(
    {"billing": ("Rechnung Süd", "billing"), "support": ("Support + Retouren",)},
    "billing",
    ["Synthflow AI"],
)


def row(after_s: float = 20.0, groups: str = "Rechnung Süd", **more: Any) -> ReportRow:
    whole: dict[str, Any] = {
        "place": "row 2",
        "caller": CALLER,
        "number": TARGET,
        "groups": (groups,),
        "agent": "Eve",
    }
    return ReportRow(**(whole | {"moments": (BEGAN + after_s,), "cut_off_s": 1.0} | more))


FIRST = row(1.0, "Synthflow AI", number=LINE, agent="")


@pytest.mark.parametrize("spelled", ["2065550100", "(206) 555-0100"])
def test_numbers_are_compared_however_they_are_written(spelled: str) -> None:
    assert where_landed([row(caller=spelled, number="312-555-0177")], TRANSFER, NAMES).groups == (
        "billing",
    )


def test_it_landed_elsewhere() -> None:
    assert where_landed([FIRST, row(groups="support + retouren")], TRANSFER, NAMES).groups == (
        "support",
    )
    # to a number that is not the group's
    wrong = row(groups="Support + Retouren", number=ELSEWHERE)
    assert where_landed([FIRST, wrong], TRANSFER, NAMES).groups == ("support",)
    assert where_landed([FIRST, row(groups="Vertrieb")], TRANSFER, NAMES).groups == ("Vertrieb",)


@pytest.mark.parametrize("agent", ["", None])
def test_a_group_in_which_nobody_took_the_call(agent: str | None) -> None:
    landed = where_landed([row(agent=agent)], TRANSFER, NAMES)
    assert bool(landed.groups) is (agent is None)
    assert agent is None or "no agent who took it" in landed.why


@pytest.mark.parametrize("agent", ["", "Eve", None])
def test_a_call_that_a_machine_took_or_nobody(agent: str | None) -> None:
    """Whoever sees to a voicemail afterwards may stand there as who handled it; a report without
    agents tells by the type alone.
    """
    machine = row(agent=agent, untaken="Voicemail")
    landed = where_landed([FIRST, machine], TRANSFER, NAMES)
    assert (landed.groups, landed.agents) == ((), ())
    assert "in billing as Voicemail, which no agent took" in landed.why
    again = where_landed([FIRST, machine, row(30.0)], TRANSFER, NAMES)
    assert (again.groups, again.agents, again.why) == (("billing",), ("Eve",), "")
    elsewhere = where_landed(
        [FIRST, row(groups="Support + Retouren", untaken="missed")], TRANSFER, NAMES
    )
    assert elsewhere.groups == ("support",)


def test_the_first_calls_own_row_proves_nothing_of_a_transfer() -> None:
    """Some platforms list with a number the groups it is set up with, and the right one may be
    among them.
    """
    first = row(1.0, number=LINE)
    assert "none to the group" in where_landed([first], TRANSFER, NAMES).why
    assert where_landed([first], FALLBACK, NAMES).groups == ("billing",)
    landed = where_landed([row(1.0, "Support + Retouren", number=LINE), row()], TRANSFER, NAMES)
    assert (landed.groups, landed.beside) == (("billing",), ("support",))


@pytest.mark.parametrize("groups", ["Trunk to the AI", "Support + Retouren", "Rechnung Süd"])
def test_the_leg_to_the_ai_is_no_landing(groups: str) -> None:
    """A platform that lists each leg has one to the assistant's number, and whatever it calls the
    way there.
    """
    sought = replace(TRANSFER, assistant=ASSISTANT)
    to_ai = row(2.0, groups, number="(206) 555-0190", agent="")
    assert "none to the group" in where_landed([to_ai], sought, NAMES).why
    assert "none to the group" in where_landed([to_ai, FIRST], sought, NAMES).why
    landed = where_landed([row(), to_ai, FIRST], sought, NAMES)
    assert (landed.groups, landed.why) == (("billing",), "")
    assert where_landed([row(20.0, groups, number=ASSISTANT)], sought, NAMES).groups, (
        "where it went when it was handed over"
    )


def test_a_report_without_the_number_called_goes_by_the_time() -> None:
    assert where_landed([replace(FIRST, number=""), row(number="")], TRANSFER, NAMES).groups == (
        "billing",
    )
    assert "none to the group" in where_landed([row(5.0, number="")], TRANSFER, NAMES).why


def test_names_that_the_file_does_not_have() -> None:
    assert (
        "which the file has as no group"
        in where_landed([row(1.0, "Overflow", number=LINE)], FALLBACK, NAMES).why
    )
    landed = where_landed([row(1.0, "Overflow, billing", number=LINE)], FALLBACK, NAMES)
    assert (landed.groups, landed.beside) == (("billing",), ("Overflow",))
    assert "in no group" in where_landed([row(groups="Synthflow AI")], TRANSFER, NAMES).why


@pytest.mark.parametrize("after_s", [-4000.0, -30.0, -3.5, 70.0, 4000.0])
@pytest.mark.parametrize("sought", [TRANSFER, FALLBACK])
def test_an_earlier_or_a_later_call_of_the_caller_is_not_this_one(
    after_s: float, sought: Sought
) -> None:
    assert "does not list" in where_landed([row(after_s)], sought, NAMES).why
    assert "does not list" in where_landed([row(after_s, number=LINE)], FALLBACK, NAMES).why


def test_a_time_that_may_be_an_earlier_calls() -> None:
    """Told to the minute: a call of the minute before would read the same."""
    assert (
        "may be an earlier call's"
        in where_landed([row(-20.0, cut_off_s=60.0)], TRANSFER, NAMES).why
    )
    assert where_landed([row(10.0, cut_off_s=60.0)], TRANSFER, NAMES).groups == ("billing",)
    twice = row(moments=(BEGAN + 20, BEGAN - 3580))
    assert "may be an earlier call's" in where_landed([twice], TRANSFER, NAMES).why
    assert "cannot be read" in where_landed([row(moments=())], TRANSFER, NAMES).why


def test_two_calls_that_nobody_can_tell_apart() -> None:
    landed = where_landed([row(20.0), row(25.0, "Support + Retouren")], TRANSFER, NAMES)
    assert "does not tell which is this one" in landed.why
    assert landed.groups == ()


@given(
    st.lists(
        st.tuples(st.floats(1.0, 60.0), st.sampled_from(sorted(NAMES.of)), st.booleans()),
        min_size=1,
        max_size=4,
    )
)
def test_a_row_with_a_number_that_is_everybodys_proves_nothing(
    told: list[tuple[float, str, bool]],
) -> None:
    """The AI hands its customers over with the same number: one of theirs was taken for a call that
    it had not handed over.
    """
    theirs = [
        row(at, group, caller=OTHER, agent="Ann" if taken else None) for at, group, taken in told
    ]
    sought = replace(TRANSFER, shown=OTHER, is_shown_by_others=True)
    for rows in (
        theirs,
        [FIRST, *theirs],
        [row(groups="Support + Retouren", number=ELSEWHERE), *theirs],
    ):
        landed = where_landed(rows, sought, NAMES)
        assert landed.groups == ()
        assert (
            landed.why
            == "row 2 of the report shows the number that transfers of other people's calls show, too"
        )
    alone = where_landed(theirs, replace(sought, is_shown_by_others=False), NAMES)
    assert alone.groups or "does not tell which is this one" in alone.why, (
        "where nobody else calls the AI it is this call's"
    )


def test_a_row_with_the_callers_own_number_is_its_own_whoever_else_calls() -> None:
    sought = replace(TRANSFER, shown=OTHER, is_shown_by_others=True)
    wrong = row(groups="Support + Retouren", number=ELSEWHERE)
    earlier = row(-90.0, caller=OTHER)
    assert where_landed([FIRST, wrong, earlier], sought, NAMES).groups == ("support",)
    assert "none to the group" in where_landed([FIRST, earlier], sought, NAMES).why


NOISE = st.builds(
    row,
    st.sampled_from([-7000.0, -90.0, -10.0, 20.0, 40.0, 500.0]),
    st.sampled_from(["Rechnung Süd", "Support + Retouren", "Vertrieb", ""]),
    number=st.sampled_from([LINE, TARGET, ELSEWHERE, "", "x"]),
    caller=st.sampled_from(
        [OTHER, "", "+1206555010", "+120655501000", "anonymous", "Rechnung Süd"]
    ),
    agent=st.sampled_from(["", "Ann", None]),
)


@given(st.lists(NOISE, max_size=8), st.data())
def test_strangers_rows_change_nothing(noise: list[ReportRow], data: st.DataObject) -> None:
    own = [FIRST, row(groups="Support + Retouren")]
    rows = data.draw(st.permutations([*noise, *own, *own]))
    assert where_landed(rows, TRANSFER, NAMES).groups == ("support",)
    assert "does not list" in where_landed(noise, TRANSFER, NAMES).why


@given(st.lists(NOISE.map(lambda found: replace(found, caller=CALLER)), max_size=5))
def test_nothing_lands_where_no_row_of_the_call_says_so(rows: list[ReportRow]) -> None:
    landed = where_landed(rows, TRANSFER, NAMES)
    listed = {
        name
        for found in rows
        if BEGAN <= found.moments[0] <= BEGAN + 62
        for name in NAMES.read(found)
    }
    assert set(landed.groups) <= listed
    assert bool(landed.groups) is (landed.why == "")
