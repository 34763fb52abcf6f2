"""Why a row has no case, or not one of each number: it is not its time, or no harness phone could look."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.deployment import Deployment
from harness.deployment.hours import AS_OF_VARIABLE
from harness.integrations import find
from harness.integrations.matrix import left_out
from harness.integrations.row_plan import RowPlan
from tests.unit.matrix.conftest import of, why


@pytest.mark.usefixtures("a_wednesday")
def test_a_closed_number_is_told_of_whichever_value_of_the_row_s_axis_it_would_prove(talkdesk: Deployment) -> None:
    row = replace(find("talkdesk").row("TD-TRANSFER-BLIND"), every_number=True)
    campaign = talkdesk.lines["campaign"].model_copy(update={"refer": "passed-on"})
    two = talkdesk.model_copy(update={"lines": talkdesk.lines | {"campaign": campaign}})
    for line in ("ivr", "campaign"):  # to one the platform consumes the REFER, to the other it passes it on
        cells = RowPlan(row, closed(two, line), asked=False)
        assert {cell.axes["refer"] for cell in cells.cells} == {"consumed", "passed-on"}
        assert line in dict(cells.not_now())
        assert "inbound" not in dict(cells.not_now())


def closed(deployment: Deployment, *lines: str) -> Deployment:
    """These numbers have the hours of one that is closed on weekdays."""
    never = {name: getattr(deployment.lines["out-of-hours"], name) for name in ("hours", "zone")}
    changed = {
        name: entry.model_copy(update=never) if name in lines else entry for name, entry in deployment.lines.items()
    }
    return deployment.model_copy(update={"lines": changed, "depth": "every-number"})


@pytest.fixture
def a_wednesday(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AS_OF_VARIABLE, "2026-03-04T12:00+00:00")


@pytest.mark.usefixtures("a_wednesday")
def test_where_every_number_is_closed_a_row_says_so(talkdesk: Deployment) -> None:
    assert why(closed(talkdesk, *talkdesk.lines), "HANGUP-CALLER") == "every number is closed now"
    always = {name: entry.model_copy(update={"hours": None}) for name, entry in talkdesk.lines.items()}
    open_ = talkdesk.model_copy(update={"lines": always})
    reasons = {left.why for left in left_out(open_)}
    assert "no number has hours" in reasons
    assert "every number is closed now" not in reasons
    hours = {"hours": "mon-sun 00:00-24:00", "zone": "UTC", "closed": "billing"}
    round_the_clock = {name: entry.model_copy(update=hours) for name, entry in talkdesk.lines.items()}
    assert why(talkdesk.model_copy(update={"lines": round_the_clock}), "CLOSED") == "no number is closed now"


@pytest.mark.usefixtures("a_wednesday")
def test_a_number_that_is_closed_now_is_told_of_the_rows_that_would_call_it(talkdesk: Deployment) -> None:
    found = [(left.row, left.line) for left in left_out(closed(talkdesk, "ivr", "busy", "skill-language")) if left.line]
    rows = {row.id: row for row in find("talkdesk").rows}
    assert found
    assert all(rows[row].every_number and not rows[row].out_of_hours for row, _ in found)
    assert ("TD-OUTBOUND-IVR", "skill-language") in found
    assert ("TD-OUTBOUND-IVR", "busy") not in found
    assert len(set(found)) == len(found)
    once = closed(talkdesk, "ivr", "skill-language").model_copy(update={"depth": "once"})
    assert not [left for left in left_out(once) if left.line]


@pytest.mark.usefixtures("a_wednesday")
def test_what_only_a_closed_number_could_prove_is_told_as_closed_and_not_as_missing(talkdesk: Deployment) -> None:
    menus = [name for name, entry in talkdesk.lines.items() if entry.press]
    assert why(closed(talkdesk, *menus), "TD-OUTBOUND-IVR") == f"closed now: {', '.join(menus)}"
    cold = {name for name, assistant in talkdesk.assistants.items() if assistant.transfer == "cold"}
    leading = [name for name, entry in talkdesk.lines.items() if entry.assistant in cold]
    assert str(why(closed(talkdesk, *leading), "TD-TRANSFER-BLIND")).startswith("closed now: ")
    without = talkdesk.model_copy(
        update={"lines": {name: entry for name, entry in talkdesk.lines.items() if name not in menus}}
    )
    assert why(without, "TD-OUTBOUND-IVR") == "no number has a menu in front of the AI"
    everything = closed(without, *without.lines)
    assert why(everything, "TD-OUTBOUND-IVR") == "no number has a menu in front of the AI", "open or not"


@pytest.mark.usefixtures("a_wednesday")
def test_every_number_is_closed_where_that_is_so_over_all_trunks(talkdesk: Deployment) -> None:
    """One trunk's only number is open and hands over to nobody, the other's is closed and does."""
    first, second = (trunk for trunk in talkdesk.trunks[:2])
    hands_over = next(name for name, assistant in talkdesk.assistants.items() if assistant.transfer == "cold")
    one = talkdesk.lines["inbound"].model_copy(update={"dids": {}, "trunk": first.name, "fallback": None})
    talks = {**talkdesk.assistants, "silent": talkdesk.assistants["main"].model_copy(update={"transfer": None})}
    lines = {
        "a": one.model_copy(update={"did": "+13125550178", "assistant": "silent"}),
        "b": one.model_copy(update={"trunk": second.name, "did": "+13125550177", "assistant": hands_over}),
    }
    both = talkdesk.model_copy(update={"trunks": (first, second), "lines": lines, "assistants": talks})
    never = {name: getattr(talkdesk.lines["out-of-hours"], name) for name in ("hours", "zone")}
    shut = {**lines, "b": lines["b"].model_copy(update=never)}
    assert why(both.model_copy(update={"lines": shut}), "TD-TRANSFER-BLIND") == "closed now: b"
    people = one.model_copy(update={"did": "+13125550176", "assistant": None, "group": "billing"})
    all_shut = {**shut, "a": lines["a"].model_copy(update=never), "people": people}
    assert why(both.model_copy(update={"lines": all_shut}), "HANGUP-CALLER") == "closed now: a, b", "each trunk's"


def test_a_fallback_is_looked_at_over_the_trunks_that_carry_its_number(talkdesk: Deployment) -> None:
    """Over the other trunk it cannot be made to fall back, whoever has a phone there, and that is said."""
    stand_in, synthflow = (next(t for t in talkdesk.trunks if t.ai == ai) for ai in ("stand-in", "synthflow"))
    entry = talkdesk.lines["ivr"].model_copy(update={"dids": {}, "reachable": True, "may_fail": True})
    away = talkdesk.groups["billing"].model_copy(update={"agents": (), "did": "+18155550177"})
    lines = {
        "ours": entry.model_copy(update={"trunk": stand_in.name, "did": "+13125550178", "fallback": "billing"}),
        "theirs": entry.model_copy(update={"trunk": synthflow.name, "did": "+13125550177", "fallback": "elsewhere"}),
    }
    both = talkdesk.model_copy(
        update={
            "trunks": (stand_in, synthflow),
            "lines": lines,
            "groups": {**talkdesk.groups, "elsewhere": away},
            "depth": "every-number",
        }
    )
    assert {case.line for case in of(both, "TD-FALLBACK-REFUSED")} == {"ours"}
    told = [left for left in left_out(both) if left.row == "TD-FALLBACK-REFUSED"]
    said = "not observable: theirs falls back, and its AI cannot be made to fail (elsewhere)"
    assert [(left.line, left.why) for left in told] == [("theirs", said)]
    same = {**lines, "theirs": lines["theirs"].model_copy(update={"fallback": "billing"})}
    told = [left for left in left_out(both.model_copy(update={"lines": same})) if left.row == "TD-FALLBACK-REFUSED"]
    assert not told, "another number proves that this group takes over"
    moved = {**lines, "theirs": lines["theirs"].model_copy(update={"trunk": stand_in.name})}
    told = [left for left in left_out(both.model_copy(update={"lines": moved})) if left.row == "TD-FALLBACK-REFUSED"]
    assert [left.line for left in told] == ["theirs"]


@pytest.mark.usefixtures("a_wednesday")
@pytest.mark.parametrize("depth", ["once", "every-number"])
def test_a_value_that_only_a_closed_number_shows_is_told(gladly: Deployment, talkdesk: Deployment, depth: str) -> None:
    """The row passed by its other values, at night, and nothing said that the topic had not been looked at."""
    shut = closed(gladly, "inbound-billing").model_copy(update={"depth": depth})
    told = [(left.line, left.why) for left in left_out(shut) if left.row == "GL-HEADER-SELECTOR"]
    hours = shut.lines["inbound-billing"].hours
    said = (
        f"inbound-billing is closed now (its hours: {hours}), and no other number proves it with selector billing over "
    )
    assert told == [("inbound-billing", f"{said}tls-ip, tls-ip-stand-in")]
    assert {case.axes["selector"] for case in of(shut, "GL-HEADER-SELECTOR")} == {"support", "none"}
    entry = shut.lines["inbound-billing"].model_copy(update={"hours": None, "dids": {"tls-ip": "+16465550177"}})
    two = shut.model_copy(update={"lines": {**shut.lines, "another": entry}})
    told = [(left.line, left.why) for left in left_out(two) if left.row == "GL-HEADER-SELECTOR"]
    assert told == [("inbound-billing", f"{said}tls-ip-stand-in")]
    passed_on = [name for name, line in talkdesk.lines.items() if line.refer == "passed-on"]
    told = [
        (left.line, left.why.partition("), and ")[2])
        for left in left_out(closed(talkdesk, *passed_on).model_copy(update={"depth": depth}))
        if left.row == "TD-TRANSFER-BLIND" and left.line
    ]
    over = ", ".join(trunk.name for trunk in talkdesk.trunks)
    assert told == [("inbound-passed-on", f"no other number proves it with refer passed-on over {over}")]


@pytest.mark.usefixtures("a_wednesday")
def test_a_trunk_whose_numbers_are_closed_is_told_where_another_proves_the_row(talkdesk: Deployment) -> None:
    first, second = (trunk for trunk in talkdesk.trunks if trunk.name in ("udp-ip", "tcp-ip"))
    one = talkdesk.lines["inbound"].model_copy(update={"dids": {}, "trunk": first.name, "fallback": "billing"})
    never = {name: getattr(talkdesk.lines["out-of-hours"], name) for name in ("hours", "zone")}
    lines = {
        "open": one.model_copy(update={"did": "+13125550178"}),
        "shut": one.model_copy(update={"trunk": second.name, "did": "+13125550177", **never}),
    }
    both = talkdesk.model_copy(update={"trunks": (first, second), "lines": lines, "campaign": None})
    assert {case.line for case in of(both, "TD-CAPACITY")} == {"open"}
    told = [(left.line, left.why) for left in left_out(both) if left.row == "TD-CAPACITY"]
    closed_now = f"shut is closed now (its hours: {never['hours']}), and no other number proves it over {second.name}"
    assert told == [("shut", closed_now)]


def test_what_is_so_of_some_numbers_is_not_said_of_every_one(talkdesk: Deployment) -> None:
    """It said that every number has a fallback, though only those had one which lead to a harness phone, or to an AI that is busy."""
    answered = {"udp-ip-stand-in", "tcp-ip-stand-in", "tls-ip-stand-in"}
    with_fallback = {
        name: entry.model_copy(update={"fallback": "reception"})
        for name, entry in talkdesk.lines.items()
        if name in ("inbound", "busy")
    }
    without = {name: entry.model_copy(update={"fallback": None}) for name, entry in talkdesk.lines.items()}
    one = talkdesk.model_copy(update={"lines": {**without, **with_fallback}})
    others = tuple(trunk for trunk in talkdesk.trunks if trunk.name not in answered)
    assert (
        why(one.model_copy(update={"trunks": others}), "BUSY")
        == "every number has a fallback (of those it is about: busy)"
    )
    every = {
        name: entry.model_copy(update={"fallback": "reception"})
        for name, entry in talkdesk.lines.items()
        if entry.assistant
    }
    assert why(talkdesk.model_copy(update={"lines": every}), "BUSY") == "every number has a fallback"
