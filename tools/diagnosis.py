"""``make diagnosis-page``: writes the tables of docs/diagnosis.md anew, every cause and every cell of symptom × place.

A test holds the page to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.diagnosis.causes import CAUSES
from harness.diagnosis.cells import KINDS, PLACES, UNTOLD, Cell
from harness.diagnosis.rule import Rule
from harness.diagnosis.rules import rules_of
from tools import ROOT

PAGE = ROOT / "docs" / "diagnosis.md"
_INTEGRATIONS = ("talkdesk", "gladly")


def rules() -> list[Rule]:
    """Every rule once, whichever integration has it."""
    return list({rule.id: rule for name in _INTEGRATIONS for rule in rules_of(name)}.values())


def causes_table() -> str:
    """Each cause with its owner and what shows it."""
    lines = ["| cause | issue | owner | shown by |", "|---|---|---|---|"]
    for name, described in CAUSES.items():
        shown = "; or ".join(dict.fromkeys(rule.because for rule in rules() if rule.cause == name))
        lines.append(f"| `{name}` | {described.issue} | {described.owner} | {shown} |")
    return "\n".join(lines)


def cells_table() -> str:
    """Each kind of fault by place: the rules that tell it, or why nothing can."""
    lines = ["| wrong with the leg | " + " | ".join(PLACES) + " |", "|---" * (len(PLACES) + 1) + "|"]
    for kind in KINDS:
        cells = [_cell((kind, place)) for place in PLACES]
        lines.append(f"| **{kind}** | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def rules_at(cell: Cell) -> list[str]:
    """The ids of a cell's rules."""
    return [rule.id for rule in rules() if cell in rule.cells]


def _cell(cell: Cell) -> str:
    found = rules_at(cell)
    return ", ".join(f"`{rule}`" for rule in found) if found else f"*{UNTOLD[cell]}*"


def renewed(page: str) -> str:
    """The page with its tables as they are now."""
    for name, table in (("causes", causes_table()), ("cells", cells_table())):
        begin, end = f"<!-- table: {name} -->", "<!-- end of table -->"
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    return page


def tables_of(page: str) -> Iterator[str]:
    """The tables that stand in a page."""
    yield from re.findall(r"<!-- table: \w+ -->\n(.*?)\n<!-- end of table -->", page, flags=re.S)


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(PAGE)
