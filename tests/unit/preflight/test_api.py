"""Synthflow's API, and where a campaign is started."""

import email.utils
import socket
import time
from typing import Any

import pytest

from harness.run.preflight import ProbeResult
from tests.unit.preflight.conftest import FAILED, OK, SOON, WARNING, check

ROW = "Calls not reaching Synthflow"


def token(lab: Any, far: Any, base: str, settings: Any = None, **synthflow: Any) -> ProbeResult:
    lab.account["port"] = far.udp()
    lab.plain["synthflow"] = {"api_base": base, "api_token": "t0ken", **synthflow}
    found: ProbeResult = lab.line("Synthflow API", **(settings or {}))
    assert "t0ken" not in str(found)
    return found


LIMITED, MOVED = "429 Too Many Requests", "Location: https://login.example/\r\n"
LATER, PAGE = "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", "Content-Type: text/html\r\n"


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected", "detail", "fix"),
    [
        ("200 OK", "", "[]", OK, "the token is accepted", ""),
        ("200 OK", "", '{"calls": []}', OK, "the token is accepted", ""),
        ("200 OK", "", '{"status": "ok", "response": {"calls": [{}]}}', OK, "the token is accepted", ""),
        ("401 Unauthorized", "", "", FAILED, "not known", "wrong, expired or revoked"),
        ("403 Forbidden", "", "", FAILED, "may not do this", "workspace"),
        ("404 Not Found", "", "", FAILED, "no API there", "api_base"),
        (LIMITED, "Retry-After: 7\r\n", "", WARNING, "again after 7 s", "Wait"),
        (LIMITED, LATER, "", WARNING, "not before Fri, 31 Dec 1999 23:59:59 GMT", "Wait"),
        ("500 Internal Server Error", "", "", WARNING, "in trouble", "weaker evidence"),
        ("422 Unprocessable Content", "", "", WARNING, "the token is taken", "model_id"),
        ("302 Found", MOVED, "", FAILED, "it sends on to https://login.example/, and no token goes there", "api_base"),
        # a web server that says 200 to everything
        ("200 OK", PAGE, "<html>Log in</html>", FAILED, "no API there, but text/html", "api_base"),
        ("200 OK", PAGE, "true", FAILED, "no API there, but text/html", "api_base"),
        ("200 OK", PAGE, "[" * 100_000, FAILED, "no API there, but text/html", "api_base"),
        ("200 OK", "", "{}", WARNING, "lists no calls, so that no record will be read", "model_id"),
        ("200 OK", "", '{"status": "error", "message": "no such model"}', WARNING, "lists no calls", "model_id"),
        ("200 OK", "", '{"response": {"items": []}}', WARNING, "lists no calls", "model_id"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_the_api_answers(
    lab: Any, far: Any, status: str, headers: str, body: str, expected: Any, detail: str, fix: str
) -> None:
    found = token(lab, far, far.api(status, headers, body=body))
    check(found, expected, detail, "" if expected is OK else ROW, fix)


def test_an_api_without_an_answer(lab: Any, far: Any) -> None:
    silent = token(lab, far, far.api(silent=True), SOON, timeout_s=SOON["patience"])
    check(silent, FAILED, "no answer within 1.5 s", ROW, "firewall")
    check(token(lab, far, f"http://{far.address}:{far.closed_port()}/v2"), FAILED, "ConnectError", ROW, "api_base")
    check(token(lab, far, far.api(), api_token=None), FAILED, "no token", ROW, "api_token_env")
    port = far.stream(context=far.certificate(signed_by="stranger"))
    distrusted = token(lab, far, f"https://{far.address}:{port}/v2", ca_file=far.ca_file)
    check(distrusted, FAILED, "ConnectError", ROW, "ca_file")


def test_an_api_may_take_as_long_as_the_file_says(lab: Any, far: Any) -> None:
    hasty = {"patience": 0.0001}
    check(token(lab, far, far.api(), hasty, timeout_s=60.0), OK, "the token is accepted")
    late = token(lab, far, far.api(silent=True), hasty, timeout_s=0.0001)
    check(late, FAILED, "no answer within 0.0001 s", ROW, "synthflow.timeout_s")


def test_the_apis_clock(lab: Any, far: Any) -> None:
    late = email.utils.formatdate(time.time() - 300, usegmt=True)
    token(lab, far, far.api(headers=f"Date: {late}\r\n"))
    check(lab.line("clock Synthflow API"), FAILED, "behind", "Registration fails", "NTP")


# -- the campaign


def trigger(lab: Any, far: Any, url: str, **more: str) -> ProbeResult:
    lab.account["port"] = far.udp()
    lab.plain["campaign"] = {"trigger": "http", "url": url, **more}
    found: ProbeResult = lab.line("campaign URL")
    return found


def test_where_a_campaign_is_started(lab: Any, far: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    check(trigger(lab, far, f"http://{far.address}:{far.closed_port()}/"), FAILED, "refused", ROW, "campaign.url")
    url = f"https://{far.address}:{far.stream(context=far.certificate())}/"
    check(trigger(lab, far, url), FAILED, "certificate is not trusted", ROW, "certificate")
    monkeypatch.setenv("SSL_CERT_FILE", far.ca_file)  # which the trigger itself trusts, too
    monkeypatch.setenv("HTTPS_PROXY", f"http://{far.address}:1")  # which the trigger does not read
    check(trigger(lab, far, url), OK, "open, ")


NOBODY, NOTHING = "so that it is not told whom to call", "which nothing is put in place of"


@pytest.mark.parametrize(
    ("method", "query", "body", "said", "key"),
    [
        ("POST", "", '{"call": {"to": "{customer}", "tags": {}}}', "open, ", ""),
        ("POST", "?to={customer}", "7", "open, ", ""),
        ("GET", "?to={customer}", "", "open, ", ""),
        ("POST", "", '{"campaign": 7}', f"its body has no {{customer}}, {NOBODY}", "body"),
        ("POST", "", '{"from": "{line}", "to": "{Customer}"}', f"its body has {{Customer}}, {NOTHING}", "body"),
        ("POST", "", '{"from": "{line}", "to": "{{customer}}"}', f"its body has {{{{customer}}}}, {NOTHING}", "body"),
        ("GET", "?to=", "{customer}", f"its url has no {{customer}}, {NOBODY}", "url"),
        ("POST", "?to={number}", "{customer}", f"its url has {{number}}, {NOTHING}", "url"),
    ],
)
def test_a_campaigns_request_must_say_whom_to_call(
    lab: Any, far: Any, method: str, query: str, body: str, said: str, key: str
) -> None:
    found = trigger(lab, far, f"http://{far.address}:{far.stream()}/start{query}", method=method, body=body)
    check(found, WARNING if key else OK, said, ROW if key else "", f"campaign.{key}" if key else "")


def test_a_campaign_is_not_started(lab: Any, far: Any) -> None:
    with socket.create_server((far.address, 0)) as platform:
        check(trigger(lab, far, f"http://{far.address}:{platform.getsockname()[1]}/start?{{customer}}"), OK, "open, ")
        connection, _ = platform.accept()
        with connection:
            connection.settimeout(5)
            assert connection.recv(1) == b""  # closed without a request
