"""Where right ends and wrong begins: each check on its limit, and on either side of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.audio.delay import Delay
from harness.audio.marks import DEFAULT_LEVEL_DBOV
from harness.case.checks import (
    audio,
    dialog,
    landing,
    reach,
    registration,
    responsiveness,
    signalling,
    timing,
)
from harness.case.checks.audio import MOST_GAIN_DB, MOST_LOSS_DB
from harness.case.verdict import Finding, Verdict
from tests.unit.checks.messages import answer, invite

LEAST = DEFAULT_LEVEL_DBOV - MOST_LOSS_DB
MOST = DEFAULT_LEVEL_DBOV + MOST_GAIN_DB


def agreed(seconds: int, least: int = 0, asked: int = 200) -> Finding:
    """The session interval of a 200 to an INVITE that asks for 200 s, and for no less than that."""
    asks = invite(f"Session-Expires: {asked}", f"Min-SE: {least}")
    return dialog.interval(
        "p.1", [asks, answer("200 OK", f"Session-Expires: {seconds};refresher=uas")]
    )


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        (lambda s: timing.took("p", "it", s, 5.0, 1.0), [4.0, 5.0, 6.0], [3.99, 6.01]),
        (lambda s: timing.took("p", "it", s, 5.0, queue_s=3.0), [4.0, 9.0], [3.9, 9.1]),
        (lambda s: timing.took("p", "it", s, 5.0, way_in_s=3.0), [4.0, 9.0], [3.9, 9.1]),
        (lambda s: timing.within("p", "it", s, 2.0), [2.0], [2.01, None]),
        (lambda s: timing.released("p", s, 2.0), [-0.1, 2.0], [2.01, None]),
        (
            lambda s: responsiveness.responsive("responsiveness.answer", "p", s, 2.0, "x"),
            [2.0],
            [2.01, None],
        ),
        (lambda s: reach.rings("p", s, 2.0), [2.0], [2.01, None]),
        (lambda s: reach.answered("p", s, 2.0), [2.0], [2.01, None]),
        (lambda s: reach.told("p", ("speech", s), 2.0), [2.0], [2.01]),
        (lambda s: registration.refreshed("p", s, 10.0, 20.0), [10.0], [10.01, None]),
        (lambda code: reach.transfer_fails("p", code), [300, 603], [0, 202, 299]),
        (lambda ms: signalling.durations("p", [100, ms]), [40, 1000], [39, 1001]),
        (lambda ms: audio.delay("a", "b", ms), [520.0], [520.1]),
        (lambda ms: audio.delay("a", "b", 900.0, ms), [520.0], [520.1]),
        (lambda ms: audio.one_way_delay("a", "b", Delay(ms, ms, ms, 3), 1.0), [400.0], [400.1]),
        (
            lambda dbov: audio.level("a", "b", dbov),
            [LEAST, DEFAULT_LEVEL_DBOV, MOST],
            [LEAST - 0.1, MOST + 0.1],
        ),
        (agreed, [90, 200], [89, 201]),
        (lambda seconds: agreed(seconds, 100), [100], [99]),
        (lambda seconds: agreed(seconds, 10), [90], [89]),
        (lambda count: landing.never_rang("p", count, True), [0], [1]),
        (lambda seconds: audio.silent("a", "b", (), {7}, seconds), [0.1], [0.0]),
        (lambda packets: audio.silent("a", "b", (), {7}, 1.0, packets), [0, 3], [4, 200]),
    ],
)
def test_on_the_limit(
    check: Callable[[object], Finding], right: list[object], wrong: list[object]
) -> None:
    assert [check(limit).verdict for limit in right] == [Verdict.PASSED] * len(right)
    assert [check(limit).verdict for limit in wrong] == [Verdict.FAILED] * len(wrong)


def test_an_end_within_the_doubt_is_not_observable() -> None:
    """A slow answer of the AI's interface must not make a leg late."""
    verdicts = [
        timing.released("p", seconds, 2.0, 0.5).verdict for seconds in (2.0, 2.01, 2.5, 2.51)
    ]
    assert verdicts == [
        Verdict.PASSED,
        Verdict.NOT_OBSERVABLE,
        Verdict.NOT_OBSERVABLE,
        Verdict.FAILED,
    ]


@pytest.mark.parametrize(("seconds", "too_soon"), [(3.9, True), (4.0, False)])
def test_too_soon_is_beyond_the_tolerance(seconds: float, too_soon: bool) -> None:
    assert timing.is_too_soon(seconds, 5.0) is too_soon


