"""``python -m tools.interop``."""

import sys

from tools.interop.run import main

sys.exit(main())
