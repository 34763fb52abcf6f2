"""Synthflow's id of each assistant (``model_id``): does the API list calls by it, and are they that assistant's?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from harness.deployment import Deployment
from harness.deployment.safety import numbers_of
from harness.errors import FarEndError
from harness.run.preflight.lines import ROUTING, ProbeKind, ProbeResult, ok, warning
from harness.sip.identity import written_without_plus
from harness.support.http_client import HttpError, HttpResponse
from harness.witness.call_record import CallRecord
from harness.witness.synthflow import calls_in, payload

_LATELY_S = 7 * 86_400.0
_LATER = "Look again later: the API was busy, or in trouble."
CHECK_MODEL = "Check model_id of [assistants]: Synthflow's id of each, as its page shows it."


async def model_lines(
    deployment: Deployment, listed: Callable[[str, float], Awaitable[HttpResponse]]
) -> AsyncIterator[ProbeResult]:
    """Of each id; ``listed`` asks for the calls of so many seconds. Of an API that gives no answer no more is asked."""
    known = written_without_plus(numbers_of(deployment))
    for model in deployment.models():
        names = [name for name, assistant in deployment.assistants.items() if assistant.model_id == model]
        try:
            answer = await listed(model, _LATELY_S)
        except HttpError as error:
            yield warning(ProbeKind.MODEL, ", ".join(names), str(error), ROUTING, _LATER)
            return
        yield _line(deployment, model, names, answer, known)


def _line(
    deployment: Deployment, model: str, names: Sequence[str], answer: HttpResponse, known: Mapping[str, str]
) -> ProbeResult:
    """A wrong model id is not refused by the API: its list lacks the test calls, which then seem never to have reached the AI."""
    name = ProbeKind.MODEL, ", ".join(names)
    if not answer.is_success:
        fix = _LATER if answer.status == 429 or answer.status >= 500 else CHECK_MODEL
        return warning(*name, f"{answer.status} {answer.reason}: no list of calls", ROUTING, fix)
    try:
        calls = calls_of(answer)
    except FarEndError as error:
        return warning(*name, str(error), ROUTING, CHECK_MODEL)
    called = {
        CallRecord("", plain, deployment.region, known=known).number_to
        for plain in calls
        if isinstance(plain, dict) and plain.get("model_id") == model
    }
    if called & {deployment.assistants[assistant].did for assistant in names}:
        return ok(*name, "the calls it lists are this assistant's")
    others = [assistant for assistant, entry in deployment.assistants.items() if entry.did in called]
    if others:
        return warning(*name, f"the calls it lists are those of {', '.join(others)}", ROUTING, CHECK_MODEL)
    return ok(*name, "it lists calls" if calls else "it lists none lately")


def calls_of(answer: HttpResponse) -> list[Any]:
    """What it lists. Raises :class:`FarEndError` where a run could not read it."""
    return calls_in(payload("GET /calls", answer))
