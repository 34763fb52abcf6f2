"""Check of reliable provisional responses (RFC 3262), from a call's SIP messages."""

from __future__ import annotations

from collections.abc import Sequence

from harness.calls import measurement
from harness.calls.checks.finding import judged
from harness.calls.checks.registry import check
from harness.calls.events import SipMessage
from harness.calls.model import Call
from harness.calls.verdict import Finding
from harness.sip.message import Response


@check("prack")
def acknowledged(subject: str, messages: Sequence[SipMessage], instead: str | None = None) -> Finding:
    """A provisional response other than 100 was sent reliably, and its PRACK was answered 200.

    If the INVITE requires 100rel, every one must be reliable: a UAS that is unwilling answers 420 (section 3). ``instead``: the
    event that came in place of the 200 to the PRACK.
    """
    call = Call(messages)
    reliable = [response.status for response in call.provisional if _is_reliable(response)]
    others = [response.status for response in call.provisional if not _is_reliable(response)]
    required = call.requires_reliability
    if reliable:
        answered = f"no 200 to the PRACK: {instead}" if instead else "200 to the PRACK"
        actual = f"{_listed(reliable)} with RSeq, and {answered}"
        actual += f"; and {_listed(others)} without Require: 100rel and RSeq" if others and required else ""
    elif others:
        actual = f"{_listed(others)} without Require: 100rel and RSeq, so that there was nothing to acknowledge"
    else:
        actual = "no provisional response" + (f": {instead}" if instead else "")
    return judged(
        "prack",
        subject,
        bool(reliable) and instead is None and not (required and others),
        expected=f"{'every' if required else 'a'} provisional response with RSeq, acknowledged by PRACK",
        actual=actual,
        measured=measurement.Provisional(
            provisional=tuple(response.status for response in call.provisional), reliable=tuple(reliable)
        ),
    )


def _is_reliable(response: Response) -> bool:
    """Whether the response must be acknowledged. It needs both headers (section 3)."""
    return response.has("RSeq") and "100rel" in response.tokens("Require")


def _listed(codes: Sequence[int]) -> str:
    return ", ".join(map(str, codes))
