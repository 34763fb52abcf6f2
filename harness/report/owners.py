"""The page that is sent to somebody who owns causes: times, messages and masked numbers, ready for
a ticket.
"""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from harness.case.verdict import Verdict
from harness.diagnosis.catalogue import Person, people
from harness.errors import MistakeError
from harness.report.callfacts import call_facts, table_of
from harness.report.causes import CauseGroup
from harness.report.evidence import CaseEvidence
from harness.report.flow import arrows, first_line
from harness.report.hearing import figures
from harness.report.markup import environment, moment, printable, seen_of
from harness.report.run_directory import RunEvidence
from harness.support.files import whole_file
from harness.support.mask import mask_text
from harness.support.model_words import nearest

#: Of each cause this many cases stand in the page, with so many messages.
_MOST_CASES, _MOST_MESSAGES = 3, 40


def page_of(person: Person) -> str:
    """The name of the page for them."""
    return f"for-{person.name.lower().replace(' ', '-')}.html"


def write_all(run: RunEvidence) -> None:
    """Write a page for everybody who owns a cause of the run."""
    owners = {group.said("owner") for group in run.groups}
    for person in people():
        if not owners.isdisjoint(person.owners):
            _write(run, person)


def write(run: RunEvidence, name: str) -> tuple[Path, str]:
    """Write the page for an owner, with numbers masked; returns its path, and a line where nothing
    in it is theirs. Raises :class:`MistakeError` for an unknown owner.
    """
    wanted = name.lower().replace("-", " ")  # a shell completes words
    called = [one for one in people() if wanted in map(str.lower, (one.name, *one.owners))]
    person = called[0] if called else None
    if person is None:
        known = [one.name for one in people()]
        raise MistakeError(
            f"--for {name}: no such owner{nearest(name, known)}. Choose one of: {', '.join(known)}"
        )
    is_theirs = any(group.said("owner") in person.owners for group in run.groups)
    note = "" if is_theirs else f"nothing in {run.name} is for {person.name}"
    return _write(run, person), note


def _write(run: RunEvidence, person: Person) -> Path:
    """Write the page of one person; returns its path."""
    groups = [group for group in run.groups if group.said("owner") in person.owners]
    text = (
        environment()
        .overlay(finalize=_masked)
        .get_template("ticket.html.j2")
        .render(
            owner=person,
            run=run.name,
            began=moment(run.began),
            causes=[(group, _calls(group)) for group in groups],
            first_line=first_line,
            faults=run.scope.faults,
        )
    )
    path = run.directory / page_of(person)
    whole_file.write(path, text)
    return path


class _CallId(Markup):
    """A Call-ID, whose digits are no number by their form alone: it is searched for in logs."""


def _as_call_id(value: str) -> _CallId:
    head = "Call-ID: "
    return _CallId(escape(mask_text(printable(head + value)).removeprefix(head)))


def _masked(value: object) -> object:
    if not isinstance(value, str) or isinstance(value, _CallId):
        return value
    masked = mask_text(printable(value))
    return Markup(masked) if isinstance(value, Markup) else masked


def _calls(group: CauseGroup) -> list[dict[str, Any]]:
    """The surest cases of a cause, in order of time."""
    surest = group.cases[:_MOST_CASES]
    return [_case(case) for case in sorted(surest, key=attrgetter("began_wall"))]


def _case(case: CaseEvidence) -> dict[str, Any]:
    """Times, the facts of each leg, what was expected and seen, and the messages."""
    table: list[list[str]] = []
    for title, *values in table_of(call_facts(case, arrows(case), figures(case))):
        shown = map(_as_call_id, values) if title == "Call-ID" else values
        table.append([title, *shown])
    failed = [finding for finding in case.findings if finding.verdict is not Verdict.PASSED]
    events = [message.event for message in case.messages[:_MOST_MESSAGES]]
    return {
        "title": case.title,
        "id": case.id,
        "when": moment(case.began_wall),
        "table": table,
        "failed": [(finding, seen_of(finding)) for finding in failed],
        "messages": [(moment(case.wall(event.at)), event) for event in events],
        "more": max(0, len(case.messages) - _MOST_MESSAGES),
    }
