"""Synthflow's API, and where a campaign is started."""

from __future__ import annotations

import datetime
import email.utils
import socket
from typing import Any

import pytest

from harness.run.preflight import ProbeResult
from tests.unit.preflight.conftest import SOON
from tests.unit.preflight.probing import FAILED, OK, WARNING, check

# -- the API


def token(lab: Any, far: Any, base: str, settings: Any = None, **synthflow: Any) -> ProbeResult:
    lab.account["port"] = lab.account["port"] if lab.account["port"] != 1 else far.udp()
    lab.plain["synthflow"] = {"api_base": base, "api_token": "t0ken", **synthflow}
    found: ProbeResult = lab.line("Synthflow API", **(settings or {}))
    assert "t0ken" not in str(found)
    return found


def test_the_token(lab: Any, far: Any) -> None:
    row = "Calls not reaching Synthflow"
    check(token(lab, far, far.api()), OK, "the token is accepted")
    check(token(lab, far, far.api("401 Unauthorized")), FAILED, "not known", row, "wrong, expired or revoked")
    check(token(lab, far, far.api("403 Forbidden")), FAILED, "may not do this", row, "workspace")
    check(token(lab, far, far.api("404 Not Found")), FAILED, "no API there", row, "api_base")
    limited = far.api("429 Too Many Requests", "Retry-After: 7\r\n")
    check(token(lab, far, limited), WARNING, "again after 7 s", row, "Wait")
    limited = far.api("429 Too Many Requests", "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n")
    check(token(lab, far, limited), WARNING, "not before Fri, 31 Dec 1999 23:59:59 GMT", row, "Wait")
    check(token(lab, far, far.api("500 Internal Server Error")), WARNING, "in trouble", row, "weaker evidence")
    check(token(lab, far, far.api("422 Unprocessable Content")), WARNING, "the token is taken", row)
    silent = token(lab, far, far.api(silent=True), SOON, timeout_s=SOON["patience"])
    check(silent, FAILED, "no answer within 1.5 s", row, "firewall")
    check(token(lab, far, f"http://{far.address}:{far.closed_port()}/v2"), FAILED, "ConnectError", row, "api_base")
    check(token(lab, far, far.api(), api_token=None), FAILED, "no token", row, "api_token_env")


def test_a_slow_api_that_a_run_would_wait_for_is_no_reason_to_end_it(lab: Any, far: Any) -> None:
    """The file says how long an answer may take; preflight gave it 2 s, and the run ended there."""
    hasty = {"patience": 0.0001}
    check(token(lab, far, far.api(), hasty, timeout_s=60.0), OK, "the token is accepted")
    late = token(lab, far, far.api(silent=True), hasty, timeout_s=0.0001)
    check(late, FAILED, "no answer within 0.0001 s", "Calls not reaching Synthflow", "synthflow.timeout_s")


@pytest.mark.parametrize(
    "body",
    ["<html>Log in</html>", "", "true", '"ok"', "[" * 100_000],
    ids=["a page", "nothing", "a truth", "a text", "a deep list"],
)
def test_a_web_server_that_says_200_to_everything_takes_no_token(lab: Any, far: Any, body: str) -> None:
    base = far.api(headers="Content-Type: text/html\r\n", body=body)
    check(token(lab, far, base), FAILED, "no API there, but text/html", "Calls not reaching Synthflow", "api_base")


@pytest.mark.parametrize(
    "body",
    ["{}", '{"status": "error", "message": "no such model"}', '{"response": {"items": []}}', '{"calls": {"a": 1}}'],
)
def test_an_answer_that_lists_no_calls_serves_no_run(lab: Any, far: Any, body: str) -> None:
    found = token(lab, far, far.api(body=body))
    check(found, WARNING, "lists no calls, so that no record will be read", "Calls not reaching Synthflow", "model_id")


@pytest.mark.parametrize("body", ["[]", '{"calls": []}', '{"status": "ok", "response": {"calls": [{}]}}'])
def test_a_list_in_any_form_that_a_run_reads(lab: Any, far: Any, body: str) -> None:
    check(token(lab, far, far.api(body=body)), OK, "the token is accepted")


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"])
def test_a_redirection_takes_no_token(lab: Any, far: Any, status: str) -> None:
    base = far.api(status, "Location: https://login.example/\r\n")
    said = "it sends on to https://login.example/, and no token goes there"
    check(token(lab, far, base), FAILED, said, "Calls not reaching Synthflow", "api_base")


