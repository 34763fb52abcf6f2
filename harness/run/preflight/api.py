"""Synthflow's API: does it take the token, and what does it say when not?"""

from __future__ import annotations

import time

from harness.deployment import Synthflow
from harness.errors import FarEndError
from harness.run.preflight.answers import clock_line
from harness.run.preflight.lines import ROUTING, ProbeKind, ProbeResult, Status, failed, ok, warning
from harness.run.preflight.models import CHECK_MODEL, calls_of, model_lines
from harness.support.http_client import HttpError, HttpResponse, session
from harness.witness.ports.probes import Probing, verified
from harness.witness.synthflow import calls_query

_NAME = ProbeKind.API, ""
_NO_API = "Check synthflow.api_base: https://api.synthflow.ai/v2 or a region's."


async def api_lines(probing: Probing, synthflow: Synthflow, base: str) -> list[ProbeResult]:
    """Questions that change nothing, and that are asked after each call as well: the calls of an assistant."""
    if synthflow.api_token is None:
        fix = "Give synthflow.api_token_env; where no token is to be had, leave synthflow.api_base out."
        return [failed(*_NAME, "no token is known", ROUTING, fix)]
    within_s = max(probing.patience, synthflow.timeout_s)  # a slow one serves a run as well
    began, models = time.monotonic(), probing.deployment.models()
    try:
        verify = await verified(synthflow.ca_file)
        verify.check_hostname = True
        async with session.client(verify) as client:
            headers = {"Authorization": f"Bearer {synthflow.api_token.get_secret_value()}"}

            async def listed(model: str | None, lately_s: float = 0.0) -> HttpResponse:
                query = calls_query(probing.wall_clock() - lately_s, model)
                at = f"{base.rstrip('/')}/calls"
                return await session.fetch(client, "GET", at, within_s, params=query, headers=headers, repeatable=True)

            answer = await listed(models[0] if models else None)
            took = time.monotonic() - began
            lines = [_answer(answer, took, bool(models))]
            if clock := clock_line(probing, ProbeKind.API, answer.date):
                lines.append(clock)
            if lines[0].status is Status.OK:
                lines += [line async for line in model_lines(probing.deployment, listed)]
            return lines
    except HttpError as error:
        if error.trouble == "late":
            fix = "Check synthflow.api_base and the firewall; synthflow.timeout_s is how long an answer may take."
            return [failed(*_NAME, f"no answer within {within_s:g} s", ROUTING, fix)]
        fix = "Check synthflow.api_base and, for its certificate, synthflow.ca_file."
        return [failed(*_NAME, str(error), ROUTING, fix)]
    except OSError as error:  # of ca_file
        return [failed(*_NAME, f"{type(error).__name__}: {error}", ROUTING, "Check synthflow.ca_file.")]


def _answer(answer: HttpResponse, took: float, by_model: bool) -> ProbeResult:
    said = f"{answer.status} {answer.reason}, {took * 1000:.0f} ms"
    match answer.status:
        case 401:
            return failed(
                *_NAME, f"{said}: the token is not known", ROUTING, "Check the token: it is wrong, expired or revoked."
            )
        case 403:
            fix = (
                "Use a token of this workspace and region with the right to read calls; check the API's own allowlist."
            )
            return failed(*_NAME, f"{said}: the token is known, but may not do this", ROUTING, fix)
        case 429:
            after = answer.headers.get("retry-after", "")  # a number, or a date (RFC 9110 section 10.2.3)
            wait = f", again after {after} s" if after.isdigit() else f", not before {after}" if after else ""
            fix = "Wait, or run fewer cases at once: records are read after each call."
            return warning(*_NAME, f"{said}: too many requests{wait}", ROUTING, fix)
        case 404:
            return failed(
                *_NAME,
                f"{said}: no API there",
                ROUTING,
                _NO_API,
            )
        case code if code >= 500:
            return warning(
                *_NAME, f"{said}: the API is in trouble", ROUTING, "Calls are still verified, with weaker evidence."
            )
        case code if code >= 400:
            fix = CHECK_MODEL
            if not by_model:
                fix = "Give model_id in [assistants.NAME], Synthflow's id of it: its API lists calls by it alone."
            return warning(*_NAME, f"{said}: the token is taken, the question is not", ROUTING, fix)
        case code if code >= 300:
            to = answer.headers.get("location", "elsewhere")
            return failed(*_NAME, f"{said}: it sends on to {to}, and no token goes there", ROUTING, _NO_API)
        case _ if not _is_json(answer):
            kind = answer.headers.get("content-type", "no type")
            return failed(*_NAME, f"{said}: no API there, but {kind}", ROUTING, _NO_API)
        case _ if not _lists_calls(answer):
            fix = "Check model_id of [assistants], and synthflow.api_base: https://api.synthflow.ai/v2 or a region's."
            words = "the answer lists no calls, so that no record will be read"
            return warning(*_NAME, f"{said}: {words}", ROUTING, fix)
        case _:
            return ok(*_NAME, f"{said}, the token is accepted")


def _lists_calls(answer: HttpResponse) -> bool:
    """Whether a run can read it."""
    try:
        calls_of(answer)
    except FarEndError:
        return False
    return True


def _is_json(answer: HttpResponse) -> bool:
    """Whether it is an object or a list, as every answer of the API is."""
    try:
        return isinstance(answer.json(), dict | list)
    except ValueError:
        return False
