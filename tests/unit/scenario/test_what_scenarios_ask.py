"""What scenarios hold the calls of a case to: each promise of a row is asked of everybody whom it is about."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from harness.finding_kinds import LANDING_OTHERS
from harness.integrations import find
from scenarios import (
    test_access,
    test_call_control,
    test_fallback,
    test_inbound,
    test_people,
    test_responses,
    test_transfer,
)


class Asked:
    """Stands for ``expect``, and keeps who was held to what."""

    def __init__(self) -> None:
        self.of: list[tuple[object, str, tuple[object, ...], dict[str, object]]] = []

    def __call__(self, subject: object) -> object:
        def keeps(name: str) -> Callable[..., float]:
            return lambda *of, **how: self._keep(subject, name, of, how)

        return SimpleNamespace(**{name: keeps(name) for name in _EXPECTED})

    def _keep(self, subject: object, name: str, of: tuple[object, ...], how: dict[str, object]) -> float:
        self.of.append((subject, name, of, how))
        return 0.0

    def named(self, name: str) -> list[tuple[object, tuple[object, ...], dict[str, object]]]:
        return [(subject, of, how) for subject, what, of, how in self.of if what == name]


_EXPECTED = (
    "answered", "two_way_audio_with", "caller_id", "silence_from", "released", "never_rang", "ends_with", "took_over", "addressed_to",
    "came_within", "rings", "transfer_fails", "is_told", "takes_message", "refer_is", "header", "still_up", "hang_up_is_answered",
    "took", "still_hears",
)  # fmt: skip


def play(scenario: Callable[..., None], **parts: object) -> SimpleNamespace:
    """Run a scenario with people who do all they are asked to."""
    named = {name: MagicMock() for name in inspect.signature(scenario).parameters}
    took_part = named | {"expect": Asked()} | parts
    scenario(**{name: took_part[name] for name in named})
    return SimpleNamespace(**took_part)


def test_after_a_warm_transfer_neither_caller_nor_agent_hears_the_ai() -> None:
    of = play(test_transfer.test_the_ai_calls_the_group_and_joins)
    talk, landed = of.assistant.expect_call.return_value, of.target.expect_call.return_value
    silent = [subject for subject, whom, _ in of.expect.named("silence_from") if whom == (talk,)]
    assert silent == [of.caller.call.return_value, landed]


@pytest.mark.parametrize("scenario", [test_responses.test_busy, test_responses.test_rejected])
def test_a_final_response_is_the_ais_where_the_ai_was_asked(scenario: Callable[..., None]) -> None:
    of = play(scenario)
    of.ai.was_tried.assert_called_once_with(of.caller.call.return_value, of.line)


@pytest.mark.parametrize("scenario", [test_fallback.test_ai_never_answers, test_fallback.test_ai_refuses])
def test_a_fallback_is_one_where_the_ai_did_not_take_the_call(scenario: Callable[..., None]) -> None:
    timings = SimpleNamespace(ring_timeout_s=2.0)
    of = play(scenario, timings=timings, context=MagicMock(patience=4.0))
    of.ai.answered_nothing.assert_called_once_with(of.caller.call.return_value)


def test_of_the_call_too_many_the_fallback_s_agents_alone_ring() -> None:
    line, others, cast, fallback = MagicMock(), [object(), object()], MagicMock(), MagicMock()
    line.trunk.max_concurrent_calls = 1
    cast.callers.return_value = [MagicMock(), MagicMock()]
    cast.all_groups.side_effect = lambda but: others if but is fallback else []
    of = play(test_inbound.test_one_call_more_than_the_trunk_carries, cast=cast, line=line, fallback=fallback)
    assert [subject for subject, _, _ in of.expect.named("never_rang")] == others
    assert LANDING_OTHERS in find("talkdesk").row("TD-CAPACITY").required_findings


def test_an_ai_that_is_given_up_is_let_go() -> None:
    """RFC 3261 section 16.7, step 10: one that rings on may answer a call that somebody else has."""
    timings = SimpleNamespace(ring_timeout_s=2.0)
    of = play(test_fallback.test_ai_never_answers, timings=timings, context=MagicMock(patience=4.0))
    ((call,), how) = of.cast.nothing_rings_any_more.call_args
    assert (call, how["but"]) == (of.caller.call.return_value, of.fallback.phones)


def test_an_ai_that_has_not_answered_in_time_is_let_go() -> None:
    """RFC 3261 section 16.8: a call that nobody answers in time is cancelled, not only refused."""
    timings = SimpleNamespace(ring_timeout_s=2.0)
    of = play(
        test_responses.test_nobody_answers, timings=timings, context=MagicMock(patience=4.0), cast=(cast := MagicMock())
    )
    cast.nothing_rings_any_more.assert_called_once_with(of.caller.call.return_value, after=0.0)


def test_a_queue_may_let_its_caller_ring_until_voicemail_answers() -> None:
    cast, context = MagicMock(), SimpleNamespace(patience=4.0)
    cast.group.return_value.entry.queue_s = 90.0
    of = play(test_people.test_voicemail_where_nobody_is_there, cast=cast, context=context)
    ((_, _, how),) = of.expect.named("answered")
    assert how == {"within": 94.0}


def test_out_of_hours_an_announcement_may_come_first() -> None:
    line, context = MagicMock(), SimpleNamespace(patience=4.0)
    line.entry.announcement_s = 12.0
    of = play(test_people.test_number_out_of_its_hours, line=line, context=context)
    of.cast.group.return_value.expect_call.assert_called_once_with(of.caller.dial.return_value, within=16.0)


def test_an_ai_may_brief_the_agent_before_it_joins_the_caller() -> None:
    of = play(test_transfer.test_the_ai_calls_the_group_and_joins)
    landed = of.target.expect_call.return_value
    ((_, _, how),) = [asked for asked in of.expect.named("two_way_audio_with") if asked[1] == (landed,)]
    assert how == {"joined_within_s": of.handover.briefing_s}


_WITH_A_PERSON = [
    test_transfer.test_escalation_lands_in_the_group, test_transfer.test_the_ai_calls_the_group_and_joins,
    test_transfer.test_escalation_lands_with_the_topic, test_fallback.test_ai_never_answers, test_fallback.test_ai_refuses,
    test_fallback.test_ai_cannot_be_reached, test_people.test_number_of_people_only, test_people.test_group_rings_as_it_is_set_up,
    test_people.test_number_out_of_its_hours, test_access.test_listed_address_is_let_in,
    test_inbound.test_one_call_more_than_the_trunk_carries,
]  # fmt: skip


@pytest.mark.parametrize("scenario", _WITH_A_PERSON)
def test_whoever_is_with_a_person_still_is_at_the_end(scenario: Callable[..., None]) -> None:
    cast, line = MagicMock(), MagicMock()
    line.trunk.max_concurrent_calls, line.entry.announcement_s = 1, 0.0
    cast.callers.return_value = [MagicMock(), MagicMock()]
    cast.all_groups.return_value = []
    timings, context = SimpleNamespace(ring_timeout_s=2.0), MagicMock(patience=4.0)
    of = play(scenario, timings=timings, context=context, cast=cast, line=line)
    proved = [(subject, whom) for subject, whom, _ in of.expect.named("two_way_audio_with")]
    ((subject, whom, _),) = of.expect.named("still_hears")
    assert (subject, whom) in proved
    assert of.expect.of.index((subject, "still_hears", whom, {})) > of.expect.of.index(
        next(asked for asked in of.expect.of if asked[1] == "two_way_audio_with" and asked[2] == whom)
    )


def test_an_ai_may_say_goodbye_before_it_hangs_up() -> None:
    of = play(test_call_control.test_ai_hangs_up)
    talk = of.assistant.expect_call.return_value
    ((_, _, how),) = of.expect.named("released")
    assert how == {"after": talk.hang_up.return_value, "farewell_s": talk.farewell_s}


@pytest.mark.parametrize("who", ["caller", "ai", "agent"])
def test_a_leg_is_held_to_be_up_until_the_other_side_hangs_up(who: str) -> None:
    """Else one that had ended by itself would have ended in time."""
    scenario = {
        "caller": test_call_control.test_caller_hangs_up,
        "ai": test_call_control.test_ai_hangs_up,
        "agent": test_transfer.test_agent_hangs_up,
    }[who]
    held: list[object] = []
    call, talk, landed = MagicMock(), MagicMock(), MagicMock()
    hangs_up, other = {"caller": (call, talk), "ai": (talk, call), "agent": (landed, call)}[who]
    asked = Asked()
    hangs_up.hang_up.side_effect = lambda: held.extend(subject for subject, _, _ in asked.named("still_up"))
    parts = {"caller": call, "assistant": talk, "target": landed}
    people = {name: MagicMock() for name in parts}
    people["caller"].call.return_value = call
    people["assistant"].expect_call.return_value = talk
    people["target"].expect_call.return_value = landed
    with contextlib.suppress(TypeError):  # of a moment that these people do not tell
        play(scenario, expect=asked, **{k: v for k, v in people.items() if k in inspect.signature(scenario).parameters})
    assert held == [other]


def test_a_menu_s_choice_is_what_leads_to_the_ai() -> None:
    of = play(test_inbound.test_menu_choice_reaches_the_ai)
    of.ai.waited_for_choice.assert_called_once_with(of.caller.call.return_value)


@pytest.mark.parametrize(
    "scenario",
    [test_transfer.test_escalation_lands_in_the_group, test_transfer.test_the_ai_calls_the_group_and_joins],
)
def test_a_landing_is_by_the_handover_that_was_asked_for(scenario: Callable[..., None]) -> None:
    of = play(scenario)
    call, talk = of.caller.call.return_value, of.assistant.expect_call.return_value
    of.cast.landed_by_its_handover.assert_called_once_with(call, talk, of.target)


def test_a_transfer_by_topic_names_the_topic_of_its_handover() -> None:
    of = play(test_transfer.test_escalation_lands_with_the_topic)
    of.cast.group_of_topic.assert_called_once_with(of.handover.transfer_topic)
    _, how = of.assistant.expect_call.return_value.hand_over.call_args
    assert how == {"topic": of.handover.transfer_topic}


def test_a_caller_whom_nobody_can_take_may_be_told_so_before_the_call_ends() -> None:
    context = MagicMock(patience=6.0)
    context.deployment.expect.transfer_unavailable = "released"
    of = play(test_transfer.test_nobody_in_the_group, context=context)
    ((subject, _, how),) = of.expect.named("released")
    assert (subject, how) == (of.caller.call.return_value, {"farewell_s": 6.0})


def test_what_is_sent_in_the_clear_and_never_answered_has_its_time_before_the_fallback() -> None:
    """As to an AI that is down: over UDP a platform learns only by its own timer that nobody is there."""
    timings, context = SimpleNamespace(ring_timeout_s=20.0), MagicMock(patience=4.0)
    case = SimpleNamespace(axes={"ai": "synthflow"})
    of = play(test_access.test_nothing_is_set_up_in_the_clear, timings=timings, context=context, case=case)
    of.fallback.expect_call.assert_called_once_with(of.caller.call.return_value, within=24.0)


def test_a_bad_certificate_that_is_refused_was_looked_at() -> None:
    timings, context = SimpleNamespace(ring_timeout_s=20.0), MagicMock(patience=4.0)
    of = play(test_access.test_bad_certificate_is_not_talked_to, timings=timings, context=context)
    of.ai.was_refused_for_its_certificate.assert_called_once_with(of.caller.call.return_value)


def test_agents_who_ring_for_a_caller_who_has_given_up_do_so_a_moment_later() -> None:
    """A platform that takes the AI's 487 for a refusal rings the fallback then (RFC 3261 section 9.2 has the call ended)."""
    timings, cast, group = SimpleNamespace(ring_timeout_s=20.0), MagicMock(), MagicMock()
    cast.all_groups.return_value = [group]
    expect, order = Asked(), []
    context = MagicMock()
    context.pause.side_effect = lambda seconds: order.append(len(expect.named("never_rang")))
    caller = MagicMock()
    caller.call.return_value.cancel.return_value = caller.call.return_value.began = 10.0
    play(test_responses.test_caller_gives_up, timings=timings, cast=cast, context=context, caller=caller, expect=expect)
    assert order == [0], "they are looked at when they have had that moment"
    assert [subject for subject, _, _ in expect.named("never_rang")] == [group]


@pytest.mark.parametrize("rang_s", [1.0, 20.0])
def test_an_ai_that_is_called_again_for_a_caller_who_has_given_up_is_so_a_moment_later(rang_s: float) -> None:
    """By a platform that takes the 487 for a refusal and tries the AI's next address, whoever's the call was by then."""
    timings, cast, context, caller = SimpleNamespace(ring_timeout_s=20.0), MagicMock(), MagicMock(), MagicMock()
    call = caller.call.return_value
    call.began, call.cancel.return_value = 10.0, 10.0 + rang_s
    order: list[str] = []
    context.pause.side_effect = lambda seconds: order.append("that moment")
    cast.nothing_rings_any_more.side_effect = lambda of, after: order.append(
        "given up" if after == 10.0 + rang_s else "since"
    )
    play(test_responses.test_caller_gives_up, timings=timings, cast=cast, context=context, caller=caller)
    assert order == ["given up", "that moment", "since"]
