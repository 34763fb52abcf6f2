"""What goes on around the calls of a platform that works: no right case fails by it, and a wrong one still fails with its cause."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.acceptance.outside import Outside

LIVE, STAND_IN = 0, 1


@contextmanager
def noise(outside: Outside, tenant: int, **settings: Any) -> Iterator[None]:
    """The tenant with these settings."""

    def put(settings: dict[str, Any]) -> None:
        outside.control.put("/settings", json={"tenant": tenant, "settings": settings}).raise_for_status()

    put(settings)
    try:
        yield
    finally:
        put({})


def test_a_date_that_jumps_ahead_makes_no_call_fail(outside: Outside) -> None:
    """Known by its id, a call is what it is; otherwise it may be an earlier one, and nobody knows."""
    files = [
        outside.file("live", "known"),
        outside.file("live", "unknown", lambda text: text.replace("prepare = true", "prepare = false")),
    ]
    with noise(outside, LIVE, api={"date_jumps_s": 90.0}):
        code, output = outside.run(
            *files, "--row=TD-INBOUND", "--auth=ip", "--transport=udp", "--codec=pcmu", "-n", "1"
        )
    verdicts = {case.partition("[")[2].partition(":")[0]: verdict for case, verdict in outside.verdicts().items()}
    assert verdicts == {"known": "passed", "unknown": "not observable"}, output
    assert code == 1
