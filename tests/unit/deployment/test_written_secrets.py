"""Secrets that somebody wrote into a deployment file: a mistake, told without the secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.deployment.edits import mistakes


def mistake_in(tmp_path: Path, campaign: str) -> str:
    """The only one in a deployment file with that campaign, told without the secret."""
    section = f'\n[campaign]\ntrigger = "http"\n{campaign}\n'
    (said,) = mistakes(tmp_path, "live-talkdesk", lambda text: text + section)
    assert "hunter2" not in said
    return said


@pytest.mark.parametrize(
    "written",
    [
        'headers = { Authorization = "Bearer hunter2" }',
        'headers = { X-Api-Key = "hunter2" }',
        'headers = { X-Auth = "hunter2" }',
    ],
)
def test_secrets_do_not_stand_in_headers(tmp_path: Path, written: str) -> None:
    said = mistake_in(tmp_path, f'url = "https://acme.example/dial"\n{written}')
    assert "secrets do not stand in files; allowed: campaign.headers_env." in said


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
    said = mistake_in(tmp_path, f"url = \"ftp://acme.example/dial\"\nbody = '{body}'")
    assert said.startswith("campaign.body: secrets do not stand in files" if is_one else "campaign.url: ")


def test_secrets_do_not_stand_in_addresses(tmp_path: Path) -> None:
    said = mistake_in(tmp_path, 'url = "https://acme:hunter2@acme.example/dial"')
    assert said.startswith("campaign.url: secrets do not stand in files")


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
    said = mistake_in(tmp_path, f'url = "https://acme.example/dial?{query}"\nunknown = 1')
    assert said.startswith("campaign.url: secrets do not stand in files" if is_one else "campaign.unknown: ")
