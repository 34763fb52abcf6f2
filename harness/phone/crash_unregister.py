"""Remove the registrations of a phone process that died: the platform would keep calling its phones until they expire.

A registrar that allows only a few bindings would also refuse the next phone of the same address of record. Each registration is
removed as the phone would have done it (RFC 3261 section 10.2.2), from a plain socket (``crash_line.py``).
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
    """The last REGISTER of each phone of one process, by phone key. Thread-safe if each phone is used from one thread."""

    def __init__(self) -> None:
        self._configs: dict[int, PhoneConfig] = {}
        self._asked: dict[int, SipMessage] = {}

    def added(self, phone: int, config: dict[str, Any]) -> None:
        """Note a new phone; ``config`` comes from :meth:`PhoneConfig.to_plain`."""
        self._configs[phone] = PhoneConfig.from_plain(config)

    def removed(self, phone: int) -> None:
        """Forget a phone that un-registered itself."""
        self._configs.pop(phone, None)
        self._asked.pop(phone, None)

    def take(self, phone: int, events: Iterable[Sequence[Any]]) -> None:
        """Note events of a phone, in the form of :func:`harness.calls.events.to_values`."""
        for values in events:
            if values[0] not in ("SipMessage", "RegistrationState"):
                continue
            match from_values(values):
                case SipMessage(direction="sent") as message if message.text.startswith(_REGISTER):
                    self._asked[phone] = message
                case RegistrationState(active=False):  # refused or removed
                    self._asked.pop(phone, None)

    def withdraw(self, note: Note) -> None:
        """Remove all remaining registrations at the same time; ``note`` receives each phone's key and SIP messages."""
        threads = [
            threading.Thread(target=unregister, args=(self._configs[phone], asked, _for(phone, note)))
            for phone, asked in list(self._asked.items())
            if phone in self._configs
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


class NoRegistrations(Registrations):
    """Registrations of a shared phone: the switchboard, which owns the process, removes them."""

    def added(self, phone: int, config: dict[str, Any]) -> None:
        pass

    def take(self, phone: int, events: Iterable[Sequence[Any]]) -> None:
        pass


def _for(phone: int, note: Note) -> Callable[[SipMessage], None]:
    return lambda message: note(phone, message)


def unregister(config: PhoneConfig, asked: SipMessage, note: Callable[[SipMessage], None]) -> bool:
    """Remove the binding that the phone's last REGISTER asked for; True when the registrar accepted."""
    with contextlib.suppress(OSError, SipSyntaxError, ValueError):
        register = parsed_with_cseq(asked.text)
        if isinstance(register, Request):
            with CrashLine(config, None, asked.transport, asked.local, asked.remote, note, port_deadline()) as line:
                answer = line.ask(_withdrawal(register), only_realm(config, register))
                return isinstance(answer, Response) and answer.is_success
    return False


def _withdrawal(register: Request) -> Request:
    """The next REGISTER with the same Call-ID and Contact, and Expires: 0 (RFC 3261 sections 10.2 and 10.2.2)."""
    via = register.via
    branch = MAGIC_COOKIE + secrets.token_hex(12)
    contacts = [replace(contact, params=contact.params.without("expires")) for contact in register.contacts]
    request = register.without("Authorization", "Proxy-Authorization").setting(
        "Via", str(via).replace(via.branch, branch)
    )
    request = request.setting("CSeq", str(CSeq(register.cseq.number + 1, "REGISTER")))
    return request.setting("Contact", ", ".join(map(str, contacts))).setting("Expires", "0")
