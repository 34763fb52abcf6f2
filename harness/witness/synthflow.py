"""Synthflow's API: https://docs.synthflow.ai (calls, prepare_inbound), read-only but for what
prepares a call.

An API that cannot be used is a :class:`FarEndError`; callers lower the strength of what they know,
never fail a call for it. What it answers may be anybody's text: ids are checked before they go into
a path, answers are limited in size and time.
"""

from __future__ import annotations

import asyncio
import math
import re
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlsplit

from harness.deployment import SYNTHFLOW_ID, Deployment, Synthflow, is_loopback
from harness.deployment.safety import addresses_in_records
from harness.errors import FarEndError
from harness.sip.identity import known_spellings
from harness.support.http_client import Answer, HttpClient, HttpError, HttpResponse
from harness.witness.call_record import REGISTERED, CallRecord
from harness.witness.clock import ClockOffset, date_told, to_monotonic, to_wall

_ATTEMPTS = 3
_MOST_PATIENCE_S = 5.0
_ID = re.compile(SYNTHFLOW_ID)
#: Most pages of a list that are read; a verification has fewer calls.
_MOST_PAGES = 50
#: Calls a page; its own 20 made seven requests of one look in a busy minute. An API that gives fewer
#: is asked for the next page.
_PAGE = "100"
#: A list begins this much earlier: a call whose id was given out beforehand may have begun by then.
_EARLIER_S = 60.0
#: After this many failures in a row the API counts as dead for a while.
_STRIKES = 3
_DOWN_S = 60.0
#: How long the first reading of a call's record is remembered.
_KNOWN_S = 3600.0
#: Two calls of one caller are further apart than this.
_APART_S = 0.1


def calls_query(since: float, model: str | None) -> dict[str, str]:
    """The query for the calls of a model (Synthflow's id of an assistant) since then, in epoch
    seconds.
    """
    query = {"from_date": str(int(since * 1000)), "limit": _PAGE}
    return query | ({"model_id": model} if model else {})


class _Reading:
    def __init__(self, since: float) -> None:
        self.since = since
        self.found = Future[list[CallRecord]]()


class _SharedReading:
    """Lists read since a given time, of each set of models. Requests during a reading share the
    next reading.

    So no answer is older than its request, and at most one reading waits behind the current one,
    however many calls of a load look for themselves in the same list. Thread-safe.
    """

    def __init__(self, read: Callable[[float, Sequence[str | None]], list[CallRecord]]) -> None:
        """Whatever ``read`` raises is raised to all who share it."""
        self._read = read
        self._guard = threading.Lock()
        self._turns: dict[Sequence[str | None], threading.Lock] = {}
        self._next: dict[Sequence[str | None], _Reading] = {}

    def since(self, moment: float, models: Sequence[str | None]) -> list[CallRecord]:
        """The calls since then, or since somewhat earlier."""
        with self._guard:
            reading = self._next.setdefault(models, _Reading(moment))
            reading.since = min(reading.since, moment)
            turn = self._turns.setdefault(models, threading.Lock())
        with turn:
            with self._guard:
                if is_first := self._next.get(models) is reading:
                    del self._next[models]
            if is_first:
                try:
                    reading.found.set_result(self._read(reading.since, models))
                except BaseException as error:
                    reading.found.set_exception(error)
        return list(reading.found.result())


