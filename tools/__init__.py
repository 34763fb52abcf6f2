"""Programs that measure and test the harness itself. The wheel does not hold them."""

import sys
from pathlib import Path

#: The checkout.
ROOT = Path(__file__).resolve().parents[1]
#: The command of this environment.
HARNESS = Path(sys.executable).with_name("harness")
CHROMIUM = Path("/usr/bin/chromium")
