"""``python -m tools.wheel``."""

import sys

from tools.wheel.run import main

sys.exit(main())
