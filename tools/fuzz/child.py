"""One target under the coverage-guided fuzzer, which ends its process: ``python -m tools.fuzz.child
TARGET -runs=N …``.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["harness", "json", "tomllib", "dpkt"]):
    from tools.fuzz.targets import TARGETS


def main() -> None:
    """Runs until libFuzzer has enough or has found something."""
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target.ask)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
