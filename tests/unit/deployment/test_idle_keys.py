"""Keys that mean nothing by themselves: who writes one has forgotten another, and the platform would be held to what is so without."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.deployment.edits import SECRETS, TRUNKS, Edit, mistakes, swapped


@pytest.mark.parametrize(
    ("name", "edit", "said"),
    [
        (
            "live-large",
            swapped('rings = "batches" ', ""),
            'groups.Customer care.batch: 2: without rings all ring at once; allowed: rings = "batches" beside it',
        ),
        (
            "simulated-talkdesk",
            swapped('transfer_caller_id = "fixed"\n', ""),
            'assistants.warm-fixed: fixed_caller_id: not used; allowed: with transfer_caller_id = "fixed"',
        ),
        (
            "simulated-talkdesk",
            swapped('transfer_caller_id = "header"\n', 'transfer_caller_id = "agent"\n'),
            'assistants.warm-header: caller_id_header: not used; allowed: with transfer_caller_id = "header"',
        ),
        (
            "simulated-talkdesk",
            swapped('transfer_caller_id = "fixed"\n', 'transfer_caller_id = "fixed"\ncaller_id_header = "X-Show"\n'),
            'assistants.warm-fixed: caller_id_header: not used; allowed: with transfer_caller_id = "header"',
        ),
    ],
)
def test_what_has_no_effect_without_another_key_is_a_mistake(tmp_path: Path, name: str, edit: Edit, said: str) -> None:
    """Who forgot the other key was held to what is so without it, and a platform that is sound failed."""
    assert mistakes(tmp_path, name, edit, environment=dict.fromkeys([*SECRETS, *TRUNKS], "secret")) == [said]
