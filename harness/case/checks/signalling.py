"""Checks of a message's Request-URI and headers, of transport, codec, final responses, and digits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.case import measurement
from harness.case.checks.finding import judged, not_observable
from harness.case.checks.registry import check
from harness.case.verdict import Finding
from harness.sip.grammar import host_of
from harness.sip.identity import digits_of
from harness.sip.message import Message, Request

G711 = ("PCMU", "PCMA")
_WAYS = {"inband": "tones in the audio (in-band)"}


@check("route.transport")
def transport(
    subject: str,
    expected: str,
    port: int,
    seen: str | None = None,
    local: str | None = None,
    where: str = "",
) -> Finding:
    """The call came over ``expected`` to ``port``; ``seen`` and ``local`` are None where its
    messages are not shown.
    """
    if seen is None or local is None:
        why = "the far end does not show its messages"
        wanted = f"{expected.upper()} to port {port}"
        return not_observable("route.transport", subject, expected=wanted, why=why)
    seen_port = int(local.rpartition(":")[2] or 0)
    return judged(
        "route.transport",
        subject,
        seen == expected and seen_port == port,
        expected=f"{expected.upper()} to port {port}",
        actual=f"{seen.upper()} to {local}",
        evidence=[where] if where else [],
        measured=measurement.Transport(transport=seen, port=seen_port),
    )


@check("route.trunk")
def trunk(
    subject: str, name: str, hosts: Mapping[str, str | None], came_from: str | None, where: str = ""
) -> Finding | None:
    """The call came from the address of the trunk ``name``. ``hosts`` has the address of each
    trunk; ``came_from`` is ``host:port``.

    None when addresses cannot tell the trunks apart: unknown, shared, or not used as a source.
    """
    source = host_of(came_from or "")
    if len(set(hosts.values())) < len(hosts) or source not in hosts.values():
        return None
    seen = next(trunk for trunk, host in hosts.items() if host == source)
    return judged(
        "route.trunk",
        subject,
        seen == name,
        expected=f"the call comes over the trunk {name}",
        actual=f"it came from {came_from}, the trunk {seen}",
        evidence=[where] if where else [],
        measured=measurement.Trunk(trunk=seen, wanted=name),
    )


@check("codec")
def codec(subject: str, wanted: Sequence[str], seen: str | None, where: str = "") -> Finding:
    """The leg uses one of ``wanted``, as SDP spells them; ``seen`` is None where no SDP is shown."""
    if seen is None:
        expected = " or ".join(wanted)
        return not_observable("codec", subject, expected=expected, why="no SDP is shown")
    return judged(
        "codec",
        subject,
        seen.upper() in wanted,
        expected=" or ".join(wanted),
        actual=seen or "no codec was negotiated",
        evidence=[where] if where else [],
        measured=measurement.Codec(codec=seen),
    )


@check("media.encrypted")
def encrypted(subject: str, secure: bool | None) -> Finding:
    """The media is SRTP; ``secure`` is None when no media was negotiated."""
    return judged(
        "media.encrypted",
        subject,
        secure is True,
        expected="SRTP",
        actual={True: "SRTP", False: "RTP in the clear", None: "no media was negotiated"}[secure],
        measured=measurement.Encryption(secure=secure),
    )


@check("final_response")
def final_response(
    subject: str, wanted: Sequence[int], code: int, reason: str, where: str = ""
) -> Finding:
    """The call ended with one of the ``wanted`` status codes."""
    return judged(
        "final_response",
        subject,
        code in wanted,
        expected="a final response " + " or ".join(str(c) for c in wanted),
        actual=f"it was {code} {reason}".rstrip() if code else reason or "none came",
        evidence=[where] if where else [],
        measured=measurement.FinalResponse(code=code, wanted=tuple(wanted)),
    )


@check("dtmf")
def digits(subject: str, sent: str, seen: str, methods: Sequence[str], method: str) -> Finding:
    """The digits arrived, each once, in order, by ``method``."""
    right = seen == sent and set(methods) <= {method}
    return judged(
        "dtmf",
        subject,
        right,
        expected=f"the digits {sent} by {method}",
        actual=f"{seen or 'none'}"
        + (
            f" by {' and '.join(_WAYS.get(way, way) for way in sorted(set(methods)))}"
            if methods
            else ""
        ),
        measured=measurement.Digits(sent=sent, seen=seen, methods=tuple(methods), method=method),
    )


@check("dtmf.duration")
def durations(
    subject: str, seen_ms: Sequence[int | None], least_ms: int = 40, most_ms: int = 1000
) -> Finding:
    """Every digit was long enough (ITU-T Q.24) and not stuck; None is a digit of unknown length."""
    reported = [d for d in seen_ms if d is not None]
    expected, right = (
        f"each digit between {least_ms} and {most_ms} ms",
        all(least_ms <= d <= most_ms for d in reported),
    )
    measured = measurement.DigitDurations(durations_ms=tuple(reported))
    if right and len(reported) < len(seen_ms):
        why = f"the length of {len(seen_ms) - len(reported)} of {len(seen_ms)} digits is unknown"
        return not_observable(
            "dtmf.duration", subject, expected=expected, why=why, measured=measured
        )
    return judged(
        "dtmf.duration",
        subject,
        bool(reported) and right,
        expected=expected,
        actual=", ".join(f"{d} ms" for d in reported) or "no digit",
        measured=measured,
    )


# -- Request-URI and headers


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
        actual=f"{name} is absent"
        if not found
        else f"{name} is " + " and ".join(repr(v) for v in found),
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
def header_in_record(
    seen: str | None, subject: str, name: str, value: str, call_id: str
) -> Finding:
    """The far end's record has the header's value; ``seen`` is None when the record has only other
    X- headers.
    """
    return judged(
        "header",
        subject,
        seen == value,
        expected=f"{name}: {value} among the record's variables",
        actual="it is absent, and other X- headers are there"
        if seen is None
        else f"the record says {seen!r}",
        evidence=[f"record {call_id}"],
        measured=measurement.Header(
            header=name, values=() if seen is None else (seen,), value=value, record=True
        ),
    )


@check("header.in_transfer", compares_numbers=True)
def header_sent(seen: str | None, subject: str, name: str, value: str) -> Finding:
    """The AI's transfer asks the platform to send this header with this value to the transfer
    target.
    """
    return judged(
        "header",
        subject,
        seen == value,
        expected=f"the AI's transfer asks for {name}: {value}",
        actual="it does not ask for it" if seen is None else f"it asks for {seen!r}",
        measured=measurement.Header(
            header=name, values=() if seen is None else (seen,), value=value
        ),
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
        measured=measurement.Header(
            header=name, values=() if seen is None else (seen,), record=True
        ),
    )
