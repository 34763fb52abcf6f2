"""Stands for a process that a nursery forks, as if it were an interpreter started with these arguments.

``python -I -S newborn.py SOCKET …``, and then what an interpreter would be told. It hands over the open files it was given, its
environment and where it is, and ends as the process ended; that dies with it. Where no nursery answers it becomes the
interpreter. Nothing of the harness is imported here, and nothing that takes long: with ``json``, ``signal`` and ``socket`` in
the place of what they are made of it took twice as long, and every process of a run begins so.
"""

import _signal  # type: ignore[import-not-found]  # typeshed has none
import _socket
import os
import sys

#: A number on the way: the request's length and how many open files come with it, and back a status as ``os.waitpid`` has it.
NUMBER_BYTES = 4
#: So many open files can be handed over.
MOST_FILES = 16


def main(path: str, arguments: list[str]) -> int:
    """Ask for the process and wait for its end; what the interpreter would have returned."""
    files = sorted(int(entry) for entry in os.listdir("/proc/self/fd"))
    nursery = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        nursery.connect(path)
    except OSError:
        os.execv(sys.executable, [sys.executable, *arguments])
    files = [file for file in files if file != nursery.fileno() and _is_open(file)]
    request = {
        "arguments": arguments,
        "files": files,
        "directory": os.getcwd(),
        "environment": dict(os.environ),
        "umask": _umask(),
        "leads": os.getsid(0) == os.getpid(),
    }
    text = ascii(request).encode()  # undecodable bytes of the environment are escaped surrogates
    handed = b"".join(file.to_bytes(NUMBER_BYTES, sys.byteorder) for file in files)  # as C has a descriptor (cmsg(3))
    nursery.sendmsg([numbers(len(text), len(files))], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, handed)])
    nursery.sendall(text)
    _signal.signal(_signal.SIGINT, _signal.SIG_IGN)  # Ctrl-C is for the process
    _let_go(files)
    status = nursery.recv(NUMBER_BYTES)
    if len(status) < NUMBER_BYTES:
        return 1  # the nursery is gone
    code = os.waitstatus_to_exitcode(*read_numbers(status))
    if code < 0:
        if -code != _signal.SIGKILL:
            _signal.signal(-code, _signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def numbers(*values: int) -> bytes:
    """Those as they go over the way."""
    return b"".join(value.to_bytes(NUMBER_BYTES, "big") for value in values)


def read_numbers(octets: bytes) -> list[int]:
    """The inverse of :func:`numbers`."""
    parts = range(0, len(octets), NUMBER_BYTES)
    return [int.from_bytes(octets[begin : begin + NUMBER_BYTES], "big") for begin in parts]


def _is_open(file: int) -> bool:
    try:
        os.fstat(file)
    except OSError:
        return False  # the one that the directory was read by
    return True


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _let_go(files: list[int]) -> None:
    """They are the process's alone: who reads or writes at their other ends learns of its end."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for file in files:
        if file != 2:
            os.dup2(nothing, file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
