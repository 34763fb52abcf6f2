"""Where a platform's report is read: by HTTP with its secrets, or from a file that was written
since the call.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.deployment import Report
from harness.errors import FarEndError
from harness.witness.platform_report import ReportSource
from tests.unit.witness.conftest import Web, answer

Make = Callable[..., Web]
ROWS = "caller,group,started\n+12065550100,Billing,2026-03-01 14:05:09\n"


def source(**more: Any) -> ReportSource:
    return ReportSource(Report.model_validate(more))


def test_the_request(web: Make) -> None:
    server = web(answer("200 OK", ROWS))
    declared = {
        "url": f"{server.base}/calls?from={{since}}&type=csv",
        "headers_secret": {"Authorization": "s3cret"},
    }
    (row,) = source(**declared).read(1_772_373_909.0)
    assert row.groups == ("Billing",)
    head = server.requests[0].decode().lower()
    assert head.startswith("get /calls?from=2026-03-01t14:04:09z&type=csv http/1.1\r\n")
    assert "authorization: s3cret" in head


def test_a_report_that_is_asked_for_with_a_body(web: Make) -> None:
    server = web(answer("200 OK", "[]"))
    body = '{"timespan": {"from": "{since}"}}'
    assert source(url=server.base, method="POST", body=body).read(1_772_373_909.0) == []
    head, sent = server.asked()
    assert head.startswith("POST")
    assert "content-type: application/json" in head.lower()
    assert sent == '{"timespan": {"from": "2026-03-01T14:04:09Z"}}'


@pytest.mark.parametrize("status", ["302 Found", "401 Unauthorized", "503 Busy"])
def test_a_refusal_is_said_without_the_secret(web: Make, status: str) -> None:
    """A redirection is not followed: the secret would go along."""
    elsewhere = web(answer("200 OK", ROWS))
    server = web(answer(status, "", f"Location: {elsewhere.base}"))
    declared = source(
        url=f"{server.base}/?account=acme", headers_secret={"Authorization": "s3cret"}
    )
    with pytest.raises(FarEndError, match=status[:3]) as caught:
        declared.read(time.time())
    assert "s3cret" not in str(caught.value)
    assert "acme" not in str(caught.value)
    assert elsewhere.requests == []


def test_a_clock_that_is_ahead(web: Make) -> None:
    server = web(answer("200 OK", "[]", "Date: Sun, 01 Mar 2099 14:05:09 GMT"))
    read = source(url=server.base)
    assert read.clock_ahead_s == 0.0
    read.read(time.time())
    assert read.clock_ahead_s > 1e9


@pytest.mark.parametrize(
    ("age", "is_known"), [("Age: 0", True), ("Age: 75", False), ("Age: 75, 3", False)]
)
def test_what_a_cache_has_kept_tells_of_no_clock(web: Make, age: str, is_known: bool) -> None:
    """Its Date is of when it was kept: the clock was said to be so much behind, and no row to be
    sure.
    """
    read = source(url=web(answer("200 OK", "[]", "Date: Sun, 01 Mar 2026 14:05:09 GMT", age)).base)
    read.read(time.time())
    assert (read.clock_ahead_s != 0.0) is is_known


def test_a_file_counts_when_it_was_written_since_the_call(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    read = source(file=str(path))
    with pytest.raises(FarEndError, match=r"calls\.csv: No such file"):
        read.read(1_772_373_909.0)
    path.write_text(ROWS, encoding="utf-8-sig")
    os.utime(path, (1_772_373_900.0,) * 2)
    with pytest.raises(FarEndError, match="written before the call"):
        read.read(1_772_373_909.0)
    os.utime(path, (1_772_374_000.0,) * 2)
    (row,) = read.read(1_772_373_909.0)
    assert row.groups == ("Billing",)
