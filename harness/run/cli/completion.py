"""What a shell completes beyond commands and options."""

from __future__ import annotations

from harness import integrations
from harness.errors import HarnessError
from harness.run.plugin.worlds import list_faults


def row_ids(incomplete: str) -> list[str]:
    """The rows that begin so."""
    rows = {row.id for one in integrations.loadable() for row in one.rows}
    return sorted(row for row in rows if row.startswith(incomplete))


def fault_names(incomplete: str) -> list[str]:
    """The faults that begin so; none where the simulated world cannot say which there are."""
    try:
        found = list_faults()
    except HarnessError:
        return []
    return sorted(name for fault in found if (name := str(fault["name"])).startswith(incomplete))
