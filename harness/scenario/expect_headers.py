"""What a scenario holds the headers of a call's INVITE to: by the message itself, or by the far end's record."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from harness.calls.checks import headers
from harness.calls.checks.finding import not_observable
from harness.calls.verdict import Finding
from harness.scenario.end import End
from harness.scenario.expect_audio import ExpectAudio
from harness.scenario.synthflow_call import SynthflowCall
from harness.sip.message import Request
from harness.witness.call_record import CallRecord, is_masked

_UNSEEN = "nobody can show the INVITE that arrived"


class ExpectHeaders(ExpectAudio):
    """Expectations of the INVITE that got to one end."""

    def header(self, name: str, value: str, sent_with: Collection[str] = ()) -> None:
        """The INVITE has the header once, with this value.

        ``sent_with``: the caller sent it, with these. A record that has the platform's own alone does not show what became of it.
        """

        def told_by(record: CallRecord) -> Finding | None:
            seen = record.variable(name)
            if seen is None and not record.lacks(name, sent_with):
                return None
            if seen not in (None, value) and is_masked(str(seen)):
                return None
            return headers.header_in_record(seen, self._end.label, name, value, record.id)

        expected = f"{name}: {value}"
        if self._is_told_by_record(told_by, "header", expected):
            return
        end, invite, where = self._invite("header", expected)
        if invite is not None:
            self._context.evidence.add(headers.header(invite, end.label, name, value, where))

    def no_header(self, name: str) -> None:
        """The INVITE does not have the header."""

        def told_by(record: CallRecord) -> Finding | None:
            seen = record.variable(name)
            if record.reshapes(name) or (seen is None and not record.takes_headers):
                return None
            return headers.header_not_in_record(seen, self._end.label, name, record.id)

        if self._is_told_by_record(told_by, "header.absent", f"no {name}"):
            return
        end, invite, where = self._invite("header.absent", f"no {name}")
        if invite is not None:
            self._context.evidence.add(headers.no_header(invite, end.label, name, where))

    def _is_told_by_record(self, told_by: Callable[[CallRecord], Finding | None], check: str, expected: str) -> bool:
        """Whether the far end's record is all there is of the INVITE: the finding is made when it tells of the header."""
        record, talk, asked_at = self._record(), self._end, time.monotonic()
        if record is not None and (found := told_by(record)) is not None:
            self._context.evidence.add(found)
            return True
        if record is None or not isinstance(talk, SynthflowCall):
            return False

        def find() -> Sequence[Finding]:
            found = told_by(talk.read_on(lambda record: told_by(record) is not None))
            finding = found or not_observable(check, talk.label, expected=expected, why=_UNSEEN)
            return [replace(finding, at=asked_at)]

        self._context.later.append(find)
        return True

    def _record(self) -> CallRecord | None:
        """The far end's record, where it is all there is of the call's arrival."""
        record = self._end.record
        return record if record is not None and self._end.invite is None else None

    def _invite(self, check: str, expected: str) -> tuple[End, Request | None, str]:
        end = self._end
        invite = end.invite
        if invite is None:
            self._context.evidence.add(not_observable(check, end.label, expected=expected, why=_UNSEEN))
        return end, invite, end.invite_number
