"""The calls of a node, and whose a dialog is."""

from __future__ import annotations

from harness.simulation.wire.call import Call
from harness.simulation.wire.dialog import Dialog, DialogId


class Calls:
    """Each with its dialogs, of which an INVITE that forks has several (RFC 3261 section 12)."""

    def __init__(self) -> None:
        self._dialogs_of: dict[Call, set[DialogId]] = {}
        self._by_dialog: dict[DialogId, Call] = {}

    def __len__(self) -> int:
        return len(self._dialogs_of)

    def up(self) -> tuple[Call, ...]:
        """Those that are not over yet, and over ones whose dialog still serves a subscription or a BYE under way."""
        return tuple(self._dialogs_of)

    def of_dialog(self, dialog: DialogId | None) -> Call | None:
        """Whose it is."""
        return self._by_dialog.get(dialog) if dialog is not None else None

    def add(self, call: Call) -> None:
        """It may have no dialog yet."""
        self._dialogs_of.setdefault(call, set())

    def add_dialog(self, dialog: Dialog, call: Call) -> None:
        """Requests of that dialog belong to that call."""
        self._by_dialog[dialog.id] = call
        self._dialogs_of.setdefault(call, set()).add(dialog.id)

    def forget_dialog(self, dialog: Dialog) -> None:
        """A fork is gone."""
        call = self._by_dialog.pop(dialog.id, None)
        if call is not None and call in self._dialogs_of:
            self._dialogs_of[call].discard(dialog.id)

    def forget(self, call: Call) -> None:
        """Nothing needs its dialogs any longer."""
        for dialog in self._dialogs_of.pop(call, ()):
            self._by_dialog.pop(dialog, None)
