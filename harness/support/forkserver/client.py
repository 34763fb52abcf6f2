"""Stands for a process that a fork server forks, as if it were an interpreter started with these
arguments.

``python -I -S client.py SOCKET …``, and then the interpreter's arguments. It hands over the open
files it was given, its environment and its directory, and ends as the process ended; when it dies,
the process is killed. Where no fork server answers it becomes the interpreter. It imports nothing
of the harness, and nothing that takes long: ``json``, ``signal`` and ``socket``, with the regular
expressions, enumerations and selectors they import, would be more than half of what such a process
costs.
"""

import _signal as signal  # type: ignore[import-not-found]  # typeshed knows it by its public name alone
import _socket as socket
import marshal
import os
import struct
import sys

#: Before the request: its length and how many open files come with it.
HEAD = struct.Struct("!II")
#: The answer: a status as ``os.waitpid`` returns it.
STATUS = struct.Struct("!I")
#: The most open files that can be passed on.
MOST_FILES = 16


def main(path: str, arguments: list[str]) -> int:
    """Ask for the process and wait for its end; what the interpreter would have returned."""
    files = sorted(int(entry) for entry in os.listdir("/proc/self/fd"))
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        server.connect(path)
    except OSError:
        os.execv(sys.executable, [sys.executable, "-P", *arguments])
    files = [file for file in files if file != server.fileno() and _is_open(file)]
    request = {
        "arguments": arguments,
        "files": files,
        "directory": os.getcwd(),
        "environment": dict(os.environ),
        "umask": _umask(),
        "leads": os.getsid(0) == os.getpid(),
        "no_ctrl_c": signal.getsignal(signal.SIGINT) == signal.SIG_IGN,
    }
    text = marshal.dumps(request)
    numbers = struct.pack(f"{len(files)}i", *files)
    server.sendmsg(
        [HEAD.pack(len(text), len(files))], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers)]
    )
    server.sendall(text)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process
    _release(files)
    status = server.recv(STATUS.size)
    if len(status) < STATUS.size:
        return 1  # the fork server is gone
    code = os.waitstatus_to_exitcode(*STATUS.unpack(status))
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


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


def _release(files: list[int]) -> None:
    """Close the files in this process, so that their other ends notice when the forked process
    ends.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    for file in files:
        if file != 2:
            os.dup2(nothing, file)


if __name__ == "__main__":
    os._exit(main(sys.argv[1], sys.argv[2:]))  # nothing is open, and nothing to clear up
