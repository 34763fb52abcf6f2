"""Annotations for GitHub Actions: what did not pass is shown on the summary page of the workflow.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from harness.report.causes import CauseGroup
from harness.report.markup import number_of

#: GitHub's runner sets it to ``true``.
_VARIABLE = "GITHUB_ACTIONS"


def workflow_commands(groups: Sequence[CauseGroup], broke: Iterable[str]) -> Iterator[str]:
    """A workflow command for each cause, and for what ``broke`` outside of any case; none where
    this is no job of GitHub Actions.
    """
    if os.environ.get(_VARIABLE) != "true":
        return
    for group in groups:
        count = number_of(len(group.cases), "case")
        said = {"fix": group.said("fix"), "owner": group.owner, "where": group.where}
        lines = [group.headline]
        lines += [f"{name}: {words}" for name, words in said.items() if words]
        lines.append(f"rows: {', '.join(group.rows)}")
        yield _error(f"{group.verdict}: {count}", "\n".join(lines))
    for line in broke:
        yield _error("broken outside of any case", line)


def _error(title: str, message: str) -> str:
    return f"::error title={_escaped(title, ':,')}::{_escaped(message)}"


def _escaped(text: str, more: str = "") -> str:
    """As @actions/core escapes: a line break would end the command."""
    return "".join(f"%{ord(c):02X}" if c in f"%\r\n{more}" else c for c in text)
