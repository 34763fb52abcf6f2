"""``python -m harness.nursery DESCRIPTOR MODULE …``: listens at an open socket, and lives until its standard input ends."""

import gc
import socket
import sys
from importlib import import_module

from harness.nursery.server import serve

if __name__ == "__main__":
    listening = socket.socket(fileno=int(sys.argv[1]))
    for module in sys.argv[2:]:
        import_module(module)
    gc.freeze()  # what is there stays: no collection writes to pages that are shared
    serve(listening, lifeline=sys.stdin.fileno())
