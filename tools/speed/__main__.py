"""``python -m tools.speed``."""

import sys

from tools.speed.run import main

if __name__ == "__main__":
    sys.exit(main())
