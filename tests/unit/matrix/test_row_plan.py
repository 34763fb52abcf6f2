"""Which cells a row has: by trunks, axes, numbers and what nobody can see; and the reason where it has none."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.deployment import Deployment, Escalation
from harness.errors import SelectionError
from harness.finding_kinds import LANDING, LANDING_OTHERS
from harness.integrations import find, load
from harness.integrations.base import Cell
from harness.integrations.matrix import Case, Selection, calls_of, cases, left_out, why_not_now
from harness.integrations.row_plan import _way
from harness.support.resources import EXAMPLES
from tests.unit.matrix.conftest import of, why


def axes(found: list[Case], name: str) -> list[str]:
    return [case.axes[name] for case in found]


def test_a_case_may_be_a_key(talkdesk: Deployment) -> None:
    found = cases([talkdesk])
    assert len(set(found)) == len(found)


def test_a_row_that_calls_no_number_has_no_line(talkdesk: Deployment) -> None:
    assert {case.line for case in of(talkdesk, "TD-REGISTER-OK")} == {None}
    assert all(case.line for case in of(talkdesk, "TD-INBOUND"))


def test_a_number_registers_with_digest_over_whichever_trunk(talkdesk: Deployment) -> None:
    """A stand-in's trunk takes calls by address, and may have credentials to register with all the same."""
    found = of(talkdesk, "TD-REGISTER-OK")
    assert {case.axes["authentication"] for case in found} == {"digest"}
    by_stand_in = [case.trunk for case in found if case.axes["ai"] == "stand-in"]
    assert by_stand_in == ["udp-ip-stand-in", "tcp-ip-stand-in", "tls-ip-stand-in"]
    assert {talkdesk.trunk(name).authentication for name in by_stand_in} == {"ip"}
    assert {case.axes["authentication"] for case in of(talkdesk, "TD-INBOUND") if case.trunk in by_stand_in} == {"ip"}


def test_two_trunks_that_register_alike_are_told_apart(talkdesk: Deployment) -> None:
    (one,) = [trunk for trunk in talkdesk.trunks if trunk.name == "udp-ip-stand-in"]
    two = one.model_copy(update={"name": "second", "authentication": "digest"})
    both = talkdesk.model_copy(update={"trunks": (one, two)})
    found = of(both, "TD-REGISTER-OK")
    assert [case.axes["trunk"] for case in found] == ["udp-ip-stand-in", "second"]
    assert len({case.id for case in found}) == 2


def test_an_axis_that_is_not_full_multiplies_the_first_trunk_alone(talkdesk: Deployment) -> None:
    found = of(talkdesk, "TD-TRANSFER-BLIND")
    prompts = [case for case in found if "prompt" in case.axes.values()]
    assert {(case.axes["ai"], case.trunk) for case in prompts} == {("synthflow", "udp-ip")}
    assert {case.axes["refer"] for case in prompts} == {"consumed"}
    for trunk in ("udp-ip", "tls-digest"):
        assert {case.axes["refer"] for case in found if case.trunk == trunk} == {"consumed", "passed-on"}


def test_a_stand_in_shows_the_first_codec_once_a_transport(talkdesk: Deployment) -> None:
    found = [case for case in of(talkdesk, "TD-INBOUND") if case.axes["ai"] == "stand-in"]
    assert axes(found, "codec") == ["pcmu"] * 3
    assert len({case.trunk for case in of(talkdesk, "HANGUP-CALLER") if case.axes["ai"] == "synthflow"}) == 1


def test_a_stand_in_registers_with_credentials_though_its_trunk_goes_by_address(talkdesk: Deployment) -> None:
    assert {case.trunk for case in of(talkdesk, "TD-REGISTER-OK") if case.axes["ai"] == "stand-in"} == {
        "udp-ip-stand-in",
        "tcp-ip-stand-in",
        "tls-ip-stand-in",
    }
    nameless = [
        t.model_copy(update={"username": None, "password": None}) for t in talkdesk.trunks if t.ai == "stand-in"
    ]
    without = talkdesk.model_copy(update={"trunks": tuple(nameless)})
    assert why(without, "TD-REGISTER-OK") == "no trunk authenticates by digest"
    assert not of(without, "TD-REGISTER-OK")


