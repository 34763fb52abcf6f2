"""Synthflow's API, the model id of each assistant, and the campaign URL."""

from __future__ import annotations

import email.utils
import json
import socket
import time
from typing import Any

import pytest

from harness.run.preflight import ProbeResult
from tests.unit.preflight.conftest import FAILED, OK, SOON, WARNING, check


def token(lab: Any, base: str, settings: Any = None, **synthflow: Any) -> ProbeResult:
    lab.plain["synthflow"] = {"api_base": base, "api_token": "t0ken", **synthflow}
    found: ProbeResult = lab.line("Synthflow API", **(settings or {}))
    assert "t0ken" not in str(found)
    return found


LIMITED, PAGE = "429 Too Many Requests", "Content-Type: text/html\r\n"


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected", "detail", "fix"),
    [
        ("200 OK", "", "[]", OK, "the token is accepted", ""),
        (
            "200 OK",
            "",
            '{"status": "ok", "response": {"calls": [{}]}}',
            OK,
            "the token is accepted",
            "",
        ),
        ("401 Unauthorized", "", "", FAILED, "not known", "wrong, expired or revoked"),
        ("403 Forbidden", "", "", FAILED, "may not do this", "workspace"),
        ("404 Not Found", "", "", FAILED, "no API there", "api_base"),
        (LIMITED, "Retry-After: 7\r\n", "", WARNING, "too many requests, Retry-After: 7", "Wait"),
        ("500 Internal Server Error", "", "", WARNING, "in trouble", "weaker evidence"),
        ("422 Unprocessable Content", "", "", WARNING, "the token is taken", "model_id"),
        (
            "302 Found",
            "Location: https://x.example/\r\n",
            "",
            FAILED,
            "it sends on to https://x.example/",
            "api_base",
        ),
        # a web server that answers everything with 200
        ("200 OK", PAGE, "<html>Log in</html>", FAILED, "no API there, but text/html", "api_base"),
        (
            "200 OK",
            "",
            '{"status": "error", "message": "no such model"}',
            WARNING,
            "lists no calls",
            "model_id",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_api_status_gives_its_line(
    lab: Any, far: Any, status: str, headers: str, body: str, expected: Any, detail: str, fix: str
) -> None:
    found = token(lab, far.api(status, headers, body=body))
    check(found, expected, detail, fix)


def test_each_region_is_asked_with_its_own_token(lab: Any, far: Any) -> None:
    """A file could name one API for all its trunks and assistants."""
    bases = [far.api(), far.api("401 Unauthorized")]
    lab.trunk.update({"api_base": bases[0], "api_token": "one"})
    lab.plain["synthflow"] = {"api_token": "of neither"}
    lab.plain["assistants"]["eu"] = {
        "did": "+12065550101",
        "api_base": bases[1],
        "api_token": "two",
    }
    lab.plain["lines"]["eu"] = {"did": "+13125550101", "assistant": "eu"}
    report = lab.report()
    assert report.line("Synthflow API of main").status is OK
    assert report.line("Synthflow API of eu").status is FAILED
    reached = lab.deployment().reached_over("udp-ip", "eu").synthflow
    assert (reached.api_base, reached.api_token.get_secret_value()) == (bases[1], "two")


def test_api_without_an_answer_fails(lab: Any, far: Any) -> None:
    silent = token(lab, far.api(silent=True), SOON, timeout_s=SOON["patience"])
    check(silent, FAILED, "no answer within 1.5 s", "firewall")
    check(
        token(lab, f"http://{far.address}:{far.closed_port()}/v2"),
        FAILED,
        "ConnectError",
        "api_base",
    )
    check(token(lab, far.api(), api_token=None), FAILED, "no token", "api_token_env")
    port = far.tls(signed_by="stranger")
    distrusted = token(lab, f"https://{far.address}:{port}/v2", ca_file=far.ca_file)
    check(distrusted, FAILED, "ConnectError", "ca_file")


def test_api_keeps_the_files_timeout_and_has_a_clock(lab: Any, far: Any) -> None:
    late = email.utils.formatdate(time.time() - 300, usegmt=True)
    slow = token(lab, far.api(headers=f"Date: {late}\r\n"), {"patience": 0.0001}, timeout_s=60.0)
    check(slow, OK, "the token is accepted")
    check(lab.line("clock Synthflow API"), FAILED, "behind", "NTP")


# -- model ids

SALES, REPAIRS, ELSEWHERE = "+12065550100", "+12065550101", "+12065550177"


def call(model: str | None, number: str | None) -> dict[str, Any]:
    return {"call_id": f"{model}-{number}", "model_id": model, "agent_phone_number": number}


def models(lab: Any, far: Any, listed: dict[str, Any]) -> dict[str, ProbeResult]:
    """The line on each assistant's id; ``listed`` is the API's answer for each model."""

    def body(asked: str) -> str:
        calls = listed[asked.partition("model_id=")[2].partition("&")[0].partition(" ")[0]]
        return calls if isinstance(calls, str) else json.dumps({"response": {"calls": calls}})

    ids = {
        "sales": {"did": SALES, "model_id": "m1"},
        "repairs": {"did": REPAIRS, "model_id": "m2"},
    }
    lab.plain["assistants"] = ids
    lab.plain["lines"]["inbound"]["assistant"] = "sales"
    lab.plain["synthflow"] = {"api_base": far.api(body=body), "api_token": "t0ken"}
    return {
        line.subject: line for line in lab.report().lines if line.name.startswith("model_id of")
    }


def test_exchanged_model_ids_are_warnings(lab: Any, far: Any) -> None:
    """The API accepts a wrong id, and then the harness's calls are missing."""
    said = models(lab, far, {"m1": [call("m1", REPAIRS)], "m2": [call("m2", SALES)]})
    check(said["sales"], WARNING, "the calls it lists are those of repairs", "Check model_id")
    check(said["repairs"], WARNING, "the calls it lists are those of sales", "Check model_id")


@pytest.mark.parametrize(
    ("calls", "words"),
    [
        ([call("m1", "12065550100"), call("m1", REPAIRS)], "are this assistant's"),
        ([call("m1", ELSEWHERE)], "it lists calls"),
        ([call("m1", None), {"model_id": "m1"}, 7, None], "it lists calls"),
        (
            [call("m2", REPAIRS)],
            "it lists calls",
        ),  # an API that ignores the model and lists all calls
        ([], "it lists none lately"),
    ],
)
def test_plausible_model_id_is_ok(lab: Any, far: Any, calls: list[Any], words: str) -> None:
    check(models(lab, far, {"m1": calls, "m2": []})["sales"], OK, words)


@pytest.mark.parametrize(
    ("answer", "said", "fix"),
    [
        (
            "503 Service Unavailable",
            "503 Service Unavailable: no list of calls",
            "Look again later",
        ),
        (
            "422 Unprocessable Content",
            "422 Unprocessable Content: no list of calls",
            "Check model_id",
        ),
        ('{"status": "error", "message": "no such model"}', "lists no calls", "Check model_id"),
    ],
)
def test_refused_model_id_is_a_warning(
    lab: Any, far: Any, answer: str, said: str, fix: str
) -> None:
    check(models(lab, far, {"m1": [], "m2": answer})["repairs"], WARNING, said, fix)


# -- the campaign


def trigger(lab: Any, url: str, **more: str) -> ProbeResult:
    lab.plain["campaign"] = {"trigger": "http", "url": url, **more}
    found: ProbeResult = lab.line("campaign URL")
    return found


def test_campaign_url_is_probed(lab: Any, far: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    check(
        trigger(lab, f"http://{far.address}:{far.closed_port()}/"),
        FAILED,
        "refused",
        "campaign.url",
    )
    url = f"https://{far.address}:{far.tls()}/"
    check(trigger(lab, url), FAILED, "certificate is not trusted", "certificate")
    monkeypatch.setenv("SSL_CERT_FILE", far.ca_file)  # the trigger itself trusts it, too
    check(trigger(lab, url), OK, "open, ")


NOBODY, NOTHING = "so that it is not told whom to call", "which nothing is put in place of"


@pytest.mark.parametrize(
    ("method", "query", "body", "said", "key"),
    [
        ("POST", "", '{"call": {"to": "{customer}", "tags": {}}}', "open, ", ""),
        ("GET", "?to={customer}", "", "open, ", ""),
        ("POST", "", '{"campaign": 7}', f"its body has no {{customer}}, {NOBODY}", "body"),
        (
            "POST",
            "",
            '{"from": "{line}", "to": "{{customer}}"}',
            f"its body has {{{{customer}}}}, {NOTHING}",
            "body",
        ),
        ("GET", "?to=", "{customer}", f"its url has no {{customer}}, {NOBODY}", "url"),
    ],
)
def test_campaign_request_must_name_the_customer(
    lab: Any, far: Any, method: str, query: str, body: str, said: str, key: str
) -> None:
    found = trigger(
        lab, f"http://{far.address}:{far.stream()}/start{query}", method=method, body=body
    )
    check(found, WARNING if key else OK, said, f"campaign.{key}" if key else "")


def test_campaign_probe_starts_no_campaign(lab: Any, far: Any) -> None:
    with socket.create_server((far.address, 0)) as platform:
        check(
            trigger(lab, f"http://{far.address}:{platform.getsockname()[1]}/start?{{customer}}"),
            OK,
            "open, ",
        )
        connection, _ = platform.accept()
        with connection:
            connection.settimeout(5)
            assert connection.recv(1) == b""  # closed without a request
