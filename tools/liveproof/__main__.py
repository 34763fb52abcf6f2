"""``python -m tools.liveproof``."""

import sys

from tools.liveproof.run import main

sys.exit(main())
