"""What xdist starts as a worker's interpreter: it has a :class:`~harness.pytest_plugin.nursery.Nursery` fork the worker.

``python -I -S newborn.py SOCKET …``, and then what an interpreter would be told. It hands over its standard streams, its
environment and where it is, stands for the worker while that lives, and ends as the worker ended. Nothing of the harness is
imported here, and nothing that takes long.
"""

import json
import os
import signal
import socket
import struct
import sys

#: Before the request: how long it is.
LENGTH = struct.Struct("!I")


def main(path: str, arguments: list[str]) -> int:
    """Ask for a worker and wait for its end; what an interpreter would have returned."""
    request = {
        "arguments": arguments,
        "directory": os.getcwd(),
        "environment": dict(os.environ),
        "umask": _umask(),
    }
    text = json.dumps(request).encode()  # undecodable bytes of the environment are escaped surrogates
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as nursery:
        nursery.connect(path)
        socket.send_fds(nursery, [LENGTH.pack(len(text))], [0, 1, 2])
        nursery.sendall(text)
        _let_go()
        status = nursery.recv(LENGTH.size)
    if len(status) < LENGTH.size:
        return 1  # the nursery is gone
    code = os.waitstatus_to_exitcode(*LENGTH.unpack(status))
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _let_go() -> None:
    """The streams are the worker's alone: who reads or writes them learns of its end."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nothing, descriptor)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the worker
    sys.exit(main(sys.argv[1], sys.argv[2:]))
