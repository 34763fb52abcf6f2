"""See :mod:`tools.strangers.run`."""

import sys

from tools.strangers.run import main

sys.exit(main())
