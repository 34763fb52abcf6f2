"""Checks of how far a call gets: ringing, answered, refused, or not routed at all."""

from __future__ import annotations

from collections.abc import Sequence

from harness.case import measurement
from harness.case.checks.finding import judged, not_observable
from harness.case.checks.registry import check
from harness.case.verdict import Finding

#: A wait that begins this soon after the INVITE counts from the INVITE.
_NEGLIGIBLE_S = 0.1
#: Forbidden, method not allowed, bad extension, not implemented (RFC 3261 sections 21.4.4, 21.4.6,
#: 21.4.15, 21.5.2): these refuse any transfer, and say nothing about the target.
_REFUSED_AS_SUCH = (403, 405, 420, 501)
#: The words of a far end that refuses any transfer, or did not attempt it.
_REFUSED_IN_WORDS = (
    "transfer_blocked_by_carrier",
    "transfer_method_unsupported",
    "transfer_outside_availability",
)


@check("ringing")
def rings(
    subject: str,
    seconds: float | None,
    limit_s: float,
    instead: str = "nothing came",
    since_invite_s: float | None = None,
) -> Finding:
    """The far end reported ringing in time (180 or 183); ``seconds`` is None when it never did."""
    return _in_time("ringing", subject, "it rings", seconds, limit_s, instead, since_invite_s)


@check("answered")
def answered(
    subject: str,
    seconds: float | None,
    limit_s: float,
    instead: str = "no answer came",
    since_invite_s: float | None = None,
) -> Finding:
    """The call was answered in time. ``seconds`` is None when it was not; ``instead`` then names
    what happened.

    The limit applies to the wait, which may begin long after the INVITE, for example after a
    fallback's ring timeout. The finding therefore has the time since the INVITE too.
    """
    return _in_time(
        "answered", subject, "the call is answered", seconds, limit_s, instead, since_invite_s
    )


@check("answered.passed_on")
def passed_on(subject: str, seconds: float, limit_s: float) -> Finding:
    """The caller got its 200 within ``limit_s`` seconds of the AI's: until then it hears nothing,
    while the AI speaks.
    """
    return judged(
        "answered.passed_on",
        subject,
        seconds <= limit_s,
        expected=f"the 200 to the caller within {limit_s:g} s of the AI's",
        actual=f"it came {max(0.0, seconds):.2f} s after it",
        measured=measurement.Duration(seconds=seconds, limit_s=limit_s),
    )


@check("call.up")
def up(subject: str, ended_after: float | None) -> Finding:
    """The call is still up before either party hangs up. ``ended_after``: seconds it lasted (0:
    unknown), None while it is up.
    """
    lasted = (
        f"it ended {ended_after:.1f} s after it was answered" if ended_after else "it has ended"
    )
    return judged(
        "call.up",
        subject,
        ended_after is None,
        expected="the call is up until it is hung up",
        actual="it is" if ended_after is None else lasted,
        measured=measurement.Lasted(ended_after_s=ended_after),
    )


@check("voicemail")
def machine_speaks(
    subject: str, asked: tuple[float, float | None] | None, instead: str = "", *, tone: bool = True
) -> Finding:
    """A machine spoke, and with ``tone`` then asked for a message. ``asked``: when each began, in
    seconds after the answer.
    """
    speech_s, tone_s = asked or (None, None)
    beep = f", the tone at {tone_s:.1f} s" if tone_s is not None else ""
    return judged(
        "voicemail",
        subject,
        asked is not None,
        expected="a machine speaks, and a tone asks for a message" if tone else "a machine speaks",
        actual=instead if asked is None else f"speech {speech_s:.1f} s after the answer{beep}",
        measured=measurement.Machine(speech_s=speech_s, tone_s=tone_s),
    )


@check("announcement")
def announced(subject: str, seconds: float, is_heard: bool) -> Finding:
    """The platform, which must speak first for so many ``seconds``, is heard in that time."""
    return judged(
        "announcement",
        subject,
        is_heard,
        expected=f"the platform speaks for {seconds:g} s before it calls anybody",
        actual="it is heard" if is_heard else "nothing is heard in that time",
        measured=measurement.Duration(what="the announcement", limit_s=seconds),
    )


@check("announcement.first")
def announced_first(subject: str, seconds: float, is_too_soon: bool) -> Finding:
    """The party was not called before half of the announcement was over: its length is declared in
    round figures.
    """
    return judged(
        "announcement",
        subject,
        not is_too_soon,
        expected=f"it is called when the platform has spoken for {seconds:g} s",
        actual="it was called before half of that" if is_too_soon else "it was",
        measured=measurement.Duration(what="the announcement", limit_s=seconds),
    )