@pytest.mark.parametrize(
    ("made", "actual"),
    [
        (lambda: audio.level("a", "b", DEFAULT_LEVEL_DBOV - 21.0), "21 dB below what was sent"),
        (lambda: audio.level("a", "b", DEFAULT_LEVEL_DBOV + 0.6), "1 dB above what was sent"),
        (
            lambda: audio.delay("a", "b", 900.0, 130.0),
            "it took 900 ms, and 130 ms when tried again",
        ),
        (lambda: reach.answered("p", 1.0, 2.0), "after 1.00 s"),
        (lambda: reach.answered("p", 1.0, 2.0, since_invite_s=1.05), "1.05 s after the INVITE"),
        (
            lambda: reach.answered("p", 0.0, 2.0, since_invite_s=0.1),
            "0.10 s after the INVITE, 0.00 s after it was waited for",
        ),
        (lambda: reach.answered("p", None, 2.0, since_invite_s=9.0), "no answer came"),
        (lambda: reach.up("p", 1.0), "it ended 1.0 s after it was answered"),
        (lambda: reach.up("p", 0.0), "it has ended"),
        (
            lambda: reach.not_answered("a", [], "after 4 s it rings on", goes_on=True),
            "after 4 s it rings on",
        ),
        (
            lambda: landing.landed("a", "b", {}, ["p1"]),
            "it landed nowhere; p1 got an INVITE, but could not take the call",
        ),
        (
            lambda: landing.landed("a", "b", {"p1": "s", "p2": "b"}, alike=["c"]),
            "it landed at s (p1), b (p2, who would ring for c as well)",
        ),
        (lambda: landing.never_rang("p", 2, True, ["x", "y"]), "it rang 2× (x, y)"),
        (lambda: landing.only_one("c", [], "m"), "there was no answer"),
        (
            lambda: landing.only_one("c", [], "m", state="confirmed"),
            "the platform itself or an unobserved phone answered",
        ),
        (
            lambda: landing.only_one("c", ["m"], "m", called=["s"]),
            "m answered, and the call went to s as well",
        ),
        (lambda: timing.released("p", -0.3, 1.0), "it ended after 0.00 s"),
        (lambda: signalling.final_response("p", (486,), 486, ""), "it was 486"),
        (lambda: signalling.final_response("p", (486,), 0, "x"), "x"),
        (lambda: signalling.final_response("p", (486,), 0, ""), "none came"),
        (
            lambda: signalling.digits("ai", "12", "12", ["info", "rfc4733"], "rfc4733"),
            "12 by info and rfc4733",
        ),
        (lambda: registration.accepted("n", None, 5.0, "which is odd"), "it was never answered"),
        (
            lambda: registration.accepted("n", (408, "Timeout"), 5.0, came=False),
            "it was never answered; the phone itself ended it as 408 Timeout",
        ),
    ],
)
def test_what_a_finding_says(made: Callable[[], Finding], actual: str) -> None:
    assert made().actual.endswith(actual)


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        *((code, Verdict.PASSED) for code in (404, 480, 503, 603)),
        *((code, Verdict.NOT_OBSERVABLE) for code in (403, 405, 420, 501)),
        ("transfer-failed-timeout", Verdict.PASSED),
        *(
            (f"transfer-failed-connection-error ({why})", Verdict.NOT_OBSERVABLE)
            for why in (
                "transfer_method_unsupported",
                "transfer_blocked_by_carrier",
                "transfer_outside_availability",
            )
        ),
    ],
)
def test_a_transfer_that_is_refused_as_such_says_nothing_of_the_group(
    outcome: int | str, verdict: Verdict
) -> None:
    finding = reach.transfer_fails("assistant main", outcome)
    assert finding.verdict is verdict
    assert str(outcome) in finding.actual


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        ([None], Verdict.NOT_OBSERVABLE),
        ([160, None, 90], Verdict.NOT_OBSERVABLE),
        ([None, 12], Verdict.FAILED),  # the known one is too short, whatever the others are
        ([40, 1000], Verdict.PASSED),
    ],
)
def test_a_digit_of_unknown_length(seen: list[int | None], verdict: Verdict) -> None:
    assert signalling.durations("ai", seen).verdict is verdict


@pytest.mark.parametrize(
    ("answered", "showed_password", "verdict"),
    [
        ((403, "x"), True, Verdict.PASSED),
        ((403, "x"), False, Verdict.NOT_OBSERVABLE),
        ((200, "x"), False, Verdict.FAILED),
    ],
)
def test_a_refusal_proves_something_only_of_a_password_that_was_sent(
    answered: tuple[int, str], showed_password: bool, verdict: Verdict
) -> None:
    assert (
        registration.refused("n", answered, (403,), showed_password=showed_password).verdict
        is verdict
    )
