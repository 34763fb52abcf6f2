"""``python -m tools.shapes``."""

import sys

from tools.shapes.run import main

if __name__ == "__main__":
    sys.exit(main())
