"""Copies every page to one directory, with links that hold there; looks at what was built.

The pages stay readable where they are: some stand outside of ``docs/``, and link to files of the
repository. A page of the root gets a name of its own in the site; a file that a page links to
becomes a page that shows it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from harness.diagnosis.catalogue import causes
from tools import ROOT

#: Pages outside of docs/, by the name they have in the site.
ELSEWHERE = {
    "architecture.md": "ARCHITECTURE.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "deploy.md": "deploy/README.md",
}
#: Where a link to it leads instead.
_INSTEAD = {"README.md": "index.md"}
_LINK = re.compile(r"(?<=\]\()([^)\s#]+)(#[^)\s]*)?(?=\))")
_LANGUAGES = {".py": "python", ".toml": "toml", ".yml": "yaml", ".csv": "text", ".json": "json"}


_CAUSES = "<!-- table: causes -->"


def causes_table() -> str:
    """Each cause with its title, issue and owner; only the site has it, made anew each time."""
    rows = [
        f"| `{name}` | {cause.title} | {cause.issue} | {cause.owner} |"
        for name, cause in causes().items()
    ]
    return "\n".join(["| cause | what it is | issue | owner |", "|---|---|---|---|", *rows])


def sources() -> dict[str, Path]:
    """Name in the site → the file it is made from."""
    pages = {path.name: path for path in sorted((ROOT / "docs").glob("*.md"))}
    return pages | {name: ROOT / source for name, source in ELSEWHERE.items()}


def stage(into: Path) -> None:
    """Write all pages and pictures there. Raises ``ValueError`` with a line for each link that
    leads nowhere.
    """
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    shutil.copytree(ROOT / "docs" / "images", into / "images")
    names = {
        source.relative_to(ROOT).as_posix(): name for name, source in sources().items()
    } | _INSTEAD
    shown: set[Path] = set()
    mistakes: list[str] = []

    def led(match: re.Match[str], source: Path) -> str:
        target, anchor = match[1], match[2] or ""
        if re.match(r"[a-z]+:", target):
            return match[0]
        path = (source.parent / target).resolve()
        if not path.is_relative_to(ROOT) or not path.is_file():
            mistakes.append(f"{source.relative_to(ROOT)}: {target}: no such file")
            return match[0]
        inside = path.relative_to(ROOT).as_posix()
        if inside in names:
            return names[inside] + anchor
        if inside.startswith("docs/images/"):
            return inside.removeprefix("docs/")
        shown.add(path)
        return f"files/{inside}.md"

    for name, source in sources().items():
        text = _LINK.sub(
            lambda match, source=source: led(match, source),  # type: ignore[misc]
            source.read_text(encoding="utf-8"),
        ).replace(_CAUSES, causes_table())
        (into / name).write_text(text, encoding="utf-8")
    if mistakes:
        raise ValueError("\n".join(mistakes))
    for path in shown:
        _show(path, into / "files" / f"{path.relative_to(ROOT)}.md")


def _show(path: Path, page: Path) -> None:
    page.parent.mkdir(parents=True, exist_ok=True)
    language = _LANGUAGES.get(path.suffix, "text")
    title = path.relative_to(ROOT).as_posix()
    page.write_text(
        f"# {title}\n\n````{language}\n{path.read_text(encoding='utf-8')}````\n", encoding="utf-8"
    )


_LOADS = re.compile(
    r"""<(?:script|img|iframe|audio|video|source)\b[^>]*?\bsrc=["']?([^"'\s>]+)|<link\b[^>]*?\bhref=["']?([^"'\s>]+)"""
)
_FROM_CSS = re.compile(r"""url\(["']?([^"')]+)|@import\s+["']([^"']+)""")
_LEADS = re.compile(r"""<a\b[^>]*?\bhref=["']?([^"'\s>]+)""")


def faults(site: Path) -> Iterator[str]:
    """A line for everything that a reader's browser would fetch from elsewhere, and for each link
    within that leads nowhere.
    """
    for page in sorted(site.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        name = page.relative_to(site)
        loads = [one or other for one, other in _LOADS.findall(text)]
        for target in [*loads, *_LEADS.findall(text)]:
            if re.match(r"(https?:)?//", target):
                if target in loads:
                    yield f"{name}: fetches {target}"
            elif not target.startswith(("#", "data:", "mailto:", "javascript:")):
                path = target.partition("#")[0].partition("?")[0]
                # The page for what is not found has them from the root.
                base = site if path.startswith("/") else page.parent
                if not Path(os.path.normpath(base / path.lstrip("/"))).exists():
                    yield f"{name}: {target}: leads nowhere"
    for sheet in sorted(site.rglob("*.css")):
        for one, other in _FROM_CSS.findall(sheet.read_text(encoding="utf-8")):
            if re.match(r"(https?:)?//", one or other):
                yield f"{sheet.relative_to(site)}: fetches {one or other}"
