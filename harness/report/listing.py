"""Each case as the report lists it and opens it; of very many cases on all cores, since each is made for itself."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from harness.calls.verdict import Verdict
from harness.report import metrics
from harness.report.callfacts import numbers_of
from harness.report.case_page import CasePage
from harness.report.evidence import CaseEvidence
from harness.report.labels import labels
from harness.report.processes import each
from harness.support.files import whole_file

#: Where a case was verified: what of its data says so, with the word that stands before it in the list.
_AT = {"deployment": "of", "site": "at"}


@dataclass(frozen=True, kw_only=True)
class Task:
    """One case to be made. ``home`` is the report's directory, ``command`` the run's own."""

    case: CaseEvidence
    home: Path
    command: str
    causes: Sequence[int]  #: the groups it stands in
    owners: Sequence[str]  #: whose these causes are, each once
    inline: bool  #: whether it stands in the page as it is
    parts: Path | None  #: where it lies as a file of its own, where it is in none
    places: Collection[str] = ()  #: what of deployment and site the run has several of


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One case as it was made."""

    fields: dict[str, Any]  #: what the page's template shows of it
    words: str  #: what a search goes through
    times: tuple[metrics.Time, ...]  #: of a case that passed


def place_of(case: Mapping[str, object], name: str) -> str:
    """The deployment or the site of a case's plain data."""
    return str(case.get(name) or ("local" if name == "site" else ""))


def places_of(cases: Iterable[Mapping[str, object]]) -> list[str]:
    """What of deployment and site cases have to be told apart by."""
    cases = list(cases)
    return [name for name in _AT if len({place_of(case, name) for case in cases}) > 1]


def make(task: Task) -> Listed:
    """Make one case, and its file where it has one."""
    page = CasePage.of(task.case, task.home, task.command)
    case = task.case
    fields = {
        "key": page.key,
        "verdict": str(case.verdict),
        "integration": case.integration,
        "row": case.row,
        "wall_s": case.wall_s,
        "headline": "" if case.verdict is Verdict.PASSED else case.headline,
        "group": task.causes[0] if task.causes else None,
        "causes": task.causes,
        "axes": {name: place_of(case.case, name) for name in task.places} | case.axes,
        "labels": labels(case) | {name: f"{_AT[name]} {place_of(case.case, name)}" for name in task.places},
        "owners": task.owners,
        "numbers": numbers_of(page.legs),
        **_detail(page, task),
    }
    passed = case.verdict is Verdict.PASSED
    return Listed(
        fields=fields, words=page.words(), times=tuple(metrics.times(case, page.legs, page.manners)) if passed else ()
    )


def make_all(tasks: Sequence[Task]) -> Iterator[Listed]:
    """Make every case, in this order."""
    return each(make, tasks)


def _detail(page: CasePage, task: Task) -> dict[str, str]:
    """What opens: in the page as it is, deflated in the page, or in a file beside it, which then links the recordings."""
    if task.inline:
        return {"detail": Markup(page.html()), "packed": ""}
    deflated = packed(page.html(linked=task.parts is not None))
    if task.parts is None:
        return {"detail": "", "packed": deflated}
    write_part(task.parts, page.key, deflated)
    return {"detail": "", "packed": ""}


def write_part(parts: Path, name: str, deflated: str) -> None:
    """Write a script that hands ``deflated`` to the page."""
    whole_file.write(parts / f"{name}.js", f"part({json.dumps(name)}, {json.dumps(deflated)});\n")


def packed(text: str) -> str:
    """The text deflated, in base64."""
    return base64.b64encode(zlib.compress(text.encode("utf-8", "replace"), 6)).decode("ascii")


def each_once(groups: Iterable[Sequence[CaseEvidence]]) -> list[CaseEvidence]:
    """The cases of all groups, each where it stands first."""
    return list({id(case): case for group in groups for case in group}.values())
