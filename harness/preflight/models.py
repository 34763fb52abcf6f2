"""Synthflow's id of each assistant (``model_id``): does the API list calls by it, and are they that assistant's?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from harness.deployment import Deployment
from harness.errors import FarEndError
from harness.far_end.call_record import CallRecord
from harness.far_end.synthflow import calls_in, payload
from harness.http_client import HttpError, HttpResponse
from harness.preflight.lines import ROUTING, ProbeKind, ProbeResult, ok, warning
from harness.safety import numbers_of
from harness.sip.identity import written_without_plus

_FIX = "Check model_id of [assistants]: Synthflow's id of each, as its page shows it."


async def model_line(
    deployment: Deployment, model: str, listed: Callable[[str], Awaitable[HttpResponse]]
) -> ProbeResult:
    """Of one id; ``listed`` asks for the calls of lately.

    Another's id is not refused: its list lacks the calls of ours, each of which then looks like one that the AI never got.
    """
    mine = [name for name, assistant in deployment.assistants.items() if assistant.model_id == model]
    name = ProbeKind.MODEL, ", ".join(mine)
    try:
        answer = await listed(model)
        if not answer.is_success:
            is_of_the_api = answer.status == 429 or answer.status >= 500
            fix = "Look again later: the API was busy, or in trouble." if is_of_the_api else _FIX
            return warning(*name, f"{answer.status} {answer.reason}: no list of calls", ROUTING, fix)
        calls = calls_of(answer)
    except (HttpError, FarEndError) as error:
        return warning(*name, str(error), ROUTING, _FIX)
    called = {
        _called(deployment, plain) for plain in calls if isinstance(plain, dict) and plain.get("model_id") == model
    }
    if called & {deployment.assistants[assistant].did for assistant in mine}:
        return ok(*name, "the calls it lists are this assistant's")
    others = [assistant for assistant, entry in deployment.assistants.items() if entry.did in called]
    if others:
        return warning(*name, f"the calls it lists are those of {', '.join(others)}", ROUTING, _FIX)
    return ok(*name, "it lists calls" if calls else "it lists none lately")


def calls_of(answer: HttpResponse) -> list[Any]:
    """What it lists. Raises :class:`FarEndError` where a run could not read it."""
    return calls_in(payload("GET /calls", answer))


def _called(deployment: Deployment, plain: dict[str, Any]) -> str | None:
    known = written_without_plus(numbers_of(deployment))
    return CallRecord("", plain, deployment.region, known=known).number_to
