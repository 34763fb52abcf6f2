"""What a child process gets of this one's environment: nothing that could be a secret."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

#: What programs need to start, find their files and speak; passwords and tokens have names of the customer's own choosing.
_NEEDED = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TERM|TMPDIR|XDG_RUNTIME_DIR|LD_LIBRARY_PATH|VIRTUAL_ENV|PYTHON\w*"
    r"|COVERAGE_PROCESS_\w+|SSL_CERT_FILE|SSL_CERT_DIR|OPENBLAS_NUM_THREADS|SYSTEMROOT"
)


def of_a_child(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """``environment`` (by default this process's own) without what a child has no need of."""
    found = os.environ if environment is None else environment
    return {name: value for name, value in found.items() if _NEEDED.fullmatch(name)}
