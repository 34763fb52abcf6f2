"""Programs that measure and test the harness itself. The wheel does not hold them."""

import json
import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: The checkout.
ROOT = Path(__file__).resolve().parents[1]
#: The command of this environment.
HARNESS = Path(sys.executable).with_name("harness")
CHROMIUM = Path("/usr/bin/chromium")
# Worlds and programs that tools start are on loopback, with certificates among temporary files: that
# files about them may name these takes a user's word, as of any deployment file.
os.environ.setdefault("HARNESS_GRANT", "host=127.* path=/")


def read_toml(path: Path) -> dict[str, Any]:
    """A table of constants, or a deployment file."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def read_json(path: Path) -> Any:
    """What a program left. Raises ``OSError``, ``ValueError``."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, figures: Mapping[str, Any]) -> None:
    """Leave a program's figures in ``path``, whose directory is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(figures, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def in_a_line(figures: Mapping[str, Any]) -> str:
    """The figures that are numbers."""
    numbers = {name: each for name, each in figures.items() if isinstance(each, int | float)}
    return "  ".join(f"{name} {number}" for name, number in numbers.items())
