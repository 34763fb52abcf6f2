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
        "transfer.dialled.of-the-caller", turned_away(480, "Caller ID not verified"), "likely platform-refuses-caller"
    ),
    Expected("transfer.rejected.recorded", recorded(status="failed", status_code=403), "likely refer-rejected"),
    Expected(
        "transfer.failed.recorded", recorded(status="failed", status_code=486), "likely refer-accepted-then-failed"
    ),
    Expected(
        "transfer.challenged.recorded",
        recorded(status="failed", status_code=407),
        "likely transfer-call-challenged",
    ),
    Expected("transfer.nobody.recorded", recorded(status="failed", status_code=480), "likely nobody-available"),
    Expected(
        "transfer.unknown-number.recorded",
        recorded(status="failed", status_code=404),
        "likely number-unknown-at-platform",
    ),
    Expected(
        "transfer.silent.recorded",
        recorded(status="started"),
        "possible refer-never-notified",
    ),
    *(
        Expected(f"transfer.{rule}.recorded", recorded(status="failed", status_code=code), f"one of {causes}")
        for rule, code, causes in (
            ("inactive", 503, "trunk-inactive, refer-accepted-then-failed"),
            ("refused", 500, "refer-rejected, refer-accepted-then-failed"),
            ("unanswered", 487, "transfer-unanswered, refer-accepted-then-failed"),
        )
    ),
    Expected(
        "transfer.failed.recorded.or-answered",
        recorded(status="failed", status_code=504),
        "one of refer-rejected, refer-accepted-then-failed",
    ),
    *(
        Expected(f"transfer.dialled.{rule}", turned_away(code), answer)
        for rule, code, answer in (
            ("credentials", 407, "likely platform-refuses-caller"),
            ("media", 488, "likely platform-refuses-caller"),
            ("refused", 403, "likely platform-refuses-caller"),
            ("given-up", 487, "one of nobody-available, group-wrong"),
            ("elsewhere", 408, "one of nobody-available, group-wrong"),
            ("declined", 603, "one of nobody-available, group-wrong, platform-refuses-caller"),
        )
    ),
]
