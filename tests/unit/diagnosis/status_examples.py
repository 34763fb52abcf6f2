"""Examples in which a status alone tells: the AI's record has it of a REFER, or the caller of a number of people."""

from __future__ import annotations

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.stories import Expected, lost
from tests.unit.diagnosis.transfer_examples import told


def recorded(**action: object) -> Example:
    """A transfer that reached nobody, of which the AI's record alone tells."""
    return lost(told(None, **action))


def turned_away(code: int, reason: str = "x") -> Example:
    """A number of people that refuses its caller before anybody's phone rings."""
    example = Example(row="PEOPLE", line="people").dials().after(0.1)
    return example.state("disconnected", code, reason).landed("reception")


STATUSES = [
    Expected(
        "transfer.dialled.of-the-caller", turned_away(480, "Caller ID not verified"), ("platform-refuses-caller",)
    ),
    Expected("transfer.rejected.recorded", recorded(status="failed", status_code=403), ("refer-rejected",)),
    Expected("transfer.failed.recorded", recorded(status="failed", status_code=486), ("refer-accepted-then-failed",)),
    Expected("transfer.nobody.recorded", recorded(status="failed", status_code=480), ("nobody-available",)),
    Expected(
        "transfer.unknown-number.recorded",
        recorded(status="failed", status_code=404),
        ("number-unknown-at-platform",),
    ),
    Expected("transfer.circle.recorded", recorded(status="failed", status_code=482), ("routed-in-a-circle",)),
    Expected(
        "transfer.silent.recorded",
        recorded(status="started"),
        ("refer-never-notified",),
        ("refer-never-notified",),
    ),
    Expected(
        "transfer.no-such-call.recorded", recorded(status="failed", status_code=481), ("transfer-outside-the-call",)
    ),
    *(
        Expected(f"transfer.{rule}.recorded", recorded(status="failed", status_code=code), causes, causes)
        for rule, code, causes in (
            ("challenged", 407, ("transfer-call-challenged", "transfer-credentials-refused")),
            ("credentials", 401, ("transfer-call-challenged", "transfer-credentials-refused")),
            ("inactive", 503, ("trunk-inactive", "refer-accepted-then-failed")),
            ("server", 500, ("transfer-server-fails", "refer-accepted-then-failed")),
            ("redirected", 302, ("transfer-redirected", "refer-accepted-then-failed")),
            ("unanswered", 487, ("transfer-unanswered", "refer-accepted-then-failed")),
        )
    ),
    Expected(
        "transfer.failed.recorded.or-answered",
        recorded(status="failed", status_code=504),
        ("transfer-server-fails", "refer-accepted-then-failed"),
        ("transfer-server-fails", "refer-accepted-then-failed"),
    ),
    *(
        Expected(f"transfer.dialled.{rule}", turned_away(code), causes, causes if len(causes) > 1 else ())
        for rule, code, causes in (
            ("redirected", 302, ("caller-redirected",)),
            ("credentials", 407, ("caller-credentials-refused",)),
            ("identity", 608, ("caller-identity-refused",)),
            ("media", 488, ("caller-media-refused",)),
            ("failed", 503, ("platform-fails",)),
            ("refused", 403, ("platform-refuses-caller",)),
            ("given-up", 487, ("nobody-available", "group-wrong")),
            ("elsewhere", 408, ("nobody-available", "group-wrong")),
            ("declined", 603, ("nobody-available", "group-wrong", "platform-refuses-caller")),
        )
    ),
]
