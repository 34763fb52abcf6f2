"""The words scenarios are written with: callers, lines, groups, assistants, and what is expected of
them.
"""

from __future__ import annotations

import pytest


def scenario(*names: str) -> pytest.MarkDecorator:
    """Mark a test as the scenario of every row of the matrix that names one of these."""
    return pytest.mark.scenario(*names)
