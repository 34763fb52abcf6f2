"""Starting a campaign's call: by HTTP, as the deployment describes it."""

from __future__ import annotations

import os

from harness.deployment import Campaign
from harness.errors import FarEndError
from harness.http_client import HttpClient, HttpError

_WITHIN_S = 10.0


def start(campaign: Campaign, line: str, customer: str) -> None:
    """Ask the platform to call ``customer`` from ``line`` (both E.164). Raises :class:`FarEndError`."""
    headers = dict(campaign.headers)
    for name, variable in campaign.headers_env.items():
        value = os.environ.get(variable)
        if not value:
            raise FarEndError(f"campaign.headers_env.{name}: the environment variable {variable} is not set")
        headers[name] = value
    if not campaign.url:
        raise FarEndError("campaign.url: is missing; a campaign triggered by HTTP needs one")
    body = campaign.body.replace("{line}", line).replace("{customer}", customer)
    if "content-type" not in {name.lower() for name in headers}:
        headers["Content-Type"] = "application/json"
    where = f"campaign trigger {campaign.url.partition('?')[0]}"  # a query may hold what is nobody's business
    client = HttpClient()
    try:
        answer = client.request(campaign.method, campaign.url, _WITHIN_S, headers=headers, content=body)
    except HttpError as error:
        raise FarEndError(f"{where}: {error}") from error
    finally:
        client.close()
    if not answer.is_success:
        raise FarEndError(f"{where}: {answer.status} {answer.reason}")
