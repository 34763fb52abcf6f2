"""``uv export --format cyclonedx1.5 | python -m tools.supply_chain``."""

import sys

from tools.supply_chain.licences import main

if __name__ == "__main__":
    sys.exit(main(sys.stdin.read()))
