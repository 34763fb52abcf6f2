"""A worker's connection to a phone that several workers share.

:mod:`harness.phone.switchboard` is the other end of the connection. It gives each worker only the calls of its case, so that the
pool and its phones can treat the connection as a phone process.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.calls.events import AskedByOptions, from_plain
from harness.errors import PhoneLostError
from harness.phone.config import PhoneConfig
from harness.phone.process import Owner, PhoneProcess
from harness.phone.protocol import Wire

#: Long, because another deployment's phone may have to leave the address first.
_JOINED_WITHIN_S: Final = 60.0


@dataclass(frozen=True)
class Sharing:
    """How the calls of a case are recognised at a shared phone."""

    switchboard: Path
    numbers: tuple[str, ...] = ()  #: E.164 caller numbers; a call that shows one of them belongs to the case
    lands: bool = False  #: whether the case expects a call here; then a call with another number may belong to it too
    withheld: bool = False  #: whether the case's caller withholds its number


class SharedProcess(PhoneProcess):
    """A shared phone at the switchboard. Raises :class:`PhoneLostError` when the switchboard cannot be reached."""

    def __init__(self, owner: Owner, sharing: Sharing, config: PhoneConfig) -> None:
        self.config = config
        self._sharing = sharing
        ours = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            ours.connect(str(sharing.switchboard))
        except OSError as error:
            ours.close()
            raise PhoneLostError(f"the switchboard of shared phones cannot be reached: {error.strerror}") from error
        self._prepare(owner, Wire(ours), None)
        self._last_log = ""
        self.most_calls = config.max_calls
        self._reader = threading.Thread(target=self._read, name=f"shared {config.name}", daemon=True)
        self._reader.start()
        found = self.call("hello", _JOINED_WITHIN_S, config=config.to_plain())
        self.pid, self.codecs, self.version = found["pid"], found["codecs"], found["version"]

    def share(self, sharing: Sharing) -> None:
        """Set how the next case's calls are recognised."""
        self._sharing = sharing

    def call(self, name: str, within: float = 10.0, /, **arguments: Any) -> Any:
        """As for any phone process; ``add`` also sends how the case's calls are recognised."""
        if name == "add":
            mine = self._sharing
            arguments |= {"numbers": list(mine.numbers), "lands": mine.lands, "withheld": mine.withheld}
            within = _JOINED_WITHIN_S
        return super().call(name, within, **arguments)

    def log(self) -> str:
        """The process's last log lines, as the switchboard sent them."""
        return self._last_log

    def _take(self, kind: str, message: list[Any]) -> None:
        if kind == "tell" and message[1] == "log":
            self._last_log = str(message[2]["log"])
            return
        super()._take(kind, message)

    def _how(self) -> str:
        return ": the switchboard has closed"

    def _kill(self) -> None:
        self._wire.close()

    def close(self) -> None:
        """Disconnect; the switchboard hangs up the remaining calls."""
        self._closing = True
        self._wire.close()
        self._reader.join(1.0)


class Reservation:
    """Keeps the address of ``config`` free of shared phones, for a case that uses the address itself."""

    def __init__(self, switchboard: Path, config: PhoneConfig) -> None:
        self._wire, answer = _asked(switchboard, _JOINED_WITHIN_S, "reserve", config=config.to_plain())
        if answer[0] != "done":
            self._wire.close()
            raise PhoneLostError("the shared phones did not leave their address")

    def release(self) -> None:
        """Allow shared phones at the address again."""
        with contextlib.suppress(OSError):
            self._wire.close()


def wait_until_asked(switchboard: Path, config: PhoneConfig, every_s: float | None) -> AskedByOptions | None:
    """Wait until the platform has sent OPTIONS to the shared phone of ``config``; the result says whether it did.

    ``every_s`` is the platform's interval from the deployment file. None when the phone is not available.
    """
    wire, answer = _asked(switchboard, None, "wait_until_asked", config=config.to_plain(), every_s=every_s)
    wire.close()
    if answer[0] != "done":
        return None
    told = from_plain(answer[2])
    assert isinstance(told, AskedByOptions)
    return told


def _asked(switchboard: Path, within: float | None, name: str, **arguments: Any) -> tuple[Wire, list[Any]]:
    """Connect to the switchboard and send a first command. Raises :class:`PhoneLostError` without an answer."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(switchboard))
        wire = Wire(connection)
        wire.send("call", 1, name, arguments)
        answer = wire.receive(within)
    except (OSError, ValueError) as error:
        connection.close()
        raise PhoneLostError(f"the switchboard of shared phones cannot be reached: {error}") from error
    except BaseException:  # the run is interrupted
        connection.close()
        raise
    if answer is None:
        connection.close()
        raise PhoneLostError("the switchboard of shared phones has closed")
    return wire, answer
