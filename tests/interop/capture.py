"""tshark on the loopback interface, and tshark's reading of captures."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.interop.processes import Program, binary, until

NOWHERE = 9  # RFC 863: what is sent there is thrown away


class Capture(Program):
    """Everything UDP or TCP to and from ``hosts``, into :attr:`file`, from the moment this is made
    until :meth:`stop`.
    """

    def __init__(
        self, directory: Path, hosts: Sequence[str], interface: str = "lo", form: str = "pcapng"
    ) -> None:
        self.file = directory / f"capture.{form}"
        self._host = hosts[0]
        expression = " or ".join(f"host {host}" for host in hosts)
        super().__init__(
            "tshark",
            ["-q", "-i", interface, "-f", expression, "-F", form, "-w", str(self.file)],
            directory,
        )
        with self.starting():
            self._passes(b"the capture begins")

    def stop(self) -> Path:
        """What was sent until now is in the file; it is whole."""
        self._passes(b"the capture ends")
        self.end()
        return self.file

    def _passes(self, words: bytes) -> None:
        """Send a datagram again and again, until it is in the file."""
        nonce = words + os.urandom(8)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:

            def there() -> bool | None:
                assert self.process.poll() is None, self.log
                sender.sendto(nonce, (self._host, NOWHERE))
                return (self.file.exists() and nonce in self.file.read_bytes()) or None

            until(str(words), there, log=lambda: self.log)


def read(file: Path, *arguments: str) -> str:
    """What tshark says of a capture."""
    done = subprocess.run(
        [binary("tshark"), "-r", str(file), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def fields(
    file: Path, display_filter: str, *names: str, decode: Sequence[str] = ()
) -> list[tuple[str, ...]]:
    """These fields of the packets that pass the filter, in order."""
    arguments = [argument for rule in decode for argument in ("-d", rule)]
    arguments += ["-Y", display_filter, "-T", "fields", "-E", "separator=/t", "-E", "occurrence=f"]
    arguments += [argument for name in names for argument in ("-e", name)]
    return [tuple(line.split("\t")) for line in read(file, *arguments).splitlines()]


@dataclass(frozen=True)
class Stream:
    """One row of tshark's table of RTP streams."""

    source: str
    target: str
    packets: int
    lost: int
    mean_jitter_ms: float


def streams(file: Path, *ports: int) -> list[Stream]:
    """The RTP streams of a capture; ``ports`` are those that carry RTP."""
    rules = [argument for port in ports for argument in ("-d", f"udp.port=={port},rtp")]
    table = read(file, "-q", *rules, "-z", "rtp,streams")
    found = []
    for line in table.splitlines():
        words = line.split()
        if len(words) < 16 or not words[0][0].isdigit():
            continue
        # start end source port target port ssrc payload packets lost (share) min mean max delta,
        # min mean max jitter
        at = next(
            index
            for index, word in enumerate(words)
            if word.startswith("(") and word.endswith("%)")
        )
        mean_jitter_ms = float(words[at + 5])
        found.append(
            Stream(
                f"{words[2]}:{words[3]}",
                f"{words[4]}:{words[5]}",
                int(words[at - 2]),
                int(words[at - 1]),
                mean_jitter_ms,
            )
        )
    return found
