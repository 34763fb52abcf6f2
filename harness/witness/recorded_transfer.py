"""Transfers in an AI's record: https://docs.synthflow.ai/transfer-outcome-states, and the form of
real records.

A record's action has ``action_type`` and ``return_value``, a table or JSON as text, and the same is
true of ``parameters_hard_coded``, with which it was set up. A far end without these says ``to``,
``type`` and ``status_code`` itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from harness.sip.identity import without_separators
from harness.witness.call_record import is_masked, user_of

_DONE, FAILED = "transfer-success", "transfer-failed"
#: The status of RFC 3261 section 21 for each reason in a record.
_STATUS_OF: Mapping[object, int] = {
    "number_not_found": 404,
    "number_incomplete": 484,
    "destination_unavailable": 480,
    "rejected_by_destination": 603,
    "transfer_blocked_by_carrier": 403,
    "carrier_unavailable": 503,
    "routing_loop": 482,
    "media_negotiation_failed": 488,
    "transfer_method_unsupported": 405,
}
_WAYS: Mapping[str, str] = {
    "cold_transfer": "cold",
    "warm_transfer": "warm",
    "warm_transfer_with_context": "warm",
}

_SCHEME = re.compile(r"(?:sips?|tel):", re.IGNORECASE)
_TELEPHONE = re.compile(r"\+?[\d .()-]*\d", re.ASCII)


def transfers_among(actions: Iterable[Any]) -> list[dict[str, Any]]:
    """The transfers among a record's actions, with ``to``, ``type``, ``status`` and ``status_code``
    as far as they are known.

    They are known by their kind, and where none is told by the name that their owner gave them: an
    extractor may be called ``transfer_reason``, and what looks something up at a server has that
    server's status.
    """
    found: list[dict[str, Any]] = []
    for action in actions:
        if not isinstance(action, dict):
            continue
        kind = str(action.get("action_type") or action.get("name")).lower()
        if "transfer" not in kind:
            continue
        transfer = action | _documented(action)
        if "to" in transfer and not _names_somebody(transfer["to"]):
            del transfer["to"]
        found.append(transfer)
    return found


def landed_by(actions: Iterable[Any]) -> list[dict[str, Any]]:
    """A list of the transfer that counts among a record's actions: the last that did not fail, else
    the last.

    Where that does not tell whom it leads to, one that failed before does not tell it either. A
    record has actions by name, so that one which is tried again stays where it was; and members of
    a JSON object have no order (RFC 8259 section 4).
    """
    return sorted(transfers_among(actions), key=_has_failed, reverse=True)[-1:]


def recorded_target(to: str) -> str:
    """The target of a transfer as a URI. A record may have one with or without its scheme, a
    telephone number, or a user alone.
    """
    to = to.strip()
    if _SCHEME.match(to):
        return to
    if _TELEPHONE.fullmatch(to):
        return f"tel:{without_separators(to)}"
    return f"sip:{to}" if "@" in to else f"sip:{to}@platform.invalid"


def outcome_told(transfer: Mapping[str, Any]) -> int | str | None:
    """The final status of a transfer; the record's words for a failure without a status; None while
    there is neither.
    """
    code, status = transfer.get("status_code"), transfer.get("status")
    failed = isinstance(status, str) and status.startswith(FAILED)
    return status if failed else code if isinstance(code, int) else None


def _has_failed(transfer: Mapping[str, Any]) -> bool:
    outcome = outcome_told(transfer)
    return isinstance(outcome, str) or (outcome is not None and outcome >= 300)


def _documented(action: Mapping[str, Any]) -> dict[str, Any]:
    """What the documented fields say, under the names that are read here."""
    set_up, came = _table(action.get("parameters_hard_coded")), _table(action.get("return_value"))
    reported: dict[str, Any] = {
        "to": set_up.get("phone"),
        "type": _WAYS.get(str(set_up.get("transfer_mode"))),
    }
    status, reason = came.get("status"), came.get("failed_reason")
    if isinstance(status, str):
        reported["status"] = f"{status} ({reason})" if reason else status
        reported["status_code"] = 200 if status == _DONE else _STATUS_OF.get(str(reason))
    return {name: value for name, value in reported.items() if value is not None}


def _names_somebody(to: object) -> bool:
    """Whether it is a target: the name of a variable is none, nor is a number whose digits are
    hidden.
    """
    return isinstance(to, str) and bool(to) and not is_masked(user_of(to))


def _table(value: object) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}
