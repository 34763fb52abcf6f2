"""What a process of the harness starts with: no secrets in the environment of its children, and as many open files as allowed."""

from __future__ import annotations

import contextlib
import os
import re
import resource
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


def allow_open_files() -> None:
    """Raise the soft limit on open files to the hard one, also for child processes: each call needs several sockets."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