class SynthflowApi:
    """A client of the API. Every method raises :class:`FarEndError` when the API gives no usable
    answer.

    One that is found dead (connection refused, 401, three times 5xx or no answer in time) is asked
    again once a minute; in between every method raises at once. One that answers a page instead of
    JSON is no API, and asked no more, unless it gave JSON before. Safe from any thread.
    """

    def __init__(
        self,
        base: str,
        token: str,
        ca_file: str | None = None,
        timeout_s: float = 5.0,
        region: str = "US",
        clock: Callable[[], float] = time.monotonic,
        testifies: bool = True,
        addresses: Iterable[str] = (),
    ) -> None:
        """``testifies``: records have fields beyond the documented ones; undeclared fields are
        ignored.

        ``addresses``: numbers (E.164) that a record may have without a plus, and users of SIP
        addresses.
        """
        self._base = base.rstrip("/")
        self._region = region
        self._timeout_s = timeout_s
        self._clock = clock
        self._testifies = testifies
        self._known = known_spellings(addresses)
        headers = {"Authorization": f"Bearer {token.strip()}"}
        self._client = HttpClient(
            ssl.create_default_context(cafile=ca_file) if ca_file else True, headers
        )
        self._lists = _SharedReading(self._read)
        self._strikes = 0
        self._down_until = -math.inf
        self._problem = ""
        self._gave_json = False
        self._offset = ClockOffset()
        self._known_since: dict[str, float] = {}  # by id, the oldest first
        self._guard = threading.Lock()

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine's loopback, as a simulated one is."""
        return is_loopback(urlsplit(self._base).hostname or "")

    @property
    def is_down(self) -> bool:
        """Whether it was found dead less than a minute ago, so that it is not waited for."""
        return self._clock() < self._down_until

    def moment(self, reported: float) -> float:
        """A moment that it tells, in epoch seconds by its clock, on this machine's monotonic clock."""
        return to_monotonic(reported - self._offset.nearest)

    def call(self, call_id: str) -> CallRecord:
        """``GET /calls/{id}``."""
        record = self._record(self.ask("GET", f"/calls/{path_segment(call_id)}"))
        if record.id != call_id:
            raise FarEndError("Synthflow API: GET /calls/{id}: the record is another call's")
        return record

    def recording_address(self, call_id: str) -> str | None:
        """``GET /calls/{id}/recording``: where the recording is; None while there is none (404)."""
        what = "GET /calls/{id}/recording"
        answer = self._wait(
            self._ask(
                "GET", f"/calls/{path_segment(call_id)}/recording", expected=(302, 303, 307, 404)
            )
        )
        if answer.status == 404:
            return None
        address = answer.headers.get("location")
        if not address:
            raise FarEndError(f"Synthflow API: {what}: {answer.status} without a Location")
        return address

    def calls(self, since: float, models: Sequence[str] = ()) -> list[CallRecord]:
        """``GET /calls`` of each model (Synthflow's id of an assistant), or of all, where none is
        known.

        Those since shortly before ``since`` (epoch seconds of this machine), whatever the API makes
        of that: :meth:`CallRecord.is_since` tells which of them are since then. Calls that look at
        once have one reading.
        """
        return self._lists.since(since, tuple(dict.fromkeys(models)) or (None,))

    def note_earlier(self, models: Sequence[str] = ()) -> None:
        """Before a call: read the list once, where the moments that it tells are not known well.
        Its calls began before.

        Where the API's Date is off, its records may be by either clock.
        """
        if self._offset.unknown_s + abs(self._offset.nearest) > _APART_S:
            self.calls(to_wall(time.monotonic()), models)

    def _read(self, since: float, models: Sequence[str | None]) -> list[CallRecord]:
        return self._wait(self._calls(since, models))

    async def _calls(self, since: float, models: Sequence[str | None]) -> list[CallRecord]:
        # a call may be listed twice, if the API ignores the model: it is over if one of its records
        # says so
        found: dict[str, CallRecord] = {}
        for model in models:
            async for record in self._listed(since, model):
                if record.id not in found or not found[record.id].over:
                    found[record.id] = record
        return list(found.values())

    async def _listed(self, since: float, model: str | None) -> AsyncIterator[CallRecord]:
        seen: set[str] = set()
        # by the earlier of both clocks: a Date may be ahead of the records that come with it
        query = calls_query(since + min(0.0, self._offset.seconds) - _EARLIER_S, model)
        for _ in range(_MOST_PAGES):
            listed = await self._asked("GET", "/calls", params=query)
            calls = calls_in(listed)
            new = [record for record in map(self._record, calls) if record.id not in seen]
            seen |= {record.id for record in new}
            for record in new:
                yield record
            if not new or len(seen) >= _total(listed):
                return
            query["offset"] = str(len(seen))
        raise FarEndError(
            f"Synthflow API: GET /calls: more than {len(seen)} calls in the time of this one"
        )

    def prepare_inbound(self, number_from: str, number_to: str, model: str | None = None) -> str:
        """``POST /prepare_inbound``: the id to send as ``X-EI: S.<id>;``. Its numbers: the
        caller's, and the assistant's.
        """
        body = {"from_number": number_from, "to_number": number_to} | (
            {"model_id": model} if model else {}
        )
        answer = self.ask("POST", "/prepare_inbound", json=body)
        found = answer.get("synthflow_call_id") if isinstance(answer, dict) else None
        if not isinstance(found, str):
            raise FarEndError(
                "Synthflow API: POST /prepare_inbound: the answer has no synthflow_call_id"
            )
        return found

    def ask(self, method: str, path: str, **arguments: Any) -> Any:
        """Any other request; the decoded JSON answer. Ids in ``path`` have gone through
        :func:`path_segment`.
        """
        return self._wait(self._asked(method, path, **arguments))

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def _wait(self, asked: Coroutine[Any, Any, Answer]) -> Answer:
        return self._client.wait(asked)

    def _record(self, plain: Any) -> CallRecord:
        if isinstance(plain, dict) and isinstance(plain.get("calls"), list) and plain["calls"]:
            plain = plain["calls"][0]
        call_id = plain.get("call_id") if isinstance(plain, dict) else None
        if not isinstance(call_id, str):
            raise FarEndError("Synthflow API: a call's record has no call_id")
        path_segment(call_id)
        if not self._testifies:
            plain = {key: value for key, value in plain.items() if key != "witness"}
        read_at, offset = to_wall(time.monotonic()), self._offset
        record = CallRecord(
            call_id, plain, self._region, offset.least, offset.nearest, read_at, known=self._known
        )
        return (
            record
            if record.status == REGISTERED
            else replace(record, known_since=self._first_read(record))
        )

    def _first_read(self, record: CallRecord) -> float:
        known = self._known_since
        with self._guard:
            oldest = next(iter(known), None)
            if oldest is not None and known[oldest] < record.read_at - _KNOWN_S:
                del known[oldest]
            return known.setdefault(record.id, record.read_at)

    async def _asked(self, method: str, path: str, **arguments: Any) -> Any:
        what, answer = f"{method} {path}", await self._ask(method, path, **arguments)
        try:
            found = payload(what, answer)
        except FarEndError:
            kind = answer.headers.get("content-type", "no type")
            failed = self._failed(what, f"{answer.status}, but {kind} and not JSON", _STRIKES)
            self._down_until = self._down_until if self._gave_json else math.inf
            raise failed from None
        self._gave_json = True
        return found

    async def _ask(
        self, method: str, path: str, *, expected: Sequence[int] = (), **arguments: Any
    ) -> HttpResponse:
        what = f"{method} {path}"
        if self.is_down:
            until = "in this run" if self._down_until == math.inf else "before a minute is over"
            raise FarEndError(f"Synthflow API: not asked again {until}: {self._problem}")
        if self._strikes >= _STRIKES:
            self._down_until = self._clock() + _DOWN_S  # others do not ask while this one does
        for attempt in range(_ATTEMPTS):
            asked_at = to_wall(time.monotonic())
            try:
                answer = await self._client.fetch(
                    method,
                    self._base + path,
                    self._timeout_s,
                    repeatable=method == "GET",
                    **arguments,
                )
            except HttpError as error:
                raise self._failed(
                    what, str(error), {"refused": _STRIKES, "late": 1}.get(error.trouble, 0)
                ) from error
            if answer.status == 429 and attempt + 1 < _ATTEMPTS:
                # the API's own request to wait, RFC 9110 section 10.2.3
                await asyncio.sleep(min(_patience(answer), _MOST_PATIENCE_S))
                continue
            break
        self._offset.note(asked_at, to_wall(time.monotonic()), answer.date)
        if answer.is_success or answer.status in expected:
            self._strikes, self._down_until = 0, -math.inf
            return answer
        strikes = (
            _STRIKES if answer.status == 401 else int(answer.status >= 500 or answer.status == 429)
        )
        raise self._failed(what, f"{answer.status} {answer.reason}", strikes)

    def _failed(self, what: str, problem: str, strikes: int) -> FarEndError:
        self._problem = f"{what}: {problem}"
        self._strikes += strikes
        self._down_until = self._clock() + _DOWN_S if self._strikes >= _STRIKES else -math.inf
        return FarEndError(f"Synthflow API: {self._problem}")


