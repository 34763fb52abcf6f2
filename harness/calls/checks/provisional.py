"""Provisional responses that are sent reliably (RFC 3262), as a call's own messages show them."""

from __future__ import annotations

from collections.abc import Sequence

from harness.calls import measurement
from harness.calls.checks.finding import judged
from harness.calls.checks.registry import check
from harness.calls.events import SipMessage
from harness.calls.verdict import Finding
from harness.sip.message import Message, Request, Response


@check("prack")
def acknowledged(subject: str, messages: Sequence[SipMessage], instead: str | None = None) -> Finding:
    """Of the provisional responses but 100 some were sent reliably, and their PRACK was answered 200; all of them, where the
    INVITE requires it: a UAS that is unwilling to do so refuses it with 420 (section 3).

    ``instead`` is what came where that 200 did not.
    """
    came = [Message.parse(event.text) for event in messages if event.direction == "received"]
    early = [message for message in came if isinstance(message, Response) and 100 < message.status < 200]
    reliable = [message.status for message in early if _is_reliable(message)]
    others = [message.status for message in early if not _is_reliable(message)]
    required = _is_required(messages)
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
            provisional=tuple(message.status for message in early), reliable=tuple(reliable)
        ),
    )


def _is_reliable(response: Response) -> bool:
    """Whether it is to be acknowledged: either header without the other is no such thing (section 3)."""
    return response.has("RSeq") and "100rel" in response.tokens("Require")


def _is_required(messages: Sequence[SipMessage]) -> bool:
    """Whether an INVITE among these messages of a phone's requires it."""
    sent = (Message.parse(event.text) for event in messages if event.direction == "sent")
    return any(isinstance(m, Request) and m.method == "INVITE" and "100rel" in m.tokens("Require") for m in sent)


def _listed(codes: Sequence[int]) -> str:
    return ", ".join(map(str, codes))
