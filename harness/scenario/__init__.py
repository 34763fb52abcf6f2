"""The words scenarios are written with: callers, lines, groups, assistants, and what is expected of them."""

from __future__ import annotations

import pytest


def row(*ids: str) -> pytest.MarkDecorator:
    """Mark a test as the scenario of these rows of the matrix."""
    return pytest.mark.row(*ids)
