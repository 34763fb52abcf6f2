"""A phone that several processes use at once, as one of them holds it: a phone process at the other end of a socket.

:mod:`harness.phone.switchboard` is that other end. It hands each process the calls that are its case's, so that to the pool and the
phones above it is a process of their own.
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

#: Another deployment's phone may have to leave the address first.
_JOINED_WITHIN_S: Final = 60.0


@dataclass(frozen=True)
class Sharing:
    """What a case says to get its own calls at a phone that it shares."""

    switchboard: Path
    numbers: tuple[str, ...] = ()  #: E.164; calls that show one of them are the case's
    lands: bool = False  #: whether it waits for a call here, so that one that shows another number is its own, too
    withheld: bool = False  #: whether its caller withholds the number


class SharedProcess(PhoneProcess):
    """A switchboard's end of one phone. Raises :class:`PhoneLostError` where nobody is at the switchboard."""

    def __init__(self, owner: Owner, sharing: Sharing, config: PhoneConfig) -> None:
        self.config = config
        self._sharing = sharing
        ours = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            ours.connect(str(sharing.switchboard))
        except OSError as error:
            ours.close()
            raise PhoneLostError(f"the phones that cases share cannot be reached: {error.strerror}") from error
        self._prepare(owner, Wire(ours), None)
        self._last_log = ""
        self.most_calls = config.max_calls
        self._reader = threading.Thread(target=self._read, name=f"shared {config.name}", daemon=True)
        self._reader.start()
        found = self.call("hello", _JOINED_WITHIN_S, config=config.to_plain())
        self.pid, self.codecs, self.version = found["pid"], found["codecs"], found["version"]

    def share(self, sharing: Sharing) -> None:
        """Whose calls the next case takes here."""
        self._sharing = sharing

    def call(self, name: str, within: float = 10.0, /, **arguments: Any) -> Any:
        """As a process of one's own; what says whose calls it takes goes along where a phone is added."""
        if name == "add":
            mine = self._sharing
            arguments |= {"numbers": list(mine.numbers), "lands": mine.lands, "withheld": mine.withheld}
            within = _JOINED_WITHIN_S
        return super().call(name, within, **arguments)

    def log(self) -> str:
        """Its process's last lines, where the switchboard has told them."""
        return self._last_log

    def _take(self, kind: str, message: list[Any]) -> None:
        if kind == "tell" and message[1] == "log":
            self._last_log = str(message[2]["log"])
            return
        super()._take(kind, message)

    def _how(self) -> str:
        return ": nobody is at the switchboard any more"

    def _kill(self) -> None:
        self._wire.close()

    def close(self) -> None:
        """Leave; the switchboard hangs up what is left."""
        self._closing = True
        self._wire.close()
        self._reader.join(1.0)


class Reservation:
    """Keeps the address of ``config`` free of shared phones, for a case that sets a phone of its own up there."""

    def __init__(self, switchboard: Path, config: PhoneConfig) -> None:
        self._wire, answer = _asked(switchboard, _JOINED_WITHIN_S, "reserve", config=config.to_plain())
        if answer[0] != "done":
            self._wire.close()
            raise PhoneLostError("the phones that cases share do not leave their address")

    def release(self) -> None:
        """They may come back."""
        with contextlib.suppress(OSError):
            self._wire.close()


def wait_until_asked(switchboard: Path, config: PhoneConfig, every_s: float | None) -> AskedByOptions | None:
    """What a platform has asked the shared phone of ``config`` by OPTIONS, once it has, or that was waited for in vain.

    ``every_s`` is how often it asks, as the deployment file says. None where the phone is not to be had.
    """
    wire, answer = _asked(switchboard, None, "wait_until_asked", config=config.to_plain(), every_s=every_s)
    wire.close()
    if answer[0] != "done":
        return None
    told = from_plain(answer[2])
    assert isinstance(told, AskedByOptions)
    return told


def _asked(switchboard: Path, within: float | None, name: str, **arguments: Any) -> tuple[Wire, list[Any]]:
    """A connection to the switchboard, and the answer to a first command over it. Raises :class:`PhoneLostError` without one."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(switchboard))
        wire = Wire(connection)
        wire.send("call", 1, name, arguments)
        answer = wire.receive(within)
    except (OSError, ValueError) as error:
        connection.close()
        raise PhoneLostError(f"the phones that cases share cannot be reached: {error}") from error
    except BaseException:  # the run is interrupted
        connection.close()
        raise
    if answer is None:
        connection.close()
        raise PhoneLostError("the phones that cases share cannot be reached: nobody is at the switchboard any more")
    return wire, answer
