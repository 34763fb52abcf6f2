"""Checks of where a call lands: at the right group or phone, and at no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from harness.case import measurement
from harness.case.checks.claims import STRENGTH, Claim, Observation
from harness.case.checks.finding import judged, not_observable
from harness.case.checks.registry import check
from harness.case.verdict import Finding


@check("landing")
def landed(
    subject: str,
    wanted: str,
    rang: Mapping[str, str],
    in_vain: Sequence[str] = (),
    alike: Sequence[str] = (),
    untold: str = "",
) -> Finding:
    """The call rang at ``wanted``, a group or a phone. ``rang`` maps each phone that rang to the
    group it rang for.

    ``in_vain`` are phones that got an INVITE but could not take the call. ``alike`` are other
    groups for which the same phones would have rung; the finding names them. ``untold``: why a
    landing at ``wanted`` cannot be told from one elsewhere.
    """
    groups = list(dict.fromkeys(rang.values()))
    also = f", who would ring for {', '.join(alike)} as well" if alike else ""
    places = [
        f"{group} ({', '.join(phone for phone in rang if rang[phone] == group)}{also if group == wanted else ''})"
        for group in groups
    ]
    called = f"; {', '.join(in_vain)} got an INVITE, but could not take the call" if in_vain else ""
    expected = f"the call lands at {wanted}"
    actual = (f"it landed at {', '.join(places)}" if places else "it landed nowhere") + called
    measured = measurement.Landing(
        wanted=wanted, rang=tuple(groups), phones=tuple(rang), alike=tuple(alike)
    )
    is_right = wanted in groups
    if is_right and untold:
        why = f"{actual}; {untold}"
        return not_observable("landing", subject, expected=expected, why=why, measured=measured)
    return judged("landing", subject, is_right, expected=expected, actual=actual, measured=measured)


@check("landing.in_report")
def landed_by_report(
    subject: str, wanted: str, groups: Sequence[str], *, took: bool, rows: Sequence[str]
) -> Finding:
    """The platform's report lists the call in ``wanted``. ``groups``: every group it lists;
    ``took``: an agent took the call.
    """
    return judged(
        "landing",
        subject,
        wanted in groups,
        expected=f"the call lands at {wanted}",
        actual=f"the platform's report lists it in {', '.join(groups)}"
        + (", taken by an agent" if took else ""),
        strength=STRENGTH[Claim.TRANSFERRED][Observation.REPORT],
        evidence=rows,
        measured=measurement.Landing(wanted=wanted, rang=tuple(groups)),
    )


@check("landing.others.in_report")
def none_beside_in_report(subject: str, others: Sequence[str], rows: Sequence[str]) -> Finding:
    """The platform's report lists the call in no group but the right one; ``others`` are the wrong
    ones.
    """
    return judged(
        "landing.others",
        subject,
        not others,
        expected="no other group in the platform's report",
        actual=f"the platform's report lists the call in {', '.join(others)}, too"
        if others
        else "it lists no other",
        strength=STRENGTH[Claim.TRANSFERRED][Observation.REPORT],
        evidence=rows,
        measured=measurement.Ringing(rang=len(others)),
    )


@check("landing.stops")
def stops(phone: str, stopped: bool, limit_s: float) -> Finding:
    """A phone stops ringing when another agent answers the call."""
    return judged(
        "landing.stops",
        phone,
        stopped,
        expected=f"it stops ringing within {limit_s:g} s of another agent's answer",
        actual="it stopped" if stopped else "it goes on ringing",
        measured=measurement.StopsRinging(stopped=stopped, limit_s=limit_s),
    )


@check("landing.accepted")
def accepted(phone: str, digit: str, is_connected: bool) -> Finding:
    """An agent's telephone is connected to the caller only behind the digit that accepts the call."""
    return judged(
        "landing.accepted",
        phone,
        not is_connected,
        expected=f"it hears the caller only once it has pressed {digit}",
        actual="it heard the caller before that" if is_connected else "it did",
        measured=measurement.Ringing(rang=int(is_connected)),
    )


#: The event that a handover must wait for when the caller asks for it.
ASKED: Final = "the caller asks for a person"


@check("landing.turn")
def turn(phone: str, rang: bool, its_turn: bool, before: str = "its turn") -> Finding:
    """A phone rings in its turn of the group, and not ``before``."""
    return judged(
        "landing.turn",
        phone,
        rang == its_turn,
        expected="it rings in this turn of its group"
        if its_turn
        else f"it does not ring before {before}",
        actual="it rang" if rang else "it did not ring",
        measured=measurement.Ringing(rang=int(rang)),
    )


@check("landing.others")
def never_rang(subject: str, rang: int, watched: bool, calls: Sequence[str] = ()) -> Finding:
    """A phone that could have rung did not. A phone that was not reachable (not ``watched``) proves
    nothing, so it fails.
    """
    if not watched:
        return judged(
            "landing.others",
            subject,
            False,
            expected="it does not ring",
            actual="it was not reachable, so its silence shows nothing",
            measured=measurement.Ringing(watched=False),
        )
    return judged(
        "landing.others",
        subject,
        rang == 0,
        expected="it does not ring",
        actual="it never rang"
        if rang == 0
        else f"it rang {rang}×" + (f" ({', '.join(calls)})" if calls else ""),
        measured=measurement.Ringing(rang=rang),
    )


@check("landing.answered_by")
def only_one(
    subject: str,
    answered: Sequence[str],
    wanted: str,
    *,
    code: int | None = None,
    state: str | None = None,
    attempted: Sequence[str] = (),
    unseen: bool = False,
    called: Sequence[str] = (),
) -> Finding:
    """Exactly ``wanted`` answered, and no other assistant was ``called``.

    ``code`` and ``state`` are those of the caller's call. ``attempted``: the call attempts that the
    AI's side saw when none was answered. ``unseen``: the AI's side could not be observed.
    """
    no_answer = (
        "the platform itself or an unobserved phone answered"
        if state == "confirmed"
        else "there was no answer"
    )
    return judged(
        "landing.answered_by",
        subject,
        list(answered) == [wanted] and not called,
        expected=f"only {wanted} answers",
        actual=(f"{', '.join(answered)} answered" if answered else no_answer)
        + (f", and the call went to {', '.join(called)} as well" if called else ""),
        measured=measurement.AnsweredBy(
            answered=tuple(answered),
            wanted=wanted,
            code=code,
            state=state,
            attempted=tuple(attempted),
            unseen=unseen,
            called=tuple(called),
        ),
    )


@check("transfer.refer")
def refer_mode(subject: str, declared: str, passed_on: bool) -> Finding:
    """The platform treats the AI's REFER as declared: ``passed-on`` to the caller's phone, or
    ``consumed``.
    """
    seen = "passed-on" if passed_on else "consumed"
    says = {
        "consumed": "the platform consumes the REFER: none reaches the caller's phone",
        "passed-on": "the platform hands the REFER on to the caller's phone, which places the new call",
    }
    return judged(
        "transfer.refer",
        subject,
        seen == declared,
        expected=f"{says[declared]} (refer = {declared})",
        actual="the caller's phone got a REFER" if passed_on else "the caller's phone got no REFER",
        measured=measurement.ReferMode(declared=declared, seen=seen),
    )


@check("one_call")
def one_call(subject: str, up: Sequence[str], wanted: str) -> Finding:
    """The phone has exactly one call up: ``wanted``."""
    return judged(
        "one_call",
        subject,
        list(up) == [wanted],
        expected="one call is up",
        actual=f"{', '.join(up) or 'none'} is up",
        measured=measurement.CallsUp(up=tuple(up)),
    )
