"""A customer unlike ours in names, numbers and hosts, behind a switch that answers in its own words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Self

from harness.deployment import Deployment, from_plain, to_plain
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.example_case import deployment
from tests.unit.diagnosis.stories import GROUP, lost

DESK, DESK_NUMBER = "Ersatzteile-2", "+442079460155"
_RENAMED = {"billing": DESK, GROUP: DESK_NUMBER, "198.51.100.2": "203.0.113.4"}


@cache
def _renamed(integration: str) -> Deployment:
    text = json.dumps(to_plain(deployment(integration)))
    for ours, theirs in _RENAMED.items():
        text = text.replace(ours, theirs)
    return from_plain(json.loads(text))


@dataclass
class Stranger(Example):
    """The AI hands callers over to a desk, in calls whose Call-IDs are the switch's own."""

    @property
    def deployment(self) -> Deployment:
        return _renamed(self.integration)

    def landed(self, wanted: str, *rang: str) -> Self:
        return super().landed(DESK if wanted == "billing" else wanted, *rang)


def hands_over(way: str = "REFER", **changes: str) -> Stranger:
    """Caller and AI talk, and the AI asks the switch for the desk: by REFER, or by a call of its own."""
    row, line = ("TD-TRANSFER-BLIND", "inbound") if way == "REFER" else ("TD-TRANSFER-WARM", "inbound-warm")
    example = Stranger(row=row, line=line, **changes)  # type: ignore[arg-type]
    example.dials().after(0.2).ai_gets(call_id="6f1c@sw7.example").answered().taken().counted().to_ai().to_caller()
    head = {"call_id": _call_of(way), "number": "20771", "to": "<sip:x@sw7.example>;tag=as58f4201b"}
    if way == "REFER":
        to = f"<sip:{DESK_NUMBER}@sw7.example;user=phone>"
        return example._sip("sent", "REFER sip:x@203.0.113.40 SIP/2.0", "REFER", Refer_To=to, **head)
    head["to"] = f"<sip:{DESK_NUMBER}@sw7.example>"
    return example._sip("sent", f"INVITE sip:{DESK_NUMBER}@sw7.example;user=phone SIP/2.0", "INVITE", **head)


def answered(status: str, way: str = "REFER", **headers: str) -> Example:
    """The switch answers so, and nobody's phone rings."""
    answer = {"call_id": _call_of(way), "number": "20771", **headers}
    return lost(hands_over(way)._sip("received", f"SIP/2.0 {status}", way, **answer))


def notified(*fragments: str, states: tuple[str, ...] = ()) -> Example:
    """The switch accepts the REFER, sends a NOTIFY with each of the fragments, in these states, and nobody's phone rings."""
    example = hands_over()._sip("received", "SIP/2.0 202 Accepted", "REFER", call_id=_call_of("REFER"), number="20771")
    for number, body in enumerate(fragments, start=103):
        state = (states or ("active;expires=180",) * len(fragments))[number - 103]
        head = {"Event": "refer;id=20771", "Subscription_State": state, "Content_Type": "message/sipfrag;version=2.0"}
        head |= {"call_id": _call_of("REFER"), "number": str(number)}
        example._sip("received", "NOTIFY sip:ai@192.0.2.60 SIP/2.0", "NOTIFY", body, **head)
    return lost(example)


def _call_of(way: str) -> str:
    return "6f1c@sw7.example" if way == "REFER" else "onward-98@192.0.2.60"