def test_what_nobody_sees_at_synthflow_is_dispensed_with_there_alone(talkdesk: Deployment) -> None:
    assert talkdesk.synthflow is not None
    blind = talkdesk.model_copy(update={"synthflow": talkdesk.synthflow.model_copy(update={"witness": ()})})
    by_ai = {case.axes["ai"]: case.dispensable for case in of(blind, "TD-INBOUND")}
    assert by_ai["synthflow"]["codec"] == "the AI's record does not hold the codec"
    assert by_ai["stand-in"] == {}
    # what is the row's very subject nobody can show at Synthflow: a stand-in can
    assert {case.axes["ai"] for case in of(blind, "DTMF-INFO")} == {"stand-in"}
    only = blind.model_copy(update={"trunks": tuple(t for t in blind.trunks if t.ai == "synthflow")})
    assert why(only, "DTMF-INFO") == "the AI's record does not list digits"


def test_a_row_about_a_stand_in_says_that_it_needs_one(talkdesk: Deployment) -> None:
    only = talkdesk.model_copy(update={"trunks": tuple(t for t in talkdesk.trunks if t.ai == "synthflow")})
    assert why(only, "SRTP") == "only a harness phone in the AI's place can show it"


@pytest.mark.parametrize(
    ("ai", "kept", "row", "reason"),
    [
        ("stand-in", "udp", "TLS-BADCERT", "no trunk to a stand-in signals over tls"),
        ("synthflow", "ip", "TD-REGISTER-OK", "no trunk authenticates by digest"),
        ("synthflow", "udp", "TLS-BADCERT", "only a harness phone in the AI's place can show it"),
    ],
)
def test_a_row_says_which_trunk_it_lacks(talkdesk: Deployment, ai: str, kept: str, row: str, reason: str) -> None:
    wanted = [t for t in talkdesk.trunks if t.ai == ai and kept in (t.transport, t.authentication)]
    assert wanted
    assert why(talkdesk.model_copy(update={"trunks": tuple(wanted)}), row) == reason


def test_nobody_else_can_ring_where_no_other_phone_is_ours(talkdesk: Deployment) -> None:
    (first, *_) = of(talkdesk, "TD-TRANSFER-BLIND")
    assert LANDING_OTHERS in first.required_findings
    lonely = talkdesk.model_copy(
        update={"groups": {name: group.model_copy(update={"agents": ()}) for name, group in talkdesk.groups.items()}}
    )
    assert all(LANDING_OTHERS not in case.required_findings for case in cases([lonely]))


def test_what_telephones_show_is_dispensed_with_where_a_call_lands_at_them_alone(talkdesk: Deployment) -> None:
    phones = {name: phone.model_copy(update={"shows": "any"}) for name, phone in talkdesk.phones.items()}
    shown_any = talkdesk.model_copy(update={"phones": phones})
    for case in cases([shown_any]):
        assert ("caller_id" in case.dispensable) == (LANDING in case.required_findings), case.id
    assert any("caller_id" in case.dispensable for case in cases([shown_any]))
    assert not any("caller_id" in case.dispensable for case in cases([talkdesk]))


def test_every_number_is_proved_by_itself_where_the_file_asks_for_it(talkdesk: Deployment) -> None:
    first = {case.trunk for case in of(talkdesk, "TD-INBOUND")}
    assert all("number" not in case.axes for case in cases([talkdesk]))
    every = talkdesk.model_copy(update={"depth": "every-number"})
    found = [case for case in of(every, "TD-INBOUND") if case.axes["ai"] == "stand-in" and case.trunk in first]
    numbers = axes([case for case in found if case.trunk == found[0].trunk], "number")
    assert numbers == [case.line for case in found if case.trunk == found[0].trunk]
    assert len(set(numbers)) == len(numbers) > 1
    full = talkdesk.model_copy(update={"depth": "full"})
    for row in ("HANGUP-CALLER", "TD-TRANSFER-BLIND"):
        few, many = (len({case.line for case in of(one, row)}) for one in (every, full))
        assert 0 < few <= many
    assert len(of(full, "HANGUP-CALLER")) > len(of(every, "HANGUP-CALLER")) >= len(of(talkdesk, "HANGUP-CALLER"))


