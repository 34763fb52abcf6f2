"""A registrar (RFC 3261 section 10) with digest authentication."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.sip.digest import Checked, CredentialCheck, DigestServer
from harness.sip.grammar import SipSyntaxError, decimal
from harness.sip.message import HeaderPairs, Request
from harness.sip.uri import NameAddr, Uri
from harness.world.wire.call import IncomingRequest
from harness.world.wire.transport import Endpoint, Flow

#: Outcomes that are answered with a challenge: the client may answer it with good credentials.
CHALLENGED = (CredentialCheck.MISSING, CredentialCheck.STALE, CredentialCheck.REPLAYED)
DEFAULT_EXPIRES, LONGEST = 3600, 7200
_MOST_EXPIRES = 2**32 - 1  # RFC 3261 section 20.19


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a user can be reached, until ``expires_at`` (monotonic)."""

    contact: Uri
    flow: Flow
    expires_at: float
    call_id: str
    cseq: int

    @property
    def hop(self) -> Endpoint:
        """The source of its REGISTER: what a phone behind a NAT, or with a private Contact, is
        reached by (RFC 5626).
        """
        return Endpoint(self.flow.transport, *self.flow.remote)


class Registrar:
    """Bindings of one realm. ``passwords`` are by user; ``grant`` may shorten what a user asked
    for.

    With ``explains`` the refusal says what was wrong: for peers known by address only, since others
    could probe for users.
    """

    def __init__(
        self,
        realm: str,
        passwords: Mapping[str, str],
        grant: Callable[[int], int] = lambda asked: asked,
        *,
        explains: bool = False,
    ) -> None:
        self.digest = DigestServer(realm, passwords.get)
        self._grant = grant
        self._explains = explains
        self._bindings: dict[str, dict[str, Binding]] = {}

    def bindings(self, user: str) -> list[Binding]:
        """Where a user is now, latest first; nowhere when none is registered."""
        now = time.monotonic()
        bindings = self._bindings.get(user, {}).values()
        found = [binding for binding in bindings if binding.expires_at > now]
        return sorted(found, key=lambda binding: -binding.expires_at)

    def users(self) -> dict[str, int]:
        """Registered users, and how many places each is at."""
        counts = {user: len(self.bindings(user)) for user in self._bindings}
        return {user: count for user, count in counts.items() if count}

    async def handle(self, incoming: IncomingRequest) -> None:
        """Answer a REGISTER."""
        try:
            user = incoming.request.to.uri.user or ""
            checked = self.digest.verify(incoming.request)
            if not checked.accepted:
                refuse(incoming.respond, self.digest, checked, explains=self._explains)
            elif checked.username != user:
                incoming.respond(403, "Another user's address of record")
            else:
                self._register(user, incoming.request, incoming)
        except SipSyntaxError as error:
            incoming.respond(400, str(error))

    def _register(self, user: str, request: Request, incoming: IncomingRequest) -> None:
        """Bind, refresh or remove contacts, and answer with all that are bound (section 10.3 steps
        6 to 8).
        """
        bindings = self._bindings.setdefault(user, {})
        call_id = request.call_id
        cseq = request.cseq.number
        earlier = [binding for binding in bindings.values() if binding.call_id == call_id]
        if any(binding.cseq >= cseq for binding in earlier):
            incoming.respond(500, "CSeq is not above the last one")  # section 10.3 step 7
            return
        if request.contact_is_star:
            if request.expires != 0:
                incoming.respond(400, "Contact: * needs Expires: 0")  # section 10.3 step 6
                return
            bindings.clear()
        for contact in request.contacts:
            asked = _expires_of(contact, request)
            key = str(contact.uri.without_headers())
            if asked == 0:  # section 10.2.2: the binding is removed
                bindings.pop(key, None)
                continue
            granted = self._grant(min(asked, LONGEST))
            # The latest contact of a phone replaces its older ones, which no longer answer.
            older = [old for old, binding in bindings.items() if binding.call_id == call_id]
            for old in older:
                del bindings[old]
            expires_at = time.monotonic() + granted
            bindings[key] = Binding(contact.uri, incoming.flow, expires_at, call_id, cseq)
        now = time.monotonic()
        headers = []
        for binding in self.bindings(user):
            left = round(binding.expires_at - now)
            headers.append(("Contact", f"<{binding.contact}>;expires={left}"))
        incoming.respond(200, headers=headers)


def refuse(
    answer: Callable[[int, str | None, HeaderPairs], None],
    digest: DigestServer,
    checked: Checked,
    *,
    explains: bool = False,
) -> None:
    """Answer a request whose credentials were not accepted: a challenge for missing or stale ones,
    403 for wrong ones.

    Credentials for another URI and malformed credentials get 400 (RFC 2617 section 3.2.2.5).
    """
    if checked.outcome in CHALLENGED:
        answer(digest.status, None, [digest.challenge(stale=checked.stale)])
    elif checked.outcome in (CredentialCheck.WRONG_URI, CredentialCheck.MALFORMED):
        answer(400, f"Bad Request: {checked.outcome.value}", ())
    else:
        answer(403, f"Forbidden: {checked.outcome.value}" if explains else None, ())


def _expires_of(contact: NameAddr, request: Request) -> int:
    own = decimal(contact.params.get("expires") or "", most=_MOST_EXPIRES)
    if own is not None:
        return own
    return DEFAULT_EXPIRES if request.expires is None else request.expires
