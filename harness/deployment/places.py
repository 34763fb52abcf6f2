"""Where things are in the data of a deployment file, checked or not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from harness.support import resources

#: What a key's file holds, by its PEM header (RFC 7468). It is written in forms of various makers
#: ("RSA PRIVATE KEY").
PEM_KINDS: Final[Mapping[str, str]] = {
    "ca_file": "CERTIFICATE",
    "certificate": "CERTIFICATE",
    "private_key": "PRIVATE KEY",
}
_PEM_OWNERS: Final = (
    *("", "synthflow.", "stand_in.", "platform.report."),
    *("accounts.*.", "stand_in.bad_certificates.*."),
)
REPORT, PROMPT, NUMBERS = "report", "prompt", "numbers"
#: Each key that names a file, relative to the deployment file's own directory, and what the file
#: holds.
_FILES: Final[Mapping[str, str]] = {
    **{f"{owner}{key}": kind for owner in _PEM_OWNERS for key, kind in PEM_KINDS.items()},
    "numbers_csv": NUMBERS,
    "platform.report.file": REPORT,
    "witness.directory": REPORT,
    "escalation.prompt": PROMPT,
    "lines.*.say": PROMPT,
    "lines.*.choices.*.say": PROMPT,
    "assistants.*.handovers.*.prompt": PROMPT,
    "assistants.*.handovers.*.then.*": PROMPT,
}
#: A key, what holds its text, and under which name or index.
Place = tuple[str, Any, Any]


def named_files(plain: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any, str]]:
    """Each place that names a file, and what the file holds. A prompt of the package is no file."""
    for pattern, kind in _FILES.items():
        for where, table, key in _at(plain, pattern):
            name = table[key].strip()
            is_file = resources.is_wav(name) if kind == PROMPT else bool(name)
            if is_file or kind in PEM_KINDS.values():
                yield where, table, key, kind


def each_at(plain: Mapping[str, Any], patterns: Iterable[str]) -> Iterator[Place]:
    """Each place of these patterns (``phones.*.user``) that holds text. ``*`` is any key."""
    for pattern in patterns:
        yield from _at(plain, pattern)


def _at(plain: Any, pattern: str) -> Iterator[Place]:
    holders = [("", plain)]
    *tables, last = pattern.split(".")
    for part in tables:
        holders = [
            (f"{where}{key}.", holder[key])
            for where, holder in holders
            for key in _keys(holder, part)
        ]
    for where, holder in holders:
        yield from (
            (f"{where}{key}", holder, key)
            for key in _keys(holder, last)
            if isinstance(holder[key], str)
        )


def _keys(holder: Any, part: str) -> Collection[Any]:
    if isinstance(holder, list) and part == "*":
        return range(len(holder))
    if not isinstance(holder, dict):
        return ()
    return list(holder) if part == "*" else holder.keys() & {part}