@check("transfer.told")
def told(
    subject: str, spoken: tuple[str, float] | None, limit_s: float, instead: str = ""
) -> Finding:
    """A voice spoke to the caller before the release. ``spoken``: the sound, and the seconds from
    its end to the call's end.
    """
    was = None if spoken is None else f"{spoken[0]} until {spoken[1]:.1f} s before the end"
    return judged(
        "transfer.told",
        subject,
        spoken is not None and spoken[1] <= limit_s,
        expected=f"somebody speaks in the last {limit_s:g} s before the call is over",
        actual=was or f"no voice spoke{f': it heard {instead}' if instead else ''}",
        measured=measurement.Spoken(before_end_s=spoken and round(spoken[1], 1)),
    )


def _in_time(
    check: str,
    subject: str,
    what: str,
    seconds: float | None,
    limit_s: float,
    instead: str,
    since_invite_s: float | None,
) -> Finding:
    came = "" if seconds is None else f"after {seconds:.2f} s"
    if seconds is not None and since_invite_s is not None:
        came = f"{since_invite_s:.2f} s after the INVITE"
        if abs(since_invite_s - seconds) >= _NEGLIGIBLE_S:
            came += f", {seconds:.2f} s after it was waited for"
    return judged(
        check,
        subject,
        seconds is not None and seconds <= limit_s,
        expected=f"{what} within {limit_s:g} s",
        actual=instead if seconds is None else came,
        measured=measurement.Duration(
            seconds=seconds, limit_s=limit_s, since_invite_s=since_invite_s
        ),
    )


@check("route.tried")
def tried(subject: str, wanted: str, reached: Sequence[str]) -> Finding:
    """An INVITE for ``wanted`` reached the AI; ``reached`` are the numbers of all calls that
    reached it.
    """
    return judged(
        "route.tried",
        subject,
        wanted in reached,
        expected=f"an INVITE for {wanted} reaches the AI",
        actual=f"it got calls for {', '.join(reached)}" if reached else "no call reached it",
        measured=measurement.Reached(reached=tuple(reached), wanted=wanted),
    )


@check("route.not_answered")
def not_answered(
    subject: str,
    answered: Sequence[str],
    otherwise: str = "none was",
    code: int = 0,
    *,
    goes_on: bool = False,
    unseen: str = "",
) -> Finding:
    """No call was set up. ``answered`` names those that were; ``otherwise`` says how the call
    ended.

    ``goes_on``: the call still rings and may yet be answered, which is a failure. ``unseen``: why
    one may have been set up unseen.
    """
    if unseen:
        expected = "no call is set up"
        return not_observable("route.not_answered", subject, expected=expected, why=unseen)
    return judged(
        "route.not_answered",
        subject,
        not answered and not goes_on,
        expected="no call is set up",
        actual=f"{', '.join(answered)} answered" if answered else otherwise,
        measured=measurement.AnsweredBy(answered=tuple(answered), code=code),
    )


@check("route.not_reached")
def not_reached(subject: str, reached: Sequence[str], unseen: str = "") -> Finding:
    """No INVITE reached the AI. Ringing counts as reached. ``unseen``: why one may have come
    unseen.
    """
    if unseen:
        expected = "no INVITE is sent to the AI"
        return not_observable("route.not_reached", subject, expected=expected, why=unseen)
    return judged(
        "route.not_reached",
        subject,
        not reached,
        expected="no INVITE is sent to the AI",
        actual=f"{', '.join(reached)} reached it" if reached else "none was",
        measured=measurement.Reached(reached=tuple(reached)),
    )


@check("transfer.fails")
def transfer_fails(subject: str, outcome: int | str) -> Finding:
    """A transfer failed, and the AI was told. ``outcome``: the final status (0: none), or the far
    end's words for the failure.
    """
    expected = "the transfer ends with an error the AI is told"
    if isinstance(outcome, str):
        measured, fails = measurement.FinalResponse(reason=outcome), True
        as_such = any(reason in outcome for reason in _REFUSED_IN_WORDS)
    else:
        measured, fails = measurement.FinalResponse(code=outcome), outcome >= 300
        as_such = outcome in _REFUSED_AS_SUCH
    if as_such:
        why = f"it ended with {outcome}, which refuses any transfer, whatever its target"
        return not_observable(
            "transfer.fails", subject, expected=expected, why=why, measured=measured
        )
    return judged(
        "transfer.fails",
        subject,
        fails,
        expected=expected,
        actual=f"it ended with {outcome}" if outcome else "nothing was ever said of it",
        measured=measured,
    )
