"""Other people's programs as child processes: started in a group of their own, waited for by what
they say, always ended.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Self, TypeVar

from tools.interop.programs import PROGRAMS

T = TypeVar("T")

PATIENCE = 20.0  #: seconds for what should come at once, on a machine that may be busy
_POLL_S = 0.02


def until(
    goal: str,
    probe: Callable[[], T | None],
    within: float = PATIENCE,
    log: Callable[[], str] = lambda: "",
) -> T:
    """What ``probe`` gives as soon as that is not None; the goal and the log are in the error of a
    wait that runs out.
    """
    deadline = time.monotonic() + within
    while (found := probe()) is None:
        if time.monotonic() > deadline:
            raise AssertionError(f"{goal}: not within {within:g} s\n{log()}")
        time.sleep(_POLL_S)
    return found


def binary(name: str) -> str:
    """The program's path. A program that is missing fails the test that needs it."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise AssertionError(f"{name} is not installed; apt-get install {PROGRAMS[name].package}")
    return found


class Program:
    """A running program. It does not outlive the process that started it, however that one ends."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        directory: Path,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.directory = directory
        self.log_file = directory / f"{name}.log"
        # setpriv (util-linux) has the kernel end the program when its parent dies without having
        # done so
        command = ["setpriv", "--pdeathsig", "TERM", binary(name), *arguments]
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=directory,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def log(self) -> str:
        """All it has said so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """What has to come before the program can be used; it is ended when that fails."""
        try:
            yield
        except BaseException:
            self.end()
            raise

    def said(self, pattern: str, within: float = PATIENCE) -> re.Match[str]:
        """Wait until its output matches."""

        def probe() -> re.Match[str] | None:
            found = re.search(pattern, self.log)
            if found is None and self.process.poll() is not None:
                raise AssertionError(
                    f"{self.name} ended with {self.process.returncode} before {pattern!r}\n{self.log}"
                )
            return found

        return until(f"{self.name} says {pattern!r}", probe, within, lambda: self.log)

    def answers_options(self, host: str, port: int) -> None:
        """Wait until it answers OPTIONS over UDP (RFC 3261 section 11), whatever it answers."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            probe.settimeout(0.2)

            def answered() -> bool | None:
                if self.process.poll() is not None:
                    raise AssertionError(
                        f"{self.name} ended with {self.process.returncode}\n{self.log}"
                    )
                probe.sendto(options(host, port, probe.getsockname()), (host, port))
                try:
                    return probe.recv(65536).startswith(b"SIP/2.0 ") or None
                except OSError:
                    return None

            until(f"{self.name} answers OPTIONS", answered, log=lambda: self.log)

    def wait(self, within: float = PATIENCE) -> int:
        """Its exit code, once it has ended by itself."""
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self.name} has not ended within {within:g} s\n{self.log}"
            ) from None

    def end(self) -> None:
        """End it and all it started; harmless when done twice."""
        for number, within in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(within)
            if not _group_lives(self.process.pid):
                return
        until(
            f"the end of {self.name}'s processes",
            lambda: not _group_lives(self.process.pid) or None,
        )


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def options(host: str, port: int, source: tuple[str, int], transport: str = "UDP") -> bytes:
    """An OPTIONS request for ``sip:host:port``."""
    here = f"{source[0]}:{source[1]}"
    branch = f"z9hG4bK{time.monotonic_ns():x}"
    return (
        f"OPTIONS sip:{host}:{port} SIP/2.0\r\n"
        f"Via: SIP/2.0/{transport} {here};branch={branch};rport\r\n"
        "Max-Forwards: 70\r\n"
        f"From: <sip:probe@{source[0]}>;tag={branch[7:]}\r\n"
        f"To: <sip:{host}:{port}>\r\n"
        f"Call-ID: {branch}@{source[0]}\r\n"
        "CSeq: 1 OPTIONS\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()


def free_port(host: str, count: int = 1, *, but: Collection[int] = ()) -> int:
    """The first of ``count`` consecutive ports, none of ``but``, that nobody has on ``host`` now,
    over UDP or TCP.

    They lie below those the kernel gives out by itself: a socket of anybody's that is bound to
    every address would take one of those in the moment before the program has it. Hosts are this
    run's own (but ``::1``, which is everybody's).
    """
    given_out = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for _ in range(100):
        first = random.randrange(min(10_000, given_out // 2), given_out - count)
        if not set(but).isdisjoint(range(first, first + count)):
            continue
        with contextlib.ExitStack() as taken, contextlib.suppress(OSError):
            for port in range(first, first + count):
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    trial = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
                    taken.enter_context(trial).bind((host, port))
            return first
    raise AssertionError(f"{host}: no {count} free ports in a row below {given_out}")
