"""The last checks of a case, after its scenario has ended."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from typing import Final, TypeVar

from harness.case.checks import audio, dialog
from harness.case.events import Expected, RtpPaused
from harness.case.verdict import Verdict
from harness.finding_kinds import kinds_of
from harness.phone.leg import Leg
from harness.scenario import audio_quality, post_failure_probes
from harness.scenario.call import Call
from harness.scenario.context import CaseContext
from harness.scenario.ends import End
from harness.scenario.evidence import unobserved
from harness.scenario.expect import Expect
from harness.scenario.expect_audio import LATELY_S

Found = TypeVar("Found")

#: How much longer a voice that paused once is listened to.
_LONGER_S: Final = 2.0


def conclude(context: CaseContext, *, probe: bool = True) -> None:
    """The last findings, on the case as a whole. Raises what went wrong in the background, or with
    a harness phone.

    ``probe``: after a failure look closer, for the diagnosis.
    """
    _settle(context)
    try:
        context.background.join(context.patience)
        if context.phones.loss is not None:  # a harness phone may have caused any finding
            raise context.phones.loss
    finally:
        if context.phones.loss is None:
            _look_at_calls(context)
            _look_later(context)
            if probe:
                _hang_up_at_one_end(context)
            context.end_here()
    if probe and context.evidence.conclusion.verdict is Verdict.FAILED:
        with context.evidence.step("follow-up diagnostics"):
            post_failure_probes.look_closer(context, context.began)


def _hang_up_at_one_end(context: CaseContext) -> None:
    """Where nothing failed and two harness phones are left in a call, one hangs up, and the other's
    leg must end.

    The one is drawn by the case's id, so that over the cases of a group each end hangs up.
    """
    if _has(context, Verdict.FAILED):
        return
    if any(leg.state != "disconnected" for leg in context.calls.other_legs):
        return
    up = [
        call for call in context.calls.own if not call.is_over() and call.answered_at() is not None
    ]
    if len(up) != 2 or up[1].peer is not up[0]:
        return
    is_odd = zlib.crc32(context.case.id.encode()) % 2
    one, other = up if is_odd else up[::-1]
    Expect(context, other).released(after=one.hang_up())


def _has(context: CaseContext, *verdicts: Verdict) -> bool:
    return any(finding.verdict in verdicts for finding in context.evidence.findings)


def _look_at_calls(context: CaseContext) -> None:
    ends = (*context.calls.of_the_ai, *context.calls.own)
    _hear_to_the_end(context, ends)
    heard_until = time.monotonic()
    _look_longer(context)
    known = {leg.id for call in ends for leg in call.legs}
    for leg in _every_leg(context):
        if leg.direction == "outgoing":
            context.evidence.expect_if(dialog.answered_once.of(leg.id, leg.messages))
            context.evidence.expect_if(dialog.acknowledged.of(leg.id, leg.messages))
        elif leg.id in known:
            context.evidence.expect_if(dialog.own_answer_acknowledged.of(leg.id, leg.messages))
        beneath = audio_quality.listen_to_whole_call(context, leg)
        look_at_audio(context, leg, beneath)
    # a longer look may have been needed because there was nothing to hear any more
    if time.monotonic() - heard_until > LATELY_S:
        _hear_to_the_end(context, ends)


def _hear_to_the_end(context: CaseContext, ends: Sequence[End]) -> None:
    # behind a failure the other end may be gone by now
    if _has(context, Verdict.FAILED, Verdict.BROKEN):
        return
    for call in context.calls.own:
        others = [end for end in ends if end.peer is call]
        if others:
            Expect(context, call).hears_to_the_end(others[-1])


def look_at_audio(context: CaseContext, leg: Leg, beneath: Sequence[int] = ()) -> None:
    """Whether another call's voice was heard on it so far, and how much of its RTP was lost.

    ``beneath``: marks that sound under others.
    """
    marks = [*leg.facts.marks_sustained(), *dict.fromkeys(beneath)]
    heard = [mark for mark in marks if not context.calls.is_unattributed(mark)]
    if heard:
        context.evidence.expect(context.calls.crossing(leg, heard))
    _little_loss(context, leg)


def _expect_of(context: CaseContext, looks: Sequence[Callable[[], Sequence[Expected]]]) -> None:
    for expected in chain.from_iterable(_at_once(looks)):
        context.evidence.expect_if(context.before_the_end(expected))


def require_promised_findings(context: CaseContext) -> None:
    """Findings that the row requires and the scenario did not make are not observable, so that no
    case passes without them.
    """
    kinds = kinds_of(context.evidence.findings)
    for kind, least in context.case.required_findings.items():
        seen = kind.count(kinds)
        if seen < least:
            expected, why = f"{least} of {kind}", f"the case looked {seen} times"
            unseen = unobserved(kind.check, context.case.row.id, expected, why)
            context.evidence.expect_if(context.before_the_end(unseen))


def _every_leg(context: CaseContext) -> list[Leg]:
    """All legs of the case's calls, and those that came to harness phones unexpectedly."""
    own = chain.from_iterable(call.legs for call in context.calls.own)
    return [*own, *context.calls.other_legs]


def _settle(context: CaseContext) -> None:
    """Finish all looks at the same time: several take as long as one."""
    _at_once([call.settle for call in context.calls.own if call.looks])


def _look_later(context: CaseContext) -> None:
    """The looks that were left for the end; for what needs the calls to be over, the harness hangs up."""
    _expect_of(context, context.looks_later)
    if not context.looks_when_over:
        return
    context.end_here()
    others = [Call(context, leg, "other") for leg in context.calls.other_legs]
    for call in (*context.calls.own, *others):
        if not call.is_over():
            call.hang_up()
    _expect_of(context, context.looks_when_over)


def _at_once(looks: Sequence[Callable[[], Found]]) -> list[Found]:
    if len(looks) <= 1:
        return [look() for look in looks]
    with ThreadPoolExecutor(max_workers=len(looks)) as threads:
        return list(threads.map(lambda look: look(), looks))


def _look_longer(context: CaseContext) -> None:
    """Where a voice paused, and not often enough to say why, the calls go on a little."""
    unsure: dict[str, None] = {}  # each label once
    for leg in _every_leg(context):
        if leg.state == "disconnected" or leg.statistics() is None:
            continue
        pauses = _in_ms(leg.facts.pauses_in_a_voice())
        if pauses and not audio.is_broken_up(pauses):
            unsure[leg.id] = None
    if unsure:
        with context.evidence.step(
            f"RTP to {' and '.join(unsure)} paused amid a voice: a longer look"
        ):
            context.pause(_LONGER_S, "a longer look at a pause of the RTP")


def _in_ms(pauses: Iterable[RtpPaused]) -> list[float]:
    return [1000 * (pause.ended - pause.began) for pause in pauses]


def _little_loss(context: CaseContext, leg: Leg) -> None:
    counted = leg.statistics()
    if counted is None:
        return
    pauses = leg.facts.pauses_in_a_voice()
    whole = leg.facts.began, time.monotonic()
    expected = audio.loss.of(leg.id, counted, _in_ms(pauses))
    paused = [(pause.began, pause.ended) for pause in pauses]
    context.evidence.expect_if(replace(expected, sound_due=(whole, *paused)))