def test_of_several_numbers_the_plainest_is_called(talkdesk: Deployment) -> None:
    """In whichever order the file has them: one without a menu, and without an announcement."""
    backwards = dict(reversed(talkdesk.lines.items()))
    for lines in (talkdesk.lines, backwards):
        once = talkdesk.model_copy(update={"lines": lines, "depth": "once"})
        for case in of(once, "TD-INBOUND"):
            entry = once.lines[case.line or ""]
            assert (entry.press, entry.announcement_s) == (None, 0.0), case.id
        # a stand-in does what it is told at any number; the one whose assistant does it by itself is called first
        assert {case.line for case in of(once, "TD-FALLBACK-TIMEOUT")} == {"fallback-timeout"}


def test_a_mistake_names_the_first_integration_that_has_the_row(talkdesk: Deployment) -> None:
    with pytest.raises(SelectionError, match=r"row GL-PLAINTEXT: .*\(it is a row of gladly\)"):
        cases([talkdesk], Selection(rows=("GL-PLAINTEXT",)))
    with pytest.raises(SelectionError) as told:
        cases([talkdesk], Selection(transports=("smoke",)))
    assert "it is a row of" not in str(told.value)
    # the first value is right and the second is not
    with pytest.raises(SelectionError, match="row NONSENSE"):
        cases([talkdesk], Selection(rows=("TD-INBOUND", "NONSENSE")))


def test_numbers_to_the_same_assistant_by_another_way_are_proved_by_themselves(talkdesk: Deployment) -> None:
    def way(row: str = "TD-INBOUND", **changes: object) -> object:
        lines = talkdesk.lines | {"ivr": talkdesk.lines["ivr"].model_copy(update=changes)}
        changed = talkdesk.model_copy(update={"lines": lines})
        return _way(find("talkdesk").row(row), Cell(changed, changed.trunk("udp-ip"), "ivr", {}))

    assert way(announcement_s=0.0) != way(announcement_s=2.0)
    assert way(announcement_s=3.0) == way(announcement_s=2.0)
    assert way(press=None) == way(press="")
    assert way(press="1") == way(press="2") != way(press="12")
    assert way(assistant="main") != way(assistant="sales")
    assert way(group="billing") != way(group="support")
    assert way(refer="consumed") != way(refer="passed-on")
    assert way(selector="billing") != way(selector="support") != way(selector=None)
    assert way(fallback="billing") == way(fallback="support")
    assert way("TD-FALLBACK-DOWN", fallback="billing") != way("TD-FALLBACK-DOWN", fallback="support")


def _each_with(talkdesk: Deployment, **fallbacks: str) -> Deployment:
    """The number that anybody reaches the AI by, again and again, each time with another fallback."""
    entry = talkdesk.lines["ivr"]
    lines = {name: entry.model_copy(update={"fallback": group}) for name, group in fallbacks.items()}
    away = talkdesk.groups["billing"].model_copy(update={"agents": (), "did": "+18155550177"})
    groups = {**talkdesk.groups, "elsewhere": away}
    return talkdesk.model_copy(update={"lines": lines, "groups": groups, "depth": "every-number"})


@pytest.mark.parametrize("row", ["TD-FALLBACK-TIMEOUT", "TD-FALLBACK-REFUSED", "TD-FALLBACK-DOWN"])
def test_each_group_that_takes_over_is_proved_or_named(talkdesk: Deployment, row: str) -> None:
    """One number of all that lead to an assistant was enough: what the others fall back to was neither called nor told."""
    several = _each_with(talkdesk, gas="billing", water="support", power="billing", heat="elsewhere", fire="elsewhere")
    proved = {case.line for case in of(several, row)}
    assert {several.lines[str(line)].fallback for line in proved} == {"billing", "support"}
    assert len(proved) == 2
    (left,) = [one for one in left_out(several) if one.row == row]
    assert (left.line, left.why) == (
        "heat",
        "not observable: heat falls back to people of whom none has a harness phone (elsewhere)",
    )
    once = several.model_copy(update={"depth": "once"})
    assert not [one for one in left_out(once) if one.row == row]


def test_a_case_knows_its_calls(talkdesk: Deployment) -> None:
    (first, *_) = of(talkdesk, "TD-INBOUND")
    assert first.line is not None
    assert calls_of(first, talkdesk)
    assert calls_of(first, talkdesk)[0].number == talkdesk.did(first.line, first.trunk)
    (registers, *_) = of(talkdesk, "TD-REGISTER-OK")
    assert calls_of(registers, talkdesk) == []


