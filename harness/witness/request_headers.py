"""The headers of a request that a deployment describes, with those that hold secrets."""

from __future__ import annotations

import os

from harness.deployment import Campaign, Report
from harness.errors import FarEndError


def request_headers(where: str, declared: Campaign | Report, *, has_body: bool) -> dict[str, str]:
    """Those of the table called ``where``; a body is JSON unless they say otherwise. Raises :class:`FarEndError`."""
    headers = dict(declared.headers)
    for name, variable in declared.headers_env.items():
        if not (value := os.environ.get(variable)):
            raise FarEndError(f"{where}.headers_env.{name}: the environment variable {variable} is not set")
        headers[name] = value
    if has_body and "content-type" not in {name.lower() for name in headers}:
        headers["Content-Type"] = "application/json"
    return headers
