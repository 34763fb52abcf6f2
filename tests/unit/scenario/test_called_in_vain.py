"""A call that comes to an agent's phone where nobody can take it, or could only before it was looked for, has not landed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.verdict import ExpectationError, Verdict
from harness.deployment import Group as GroupEntry
from harness.phone.waiter import NeverCame, never_came
from harness.scenario.people import Group
from tests.unit.scenario.conftest import MakeContext

OF: Any = SimpleNamespace(is_over=lambda: False)


@pytest.mark.parametrize("called", ["ben", "anna"])
def test_who_is_away_or_is_offered_no_call_has_not_got_it(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, called: str
) -> None:
    """Ben is away; and Anna's phone refuses a session interval that is too small (RFC 4028 section 6), and is not asked again."""
    context = make_context()
    entry = GroupEntry(did="+13125550142", agents=("anna", "ben"), away=("ben",))
    context.deployment = context.deployment.model_copy(update={"groups": {"billing": entry}})
    monkeypatch.setattr(context.phones, "rang", lambda: [called])

    def never(*_: Any, **__: Any) -> None:
        raise never_came("a call at anna", 0.0, "anna", "it never came", "")

    monkeypatch.setattr(context.phones, "first_incoming", never)
    anna: Any = SimpleNamespace(name="anna", incoming=[])
    with pytest.raises(ExpectationError) as ended:
        Group(context, "billing", entry, [anna]).expect_call(OF)
    found = ended.value.finding
    assert found.verdict is Verdict.FAILED
    assert found.actual == f"it landed nowhere; {called} got an INVITE, but could not take the call"
    assert context.evidence.conclusion.verdict is Verdict.FAILED


def at(name: str, *states: str) -> Any:
    """A phone to which calls came that are in these states by now, and nobody has taken yet."""
    legs = [SimpleNamespace(id=f"{name}.{number}", state=state) for number, state in enumerate(states, start=1)]

    def expect_call(within: float, answer: bool) -> Any:
        if not legs:
            raise never_came(f"a call at {name}", within, name, "nothing", "")
        return legs.pop(0)

    return SimpleNamespace(name=name, expect_call=expect_call)


@pytest.mark.parametrize(
    ("anna", "ben", "found"),
    [
        (("disconnected",), ("early",), "ben.1"),  # the next in turn
        (("disconnected", "disconnected", "early"), (), "anna.3"),  # she is rung again
        (("early",), ("disconnected",), "anna.1"),
        (("disconnected",), ("disconnected",), None),
    ],
)
def test_a_ring_that_was_over_before_it_was_looked_for_is_not_the_one_that_is_answered(
    make_context: MakeContext, anna: tuple[str, ...], ben: tuple[str, ...], found: str | None
) -> None:
    """A caller may still be answering what the AI asks while a queue rings one agent after the other."""
    phones, numbers = make_context().phones, set[str | None]()
    both = [at("anna", *anna), at("ben", *ben)]
    if found is not None:
        assert phones.first_incoming(both, 5.0, lambda: False, numbers).id == found
    else:
        with pytest.raises(NeverCame):
            phones.first_incoming(both, 5.0, lambda: True, numbers)
