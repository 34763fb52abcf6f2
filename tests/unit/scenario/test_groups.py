"""Ring groups: several agents at once, agents in turns, and groups that strangers call as well."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from harness.case.verdict import ExpectationError, Verdict
from harness.deployment import Expectations, Platform, Report
from harness.deployment import Group as GroupEntry
from harness.phone.waiter import never_came
from harness.scenario.call import Call
from harness.scenario.case_phones import HEADER_NUMBER
from harness.scenario.cast import Cast
from harness.scenario.expect import ExpectGroup
from harness.scenario.people import Group
from tests.unit.clock import Clock
from tests.unit.scenario.conftest import MakeContext, busy
from tests.unit.scenario.legs import (
    CALLER,
    OTHER,
    STRANGER,
    ScriptedLeg,
    ScriptedPhone,
    heard,
    invite,
    leg,
    sounds,
)

PASSED, FAILED, UNSEEN = Verdict.PASSED, Verdict.FAILED, Verdict.NOT_OBSERVABLE
ZOE, DESK, AG = "Zoë", "tier-2 desk", "Ağ"
NOW = 1000.0


class Agents:
    """A case with agents at their phones, whom strangers call as well where they are ``shared``."""

    def __init__(
        self, make_context: MakeContext, clock: Clock, *, shared: bool = False, **changes: Any
    ) -> None:
        expect = Expectations(released_within_s=1.0, patience_s=2.0)
        self.context = make_context(clock=clock, **{"expect": expect} | changes)
        busy(self.context.evidence, starved_s=lambda begin, end: 0.0)
        self.phones: Any = {name: ScriptedPhone(name) for name in (ZOE, DESK, AG)}
        entry = next(iter(self.context.deployment.phones.values()))
        entries = self.context.deployment.phones | dict.fromkeys(self.phones, entry)
        self.context.deployment = self.context.deployment.model_copy(update={"phones": entries})
        self.context.phones._phones |= self.phones
        if shared:
            for phone in self.phones.values():
                phone.is_ours = self.context.phones.may_be_ours
        caller: Any = SimpleNamespace(
            number=CALLER, first_leg=leg(), leg=leg(), label="caller.1", legs=()
        )
        self.context.calls.own.append(caller)

    def group(self, *names: str, **entry: Any) -> Group:
        told = GroupEntry(**{"did": "+13125550142", "agents": names or tuple(self.phones), **entry})
        return Group(self.context, "Größe L", told, [self.phones[name] for name in told.agents])

    def take(self, group: Group | None = None, of: Any = None) -> Call:
        taken = (group or self.group()).expect_call(of or caller())
        assert isinstance(taken, Call)
        return taken

    def verdicts(self, check: str) -> dict[str, Verdict]:
        return {
            one.subject: one.verdict for one in self.context.evidence.findings if one.check == check
        }


def caller(answered: Callable[[], float | None] = lambda: NOW) -> Any:
    return SimpleNamespace(
        is_over=lambda: False,
        obeyed=lambda at: None,
        end_quiet=lambda: None,
        answered_at=answered,
        announced=None,
    )


@pytest.mark.parametrize(
    ("is_over", "rings", "expected"), [(False, "", UNSEEN), (True, "", FAILED), (False, AG, FAILED)]
)
def test_a_call_that_other_agents_of_the_group_may_have_is_not_observable(
    make_context: MakeContext,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    is_over: bool,
    rings: str,
    expected: Verdict,
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise never_came("a call", 2.0, "the group", "none came", "")

    agents = Agents(make_context, clock)
    monkeypatch.setattr(agents.context.phones, "first_incoming", never)
    groups = {"elsewhere": GroupEntry(did="+13125550143", agents=(AG,))}
    agents.context.deployment = agents.context.deployment.model_copy(update={"groups": groups})
    monkeypatch.setattr(agents.context.phones, "rang", lambda: [rings] if rings else [])
    of = caller()
    of.is_over = lambda: is_over
    with pytest.raises(ExpectationError):
        agents.take(agents.group(ZOE, DESK, others=True), of)
    assert agents.verdicts("landing") == {"the call": expected}


@pytest.mark.parametrize(
    ("told_s", "answered_s", "waits_s"),
    [(0.0, 0.0, 0.0), (6.2, 6.4, 6.4), (6.2, 99.0, 7.2), (30.0, 99.0, 10.0)],
)
def test_a_caller_may_be_answered_behind_what_the_agent_is_told(
    make_context: MakeContext, clock: Clock, told_s: float, answered_s: float, waits_s: float
) -> None:
    """FreeSWITCH answers its caller when it connects the agent, behind what it says to the agent
    first.
    """
    agents = Agents(make_context, clock)
    taken = agents.phones[ZOE].rings(CALLER, "confirmed", at=NOW, clock=clock)
    taken.told += sounds(NOW, told_s)
    agents.take(of=caller(lambda: NOW + answered_s if clock.now >= NOW + answered_s else None))
    assert clock.now - NOW == pytest.approx(waits_s, abs=0.3)


@pytest.mark.parametrize("look", [Group.expect_call, Group.rings])
@pytest.mark.parametrize(
    ("groups", "second", "apart_s", "waits_s"),
    [
        ({"Zentrale": (ZOE, AG)}, DESK, 0.5, 0.5),  # it is clear which group was called
        ({"Zentrale": (ZOE, AG)}, AG, 0.5, 2.0),  # the turn may still bring an agent of this group
        ({"Zentrale": (AG,)}, None, 0.0, 0.0),
    ],
)
def test_an_agent_of_two_groups_answers_once_it_is_clear_which_was_called(
    make_context: MakeContext,
    clock: Clock,
    groups: dict[str, tuple[str, ...]],
    second: str | None,
    apart_s: float,
    waits_s: float,
    look: Callable[[Group, Any], object],
) -> None:
    """A platform rings no other agent once one has answered."""
    others = {name: GroupEntry(did="+13125550143", agents=names) for name, names in groups.items()}
    own = GroupEntry(did="+13125550142", agents=(ZOE, DESK))
    agents = Agents(make_context, clock, groups={"Größe L": own} | others)
    agents.phones[ZOE].rings(CALLER, "incoming", "confirmed", at=NOW)

    def rang(*_: Any, **__: Any) -> list[str]:
        return [ZOE, *([second] if second and clock.now >= NOW + apart_s else [])]

    agents.context.phones.rang = rang  # type: ignore[method-assign]
    look(agents.group(ZOE, DESK), caller())
    assert clock.now - NOW == pytest.approx(waits_s, abs=0.06)
    landed = next(one for one in agents.context.evidence.findings if one.check == "landing")
    assert (AG in str(landed.actual)) is (second == AG)


TURNS: dict[str, Any] = {"rings": "one-by-one", "pause_s": 0.5}


@pytest.mark.parametrize(
    ("twin", "rings", "verdict", "turns"),
    [
        # who rings first, or second, tells; the same people in the same turns do not
        ({"agents": (DESK, ZOE)}, [ZOE], PASSED, {ZOE: PASSED, DESK: PASSED}),
        ({"agents": (DESK, ZOE)}, [DESK], PASSED, {ZOE: FAILED, DESK: FAILED}),
        ({"agents": (ZOE, DESK)}, [ZOE], UNSEEN, {}),
        ({"agents": (ZOE, AG)}, [ZOE, DESK], PASSED, {ZOE: PASSED, DESK: PASSED}),
    ],
)
def test_two_groups_of_the_same_people_are_told_apart_by_their_turns_or_not_at_all(
    make_context: MakeContext,
    clock: Clock,
    twin: dict[str, Any],
    rings: list[str],
    verdict: Verdict,
    turns: dict[str, Verdict],
) -> None:
    own, other = (
        GroupEntry(did=f"+1312555014{n}", **TURNS, **of)
        for n, of in ((2, {"agents": (ZOE, DESK)}), (3, twin))
    )
    agents = Agents(make_context, clock, groups={"Größe L": own, "Twin": other})
    for name in rings:
        agents.phones[name].rings(CALLER, "incoming", "confirmed", at=NOW, state="incoming")
    agents.context.phones.rang = lambda *_, **__: rings  # type: ignore[method-assign]
    agents.take(agents.group(ZOE, DESK, **TURNS))
    assert agents.verdicts("landing") == {"the call": verdict}
    assert agents.verdicts("landing.turn") == turns


def test_the_report_tells_groups_of_the_same_people_apart(
    make_context: MakeContext, clock: Clock
) -> None:
    names = ("Größe L", "Twin")
    groups = {name: GroupEntry(agents=(ZOE,), reported_as=(name,)) for name in names}
    platform = Platform(
        domain="platform.example", report=Report(url="https://reports.example/calls")
    )
    agents = Agents(make_context, clock, groups=groups, platform=platform)
    agents.phones[ZOE].rings(CALLER, "incoming", "confirmed", at=NOW, state="incoming")
    agents.context.phones.rang = lambda *_, **__: [ZOE]  # type: ignore[method-assign]
    of = caller()
    of.number = CALLER
    agents.take(agents.group(ZOE), of)
    assert agents.verdicts("landing") == {}
    assert len(agents.context.looks_when_over) == 1
    assert agents.context.unheard is None


@pytest.mark.parametrize(("rings", "verdict"), [([ZOE], UNSEEN), ([ZOE, DESK], PASSED)])
def test_one_agent_of_a_turn_who_rings_alone_as_in_another_group_proves_no_landing(
    make_context: MakeContext, clock: Clock, rings: list[str], verdict: Verdict
) -> None:
    own = GroupEntry(did="+13125550142", agents=(ZOE, DESK))
    other = GroupEntry(did="+13125550143", agents=(ZOE, AG), **TURNS)
    agents = Agents(make_context, clock, groups={"Größe L": own, "Zentrale": other})
    agents.phones[ZOE].rings(CALLER, "incoming", "confirmed", at=NOW)
    agents.context.phones.rang = lambda *_, **__: rings  # type: ignore[method-assign]
    agents.take(agents.group(ZOE, DESK))
    assert agents.verdicts("landing") == {"the call": verdict}


@pytest.mark.parametrize(
    ("queue_s", "rings_s", "verdict"),
    [(600.0, 40.0, PASSED), (600.0, None, FAILED), (0.0, 40.0, FAILED)],
)
def test_agents_have_their_time_once_the_caller_has_waited_in_the_queue(
    make_context: MakeContext, clock: Clock, queue_s: float, rings_s: float | None, verdict: Verdict
) -> None:
    agents = Agents(make_context, clock)
    phone = agents.phones[ZOE]
    if rings_s is not None:
        came = phone.rings(CALLER, at=NOW)
        phone.is_ours = lambda each: each is came and clock.now >= NOW + rings_s
    agents.group(ZOE, queue_s=queue_s).rings_in_turns(caller())
    assert agents.verdicts("landing.turn") == {ZOE: verdict}


# -- Where strangers call an agent as well, a call that does not show whose it is neither fails nor passes what must not come


@pytest.mark.parametrize(
    ("shown", "shared", "watched", "verdict"),
    [
        ((), True, True, PASSED),
        ((), True, False, FAILED),
        ((CALLER,), True, True, FAILED),
        (("anonymous",), True, True, UNSEEN),
        ((OTHER, "anonymous"), False, True, FAILED),
        ((STRANGER,), True, True, PASSED),
        (("anonymous", CALLER), True, True, FAILED),
    ],
)
def test_a_group_that_must_not_ring(
    make_context: MakeContext,
    clock: Clock,
    shown: tuple[str, ...],
    shared: bool,
    watched: bool,
    verdict: Verdict,
) -> None:
    agents = Agents(make_context, clock, shared=shared)
    phone = agents.phones[ZOE]
    phone.registration.active = watched
    for each in shown:
        phone.rings(each)
    ExpectGroup(agents.context, agents.group(ZOE)).never_rang()
    assert agents.verdicts("landing.others") == {ZOE: verdict}


@pytest.mark.parametrize(("shown", "verdict"), [("anonymous", UNSEEN), (CALLER, FAILED)])
@pytest.mark.parametrize("what", ["turn", "stops", "one call", "rings on"])
def test_a_call_too_many_fails_where_it_shows_the_caller(
    make_context: MakeContext, clock: Clock, what: str, shown: str, verdict: Verdict
) -> None:
    agents = Agents(make_context, clock, shared=True)
    context, first, second = agents.context, agents.phones[ZOE], agents.phones[DESK]
    first.rings(CALLER, "confirmed" if what != "turn" else "early", at=NOW)
    if what == "turn":
        second.rings(shown, at=NOW)
        agents.group(ZOE, DESK, rings="one-by-one").rings_in_turns(caller())
        assert [one.verdict for one in context.evidence.findings] == [PASSED, verdict, PASSED]
        return
    if what == "one call":
        first.rings(shown, at=NOW)
        Cast(context).one_call_each(Call(context, first.legs[0], "agent"))
        assert agents.verdicts("one_call") == {ZOE: verdict}
        return
    if what == "rings on":
        second.rings(shown, at=NOW)
        cast = Cast(context)
        cast._ais_leg_ends = lambda *_: None  # type: ignore[method-assign]
        cast.nothing_rings_any_more(caller(), after=NOW, but=[first])
        assert agents.verdicts("released") == {f"{DESK}'s leg": verdict}
        return
    second.rings(shown, at=NOW)
    agents.take(agents.group(ZOE, DESK))
    assert agents.verdicts("landing.stops") == {DESK: verdict}


@pytest.mark.parametrize(
    ("from_", "more", "may_be", "surely"),
    [
        (CALLER, (), True, True),
        ("anonymous", (), True, False),
        (STRANGER, (), False, False),
        (
            CALLER,
            (f"P-Asserted-Identity: <sip:{STRANGER}@b.example>",),
            True,
            True,
        ),  # a trunk may assert its own
        (STRANGER, (f"P-Asserted-Identity: <sip:{CALLER}@b.example>",), True, True),
        ("anonymous", (f"P-Asserted-Identity: <sip:{STRANGER}@b.example>",), False, False),
        (CALLER[1:], (), True, True),  # without its plus
        (HEADER_NUMBER, (), True, False),  # no case asks for it here
    ],
)
def test_a_call_is_known_by_the_numbers_it_shows(
    make_context: MakeContext,
    clock: Clock,
    from_: str,
    more: tuple[str, ...],
    may_be: bool,
    surely: bool,
) -> None:
    agents = Agents(make_context, clock, shared=True)
    phone = agents.phones[ZOE]
    came = phone.add(leg(invite(from_, *more), name="x", direction="incoming"))
    assert (agents.context.phones.may_be_ours(came), agents.context.is_surely_ours(came)) == (
        may_be,
        surely,
    )


# -- The groups that a scenario watches


GROUPS = {"sales": ("ann", "bob"), "service": ("bob", "cid"), "night": ("ann",)}


@pytest.mark.parametrize(
    ("away", "but", "watched"),
    [
        ((), None, [("sales", ["ann", "bob"]), ("service", ["cid"])]),
        ((), "service", [("sales", ["ann"])]),
        (("ann",), None, [("sales", ["bob"]), ("service", ["cid"]), ("sales", ["ann"])]),
    ],
)
def test_each_telephone_is_watched_once(
    away: tuple[str, ...], but: str | None, watched: list[tuple[str, list[str]]]
) -> None:
    groups = {
        name: GroupEntry(did="+13125550142", agents=agents, away=tuple(set(agents) & set(away)))
        for name, agents in GROUPS.items()
    }
    context: Any = SimpleNamespace(deployment=SimpleNamespace(groups=groups), clock=Clock())
    cast = Cast(context)
    phones: Any = {agent: ScriptedPhone(agent) for agents in GROUPS.values() for agent in agents}
    cast._agent = lambda name, **_: phones[name]  # type: ignore[method-assign]
    found = cast.all_groups(but=cast.group(but) if but else None)
    assert [(group.name, [phone.name for phone in group.phones]) for group in found] == watched


@pytest.mark.parametrize(("hears_caller", "verdict"), [(False, PASSED), (True, FAILED)])
def test_a_telephone_is_connected_behind_the_digit_that_accepts_the_call(
    make_context: MakeContext, clock: Clock, *, hears_caller: bool, verdict: Verdict
) -> None:
    agents = Agents(make_context, clock)
    entry = agents.context.deployment.phones[ZOE].model_copy(update={"accept": "5"})
    agents.context.deployment.phones[ZOE] = entry
    taken = agents.phones[ZOE].rings(CALLER, "confirmed", at=NOW, clock=clock)
    taken.told += sounds(NOW, 1.0)
    of = caller()
    of.mark = 7
    if hears_caller:
        taken.told.append(heard(NOW + 0.4, of.mark))
    agents.take(of=of)
    assert agents.verdicts("landing.accepted") == {ZOE: verdict}
    assert taken.did == ["answers", "5"]


@pytest.mark.parametrize(("after_s", "verdict"), [(0.2, FAILED), (2.0, PASSED)])
def test_an_agent_rings_behind_the_announcement(
    make_context: MakeContext, clock: Clock, after_s: float, verdict: Verdict
) -> None:
    agents, of = Agents(make_context, clock), caller()
    agents.phones[ZOE].rings(CALLER, "confirmed", at=NOW, clock=clock)
    of.announced = (NOW - after_s, 3.0)
    agents.take(of=of)
    assert agents.verdicts("announcement") == {ZOE: verdict}


@pytest.mark.parametrize(
    ("state", "did"), [("", [486]), ("incoming", [486]), ("early", [486]), ("disconnected", [])]
)
def test_an_agent_declines_once_a_call_that_rings_or_is_about_to(
    make_context: MakeContext,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    did: list[int],
) -> None:
    """A leg has no state when its first event comes."""
    agents = Agents(make_context, clock)
    rings = agents.phones[ZOE].add(leg(invite(CALLER), direction="incoming"))
    monkeypatch.setattr(ScriptedLeg, "state", state)
    for _ in range(2):
        agents.group(ZOE).declines()
    assert rings.did == did
