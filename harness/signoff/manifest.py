"""SHA-256 of every file of evidence: ``signoff.manifest.json``, written when the run ends.

Evidence is all that the run directory holds but its views (reports, results, the sign-off itself), which are made of it and
can be made again. A file nobody knows is an added one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from harness.errors import MistakeError
from harness.files import json_file, whole_file

FILE = "signoff.manifest.json"

#: Made of the evidence, so no evidence: the run's own files by these names.
_VIEWS = frozenset({"junit.xml", "summary.json", "causes.json", "control"})
_VIEWS_BEGIN = ("signoff.", "report", "allure")


def files(run: Path) -> Iterator[Path]:
    """Every file of evidence, links not followed."""
    for entry in sorted(run.iterdir()):
        if _is_view(entry.name):
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield from (path for path in sorted(entry.rglob("*")) if path.is_symlink() or not path.is_dir())
        else:
            yield entry


def _is_view(name: str) -> bool:
    return name in _VIEWS or name.startswith(_VIEWS_BEGIN) or whole_file.is_partial(name)


def measure(run: Path) -> dict[str, str]:
    """Each file of evidence with its SHA-256; of a link what it says, not where it leads."""
    return {path.relative_to(run).as_posix(): _digest(path) for path in files(run)}


def write(run: Path) -> Path:
    """Write the manifest of a run."""
    path = run / FILE
    plain = {"algorithm": "sha256", "files": measure(run)}
    whole_file.write(path, json.dumps(plain, indent=1, sort_keys=True) + "\n")
    return path


def read(run: Path) -> dict[str, str]:
    """The digests that were written. Raises :class:`MistakeError` where there are none."""
    try:
        found = json_file.read(run / FILE)["files"]
    except FileNotFoundError:
        raise MistakeError(
            f"{run / FILE}: is missing: the run has no manifest; allowed: the directory of a run"
        ) from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise MistakeError(f"{run / FILE}: cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise MistakeError(f"{run / FILE}: holds no list of files")
    # what an older manifest counts among the evidence, and is none
    return {str(name): str(value) for name, value in found.items() if not _is_view(str(name).partition("/")[0])}


def differences(run: Path) -> list[str]:
    """What is not as the manifest has it: a line for each changed, missing or added file."""
    written, measured = read(run), measure(run)
    return [
        *(f"{name}: is missing" for name in sorted(written.keys() - measured.keys())),
        *(f"{name}: was added" for name in sorted(measured.keys() - written.keys())),
        *(
            f"{name}: was changed"
            for name in sorted(written.keys() & measured.keys())
            if written[name] != measured[name]
        ),
    ]


def digest(path: Path) -> str:
    """SHA-256 of one file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(path: Path) -> str:
    if path.is_symlink():
        return "link:" + hashlib.sha256(str(path.readlink()).encode()).hexdigest()
    return digest(path) if path.is_file() else "special"
