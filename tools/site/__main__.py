"""``python -m tools.site``: stages, builds strictly, and checks; exit code 1 for a page that is not
as it should be.
"""

from __future__ import annotations

import subprocess
import sys

from tools import ROOT
from tools.site.stage import faults, stage

SITE = ROOT / "reports" / "site"


def main() -> int:
    """Build the site into ``reports/site/html``."""
    try:
        stage(SITE / "pages")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    uv = [
        str(ROOT / ".uv" / "bin" / "uv"),
        "run",
        "-q",
        "--isolated",
        "--locked",
        "--only-group",
        "docs",
    ]
    done = subprocess.run([*uv, "zensical", "build", "--clean", "--strict"], cwd=ROOT, check=False)
    wrong = list(faults(SITE / "html")) if done.returncode == 0 else []
    for line in wrong:
        print(line, file=sys.stderr)
    if done.returncode == 0 and not wrong:
        print(SITE / "html" / "index.html")
    return 1 if done.returncode or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
