"""Reading a platform's report: by HTTP, or from a file that somebody puts there."""

from __future__ import annotations

import os
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path

from harness.deployment import Report
from harness.errors import FarEndError
from harness.support.files import user_files
from harness.support.http_client import HttpClient, HttpError, Trust
from harness.witness.clock import to_wall
from harness.witness.clock_offset import ClockOffset
from harness.witness.platform_report import ReportRow, rows_of
from harness.witness.request_headers import request_headers

#: So much earlier than the call the report is asked for: it may be by another clock.
_EARLIER_S = 60.0


class ReportSource:
    """Where a deployment's report is read. Every method raises :class:`FarEndError` when there is no report to be read."""

    def __init__(self, declared: Report) -> None:
        self._declared = declared
        self._offset = ClockOffset()

    @property
    def clock_ahead_s(self) -> float:
        """How far the clock of who answers is ahead of this machine's, as far as its answers say."""
        return self._offset.seconds

    def read(self, since: float) -> list[ReportRow]:
        """The report as it is now. ``since``: the call began then (epoch seconds of this machine)."""
        raw = self._from_file(since) if self._declared.file is not None else self._by_http(since)
        return rows_of(raw, self._declared)

    def _from_file(self, since: float) -> bytes:
        path = Path(str(self._declared.file))
        try:
            with user_files.opened(path, user_files.REPORT) as file:
                written = os.fstat(file.fileno()).st_mtime
                raw = file.read(user_files.REPORT.most_bytes)  # what is added meanwhile comes with the next reading
        except OSError as error:
            raise FarEndError(f"platform.report.file: {path.name}: {error.strerror or 'cannot be read'}") from None
        if written < since:
            raise FarEndError(f"platform.report.file: {path.name} was written before the call")
        return raw

    def _trust(self) -> Trust:
        if self._declared.ca_file is None:
            return True
        try:
            return ssl.create_default_context(cafile=self._declared.ca_file)
        except OSError as error:  # an SSLError is one, too
            name = Path(self._declared.ca_file).name
            raise FarEndError(f"platform.report.ca_file: {name} holds no certificates that can be read") from error

    def _by_http(self, since: float) -> bytes:
        declared = self._declared
        moment = datetime.fromtimestamp(since - _EARLIER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        url = str(declared.url).replace("{since}", moment)
        where = f"the platform's report {url.partition('?')[0]}"  # the query may hold secrets
        body = declared.body.replace("{since}", moment)
        headers = request_headers("platform.report", declared, has_body=bool(body))
        client = HttpClient(self._trust())
        asked_at = to_wall(time.monotonic())
        try:
            answer = client.request(declared.method, url, declared.timeout_s, headers, content=body or None)
        except HttpError as error:
            raise FarEndError(f"{where}: {error}") from error
        finally:
            client.close()
        self._offset.note(asked_at, to_wall(time.monotonic()), answer.date)
        if not answer.is_success:
            raise FarEndError(f"{where}: {answer.status} {answer.reason}")
        return answer.body
