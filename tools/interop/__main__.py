"""``python -m tools.interop``."""

import sys

from tools.interop.run import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
