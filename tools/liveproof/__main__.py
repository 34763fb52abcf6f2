"""``python -m tools.liveproof``."""

import sys

from tools.liveproof.run import main

if __name__ == "__main__":
    sys.exit(main())