def api_of(deployment: Deployment) -> SynthflowApi | None:
    """The API as a deployment declares it; None where it names none."""
    declared = deployment.synthflow
    if declared is None or declared.api_base is None:
        return None
    token = declared.api_token.get_secret_value() if declared.api_token else ""
    testifies = bool(declared.testimony)
    return SynthflowApi(
        declared.api_base,
        token,
        declared.ca_file,
        declared.timeout_s,
        deployment.region,
        testifies=testifies,
        addresses=addresses_in_records(deployment),
    )


class AbsentApi(SynthflowApi):
    """The API of a deployment without one: it is never asked."""

    def __init__(self) -> None:
        self._lists, self._offset = _SharedReading(self._read), ClockOffset()

    @property
    def is_down(self) -> bool:
        """Always."""
        return True

    def _wait(self, asked: Coroutine[Any, Any, Answer]) -> Answer:
        asked.close()
        raise FarEndError(
            "no API is declared (synthflow.api_base), so nothing is known from the AI's side"
        )

    def close(self) -> None:
        """Nothing is open."""


def path_segment(text: object) -> str:
    """An id as it may stand in a path. Raises :class:`FarEndError` for what would lead to another
    one.
    """
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise FarEndError(f"Synthflow API: an id that is none: {str(text)[:60]!r}")
    return quote(text, safe=":")


