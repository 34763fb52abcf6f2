"""HTTP: Synthflow's API, its token and its id of each assistant, and where a campaign is started."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from harness.deployment import Campaign, Deployment, Transport
from harness.deployment.safety import addresses_in_records
from harness.errors import FarEndError
from harness.run.preflight.answers import clock_line
from harness.run.preflight.lines import Look, ProbeKind, ProbeResult, Status
from harness.sip.identity import known_spellings
from harness.support.http_client import HttpError, HttpResponse, session
from harness.witness.call_record import CallRecord
from harness.witness.ports.probes import Probing, Target, verified
from harness.witness.ports.wire import Link, NoLinkError
from harness.witness.synthflow import calls_in, calls_query, payload

_NO_API = "Check synthflow.api_base: https://api.synthflow.ai/v2 or a region's."
_LATELY_S = 7 * 86_400.0
_LATER = "Look again later: the API was busy, or in trouble."
_CHECK_MODEL = "Check model_id of [assistants]: Synthflow's id of each, as its page shows it."
_GIVE_MODEL = (
    "Give model_id in [assistants.NAME], Synthflow's id of it: its API lists calls by it alone."
)
#: A status → what it says of the token, and what to do.
_REFUSALS = {
    401: ("the token is not known", "Check the token: it is wrong, expired or revoked."),
    403: (
        "the token is known, but may not do this",
        "Use a token of this workspace and region with the right to read calls; check the API's own allowlist.",
    ),
    404: ("no API there", _NO_API),
}


async def api_lines(look: Look, probing: Probing) -> list[ProbeResult]:
    """Ask for an assistant's calls, as after each call; this changes nothing."""
    synthflow = probing.deployment.synthflow
    assert synthflow is not None
    if synthflow.api_token is None:
        fix = "Give synthflow.api_token_env; where no token is to be had, leave synthflow.api_base out."
        return [look.failed("no token is known", fix)]
    within_s = max(probing.patience, synthflow.timeout_s)  # as long as a run waits
    began, models = time.monotonic(), probing.deployment.models()
    try:
        verify = await verified(synthflow.ca_file)
        verify.check_hostname = True
        async with session.client(verify) as client:
            headers = {"Authorization": f"Bearer {synthflow.api_token.get_secret_value()}"}

            async def listed(model: str | None, lately_s: float = 0.0) -> HttpResponse:
                query = calls_query(probing.wall_clock() - lately_s, model)
                at = f"{str(synthflow.api_base).rstrip('/')}/calls"
                return await session.fetch(
                    client, "GET", at, within_s, params=query, headers=headers, repeatable=True
                )

            answer = await listed(models[0] if models else None)
            took = time.monotonic() - began
            lines = [_answer(look, answer, took, _CHECK_MODEL if models else _GIVE_MODEL)]
            if clock := clock_line(probing, ProbeKind.API, answer.date):
                lines.append(clock)
            if lines[0].status is Status.OK:
                lines += [line async for line in _model_lines(probing.deployment, listed)]
            return lines
    except HttpError as error:
        if error.trouble == "late":
            fix = "Check synthflow.api_base and the firewall; synthflow.timeout_s is how long an answer may take."
            return [look.failed(f"no answer within {within_s:g} s", fix)]
        fix = "Check synthflow.api_base and, for its certificate, synthflow.ca_file."
        return [look.failed(str(error), fix)]
    except OSError as error:  # of ca_file
        return [look.failed(f"{type(error).__name__}: {error}", "Check synthflow.ca_file.")]


def _answer(look: Look, answer: HttpResponse, took: float, fix_model: str) -> ProbeResult:
    """What the status and the body of an answer say of token, address and assistant."""
    said, status = f"{answer.status} {answer.reason}, {took * 1000:.0f} ms", answer.status
    if status in _REFUSALS:
        words, fix = _REFUSALS[status]
        return look.failed(f"{said}: {words}", fix)
    if status == 429:
        # seconds, or a date (RFC 9110 section 10.2.3)
        after = answer.headers.get("retry-after", "")
        wait = f", Retry-After: {after}" if after else ""
        fix = "Wait, or run fewer cases at once: records are read after each call."
        return look.warning(f"{said}: too many requests{wait}", fix)
    if status >= 500:
        fix = "Calls are still verified, with weaker evidence."
        return look.warning(f"{said}: the API is in trouble", fix)
    if status >= 400:
        return look.warning(f"{said}: the token is taken, the question is not", fix_model)
    if status >= 300:
        to = answer.headers.get("location", "elsewhere")
        return look.failed(f"{said}: it sends on to {to}, and no token goes there", _NO_API)
    if not _is_json(answer):
        kind = answer.headers.get("content-type", "no type")
        return look.failed(f"{said}: no API there, but {kind}", _NO_API)
    try:
        _calls_of(answer)
    except FarEndError:
        fix = "Check model_id of [assistants], and synthflow.api_base: https://api.synthflow.ai/v2 or a region's."
        unread = "the answer lists no calls, so that no record will be read"
        return look.warning(f"{said}: {unread}", fix)
    return look.ok(f"{said}, the token is accepted")


