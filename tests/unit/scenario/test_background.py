"""What a scenario does aside: what breaks there is known at once, what fails there speaks against no harness phone."""

from __future__ import annotations

import pytest

from harness.calls.verdict import ExpectationError, Finding, Verdict
from harness.scenario import context
from harness.scenario.context import Background
from tests.unit.asserted import asserted

FAILED = ExpectationError(Finding("landing", "billing", Verdict.FAILED, "a call", "none came", 0.0))
MINE = asserted("one is not two", ["/mine/test_rows.py"])
OURS = asserted("a leg has media", [str(context.__file__)])


@pytest.mark.parametrize(
    ("error", "broke"), [(FAILED, False), (MINE, False), (OURS, True), (OSError("gone"), True), (KeyError("x"), True)]
)
def test_what_breaks_is_told_apart_from_what_fails(error: Exception, broke: bool) -> None:
    aside = Background()

    def work() -> None:
        raise error

    aside.start(work)
    with pytest.raises(type(error)):
        aside.join(10)
    assert aside.fatal_error is (error if broke else None)


def test_what_went_well_broke_nothing() -> None:
    aside, done = Background(), list[str]()
    aside.start(lambda: done.append("done"))
    aside.join(10)
    assert (done, aside.fatal_error) == (["done"], None)
