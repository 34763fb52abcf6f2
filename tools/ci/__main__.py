"""``python -m tools.ci run`` and ``python -m tools.ci nightly``: ``.ci/run`` and ``.ci/nightly``,
where the environment is built.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Final

from tools.ci import nightly, submission

TIERS: Final[dict[str, Callable[[Sequence[str]], int]]] = {
    "run": submission.main,
    "nightly": nightly.main,
}

if __name__ == "__main__":
    sys.exit(TIERS[sys.argv[1]](sys.argv[2:]))
