"""Files of another user: given away where the tests run as root, else only the system's answers say
so.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

#: The user "nobody" of most systems; it need not exist.
_OTHER = 65534


def give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have ``path`` belong to another user."""
    if os.geteuid() == 0:
        os.chown(path, _OTHER, -1, follow_symlinks=False)
        return
    inode = path.lstat().st_ino
    for name in ("stat", "lstat", "fstat"):
        monkeypatch.setattr(os, name, _with_another_owner(getattr(os, name), inode))


def _with_another_owner(real: Any, inode: int) -> Any:
    def changed(*arguments: Any, **keywords: Any) -> os.stat_result:
        found: os.stat_result = real(*arguments, **keywords)
        return os.stat_result((*found[:4], _OTHER, *found[5:])) if found.st_ino == inode else found

    return changed
