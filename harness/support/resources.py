"""The package's files other than code: scenarios, prompts, example deployments, templates.

In a checkout they are top-level folders; the wheel contains copies inside the package
(``pyproject.toml``, ``force-include``).
"""

from __future__ import annotations

import contextlib
from functools import cache
from pathlib import Path
from typing import Final

_HERE = Path(__file__).resolve().parent
_IN_WHEEL = _HERE / "_resources"

ROOT: Final = _IN_WHEEL if (_IN_WHEEL / "scenarios").is_dir() else _HERE.parents[1]
SCENARIOS: Final = ROOT / "scenarios"
EXAMPLES: Final = SCENARIOS / "deployments"
PROMPTS: Final = ROOT / "audio_fixtures" / "prompts"
TEMPLATES: Final = ROOT / "deploy"

#: The deployment that is verified when none is named.
DEFAULT_EXAMPLE: Final = "simulated-talkdesk"


def examples() -> dict[str, Path]:
    """The example deployments' files by name, sorted."""
    return {path.stem: path for path in sorted(EXAMPLES.glob("*.toml"))}


@cache
def prompt_names() -> tuple[str, ...]:
    """The names of all spoken prompts, sorted."""
    from harness.support.files import (
        json_file,
    )  # imported late: other users of this module do not need it

    return tuple(sorted(json_file.read(PROMPTS / "manifest.json")["prompts"]))


def is_wav(prompt: str) -> bool:
    """Whether a prompt is the customer's file, not one of the package's prompts."""
    return prompt.lower().endswith(".wav")


def deployment_file(path: Path) -> Path:
    """``path``, or the example deployment of that name if the file does not exist."""
    with contextlib.suppress(OSError):  # an invalid file name is reported when the file is read
        if path.is_file():
            return path
    return examples().get(str(path), path)
