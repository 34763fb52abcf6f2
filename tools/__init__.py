"""Programs that measure and test the harness itself. The wheel does not hold them."""

import os
import sys
from pathlib import Path

#: The checkout.
ROOT = Path(__file__).resolve().parents[1]
#: The command of this environment.
HARNESS = Path(sys.executable).with_name("harness")
CHROMIUM = Path("/usr/bin/chromium")
# Worlds and programs that tools start are on loopback, with certificates among temporary files: that
# files about them may name these takes a user's word, as of any deployment file.
os.environ.setdefault("HARNESS_GRANT", "host=127.* path=/")
