"""JSON files as they are read back, whoever wrote them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read(path: Path, errors: str = "strict") -> Any:
    """What a file of JSON holds, UTF-8 but for what ``errors`` lets pass. Raises ``OSError``, and ``ValueError`` for no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8", errors=errors))
    except RecursionError as error:
        raise ValueError(str(error)) from error  # it is nested too deeply
