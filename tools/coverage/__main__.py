"""``python -m tools.coverage``."""

import sys

from tools.coverage.run import main

sys.exit(main())