def test_the_apis_certificate(lab: Any, far: Any) -> None:
    port = far.stream(context=far.certificate(signed_by="stranger"))
    line = token(lab, far, f"https://{far.address}:{port}/v2", ca_file=far.ca_file)
    check(line, FAILED, "ConnectError", "Calls not reaching Synthflow", "ca_file")


# -- the campaign


def trigger(lab: Any, far: Any, url: str, **more: str) -> ProbeResult:
    lab.account["port"] = lab.account["port"] if lab.account["port"] != 1 else far.udp()
    lab.plain["campaign"] = {"trigger": "http", "url": url, **more}
    found: ProbeResult = lab.line("campaign URL")
    return found


def test_where_a_campaign_is_started(lab: Any, far: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    row = "Calls not reaching Synthflow"
    check(trigger(lab, far, f"http://{far.address}:{far.stream()}/start"), OK, "open, ")
    check(trigger(lab, far, f"http://{far.address}:{far.closed_port()}/"), FAILED, "refused", row, "campaign.url")
    port = far.stream(context=far.certificate())
    check(trigger(lab, far, f"https://{far.address}:{port}/"), FAILED, "certificate is not trusted", row, "certificate")
    monkeypatch.setenv("SSL_CERT_FILE", far.ca_file)  # which the trigger itself trusts, too
    check(trigger(lab, far, f"https://{far.address}:{port}/"), OK, "open, ")
    monkeypatch.setenv("HTTPS_PROXY", f"http://{far.address}:1")  # which the trigger does not read
    check(trigger(lab, far, f"https://{far.address}:{port}/"), OK, "open, ")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"campaign": 7}', "its body has no {customer}, so that it is not told whom to call"),
        ('{"from": "{line}", "to": "{Customer}"}', "its body has {Customer}, which nothing is put in place of"),
        ('{"from": "{line}", "to": "{{customer}}"}', "its body has {{customer}}, which nothing is put in place of"),
    ],
)
def test_a_body_that_calls_nobody_of_ours(lab: Any, far: Any, body: str, said: str) -> None:
    row = "Calls not reaching Synthflow"
    url = f"http://{far.address}:{far.stream()}/start"
    check(trigger(lab, far, url, body=body), WARNING, said, row, "campaign.body")


@pytest.mark.parametrize(
    ("method", "query", "said", "fix"),
    [
        ("GET", "?to={customer}", "open, ", None),
        ("POST", "?to={customer}", "open, ", None),
        ("GET", "?to=", "its url has no {customer}, so that it is not told whom to call", "campaign.url"),
        ("GET", "?to={number}", "its url has {number}, which nothing is put in place of", "campaign.url"),
        ("POST", "?to={number}", "its url has {number}, which nothing is put in place of", "campaign.url"),
        ("POST", "", "its body has no {customer}, so that it is not told whom to call", "campaign.body"),
    ],
)
def test_a_url_may_say_whom_to_call(lab: Any, far: Any, method: str, query: str, said: str, fix: str | None) -> None:
    url = f"http://{far.address}:{far.stream()}/start{query}"
    found = trigger(lab, far, url, method=method, body="{customer}" if method == "GET" else "7")
    check(found, OK if fix is None else WARNING, said, *(["Calls not reaching Synthflow", fix] if fix else []))


def test_a_body_is_of_any_form(lab: Any, far: Any) -> None:
    url = f"http://{far.address}:{far.stream()}/start"
    check(trigger(lab, far, url, body='{"call": {"to": "{customer}", "tags": {}}}'), OK, "open, ")
    check(trigger(lab, far, url, body="to={customer}"), OK, "open, ")


def test_a_campaign_is_not_started(lab: Any, far: Any) -> None:
    with socket.create_server((far.address, 0)) as platform:
        check(trigger(lab, far, f"http://{far.address}:{platform.getsockname()[1]}/start"), OK, "open, ")
        connection, _ = platform.accept()
        with connection:
            connection.settimeout(5)
            assert connection.recv(1) == b""  # closed, and nothing asked


def test_the_apis_clock(lab: Any, far: Any) -> None:
    late = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=5)
    lab.account["port"] = far.udp()
    base = far.api(headers=f"Date: {email.utils.format_datetime(late, usegmt=True)}\r\n")
    lab.plain["synthflow"] = {"api_base": base, "api_token": "t0ken"}
    check(lab.line("clock Synthflow API"), FAILED, "behind", "Registration fails", "NTP")