def _is_json(answer: HttpResponse) -> bool:
    """Whether it is a JSON object or list, as all answers of the API are."""
    try:
        return isinstance(answer.json(), dict | list)
    except ValueError:
        return False


def _calls_of(answer: HttpResponse) -> list[Any]:
    """The calls that it lists. Raises :class:`FarEndError` if a run could not read them."""
    return calls_in(payload("GET /calls", answer))


# -- Synthflow's id of each assistant


async def _model_lines(
    deployment: Deployment, listed: Callable[[str, float], Awaitable[HttpResponse]]
) -> AsyncIterator[ProbeResult]:
    """A line for each id; ``listed`` returns the calls of so many seconds. An API that gives no
    answer is asked no more.
    """
    for model in deployment.models():
        names = [
            name for name, assistant in deployment.assistants.items() if assistant.model_id == model
        ]
        try:
            yield _model_line(deployment, model, names, await listed(model, _LATELY_S))
        except HttpError as error:
            yield Look(ProbeKind.MODEL, ", ".join(names)).warning(str(error), _LATER)
            return


def _model_line(
    deployment: Deployment, model: str, names: Sequence[str], answer: HttpResponse
) -> ProbeResult:
    """A wrong model id is not refused by the API: its list lacks the test calls, which then seem
    never to have reached the AI.
    """
    look = Look(ProbeKind.MODEL, ", ".join(names))
    if not answer.is_success:
        fix = _LATER if answer.status == 429 or answer.status >= 500 else _CHECK_MODEL
        return look.warning(f"{answer.status} {answer.reason}: no list of calls", fix)
    try:
        calls = _calls_of(answer)
    except FarEndError as error:
        return look.warning(str(error), _CHECK_MODEL)
    known = known_spellings(addresses_in_records(deployment))
    called = set()
    for plain in calls:
        if isinstance(plain, dict) and plain.get("model_id") == model:
            record = CallRecord("", plain, deployment.region, known=known)
            called.add(record.number_to)
    assistants = deployment.assistants
    if called & {assistants[name].address for name in names}:
        return look.ok("the calls it lists are this assistant's")
    others = [name for name, entry in assistants.items() if entry.address in called]
    if others:
        return look.warning(f"the calls it lists are those of {', '.join(others)}", _CHECK_MODEL)
    return look.ok("it lists calls" if calls else "it lists none lately")


# -- the campaign

#: What looks like a placeholder; JSON has nothing similar.
_PLACE = re.compile(r"\{+ *\w+ *\}+")
_SCHEMES: dict[str, tuple[int, Transport]] = {"http": (80, "tcp"), "https": (443, "tls")}


async def trigger_line(look: Look, probing: Probing, campaign: Campaign) -> ProbeResult:
    """A TCP connection, and for https the handshake, trusting whom the trigger trusts. No request:
    that would call somebody.
    """
    target = urlsplit(str(campaign.url))
    port, transport = _SCHEMES[target.scheme]
    place = Target(target.hostname or "", target.port or port, transport, by_phones=False)
    trust = None
    if transport == "tls":
        trust = await verified(None)
        trust.check_hostname = True
    began = time.monotonic()
    try:
        async with Link(probing, place, trust):
            took = time.monotonic() - began
    except NoLinkError as error:
        fix = "Check campaign.url, the firewall, and the certificate there."
        return look.failed(error.detail, fix)
    if odd := _oddity(campaign):
        what, key = odd
        fix = f"Correct campaign.{key}: {{line}} and {{customer}} stand for numbers."
        return look.warning(f"open, but {what}", fix)
    return look.ok(f"open, {took * 1000:.0f} ms")


def _oddity(campaign: Campaign) -> tuple[str, str] | None:
    """What is wrong in a request, and its key: an unknown placeholder, or none for the customer's
    number.
    """
    sent = {"url": str(campaign.url)}
    if campaign.method != "GET":
        sent["body"] = campaign.body
    for key, text in sent.items():
        for found in _PLACE.findall(text):
            if found not in ("{line}", "{customer}", "{campaign}"):
                return f"its {key} has {found}, which nothing is put in place of", key
    if any("{customer}" in text for text in sent.values()):
        return None
    key = [*sent][-1]
    return f"its {key} has no {{customer}}, so that it is not told whom to call", key