@pytest.mark.parametrize(("carries", "run"), [(3, {"synthflow", "stand-in"}), (4, {"synthflow"}), (30, {"synthflow"})])
def test_a_trunk_is_filled_only_where_all_of_its_calls_find_a_place(
    talkdesk: Deployment, carries: int, run: set[str]
) -> None:
    """A stand-in refuses what it cannot hold, and that is no failure of the trunk."""
    trunks = [trunk.model_copy(update={"max_concurrent_calls": carries}) for trunk in talkdesk.trunks]
    one = talkdesk.phones["caller"]
    many = {f"c{n}": one.model_copy(update={"number": f"+141555502{n:02}"}) for n in range(40)}
    found = talkdesk.model_copy(update={"trunks": trunks, "phones": talkdesk.phones | many})
    assert {case.axes["ai"] for case in cases([found]) if case.row.id == "TD-CAPACITY"} == run


@pytest.mark.parametrize("depth", ["once", "every-number"])
def test_a_trunk_that_there_are_too_few_phones_to_fill_is_told_where_another_is_filled(
    talkdesk: Deployment, depth: str
) -> None:
    """The row was there, for the small trunk, and passed; of the large one nothing was said."""
    callers = len(talkdesk.model_copy(update={"campaign": None}).callers)
    large, small = (trunk for trunk in talkdesk.trunks if trunk.name in ("udp-ip", "tcp-ip"))
    few = small.model_copy(update={"max_concurrent_calls": callers - 1})
    many = large.model_copy(update={"max_concurrent_calls": callers})
    lines = {"inbound": talkdesk.lines["inbound"].model_copy(update={"fallback": "billing"})}
    two = talkdesk.model_copy(update={"trunks": (many, few), "lines": lines, "campaign": None, "depth": depth})
    assert {case.trunk for case in of(two, "TD-CAPACITY")} == {few.name}
    (told,) = [left for left in left_out(two) if left.row == "TD-CAPACITY"]
    assert told.line == "inbound"
    assert told.why.startswith("not observable: there are fewer test phones that call, ")
    assert told.why.endswith(f" (trunk {many.name})")
    both = two.model_copy(update={"trunks": (few.model_copy(update={"name": many.name}), few)})
    assert not [left for left in left_out(both) if left.row == "TD-CAPACITY"]


@pytest.mark.parametrize(
    ("ai", "authentication", "reason"),
    [
        ("stand-in", "ip", "no trunk authenticates by digest"),
        ("synthflow", "ip", "no trunk authenticates by digest"),
        ("synthflow", "digest", "the AI's interface does not tell of registrations"),
    ],
)
def test_what_means_nothing_here_is_not_said_to_be_unseen(
    monkeypatch: pytest.MonkeyPatch, ai: str, authentication: str, reason: str
) -> None:
    """For want of sight a guide's row blocks a sign-off, and not where no trunk has what it is about."""
    for name in ("TALKDESK_TRUNK_PASSWORD", "SYNTHFLOW_API_TOKEN", "TEST_LINE_PASSWORD", "AGENT_PASSWORD"):
        monkeypatch.setenv(name, "x")
    live = load(EXAMPLES / "live-talkdesk.toml")
    nameless = {"ai": ai, "authentication": authentication, "username": None}
    trunks = tuple(t.model_copy(update=nameless) for t in live.trunks)
    assert why(live.model_copy(update={"trunks": trunks}), "TD-REGISTER-OK") == reason


def test_a_fallback_of_numbers_of_people_is_said_to_be_unproved(talkdesk: Deployment) -> None:
    """It was taken for what becomes of an AI's call, of which there is none, and nobody was told."""
    people = next(entry for entry in talkdesk.lines.values() if entry.group is not None)
    overflowing = people.model_copy(update={"fallback": "support"})
    several = talkdesk.model_copy(update={"lines": {f"desk {n}": overflowing for n in range(1, 6)}})
    said = [left for left in left_out(several) if "overflow" in left.why]
    numbers = "desk 1, desk 2, desk 3 and 2 more"
    assert [(left.row, left.documented, left.why) for left in said] == [
        ("PEOPLE", False, f"the fallback of numbers of people ({numbers}): no row proves an overflow")
    ]
    assert not [left for left in left_out(talkdesk) if "overflow" in left.why]


