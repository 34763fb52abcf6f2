"""A call that comes to an agent's phone where nobody can take it has not landed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.deployment import Group as GroupEntry
from harness.phone.waiter import never_came
from harness.scenario.people import Group
from harness.verdict import ExpectationError, Verdict
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
    assert found.actual == f"it landed nowhere; {called} got an INVITE, and nobody could take the call there"
    assert context.evidence.conclusion.verdict is Verdict.FAILED
