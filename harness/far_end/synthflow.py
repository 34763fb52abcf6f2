"""Synthflow's API: https://docs.synthflow.ai (calls, prepare_inbound), read-only but for what prepares a call.

An API that cannot be used is a :class:`FarEndError`; callers lower the strength of what they know, never fail a call for it.
"""

from __future__ import annotations

import email.utils
import math
import ssl
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from harness.errors import FarEndError
from harness.sip.identity import normalise

#: What Synthflow's documentation lists. A record with another status cannot be read, whatever it may mean.
_BEFORE_ANSWER = ("pending", "queue", "ringing")
_ANSWERED = ("in-progress", "completed")
_UNANSWERED = ("no-answer", "busy", "failed", "canceled")
_STATUSES = frozenset(_BEFORE_ANSWER + _ANSWERED + _UNANSWERED)

_ATTEMPTS = 3
_MOST_PATIENCE_S = 5.0


@dataclass(frozen=True)
class CallRecord:
    """One call as the API tells it; ``plain`` is the whole answer. Fields an API of another version lacks are None.

    Numbers are E.164, however the record spells them (``region`` is whose national form it may be); what is none stays.
    """

    id: str
    plain: dict[str, Any] = field(repr=False)
    region: str = "US"

    @property
    def status(self) -> str | None:
        """pending, ringing, in-progress, completed, no-answer, busy, failed, canceled …"""
        return self._text("status")

    @property
    def number_from(self) -> str | None:
        """The caller, as Synthflow understood it."""
        return self._number("phone_number_from")

    @property
    def number_to(self) -> str | None:
        """The number that was called."""
        return self._number("phone_number_to")

    @property
    def transcript(self) -> str:
        """What was said, as far as it was understood."""
        return self._text("transcript") or ""

    @property
    def answered(self) -> bool:
        """Whether the AI has taken the call."""
        return self.status in _ANSWERED

    @property
    def over(self) -> bool:
        """Whether the call has ended."""
        return self.status in _UNANSWERED or self.status == "completed"

    @property
    def actions(self) -> list[Any]:
        """What the assistant did (transfers and the like)."""
        found = self.plain.get("executed_actions")
        return list(found.values()) if isinstance(found, dict) else found if isinstance(found, list) else []

    def variable(self, name: str) -> str | None:
        """What the assistant was given under that name, e.g. an X- header's value; None when it does not say."""
        found = self.plain.get("prompt_variables")
        pairs = found.items() if isinstance(found, dict) else ()
        return next((v for k, v in pairs if str(k).lower() == name.lower() and isinstance(v, str)), None)

    @property
    def takes_headers(self) -> bool:
        """Whether X- headers reach its variables, so that one that is missing there was not sent."""
        found = self.plain.get("prompt_variables")
        return isinstance(found, dict) and any(str(name).lower().startswith("x-") for name in found)

    @property
    def readable(self) -> bool:
        """Whether it says what a call is told by: its status, and the number called."""
        return self.status in _STATUSES and (self.number_to or "").startswith("+")

    def witness(self, what: str) -> Any:
        """What the far end witnessed beyond the documented record, None when it does not say."""
        witness = self.plain.get("witness")
        return witness.get(what) if isinstance(witness, dict) else None

    def _number(self, key: str) -> str | None:
        text = self._text(key)
        return text and (normalise(text, self.region) or text)

    def _text(self, key: str) -> str | None:
        value = self.plain.get(key)
        return value if isinstance(value, str) else None


class SynthflowApi:
    """A client of the API. Every method raises :class:`FarEndError` when the API gives no usable answer."""

    def __init__(
        self, base: str, token: str, ca_file: str | None = None, timeout_s: float = 5.0, region: str = "US"
    ) -> None:
        verify: ssl.SSLContext | bool = ssl.create_default_context(cafile=ca_file) if ca_file else True
        self._region = region
        self._client = httpx.Client(
            base_url=base.rstrip("/"),
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout_s,
            verify=verify if base.startswith("https") else False,
        )

    def call(self, call_id: str) -> CallRecord:
        """``GET /calls/{id}``."""
        return self._record(_payload(self._ask("GET", f"/calls/{call_id}")))

    def calls(self, since: float, number_from: str | None = None, number_to: str | None = None) -> list[CallRecord]:
        """``GET /calls``: those that began at or after ``since`` (epoch seconds), newest first."""
        query: dict[str, str] = {"since": f"{since:.3f}"}
        if number_from:
            query["phone_number_from"] = number_from
        if number_to:
            query["phone_number_to"] = number_to
        listed = _payload(self._ask("GET", "/calls", params=query))
        calls = listed.get("calls") if isinstance(listed, dict) else listed
        if not isinstance(calls, list):
            raise FarEndError("Synthflow API: GET /calls: the answer lists no calls")
        return [self._record(item) for item in calls]

    def prepare_inbound(self, number_from: str, number_to: str) -> str:
        """``POST /prepare_inbound``: the id to send as ``X-EI: S.<id>;``."""
        body = {"phone_number_from": number_from, "phone_number_to": number_to}
        answer = _payload(self._ask("POST", "/prepare_inbound", json=body))
        found = answer.get("synthflow_call_id") if isinstance(answer, dict) else None
        if not isinstance(found, str):
            raise FarEndError("Synthflow API: POST /prepare_inbound: the answer has no synthflow_call_id")
        return found

    def ask(self, method: str, path: str, **arguments: Any) -> Any:
        """Any other request; the decoded JSON answer."""
        return _payload(self._ask(method, path, **arguments))

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def _record(self, plain: Any) -> CallRecord:
        if isinstance(plain, dict) and isinstance(plain.get("calls"), list) and plain["calls"]:
            plain = plain["calls"][0]
        call_id = plain.get("call_id") or plain.get("id") if isinstance(plain, dict) else None
        if not isinstance(call_id, str):
            raise FarEndError("Synthflow API: a call's record has no call_id")
        return CallRecord(call_id, plain, self._region)

    def _ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        problem = ""
        for attempt in range(_ATTEMPTS):
            try:
                response = self._client.request(method, path, **arguments)
            except httpx.HTTPError as error:
                raise FarEndError(f"Synthflow API: {method} {path}: {type(error).__name__}: {error}") from error
            if response.status_code == 429 and attempt + 1 < _ATTEMPTS:
                time.sleep(min(_patience(response), _MOST_PATIENCE_S))  # the API's own request to wait, RFC 9110 10.2.3
                continue
            if response.is_success:
                return response
            problem = f"{response.status_code} {response.reason_phrase}"
            break
        raise FarEndError(f"Synthflow API: {method} {path}: {problem or 'too many requests'}")


def _patience(response: httpx.Response) -> float:
    """Seconds to wait, which RFC 9110 section 10.2.3 lets it say as a number or a date; a second when it says neither."""
    asked = response.headers.get("retry-after", "")
    try:
        seconds = float(asked)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(asked).timestamp() - time.time()
        except ValueError:
            return 1.0
    return max(0.0, seconds) if math.isfinite(seconds) else 1.0


def _payload(response: httpx.Response) -> Any:
    try:
        plain = response.json()
    except (ValueError, RecursionError) as error:
        raise FarEndError(f"Synthflow API: {response.request.method} {response.request.url.path}: not JSON") from error
    # the public API wraps its answers: {"status": "ok", "response": {…}}
    return plain["response"] if isinstance(plain, dict) and "response" in plain else plain
