"""What a check is given to look at: messages, counters and sounds of calls."""

from __future__ import annotations

from harness.case.checks import (
    audio,
)
from harness.case.checks.audio import ListenerReport, Sound
from harness.case.checks.claims import Observation
from harness.case.events import RtpStatistics, SipMessage
from harness.case.verdict import Finding, Strength
from harness.sip.message import Request
from tests.unit.phone_events import rtp_statistics, sip_message

CALLER, AI_NUMBER = "+14155550101", "+12065550100"
ANONYMOUS = "<sip:anonymous@anonymous.invalid>"
ASSERTED = f"P-Asserted-Identity: <sip:{CALLER}@example.com>"
SELECTOR = "X-Gladly-Routing-Selector"


def invite(*more: str, from_: str = f"<sip:{CALLER}@example.com>") -> Request:
    head = [
        f"INVITE sip:{AI_NUMBER}@192.0.2.1:32681 SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1",
        f"From: {from_};tag=1",
        f"To: <sip:{AI_NUMBER}@192.0.2.1>",
        "Call-ID: a@b",
        "CSeq: 1 INVITE",
        "Max-Forwards: 70",
    ]
    parsed = Request.parse("\r\n".join([*head, *more, "Content-Length: 0"]) + "\r\n\r\n")
    assert isinstance(parsed, Request)
    return parsed


def answered(*more: str) -> list[SipMessage]:
    text = "\r\n".join(
        [
            "SIP/2.0 200 OK",
            *invite(*more).serialize().decode().split("\r\n")[1:],
        ]  # the same headers
    )
    return [sip_message("received", text)]


def exchange(*answers: tuple[str, str, float]) -> list[SipMessage]:
    """An INVITE of the harness, and its answers (status, tag, seconds after it), the first
    acknowledged at once.
    """
    sent = invite().serialize().decode()
    texts = [(0.0, "sent", sent)]
    for status, tag, at in answers:
        head = [
            f"SIP/2.0 {status} OK",
            *sent.replace("To: <sip:+12065550100@192.0.2.1>", f"To: <sip:ai@x>;tag={tag}").split(
                "\r\n"
            )[1:],
        ]
        texts.append((at, "received", "\r\n".join(head)))
    texts.insert(
        2,
        (
            answers[0][2] + 0.001,
            "sent",
            sent.replace("INVITE sip:", "ACK sip:", 1).replace("1 INVITE", "1 ACK"),
        ),
    )
    return [sip_message(direction, text, at=at) for at, direction, text in texts]


def own_answer(*sent_at: float, acknowledged: bool) -> list[SipMessage]:
    """An INVITE to the harness, its own 200 at these times, and perhaps the ACK."""
    asked = invite().serialize().decode()
    answer = "\r\n".join(["SIP/2.0 200 OK", *asked.split("\r\n")[1:]])
    texts = [(0.0, "received", asked), *((at, "sent", answer) for at in sent_at)]
    if acknowledged:
        ack = asked.replace("INVITE sip:", "ACK sip:", 1).replace("1 INVITE", "1 ACK")
        texts.append((sent_at[-1] + 0.1, "received", ack))
    return [sip_message(direction, text, at=at) for at, direction, text in texts]


def counted(received: int, lost: int) -> RtpStatistics:
    return rtp_statistics(rx_packets=received, rx_lost=lost)


NAMES = {7: "caller.1", 263: "the AI answering caller.1", 240: "assistant main"}


def heard(
    sound: Sound | None, account: ListenerReport | None = None, least: Strength = Strength.PROVED
) -> Finding:
    return audio.direction(
        "caller.1",
        "stand-in.1",
        sound,
        account,
        since=10.0,
        own={9},
        least=least,
        names=NAMES,
        towards="ai",
    )


MARK = Sound(10.2, Observation.MARK, "mark 7", 7, -20.0)
