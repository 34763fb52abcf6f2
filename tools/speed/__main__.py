"""``python -m tools.speed``."""

import sys

from tools.speed.run import main

sys.exit(main())
