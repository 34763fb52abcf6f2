"""SHA-256 of every file of evidence: ``signoff.manifest.json``, written once, when the run ends.

Evidence is every file of the run directory except its views (reports, results, the sign-off
itself). Views are made from the evidence and can be made again. They are known by their exact
names: any other file counts as added.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from harness.diagnosis.catalogue import people
from harness.errors import MistakeError
from harness.report import allure, html
from harness.report.bundle import ALL, TABLE, bundle_name
from harness.report.owners import page_of
from harness.report.processes import each
from harness.report.run_directory import ALLURE, CASES, CAUSES, JUNIT, REPORT, SUMMARY
from harness.support.files import json_file, user_files, whole_file

FILE = "signoff.manifest.json"
HTML, PDF = "signoff.html", "signoff.pdf"
ATTESTATION = "signoff.intoto.json"
WAIVERS = "signoff.waivers.toml"

_SIGN_OFF = frozenset({FILE, HTML, PDF, ATTESTATION, WAIVERS})
_VIEWS = frozenset(
    {REPORT, TABLE, JUNIT, SUMMARY, CAUSES, allure.CONFIG, allure.GATE, *map(page_of, people())}
)
_VIEW_DIRECTORIES = frozenset({ALLURE, allure.REPORT, html.PARTS})
_CONTROL = "control"  #: the locks of a run under way, or a link to them
#: What a killed process left half written.
_PARTIAL = re.compile(rf"\.(.+)\.\d+{re.escape(whole_file.PARTIAL)}")


def files(run: Path) -> Iterator[Path]:
    """Every file of evidence, links not followed."""
    for entry in _entries(run):
        yield from _files_of(entry)


def _entries(run: Path) -> Iterator[Path]:
    """The entries of the run directory that are evidence; those of its cases instead of the
    directory that holds them.
    """
    bundles = _bundles(run)
    for entry in run.iterdir():
        if _is_view(entry, bundles) or (entry.name in _SIGN_OFF and entry.is_file()):
            continue
        if entry.name == CASES and entry.is_dir() and not entry.is_symlink():
            yield from entry.iterdir()
        else:
            yield entry


def _files_of(entry: Path) -> Iterator[Path]:
    """The file itself, or every file below a directory."""
    if entry.is_symlink() or not entry.is_dir():
        yield entry
        return
    for directory, directories, names in os.walk(entry):
        here = Path(directory)
        yield from (here / name for name in names)
        yield from (here / name for name in directories if (here / name).is_symlink())


def views(run: Path) -> list[str]:
    """Names of the views that are there: neither the manifest nor the signature covers them."""
    bundles = _bundles(run)
    return sorted(entry.name for entry in run.iterdir() if _is_view(entry, bundles))


def _is_view(entry: Path, bundles: frozenset[str]) -> bool:
    if entry.name == _CONTROL:
        return True
    if entry.is_dir() and not entry.is_symlink():
        return entry.name in _VIEW_DIRECTORIES
    partial = _PARTIAL.fullmatch(entry.name)
    name = partial[1] if partial else entry.name
    return name in _VIEWS or name in bundles or (partial is not None and name in _SIGN_OFF)


def _bundles(run: Path) -> frozenset[str]:
    """The names that ``harness report --zip`` gives the bundles of this run."""
    if not any(run.glob("report-*.zip*")):
        return frozenset()
    names = [ALL]
    if (run / CASES).is_dir():
        names += [path.name for path in (run / CASES).iterdir()]
    return frozenset(map(bundle_name, names))


def measure(run: Path) -> dict[str, str]:
    """Each file of evidence with its SHA-256; of a link what it says, not where it leads."""
    measured = each(partial(_measure, run), list(_entries(run)))
    return dict(itertools.chain.from_iterable(measured))


def _measure(run: Path, entry: Path) -> list[tuple[str, str]]:
    return [(path.relative_to(run).as_posix(), _digest(path)) for path in _files_of(entry)]


def write(run: Path) -> Path:
    """Write the manifest of a run."""
    return _write(run, measure(run))


def _write(run: Path, digests: Mapping[str, str]) -> Path:
    path = run / FILE
    document = {"algorithm": "sha256", "files": digests}
    whole_file.write(path, json.dumps(document, indent=1, sort_keys=True) + "\n")
    return path


def renew(run: Path, changed: Iterable[Path]) -> None:
    """Put the digests of files that were added after the run's end into its manifest, if it has
    one; all others stay.
    """
    if (run / FILE).exists():
        digests = read(run)
        for file in changed:
            digests[file.relative_to(run).as_posix()] = _digest(file)
        _write(run, digests)


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
    return {str(name): str(value) for name, value in found.items()}


def differences(run: Path) -> list[str]:
    """What is not as the manifest has it: a line for each changed, missing or added file."""
    written, measured = read(run), measure(run)
    found = [f"{name}: is missing" for name in sorted(written.keys() - measured.keys())]
    found += [f"{name}: was added" for name in sorted(measured.keys() - written.keys())]
    for name in sorted(written.keys() & measured.keys()):
        if written[name] != measured[name]:
            found.append(f"{name}: was changed")
    return found


def digest(path: Path) -> str:
    """SHA-256 of one file."""
    with user_files.opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(path: Path) -> str:
    if path.is_symlink():
        return "link:" + hashlib.sha256(str(path.readlink()).encode()).hexdigest()
    return digest(path) if path.is_file() else "special"
