"""The registry of a node's calls and their dialogs."""

from __future__ import annotations

from harness.world.wire.call import Call
from harness.world.wire.dialog import Dialog, DialogId


class Calls:
    """Calls with their dialogs: an INVITE that forks has several (RFC 3261 section 12)."""

    def __init__(self) -> None:
        self._dialogs_of: dict[Call, set[DialogId]] = {}
        self._by_dialog: dict[DialogId, Call] = {}

    def __len__(self) -> int:
        return len(self._dialogs_of)

    def up(self) -> tuple[Call, ...]:
        """Calls that are not over, and those whose dialog still serves a subscription or a BYE under way."""
        return tuple(self._dialogs_of)

    def of_dialog(self, dialog: DialogId | None) -> Call | None:
        """The call that a dialog belongs to."""
        return self._by_dialog.get(dialog) if dialog is not None else None

    def add(self, call: Call) -> None:
        """Register a call; it may have no dialog yet."""
        self._dialogs_of.setdefault(call, set())

    def add_dialog(self, dialog: Dialog, call: Call) -> None:
        """Requests of that dialog belong to that call."""
        self._by_dialog[dialog.id] = call
        self._dialogs_of.setdefault(call, set()).add(dialog.id)

    def forget_dialog(self, dialog: Dialog) -> None:
        """Forget a dialog of a forked INVITE."""
        call = self._by_dialog.pop(dialog.id, None)
        if call is not None and call in self._dialogs_of:
            self._dialogs_of[call].discard(dialog.id)

    def forget(self, call: Call) -> None:
        """Forget a call and all its dialogs."""
        for dialog in self._dialogs_of.pop(call, ()):
            self._by_dialog.pop(dialog, None)
