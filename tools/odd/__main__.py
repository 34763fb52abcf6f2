"""``python -m tools.odd``."""

import sys

from tools.odd.run import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
