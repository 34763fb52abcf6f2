"""Starting a campaign's call: by HTTP, as the deployment describes it."""

from __future__ import annotations

from urllib.parse import quote

from harness.deployment import Campaign
from harness.errors import FarEndError
from harness.far_end.request_headers import request_headers
from harness.http_client import HttpClient, HttpError

_WITHIN_S = 10.0


def start(campaign: Campaign, line: str, customer: str) -> None:
    """Ask the platform to call ``customer`` from ``line`` (both E.164). Raises :class:`FarEndError`."""
    has_body = campaign.method != "GET"  # RFC 9110 section 9.3.1: there it may not be read, or have the request refused
    headers = request_headers("campaign", campaign, has_body=has_body)
    if not campaign.url:
        raise FarEndError("campaign.url: is missing; a campaign triggered by HTTP needs one")
    url = campaign.url.replace("{line}", quote(line)).replace("{customer}", quote(customer))
    body = campaign.body.replace("{line}", line).replace("{customer}", customer) if has_body else None
    where = f"campaign trigger {campaign.url.partition('?')[0]}"  # a query may hold what is nobody's business
    client = HttpClient()
    try:
        answer = client.request(campaign.method, url, _WITHIN_S, headers=headers, content=body)
    except HttpError as error:
        raise FarEndError(f"{where}: {error}") from error
    finally:
        client.close()
    if not answer.is_success:
        raise FarEndError(f"{where}: {answer.status} {answer.reason}")
