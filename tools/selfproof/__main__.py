"""``python -m tools.selfproof``."""

import sys

from tools.selfproof.run import main

sys.exit(main())
