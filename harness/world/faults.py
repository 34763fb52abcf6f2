"""The faults that a tenant can have (``faults.toml``), and which of them are on.

A fault is read at the one place that decides the behaviour it changes.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from harness.errors import SelectionError
from harness.support.files import user_files
from harness.support.model_words import instead


@dataclass(frozen=True)
class Fault:
    """A row of the table."""

    name: str
    issue: str
    shows: str
    integrations: tuple[str, ...] = ("talkdesk", "gladly", "generic")
    per_line: bool = True


_TABLE = tomllib.loads(
    user_files.read_text(Path(__file__).with_name("faults.toml"), user_files.SETTINGS)
)
FAULTS: Final = {
    name: Fault(name, issue, **row) for issue, rows in _TABLE.items() for name, row in rows.items()
}
#: What each makes of Synthflow's certificate.
BAD_CERTIFICATES: Final = {"certificate-expired": "expired", "certificate-wrong-name": "wrong-name"}


def listed() -> list[dict[str, object]]:
    """Every fault, JSON-ready."""
    return [asdict(fault) for fault in FAULTS.values()]


class Faults:
    """The faults that a tenant has now. ``lines`` are the deployment's.

    `on` is asked where a fault changes something, and notes that it has; `is_set` is asked for what
    is only set up. A change takes effect with the next such question: calls past that point go on
    as they are.
    """

    def __init__(self, integration: str, lines: frozenset[str]) -> None:
        # A customer's own integration is simulated as an SBC.
        known = any(integration in fault.integrations for fault in FAULTS.values())
        self._integration = integration if known else "generic"
        self._lines = lines
        self._on: dict[str, set[str | None]] = {}
        #: Those that have changed a behaviour since a fault was set or cleared.
        self.acted: set[str] = set()
        #: Called after each change, for what a tenant sets up once and not per call.
        self.on_change: list[Callable[[], None]] = []

    def __bool__(self) -> bool:
        return bool(self._on)

    def is_set(self, name: str, line: str | None = None) -> bool:
        """Whether the fault is on for the tenant, or for that line."""
        assert name in FAULTS, name
        places = self._on.get(name, ())
        return None in places or line in places

    def on(self, name: str, line: str | None = None) -> bool:
        """The same, for a place that acts on it: the fault then counts as one that acted."""
        is_set = self.is_set(name, line)
        if is_set:
            self.acted.add(name)
        return is_set

    def set(self, name: str, line: str | None = None) -> None:
        """Turn a fault on. Raises :class:`SelectionError` for a fault or line that does not exist
        here.
        """
        self._require(name, line)
        self._on.setdefault(name, set()).add(line)
        self._changed()

    def clear(self, name: str, line: str | None = None) -> None:
        """Turn a fault off. Raises :class:`SelectionError` as :meth:`set` does."""
        self._require(name, line)
        places = self._on.get(name, set())
        places.discard(line)
        if not places:
            self._on.pop(name, None)  # `__bool__` asks whether any fault is on
        self._changed()

    def clear_all(self) -> None:
        """Turn all faults off."""
        self._on.clear()
        self._changed()

    def listed(self) -> list[str]:
        """The faults that are on, as ``NAME`` or ``NAME@LINE``."""
        return sorted(
            f"{name}@{line}" if line else name
            for name, places in self._on.items()
            for line in places
        )

    def _changed(self) -> None:
        for listener in self.on_change:
            listener()
        self.acted.clear()  # setting it up is no call

    def _require(self, name: str, line: str | None) -> None:
        here = [fault.name for fault in FAULTS.values() if self._integration in fault.integrations]
        if name not in here:
            hint = instead(name, here, "harness faults")
            if name in FAULTS:
                hint = f"; it is one of {FAULTS[name].integrations[0]}"
            raise SelectionError(f"fault {name}: not one of {self._integration}{hint}")
        if line is None:
            return
        if not FAULTS[name].per_line:
            raise SelectionError(f"fault {name}@{line}: concerns the whole tenant; allowed: {name}")
        if line not in self._lines:
            hint = instead(line, self._lines, "harness verify --plan")
            raise SelectionError(f"fault {name}@{line}: no such line{hint}")
