"""``python -m harness.phone.child FD PULSE DIRECTORY``."""

import faulthandler
import os
import socket
import sys
from pathlib import Path

from harness.phone.child.service import Service
from harness.phone.protocol import Pulse, Wire
from harness.support.memory import settle

if __name__ == "__main__":
    faulthandler.enable()
    os.umask(0o077)  # recordings hold what people said
    descriptor, memory, directory = sys.argv[1:]
    settle()  # imported modules stay, so garbage collection can skip them
    pulse = Pulse.shared(int(memory))
    os.close(int(memory))
    Service(Wire(socket.socket(fileno=int(descriptor))), pulse, Path(directory)).run()
