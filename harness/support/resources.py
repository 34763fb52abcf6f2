"""What comes with the package besides its code: scenarios, prompts, example deployments, templates.

In a checkout they are top-level folders; the wheel carries copies inside the package (``pyproject.toml``, ``force-include``).
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

#: What is verified when no deployment is named.
DEFAULT_EXAMPLE: Final = "simulated-talkdesk"


def examples() -> dict[str, Path]:
    """The example deployments' files by name, sorted."""
    return {path.stem: path for path in sorted(EXAMPLES.glob("*.toml"))}


@cache
def prompt_names() -> tuple[str, ...]:
    """The names of all spoken prompts, sorted."""
    from harness.support.files import json_file  # ordinary tests load this module, too, and need none of it

    return tuple(sorted(json_file.read(PROMPTS / "manifest.json")["prompts"]))


def is_wav(prompt: str) -> bool:
    """Whether a prompt is a file of the customer's own, and none that comes with the package."""
    return prompt.lower().endswith(".wav")


def deployment_file(path: Path) -> Path:
    """``path``, or the example of that name where there is no such file."""
    with contextlib.suppress(OSError):  # of a name that no file may have; whoever reads it says so
        if path.is_file():
            return path
    return examples().get(str(path), path)
