"""``make diagnosis-page``: writes the table of causes in docs/diagnosis.md. A test compares the
page with the catalogue.
"""

from __future__ import annotations

import re

from harness.diagnosis.catalogue import causes
from tools import ROOT

PAGE = ROOT / "docs" / "diagnosis.md"
_TABLE = re.compile(r"(<!-- table: causes -->\n).*?(<!-- end of table -->)", re.DOTALL)


def table() -> str:
    """Each cause with its title, issue and owner."""
    rows = [
        f"| `{name}` | {cause.title} | {cause.issue} | {cause.owner} |"
        for name, cause in causes().items()
    ]
    return "\n".join(["| cause | what it is | issue | owner |", "|---|---|---|---|", *rows, ""])


def renewed(page: str) -> str:
    """The page with its table as the catalogue is now."""
    return _TABLE.sub(lambda match: f"{match[1]}{table()}{match[2]}", page)


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(PAGE)
