"""Where right ends and wrong begins: each check on its limit, and on either side of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.audio.delay import Delay
from harness.audio.marks import DEFAULT_LEVEL_DBOV
from harness.calls import measurement
from harness.calls.checks import audio, headers, landing, quality, reach, registration, session, signalling, timing
from harness.calls.checks.audio import MOST_GAIN_DB, MOST_LOSS_DB, ListenerReport, Sound
from harness.calls.checks.claims import Observation
from harness.calls.checks.finding import judged, missed_by
from harness.calls.verdict import Finding, Strength, Verdict
from harness.sip.message import Message, Request
from tests.unit.checks.calls import counted
from tests.unit.checks.session_messages import answer, invite


def agreed(seconds: int, least: int) -> Finding:
    asks = invite("Session-Expires: 200", f"Min-SE: {least}")
    return session.interval("p.1", [asks, answer("200 OK", f"Session-Expires: {seconds};refresher=uas")])


LEAST = DEFAULT_LEVEL_DBOV - MOST_LOSS_DB
MOST = DEFAULT_LEVEL_DBOV + MOST_GAIN_DB


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        (lambda s: timing.took("p", "it", s, 5.0, 1.0), [4.0, 5.0, 6.0], [3.99, 6.01]),
        (lambda s: timing.took("p", "it", s, 5.0), [4.0, 6.0], [3.9, 6.1]),
        (lambda s: timing.took("p", "it", s, 5.0, queue_s=3.0), [4.0, 9.0], [3.9, 9.1]),
        (lambda s: timing.within("p", "it", s, 2.0), [0.0, 2.0], [2.01, None]),
        (lambda s: timing.released("p", s, 2.0), [-0.1, 2.0], [2.01, None]),
        (lambda s: reach.rings("p", s, 2.0), [2.0], [2.01, None]),
        (lambda s: reach.answered("p", s, 2.0), [2.0], [2.01, None]),
        (lambda s: registration.refreshed("p", s, 10.0, 20.0), [10.0], [10.01, None]),
        (lambda code: reach.transfer_fails("p", code), [300, 603], [0, 202, 299]),
        (lambda ms: signalling.durations("p", [100, ms]), [40, 1000], [39, 1001]),
        (lambda ms: quality.delay("a", "b", ms), [600.0], [600.1]),
        (lambda ms: quality.delay("a", "b", 900.0, ms), [600.0], [600.1]),
        (lambda ms: quality.one_way_delay("a", "b", Delay(ms, ms, ms, 3), 1.0), [400.0], [400.1]),
        (lambda dbov: audio.level("a", "b", dbov), [LEAST, DEFAULT_LEVEL_DBOV, MOST], [LEAST - 0.1, MOST + 0.1]),
        (lambda seconds: agreed(seconds, 90), [90, 200], [89, 201]),
        (lambda seconds: agreed(seconds, 0), [90], [89]),
        (lambda seconds: agreed(seconds, 100), [100], [99]),
        (lambda count: landing.never_rang("p", count, True), [0], [1]),
    ],
)
def test_on_the_limit(check: Callable[[object], Finding], right: list[object], wrong: list[object]) -> None:
    assert [check(value).verdict for value in right] == [Verdict.PASSED] * len(right)
    assert [check(value).verdict for value in wrong] == [Verdict.FAILED] * len(wrong)


def test_loss_is_judged_from_fifty_packets_on_and_allowed_up_to_five_per_cent() -> None:
    judgement = quality.loss("p.1", counted(95, 5))
    assert judgement is not None
    assert judgement.verdict is Verdict.PASSED
    judgement = quality.loss("p.1", counted(94, 6))
    assert judgement is not None
    assert judgement.verdict is Verdict.FAILED
    assert quality.loss("p.1", counted(49, 0)) is None
    assert quality.loss("p.1", counted(48, 1)) is None
    assert quality.loss("p.1", counted(50, 0)) is not None


def test_few_packets_are_enough_where_most_of_them_are_lost() -> None:
    judgement = quality.loss("p.1", counted(3, 5))
    assert judgement is not None
    assert judgement.verdict is Verdict.FAILED
    assert judgement.measured == measurement.Loss(lost=5, expected=8, share=5 / 8)
    assert quality.loss("p.1", counted(4, 4)) is None  # by chance once in 2,700 calls


def test_by_how_much_the_limit_was_missed() -> None:
    assert missed_by(timing.within("p", "it", 2.0, 2.0)) is None
    assert missed_by(timing.within("p", "it", None, 2.0)) is None
    assert missed_by(timing.within("p", "it", 2.5, 2.0)) == 0.5
    unlimited = measurement.Duration(seconds=2.0, limit_s=None)
    assert missed_by(judged("timing", "p", True, expected="", actual="", measured=unlimited)) is None
    assert missed_by(headers.called_in_record("1", "p", "1", "c1")) is None


def test_a_refresh_takes_the_interval_of_the_first_answer() -> None:
    """RFC 4028 section 7.1: after a 422 an INVITE asks for its Min-SE at least."""
    refused = answer("422 Session Interval Too Small", "Min-SE: 100")
    granted = answer("200 OK", "Session-Expires: 100;refresher=uas")
    for asked, verdict in ((100, Verdict.PASSED), (99, Verdict.FAILED)):
        again = [invite("Session-Expires: 90"), refused, invite(f"Session-Expires: {asked}"), granted]
        assert session.interval("p.1", again).verdict is verdict
    assert session.interval("p.1", [invite("Session-Expires: 90"), refused, granted]).actual.endswith(
        "after 1× 422 with Min-SE 100 s"
    )
    other = answer("421 Extension Required", "Min-SE: 100")
    assert "422" not in session.interval("p.1", [invite(), other, granted]).actual


@pytest.mark.parametrize(("text", "seconds"), [("4294967295", 2**32 - 1), ("4294967296", None), ("soon", None)])
def test_an_interval_fits_32_bits(text: str, seconds: int | None) -> None:
    """RFC 4028 section 4: delta-seconds."""
    assert session.agreed_interval([invite(), answer("200 OK", f"Session-Expires: {text}")]) == seconds


def account(**more: object) -> ListenerReport:
    return ListenerReport(**({"seconds": 1.0, "level_dbov": -20.0, "rx_packets": 50} | more))  # type: ignore[arg-type]


OWN, KNOWN = 1, 2


@pytest.mark.parametrize(
    ("received", "kind"),
    [
        (account(marks=(3,)), "crossed"),
        (account(marks=(OWN, 3)), "crossed"),
        (account(marks=(OWN,)), "echo"),
        (account(marks=(OWN, KNOWN)), "other"),
        (account(marks=(KNOWN,)), "other"),
        (account(rx_packets=0), "no-rtp"),
        (account(rx_packets=None, seconds=0.0), "no-rtp"),
        (account(rx_packets=None, seconds=0.1), "other"),
        (account(level_dbov=None), "unmarked"),
        (account(level_dbov=None, rx_packets=None), "silence"),
        (account(level_dbov=-60.0), "other"),
        (account(level_dbov=-60.1), "silence"),
        (account(level_dbov=-60.1, rx_other_type=45), "silence"),
        (account(level_dbov=-60.1, rx_other_type=46), "other-codec"),
        (None, "unknown"),
    ],
)
def test_what_arrived_instead(received: ListenerReport | None, kind: str) -> None:
    found = audio.direction(
        "a", "b", None, received, since=0.0, own={OWN}, least=Strength.PROVED,
        names={OWN: "b", KNOWN: "c"}, towards="caller",
    )  # fmt: skip
    assert isinstance(found.measured, measurement.Direction)
    assert found.measured.kind == kind
    if received is not None:
        assert found.measured.foreign == tuple(mark for mark in received.marks if mark == 3)
        assert found.measured.echo is (OWN in received.marks)


@pytest.mark.parametrize(
    ("at", "answered_at", "provisional", "verdict"),
    [
        (1.0, None, 1, Verdict.PASSED),
        (1.0, 1.1, 1, Verdict.PASSED),
        (1.0, 1.0, 1, Verdict.FAILED),
        (1.0, 1.1, 0, Verdict.FAILED),
    ],
)
def test_early_audio(at: float, answered_at: float | None, provisional: int, verdict: Verdict) -> None:
    sound = Sound(at, Observation.MARK, "mark 7", 7)
    found = audio.early("a", "b", sound, answered_at, provisional)
    assert found.verdict is verdict
    assert ("after the answer" in found.actual) is (answered_at == at)
    assert ("no 18x" in found.actual) is (provisional == 0)


@pytest.mark.parametrize(
    ("heard", "listened_s", "verdict"), [((), 0.1, True), ((), 0.0, False), ((7,), 0.1, False), ((8,), 0.1, True)]
)
def test_silence_is_shown_only_by_who_listens(heard: tuple[int, ...], listened_s: float, verdict: bool) -> None:
    found = audio.silent("a", "b", heard, {7}, listened_s)
    assert (found.verdict is Verdict.PASSED) is verdict


def test_what_was_heard_of_others_is_told() -> None:
    assert audio.no_crossing("b", [1, 2], {1}, {2}).actual == "it heard its own mark, as echo"
    assert audio.no_crossing("b", [2], {1}, {2}).actual == "it heard no other"
    both = audio.no_crossing("b", [1, 3], {1}, {2})
    assert both.check == "audio.crossed"
    assert both.actual == "it heard mark 3 of another call and its own mark, as echo"
    assert audio.no_crossing("b", [1], {1}, {2}).check == "audio.echo"


def test_a_header_that_should_be_absent_is_told_with_its_values() -> None:
    message = Message.parse(
        "BYE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n"
        "Call-ID: a@b\r\nCSeq: 1 BYE\r\nX-EI: one\r\nX-EI: two\r\nContent-Length: 0\r\n\r\n"
    )
    assert isinstance(message, Request)
    assert headers.no_header(message, "p", "X-EI").actual == "X-EI is 'one' and 'two'"
    assert headers.no_header(message, "p", "X-DI").actual == "X-DI is absent"
    assert headers.header(message, "p", "X-DI", "1").actual == "X-DI is absent"
    assert headers.header(message, "p", "X-EI", "one").actual == "X-EI is 'one' and 'two'"


def test_a_phone_that_nobody_watched_has_shown_nothing() -> None:
    found = landing.never_rang("p", 0, False)
    assert found.verdict is Verdict.FAILED
    assert found.measured == measurement.Ringing(watched=False)
