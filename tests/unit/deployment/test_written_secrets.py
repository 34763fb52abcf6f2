"""Secrets that somebody wrote into a deployment file: a mistake, told without the secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.deployment.test_mistakes import mistakes


@pytest.mark.parametrize(
    "written",
    [
        'headers = { Authorization = "Bearer hunter2" }',
        'headers = { X-Api-Key = "hunter2" }',
        'headers = { X-Auth = "hunter2" }',
    ],
)
def test_secrets_do_not_stand_in_headers(tmp_path: Path, written: str) -> None:
    campaign = f'\n[campaign]\ntrigger = "http"\nurl = "https://acme.example/dial"\n{written}\n'
    (said,) = mistakes(tmp_path, "live-talkdesk", lambda text: text + campaign)
    assert "secrets do not stand in files; allowed: campaign.headers_env." in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("body", "is_one"),
    [
        ('{"api_key": "hunter2", "to": "{customer}"}', True),
        ('{"client_secret":"hunter2"}', True),
        ("to={customer}&access_token=hunter2", True),
        ('{"template_key": "welcome", "tokens": [], "from": "{line}"}', False),
        ('{"token": "{customer}"}', False),
    ],
)
def test_secrets_do_not_stand_in_a_requests_body(tmp_path: Path, body: str, is_one: bool) -> None:
    campaign = f'\n[campaign]\ntrigger = "http"\nurl = "ftp://acme.example/dial"\nbody = \'{body}\'\n'
    (said,) = mistakes(tmp_path, "live-talkdesk", lambda text: text + campaign)
    assert said.startswith("campaign.body: secrets do not stand in files" if is_one else "campaign.url: ")
    assert "hunter2" not in said


def test_secrets_do_not_stand_in_addresses(tmp_path: Path) -> None:
    campaign = '\n[campaign]\ntrigger = "http"\nurl = "https://acme:hunter2@acme.example/dial"\n'
    (said,) = mistakes(tmp_path, "live-talkdesk", lambda text: text + campaign)
    assert said.startswith("campaign.url: secrets do not stand in files")
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("query", "is_one"),
    [
        ("key=hunter2", True),
        ("x-api-key=hunter2", True),
        ("page=2&token=hunter2", True),
        ("sort_key=start", False),
        ("page_token=next&groupKey=queue", False),
    ],
)
def test_secrets_do_not_stand_in_queries(tmp_path: Path, query: str, is_one: bool) -> None:
    campaign = f'\n[campaign]\ntrigger = "http"\nurl = "https://acme.example/dial?{query}"\nunknown = 1\n'
    (said,) = mistakes(tmp_path, "live-talkdesk", lambda text: text + campaign)
    assert said.startswith("campaign.url: secrets do not stand in files" if is_one else "campaign.unknown: ")
    assert "hunter2" not in said
