"""JSON files as they are read back, whoever wrote them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.files import user_files


def read(path: Path, errors: str = "strict") -> Any:
    """What a file of JSON holds, UTF-8 but for what ``errors`` lets pass. Raises ``OSError``, and ``ValueError`` for no JSON."""
    try:
        return json.loads(user_files.read_text(path, user_files.EVIDENCE, errors))
    except RecursionError as error:
        raise ValueError(str(error)) from error  # it is nested too deeply