def test_a_number_of_people_only_has_no_ai_that_could_be_down(talkdesk: Deployment) -> None:
    """A sheet may say of all numbers of a trunk that they are not reachable."""
    entry = talkdesk.lines["inbound"].model_copy(
        update={
            "dids": {},
            "did": "+13125550178",
            "assistant": None,
            "group": "billing",
            "fallback": "support",
            "reachable": False,
        }
    )
    people = talkdesk.model_copy(update={"lines": {"people": entry}})
    assert not of(people, "TD-FALLBACK-DOWN")


def test_national_form_is_dialled_from_the_numbers_own_country_alone(talkdesk: Deployment) -> None:
    def forms(number: str) -> set[str]:
        caller = talkdesk.phones["caller"].model_copy(update={"number": number})
        changed = talkdesk.model_copy(update={"phones": {**talkdesk.phones, "caller": caller}})
        return {case.axes["form"] for case in of(changed, "NUMBERFORMATS")}

    assert forms("+14155550101") == {"e164", "national", "tel"}
    assert forms("+4930900100") == {"e164", "tel"}, "there the digits are a stranger's number"
    swiss = talkdesk.model_copy(update={"region": "CH"})
    assert {case.axes["form"] for case in of(swiss, "NUMBERFORMATS")} == {"e164", "tel"}, "nor where others read them"


def test_of_several_trunks_that_one_says_what_is_missing_which_comes_nearest(talkdesk: Deployment) -> None:
    """One trunk carries a number whose fallback no harness phone sees, another a number without: whichever is named last."""
    plain = talkdesk.lines["inbound"].model_copy(update={"dids": {}, "fallback": None})
    unseen = talkdesk.groups["billing"].model_copy(update={"agents": (), "away": ()})
    trunks = [trunk for trunk in talkdesk.trunks if trunk.ai == "synthflow"][:2]
    lines = {
        "without": plain.model_copy(update={"did": "+13125550100", "trunk": trunks[0].name}),
        "with": plain.model_copy(update={"did": "+442079460130", "trunk": trunks[1].name, "fallback": "billing"}),
    }
    for order in (trunks, trunks[::-1]):
        changed = talkdesk.model_copy(
            update={"trunks": tuple(order), "lines": lines, "groups": talkdesk.groups | {"billing": unseen}}
        )
        assert str(why(changed, "TD-CAPACITY")).startswith("not observable: no number has a fallback")


@given(data=st.data())
def test_whatever_phones_there_are_a_plan_can_be_made(talkdesk: Deployment, data: st.DataObject) -> None:
    """Any of them may lack its number, be nobody's, or not be there at all; the campaign names any, or none."""
    agents = {agent for group in talkdesk.groups.values() for agent in group.agents}
    phones = {
        name: data.draw(st.sampled_from([phone, phone.model_copy(update={"number": None, "user": "u"})]))
        for name, phone in talkdesk.phones.items()
        if name in agents or data.draw(st.booleans())
    }
    customer = data.draw(st.sampled_from([None, *phones]))
    assert talkdesk.campaign is not None
    campaign = talkdesk.campaign.model_copy(update={"customer": customer})
    changed = talkdesk.model_copy(update={"phones": phones, "campaign": campaign})
    try:
        found = cases([changed])
    except SelectionError:  # nothing is left
        return
    for case in found:
        assert all(call.number.startswith("+") for call in calls_of(case, changed)), case.id


