"""``python -m tools.selfproof``."""

import sys

from tools.selfproof.run import main

if __name__ == "__main__":
    sys.exit(main())
