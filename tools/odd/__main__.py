"""``python -m tools.odd``."""

import sys

from tools.odd.run import main

sys.exit(main())
