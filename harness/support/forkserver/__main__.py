"""``python -m harness.support.forkserver DESCRIPTOR MODULE …``: listens at an open socket, and lives until its standard input ends."""

import socket
import sys
from importlib import import_module

from harness.support.forkserver.server import serve
from harness.support.memory import lasting

if __name__ == "__main__":
    listening = socket.socket(fileno=int(sys.argv[1]))
    with lasting():  # and no collection writes to pages that are shared
        for module in sys.argv[2:]:
            import_module(module)
    serve(listening, lifeline=sys.stdin.fileno())
