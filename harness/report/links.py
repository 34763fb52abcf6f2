"""From a finding to the very messages it speaks of: those it names, else those its check is about, on the leg it names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from harness.calls.verdict import Finding
from harness.report.flow import Arrow

_NUMBER = re.compile(r"\bm\d+\b")
_MOST = 6


def _invite(arrow: Arrow) -> bool:
    return arrow.method == "INVITE" and not arrow.is_response


def _final(arrow: Arrow) -> bool:
    return arrow.method == "INVITE" and arrow.status >= 200


def _set_up(arrow: Arrow) -> bool:
    return _invite(arrow) or _final(arrow)


def _sdp(arrow: Arrow) -> bool:
    return "\nm=audio " in arrow.text


def _end(arrow: Arrow) -> bool:
    return arrow.method in ("BYE", "CANCEL") or (arrow.method == "INVITE" and arrow.status >= 300)


def _of(*methods: str) -> Callable[[Arrow], bool]:
    return lambda arrow: arrow.method in methods


#: What a check, or all checks whose ids begin so, looks at.
_ABOUT: Mapping[str, Callable[[Arrow], bool]] = {
    "registration": _of("REGISTER"),
    "ringing": lambda arrow: _invite(arrow) or (arrow.method == "INVITE" and 100 < arrow.status < 200),
    "answered.acknowledged": lambda arrow: _final(arrow) or arrow.method == "ACK",
    "answered": _set_up,
    "call.up": _end,
    "landing": _set_up,
    "route": _invite,
    "codec": _sdp,
    "media": _sdp,
    "audio": _sdp,
    "caller_id": _invite,
    "header": _invite,
    "one_call": _set_up,
    "transfer": _of("REFER", "NOTIFY"),
    "released": _end,
    "final_response": _final,
    "timing": _set_up,
    "dtmf": _of("INFO"),
    "session": lambda arrow: _set_up(arrow) or arrow.method == "UPDATE",
    "prack": _of("PRACK"),
}


def named_in(lines: Iterable[str], flow: Sequence[Arrow]) -> tuple[str, ...]:
    """Numbers of messages of the case's ``flow`` that the lines name, in order."""
    known = {number for arrow in flow if not arrow.far_end for number in arrow.numbers}
    return tuple(dict.fromkeys(number for line in lines for number in _NUMBER.findall(line) if number in known))


def messages_of(flow: Sequence[Arrow], finding: Finding) -> tuple[str, ...]:
    """Numbers of messages of the case's ``flow`` (:func:`harness.report.flow.arrows`), in order; empty where none is about it."""
    if named := named_in(finding.evidence, flow):
        return named
    about = next((test for check, test in _ABOUT.items() if finding.check.startswith(check)), None)
    if about is None:
        return ()
    ours = [arrow for arrow in flow if not arrow.far_end and about(arrow)]
    return tuple(arrow.numbers[0] for arrow in _on_the_subject(ours, finding.subject)[:_MOST])


def _on_the_subject(found: Sequence[Arrow], subject: str) -> Sequence[Arrow]:
    """Those of the legs or phones that the subject names; all of them when it names none (``the call``)."""
    words = set(re.findall(r"[\w.-]+", subject))
    named = [arrow for arrow in found if arrow.leg in words or arrow.phone in words]
    return named or list(found)
