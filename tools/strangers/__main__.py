"""``python -m tools.strangers``."""

import sys

from tools.strangers.run import main

sys.exit(main())
