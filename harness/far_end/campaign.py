"""Starting a campaign's call: by HTTP, as the deployment describes it."""

from __future__ import annotations

import os

import httpx

from harness.deployment import Campaign
from harness.errors import FarEndError


def start(campaign: Campaign, line: str, customer: str) -> None:
    """Ask the platform to call ``customer`` from ``line`` (both E.164). Raises :class:`FarEndError`."""
    headers = httpx.Headers(campaign.headers)
    for name, variable in campaign.headers_env.items():
        value = os.environ.get(variable)
        if not value:
            raise FarEndError(f"campaign.headers_env.{name}: the environment variable {variable} is not set")
        headers[name] = value
    if not campaign.url:
        raise FarEndError("campaign.url: is missing; a campaign triggered by HTTP needs one")
    body = campaign.body.replace("{line}", line).replace("{customer}", customer)
    headers.setdefault("Content-Type", "application/json")
    try:
        response = httpx.request(campaign.method, campaign.url, headers=headers, content=body, timeout=10.0)
    except httpx.HTTPError as error:
        raise FarEndError(f"campaign trigger {campaign.url}: {type(error).__name__}: {error}") from error
    if not response.is_success:
        raise FarEndError(f"campaign trigger {campaign.url}: {response.status_code} {response.reason_phrase}")