def _total(listed: object) -> int:
    """How many calls the list has on all its pages; 0 if it has no pages, so that the first one is
    all.
    """
    pages = listed.get("pagination") if isinstance(listed, dict) else None
    total = pages.get("total_records") if isinstance(pages, dict) else None
    return total if isinstance(total, int) else 0


def _patience(answer: HttpResponse) -> float:
    """Seconds to wait, which RFC 9110 section 10.2.3 lets it say as a number or a date; a second
    when it says neither.
    """
    asked = answer.headers.get("retry-after", "")
    try:
        seconds = float(asked)
    except ValueError:
        try:
            seconds = date_told(asked) - time.time()
        except (ValueError, OverflowError):
            return 1.0
    return max(0.0, seconds) if math.isfinite(seconds) else 1.0


def calls_in(listed: object) -> list[Any]:
    """The calls that the answer to ``GET /calls`` lists. Raises :class:`FarEndError` where it is no
    list.
    """
    calls = listed.get("calls") if isinstance(listed, dict) else listed
    if not isinstance(calls, list):
        raise FarEndError("Synthflow API: GET /calls: the answer lists no calls")
    return calls


def payload(what: str, answer: HttpResponse) -> Any:
    """What an answer to ``what`` holds, decoded and unwrapped. Raises :class:`FarEndError` for what
    is no JSON.
    """
    try:
        plain = answer.json()
    except ValueError as error:
        raise FarEndError(f"Synthflow API: {what}: not JSON") from error
    # the public API wraps its answers: {"status": "ok", "response": {…}}
    return plain["response"] if isinstance(plain, dict) and "response" in plain else plain


class Apis(ExitStack):
    """Synthflow's API as each deployment reaches it; clients are kept, and closed at the end."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[tuple[str, Synthflow | None], SynthflowApi | None] = {}

    def __call__(self, deployment: Deployment) -> SynthflowApi | None:
        """Its client; None where it declares none."""
        key = (deployment.name, deployment.synthflow)
        if key not in self._kept:
            self._kept[key] = api = api_of(deployment)
            if api is not None:
                self.callback(api.close)
        return self._kept[key]
