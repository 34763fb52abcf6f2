"""``python -m tools.ci nightly``; called by ``.ci/nightly``."""

from __future__ import annotations

import sys

from tools.ci import nightly

if __name__ == "__main__":
    sys.exit(nightly.main(sys.argv[2:]))
