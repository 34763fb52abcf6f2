"""``python -m tools.accuracy``."""

import sys

from tools.accuracy.run import main

if __name__ == "__main__":
    sys.exit(main())
