"""End the calls of a phone whose process died, because the far ends would keep them up.

The dialog is rebuilt from the leg's messages (``pending_teardown.py``), and the BYE, CANCEL or refusal goes out from a plain socket
(``crash_line.py``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.calls.events import Event, Recorded, SipMessage
from harness.phone import recording
from harness.phone.config import PhoneConfig
from harness.phone.crash_line import CrashLine, only_realm, port_deadline
from harness.phone.pending_teardown import Teardown, acknowledgement, acknowledgement_of_success, pending_teardown
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Request, Response


def end(
    config: PhoneConfig, directory: Path, leg: str, messages: Sequence[SipMessage], note: Callable[[Event], None]
) -> bool:
    """Hang up (see :func:`hang_up`), and complete the leg's recordings in ``directory``. ``note`` receives the events."""
    ended = hang_up(config, leg, messages, note)
    received, sent = recording.paths(directory, leg)
    if recording.mend(received):
        note(
            Recorded(
                at=time.monotonic(),
                phone=config.name,
                leg=leg,
                path=str(received),
                sent_path=str(sent) if recording.mend(sent) else None,
            )
        )
    return ended


def hang_up(config: PhoneConfig, leg: str, messages: Sequence[SipMessage], note: Callable[[SipMessage], None]) -> bool:
    """End the call that ``messages`` describe; ``note`` receives each message sent or received.

    Returns True when the far end confirmed the end, or the call was already over. Takes at most two seconds for each message
    sent, and four seconds to wait for the phone's port.
    """
    teardown = pending_teardown(messages)
    if teardown is None:
        return True
    port_by = port_deadline()
    for address in dict.fromkeys((teardown.next_hop, teardown.last_peer)):
        try:
            with CrashLine(config, leg, teardown.transport, teardown.local, address, note, port_by) as line:
                if _Settlement(config, teardown, line).settle():
                    return True
        except (OSError, SipSyntaxError, ValueError):
            continue
    return False


class _Settlement:
    """Ends one call over a connection to the far end."""

    def __init__(self, config: PhoneConfig, teardown: Teardown, line: CrashLine) -> None:
        self._config, self._teardown, self._line = config, teardown, line

    def settle(self) -> bool:
        """Send the message that ends the call; True when the far end answered it."""
        teardown = self._teardown
        if isinstance(teardown.message, Response):
            return self._refuse(teardown.message)
        if teardown.message.method == "CANCEL":
            return self._cancel(teardown.message)
        return self._bye(teardown.message)

    def _bye(self, bye: Request) -> bool:
        invite = self._teardown.invite
        own = invite if invite.from_.tag == bye.from_.tag else None  # None when the far end sent the INVITE
        answer = self._line.ask(bye, only_realm(self._config, own))
        return answer is not None and not (isinstance(answer, Response) and answer.is_challenge)

    def _cancel(self, cancel: Request) -> bool:
        """Send CANCEL until the INVITE has a final response; if a 2xx crossed it, acknowledge the 2xx and send BYE."""
        final = self._line.exchange(
            cancel, lambda m: isinstance(m, Response) and m.is_final and m.cseq.method == "INVITE"
        )
        if not isinstance(final, Response):
            return False
        invite = self._teardown.invite
        if not final.is_success:
            self._line.send(acknowledgement(invite, final))
            return True
        self._line.send(acknowledgement_of_success(invite, final, self._teardown.local, self._teardown.transport))
        sent = replace(self._line.event("sent", invite), local=self._teardown.local)
        bye = pending_teardown([sent, self._line.event("received", final)])
        return bye is not None and isinstance(bye.message, Request) and self._bye(bye.message)

    def _refuse(self, refusal: Response) -> bool:
        """Send the final response until its ACK arrives."""
        return self._line.exchange(refusal, lambda m: isinstance(m, Request) and m.method == "ACK") is not None
