"""What the tests of the preflight ask of a far end, and what they hold a line to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.run.preflight import ProbeResult, Status
from harness.sip.digest import DigestServer
from harness.sip.message import Request, Response

OK, WARNING, FAILED = Status.OK, Status.WARNING, Status.FAILED
HOUR = 3600.0


def says(
    status: int, *headers: tuple[str, str], body: str = "", reason: str | None = None
) -> Callable[[Request], Response]:
    return lambda request: Response.to_request(request, status, reason, tag="far", headers=headers, body=body)


def silent(request: Request) -> None:
    return None


def check(line: ProbeResult, status: Status, detail: str, row: str = "", fix: str = "") -> None:
    assert line.status is status, line
    assert detail in line.detail, line
    assert row in line.row, line
    assert fix in line.fix, line
    if status is not OK:
        assert line.row, "a line that is not ok names the guide's row"
        assert line.fix, "and what to do"


def registrar(
    password: str | None = "right", realm: str = "carrier.example", **options: Any
) -> Callable[[Request], Response]:
    server = DigestServer(realm, {"+14155550101": password}.get, **options)

    def answer(request: Request) -> Response:
        if request.method != "REGISTER" or server.verify(request).accepted:
            return Response.to_request(request, 200, tag="far")
        return Response.to_request(request, server.status, tag="far", headers=[server.challenge()])

    return answer
