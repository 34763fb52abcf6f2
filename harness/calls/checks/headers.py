"""Checks of a message's Request-URI and headers."""

from __future__ import annotations

from harness.calls import measurement
from harness.calls.checks.finding import judged
from harness.calls.checks.registry import check
from harness.calls.verdict import Finding
from harness.sip.identity import digits_of
from harness.sip.message import Message, Request


@check("route.request_uri", compares_numbers=True)
def request_user(invite: Request, subject: str, number: str, where: str = "") -> Finding:
    """The Request-URI is addressed to ``number``."""
    user = digits_of(invite.uri)
    return judged(
        "route.request_uri",
        subject,
        user == number,
        expected=f"a Request-URI for {number}",
        actual=f"it is {invite.uri}",
        evidence=[where] if where else [],
        measured=measurement.RequestUser(request_user=user, number=number),
    )


@check("header", compares_numbers=True)
def header(message: Message, subject: str, name: str, value: str, where: str = "") -> Finding:
    """The message has the header ``name`` exactly once, with exactly ``value``."""
    found = message.get_all(name)
    return judged(
        "header",
        subject,
        found == [value],
        expected=f"{name}: {value}, once",
        actual=f"{name} is absent" if not found else f"{name} is " + " and ".join(repr(v) for v in found),
        evidence=[where] if where else [],
        measured=measurement.Header(header=name, values=tuple(found), value=value),
    )


@check("header.absent", compares_numbers=True)
def no_header(message: Message, subject: str, name: str, where: str = "") -> Finding:
    """The message has no header ``name``."""
    found = message.get_all(name)
    return judged(
        "header.absent",
        subject,
        not found,
        expected=f"no {name}",
        actual=f"{name} is " + (" and ".join(repr(v) for v in found) or "absent"),
        evidence=[where] if where else [],
        measured=measurement.Header(header=name, values=tuple(found)),
    )


@check("route.request_uri.in_record", compares_numbers=True)
def called_in_record(called: str, subject: str, number: str, call_id: str) -> Finding:
    """The far end's record names the number that was called."""
    return judged(
        "route.request_uri",
        subject,
        called == number,
        expected=f"a call for {number} in the record",
        actual=f"the record says {called!r}",
        evidence=[f"record {call_id}"],
        measured=measurement.RequestUser(request_user=called, number=number, record=True),
    )


@check("header.in_record", compares_numbers=True)
def header_in_record(seen: str | None, subject: str, name: str, value: str, call_id: str) -> Finding:
    """The far end's record has the header's value; ``seen`` is None when the record has only other X- headers."""
    return judged(
        "header",
        subject,
        seen == value,
        expected=f"{name}: {value} among the record's variables",
        actual="it is absent, and other X- headers are there" if seen is None else f"the record says {seen!r}",
        evidence=[f"record {call_id}"],
        measured=measurement.Header(header=name, values=() if seen is None else (seen,), value=value, record=True),
    )


@check("header.in_transfer", compares_numbers=True)
def header_sent(seen: str | None, subject: str, name: str, value: str) -> Finding:
    """The AI's transfer asks the platform to send this header with this value to the transfer target."""
    return judged(
        "header",
        subject,
        seen == value,
        expected=f"the AI's transfer asks for {name}: {value}",
        actual="it does not ask for it" if seen is None else f"it asks for {seen!r}",
        measured=measurement.Header(header=name, values=() if seen is None else (seen,), value=value),
    )


@check("header.absent.in_record", compares_numbers=True)
def header_not_in_record(seen: str | None, subject: str, name: str, call_id: str) -> Finding:
    """The far end's record, which lists X- headers, does not list this one."""
    return judged(
        "header.absent",
        subject,
        seen is None,
        expected=f"no {name} among the record's variables",
        actual="it is absent" if seen is None else f"the record says {seen!r}",
        evidence=[f"record {call_id}"],
        measured=measurement.Header(header=name, values=() if seen is None else (seen,), record=True),
    )
