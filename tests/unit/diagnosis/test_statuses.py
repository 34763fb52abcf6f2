"""What a final status is said of: the caller, the request, the number, and so of nothing behind the platform."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.status_examples import recorded, turned_away
from tests.unit.diagnosis.stories import GROUP, lost, transfer
from tests.unit.diagnosis.told_examples import refused_by_platform


@pytest.mark.parametrize("code", [428, 433, 436, 437, 438, 607, 608])  # RFC 8224, 5079, 8197, 8688
def test_a_caller_refused_for_who_it_is(code: int) -> None:
    first = refused_by_platform(code, "x").diagnose().causes[0]
    assert (first.id, first.confidence) == ("platform-refuses-caller", "likely")
    assert any(str(code) in line for line in first.evidence)


@pytest.mark.parametrize(
    "code",
    [
        *(400, 401, 402, 405, 406, 407, 414, 416, 420, 421, 422, 423, 429, 433, 438, 481, 489, 491, 494, 505, 513),
        *(300, 302, 380, 403, 482, 483, 486, 487, 501, 580, 600, 607, 608),
    ],
)
def test_what_is_said_of_the_request_is_no_firewalls_work(code: int) -> None:
    causes = {cause.id for cause in refused_by_platform(code, "x").diagnose().causes}
    assert not [name for name in causes if name.startswith(("firewall", "trunk-transport"))]


@pytest.mark.parametrize("code", [400, 423, 488, 491, 580, 600])
def test_a_port_that_answers_nobody_here_did_not_make_a_server_object(code: int) -> None:
    example = Example(transport="tcp").dials().after(6).state("disconnected", code, "x")
    causes = example.probed("ai", "silent").probed("termination", "answers").not_taken().diagnose().causes
    assert not [cause.id for cause in causes if cause.id.startswith("firewall")]


@pytest.mark.parametrize("code", [408, 480, 500, 502, 503, 504, 603])
def test_what_may_be_said_of_a_next_hop_leaves_the_firewall(code: int) -> None:
    """603 by the RFC is somebody's who declines; Asterisk ends a call with it that its own dial plan ends, whatever for."""
    assert [n for n in (c.id for c in refused_by_platform(code, "x").diagnose().causes) if n.startswith("firewall")]


@pytest.mark.parametrize("code", [300, 301, 302, 305, 380])  # RFC 3261 section 21.3
def test_a_caller_who_is_to_ask_elsewhere(code: int) -> None:
    found = refused_by_platform(code, "x").diagnose()
    assert [(cause.id, cause.confidence) for cause in found.causes] == [("platform-refuses-caller", "likely")]


@pytest.mark.parametrize(("code", "phrase"), [(482, "Loop Detected"), (483, "Too many hops")])
def test_a_call_that_goes_in_a_circle_is_told_so(code: int, phrase: str) -> None:
    """RFC 3261 sections 21.4.20 and 21.4.21."""
    unseen = Example().dials().after(0.1).state("disconnected", code, phrase).all_ports_answer()
    unseen.finding("landing.answered_by", "the call", answered=[], wanted="main", unseen=True)
    for example in (refused_by_platform(code, phrase), unseen):
        (first,) = example.diagnose().causes
        assert (first.id, first.confidence, first.owner) == ("platform-refuses-caller", "likely", "platform routing")


@pytest.mark.parametrize("code", [480, 486, 600])
def test_people_who_are_busy_or_away_are_the_platforms_own(code: int) -> None:
    """Where no fallback would have asked for any."""
    example = Example(line="campaign").dials().after(0.1).state("disconnected", code, "x")
    assert "route-missing" in {cause.id for cause in example.all_ports_answer().not_taken().diagnose().candidates}


@pytest.mark.parametrize("code", [404, 410, 484, 485, 604])  # RFC 3261 sections 21.4.5, .11, .22, .23 and 21.6.3
def test_what_is_said_of_the_number_is_told_of_the_number(code: int) -> None:
    first = refused_by_platform(code, "x").diagnose().causes[0]
    assert (first.id, first.confidence) == ("number-unknown-at-platform", "likely")


@pytest.mark.parametrize("code", [300, 302, 400, 401, 403, 407, 415, 481, 487, 488, 499, 500, 503, 504, 603, 606])
def test_of_a_status_that_the_ai_s_record_gives_no_cause_is_told_that_does_not_answer_so(code: int) -> None:
    """A REFER's own answer, or its NOTIFY's: a challenge is 401 or 407, a trunk that is not in service answers 503."""
    causes = {cause.id for cause in recorded(status="failed", status_code=code).diagnose().causes}
    assert 1 <= len(causes) <= 2
    assert ("transfer-call-challenged" in causes) is (code in (401, 407))
    assert ("trunk-inactive" in causes) is (code == 503)
    assert "refer-never-notified" not in causes


@pytest.mark.parametrize("code", [302, 400, 401, 403, 481, 488, 500, 501, 502, 503, 504, 505, 608])
def test_a_number_of_people_that_refuses_is_told_by_what_its_status_means(code: int) -> None:
    assert "group-wrong" not in {cause.id for cause in turned_away(code).diagnose().causes}


@pytest.mark.parametrize("code", [302, 401, 403, 404, 408, 480, 486, 487, 488, 500, 503, 600, 603, 604, 608])
def test_a_group_that_rings_for_its_own_number_may_not_be_where_the_other_one_leads(code: int) -> None:
    """Not where the status says that the platform fails, objects to the call, or sends the caller elsewhere."""
    group = str(Example().deployment.groups["reception"].did)
    found = turned_away(code).calls_again("group", group, rang=["reception"]).diagnose()
    leads_elsewhere = code in (404, 408, 480, 486, 487, 600, 603, 604)
    assert ("group-wrong" in {cause.id for cause in found.causes}) is leads_elsewhere
    assert found.causes


def test_a_refer_answered_with_busy_has_a_cause() -> None:
    found = lost(transfer(Example()).ai_refers(GROUP).platform_says(486, "Busy Here")).diagnose()
    assert [(cause.id, cause.confidence) for cause in found.causes if not cause.candidate] == [
        ("nobody-available", "likely")
    ]
