"""Starting a campaign's call: by HTTP, as the deployment describes it, or by a person at the
terminal.
"""

from __future__ import annotations

import os
from urllib.parse import quote

from harness.deployment import Campaign, Report
from harness.errors import FarEndError
from harness.support.http_client import HttpClient, HttpError

#: Set by ``--no-manual`` for all processes of a run.
SILENT_VARIABLE = "HARNESS_NO_MANUAL"
_WITHIN_S = 10.0
#: In a body of this type "+" stands for a blank
#: (https://url.spec.whatwg.org/#application/x-www-form-urlencoded).
_FORM = "application/x-www-form-urlencoded"


def ask_at_terminal(text: str) -> bool:
    """Ask the user to do something now; False without a terminal or with ``--no-manual``."""
    if os.environ.get(SILENT_VARIABLE) == "1":
        return False
    try:
        # a worker's own output goes to the runner: the terminal is asked directly
        with open("/dev/tty", "w", encoding="utf-8") as terminal:
            terminal.write(f"\a\n>>> {text}\n")
    except OSError:
        return False
    return True


def request_headers(declared: Campaign | Report, *, has_body: bool) -> dict[str, str]:
    """The headers of a request, with their secrets; a body is JSON unless they say otherwise."""
    secrets = (declared.headers_secret or {}).items()
    headers = declared.headers | {name: value.get_secret_value() for name, value in secrets}
    if has_body and "content-type" not in {name.lower() for name in headers}:
        headers["Content-Type"] = "application/json"
    return headers


def start(campaign: Campaign, line: str, customer: str, id_there: str = "") -> None:
    """Ask the platform to call ``customer`` from ``line`` (both E.164), by the campaign that has
    this id there. Raises :class:`FarEndError`.
    """
    # RFC 9110 section 9.3.1: the body of a GET may not be read, or have the request refused
    has_body = campaign.method != "GET"
    headers = request_headers(campaign, has_body=has_body)
    if not campaign.url:
        raise FarEndError("campaign.url: is missing; a campaign triggered by HTTP needs one")
    escaped = quote(line), quote(customer), id_there
    url, body = _filled_in(campaign.url, *escaped), None
    if has_body:
        types = [value.lower() for name, value in headers.items() if name.lower() == "content-type"]
        is_form = any(value.startswith(_FORM) for value in types)
        values = escaped if is_form else (line, customer, id_there)
        body = _filled_in(campaign.body, *values)
    where = f"campaign trigger {campaign.url.partition('?')[0]}"  # the query may hold secrets
    client = HttpClient()
    try:
        answer = client.request(campaign.method, url, _WITHIN_S, headers=headers, content=body)
    except HttpError as error:
        raise FarEndError(f"{where}: {error}") from error
    finally:
        client.close()
    if not answer.is_success:
        raise FarEndError(f"{where}: {answer.status} {answer.reason}")


def _filled_in(text: str, line: str, customer: str, id_there: str) -> str:
    filled = text.replace("{line}", line).replace("{customer}", customer)
    return filled.replace("{campaign}", id_there)
