"""Give back the registrations of a process that is gone: the platform would go on calling its phones until they run out.

And a registrar that holds one binding only, or a few, refuses the next phone of that address of record meanwhile. Each is taken back as
the phone itself would have done it (RFC 3261 section 10.2.2), from a plain socket (``crash_line.py``).
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from harness.calls.events import RegistrationState, SipMessage, from_values
from harness.phone.config import PhoneConfig
from harness.phone.crash_line import CrashLine, only_realm, port_deadline
from harness.phone.unread import parsed_with_cseq
from harness.sip.grammar import SipSyntaxError
from harness.sip.headers import MAGIC_COOKIE, CSeq
from harness.sip.message import Request, Response

_REGISTER: Final = "REGISTER "

Note = Callable[[int, SipMessage], None]


class Registrations:
    """What the phones of one process have asked of registrars, by their keys. Thread-safe, as far as each phone has one thread."""

    def __init__(self) -> None:
        self._configs: dict[int, PhoneConfig] = {}
        self._asked: dict[int, SipMessage] = {}

    def added(self, phone: int, config: dict[str, Any]) -> None:
        """A phone is there, configured so (:meth:`PhoneConfig.to_plain`)."""
        self._configs[phone] = PhoneConfig.from_plain(config)

    def removed(self, phone: int) -> None:
        """It has left, and given its registration back itself."""
        self._configs.pop(phone, None)
        self._asked.pop(phone, None)

    def take(self, phone: int, told: Iterable[Sequence[Any]]) -> None:
        """What happened to it (:func:`harness.calls.events.to_values`)."""
        for values in told:
            if values[0] not in ("SipMessage", "RegistrationState"):
                continue
            match from_values(values):
                case SipMessage(direction="sent") as message if message.text.startswith(_REGISTER):
                    self._asked[phone] = message
                case RegistrationState(active=False):  # refused, or given back
                    self._asked.pop(phone, None)

    def withdraw(self, note: Note) -> None:
        """Give back what is left, all at once, within some seconds; ``note`` gets what is said, with the phone's key."""
        threads = [
            threading.Thread(target=unregister, args=(self._configs[phone], asked, _for(phone, note)))
            for phone, asked in list(self._asked.items())
            if phone in self._configs
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


class NoRegistrations:
    """Of a process that somebody else has, who gives them back."""

    def added(self, phone: int, config: dict[str, Any]) -> None:
        """Nothing of ours."""

    def removed(self, phone: int) -> None:
        """Nothing of ours."""

    def take(self, phone: int, told: Iterable[Sequence[Any]]) -> None:
        """Nothing of ours."""

    def withdraw(self, note: Note) -> None:
        """Nothing of ours."""


def _for(phone: int, note: Note) -> Callable[[SipMessage], None]:
    return lambda message: note(phone, message)


def unregister(config: PhoneConfig, asked: SipMessage, note: Callable[[SipMessage], None]) -> bool:
    """Take the binding back that the phone asked for by its last REGISTER; whether the registrar has agreed."""
    with contextlib.suppress(OSError, SipSyntaxError, ValueError):
        register = parsed_with_cseq(asked.text)
        if isinstance(register, Request):
            with CrashLine(config, None, asked.transport, asked.local, asked.remote, note, port_deadline()) as line:
                answer = line.ask(_withdrawal(register), only_realm(config, register))
                return isinstance(answer, Response) and answer.is_success
    return False


def _withdrawal(register: Request) -> Request:
    """The next REGISTER of the same Call-ID, for the same Contact and no time at all (RFC 3261 sections 10.2 and 10.2.2)."""
    via = register.via
    branch = MAGIC_COOKIE + secrets.token_hex(12)
    contacts = [replace(contact, params=contact.params.without("expires")) for contact in register.contacts]
    request = register.without("Authorization", "Proxy-Authorization").setting(
        "Via", str(via).replace(via.branch, branch)
    )
    request = request.setting("CSeq", str(CSeq(register.cseq.number + 1, "REGISTER")))
    return request.setting("Contact", ", ".join(map(str, contacts))).setting("Expires", "0")