def test_a_digit_that_nobody_agreed_on_is_not_pressed(talkdesk: Deployment) -> None:
    """A stand-in takes any; Synthflow's assistant would do nothing, and the transfer would be told to have failed."""
    unsaid = talkdesk.model_copy(update={"escalation": Escalation()})
    asked = [case for case in cases([unsaid]) if case.row.moment == "transfer"]
    assert asked
    assert {case.axes["ai"] for case in asked} == {"stand-in"}
    only = unsaid.model_copy(update={"trunks": tuple(trunk for trunk in unsaid.trunks if trunk.ai == "synthflow")})
    lines = {
        name: entry.model_copy(update={"dids": {t: n for t, n in entry.dids.items() if "stand-in" not in t}})
        for name, entry in only.lines.items()
    }
    only = only.model_copy(update={"lines": lines})
    for row in ("TD-TRANSFER-BLIND", "TD-TRANSFER-WARM", "HANGUP-AGENT", "TRANSFER-UNAVAILABLE"):
        assert why(only, row).startswith("escalation: no way is named in which this AI is asked for a person")
    spoken = only.model_copy(update={"escalation": Escalation(ways=("prompt",))})
    assert {"TD-TRANSFER-BLIND", "TD-TRANSFER-WARM"} <= {case.row.id for case in cases([spoken])}


def test_where_no_row_has_a_case_the_reason_is_said_and_no_option_is_blamed(talkdesk: Deployment) -> None:
    agents = {agent for group in talkdesk.groups.values() for agent in group.agents}
    phones = {name: phone for name, phone in talkdesk.phones.items() if name in agents}
    trunks = tuple(trunk for trunk in talkdesk.trunks if trunk.ai == "synthflow" and trunk.authentication == "ip")
    lines = {
        name: entry.model_copy(update={"dids": {t.name: entry.dids[t.name] for t in trunks}})
        for name, entry in talkdesk.lines.items()
        if entry.dids
    }
    update = {"phones": phones, "campaign": None, "trunks": trunks, "lines": lines, "leave_out": {"KEEPALIVE": "no"}}
    with pytest.raises(SelectionError, match=r"^simulated-talkdesk: no row has a case, .* since no test phone calls"):
        cases([talkdesk.model_copy(update=update)])


BERLIN = "sun 01:00-03:00, mon-fri 08:00-18:00"


@pytest.mark.parametrize(
    ("moment", "opened", "closed"),
    [
        ("2026-11-23T12:00+01:00", None, "have begun or ended"),
        ("2026-11-23T17:58:30+01:00", None, "have begun or ended"),
        ("2026-11-23T17:59:30+01:00", "begin or end now", "begin or end now"),
        ("2026-11-23T18:00:30+01:00", "begin or end now", "begin or end now"),
        ("2026-11-23T18:01:30+01:00", "have begun or ended", None),
        ("2026-11-24T07:59:30+01:00", "begin or end now", "begin or end now"),
        ("2026-10-25T00:30+00:00", None, "have begun or ended"),  # 02:30 in summer time, and again an hour later
        ("2026-10-25T01:30+00:00", None, "have begun or ended"),
        ("2026-10-25T02:00:30+00:00", "begin or end now", "begin or end now"),
        ("2026-03-29T00:59:30+00:00", "begin or end now", "begin or end now"),  # 01:59:30; what follows is 03:00
        ("2026-03-29T01:02+00:00", "have begun or ended", None),
    ],
)
def test_a_number_is_called_only_where_no_clock_doubts_its_time(
    talkdesk: Deployment, moment: str, opened: str | None, closed: str | None
) -> None:
    entry = talkdesk.lines["inbound"].model_copy(update={"hours": BERLIN, "zone": "Europe/Berlin"})
    changed = talkdesk.model_copy(update={"lines": talkdesk.lines | {"inbound": entry}})
    (case, *_) = [case for case in of(talkdesk, "TD-INBOUND") if case.line == "inbound"]
    at = datetime.fromisoformat(moment)
    for row, said in ((case, opened), (replace(case, row=replace(case.row, out_of_hours=True)), closed)):
        why = why_not_now(row, changed, at)
        assert why is None if said is None else said in str(why)
    assert why_not_now(replace(case, line=None), changed, at) is None


def test_a_menu_choice_that_nobody_makes_proves_no_routing_by_it(talkdesk: Deployment) -> None:
    """It was planned, and could never pass: the menu's answer, which the row asks for besides the AI's, nobody looks at."""
    unsaid = talkdesk.lines["skill-menu"].model_copy(update={"press": None})
    changed = talkdesk.model_copy(update={"lines": {**talkdesk.lines, "skill-menu": unsaid}})
    assert not of(changed, "TD-SKILLS-MENU")
    assert why(changed, "TD-SKILLS-MENU").startswith("press: ")
    assert of(changed, "TD-SKILLS-LANGUAGE")
