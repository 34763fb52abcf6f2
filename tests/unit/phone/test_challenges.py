"""A challenge without an answer says by which rule, for programs, and in words, for people."""

from __future__ import annotations

import pytest

from harness.events import WithheldBy
from harness.phone.child.challenges import Challenges


@pytest.mark.parametrize(
    ("realm", "first", "then", "rule"),
    [
        ("acme", None, 'Digest realm="evil"', "realm configured"),
        ("", 'Digest realm="acme"', 'Digest realm="evil"', "first realm"),
        ("acme", 'Digest realm="acme", algorithm=SHA-256', 'Digest realm="acme"', "stronger algorithm"),
        ("acme", 'Digest realm="acme"', 'Digest realm="acme", algorithm=SHA-256', None),
    ],
)
def test_what_is_withheld_says_by_which_rule(realm: str, first: str | None, then: str, rule: WithheldBy | None) -> None:
    challenges = Challenges(realm)
    if first is not None:
        assert challenges.withheld("INVITE", [first]) == [None]
    (withheld,) = challenges.withheld("INVITE", [then])
    assert (withheld and withheld.rule) == rule
