"""``python -m tools.accuracy``."""

import sys

from tools.accuracy.run import main

sys.exit(main())
