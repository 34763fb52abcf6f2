"""SIPp as an AI that is deaf: it answers every call, plays what it has, and takes notice of
nothing; it sends no RTCP.
"""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any

from harness.sip.message import Message, Request, Response
from tests.interop.sipp import (
    MOST_CALLS,
    RECEIVE_INVITE,
    WHOLE_RUN_S,
    Sipp,
    receive,
    respond_to_proxy,
    respond_within_dialog,
    sdp,
    speak,
)

_BLOCK = re.compile(
    r"^-{20,} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+)\n\w+ message (sent|received) .*\n\n?((?:.*\n)*?)(?=^-{20,} |\Z)",
    re.M,
)


class SippAi(Sipp):
    """Plays ``voice`` (µ-law, once); without one it sends back what it gets."""

    def __init__(self, directory: Path, host: str, voice: bytes | None) -> None:
        port = "[media_port]" if voice is None else "[rtpstream_audio_port]"
        steps = [
            RECEIVE_INVITE,
            respond_to_proxy("180 Ringing"),
            respond_to_proxy("200 OK", sdp(port=port)),
            receive("ACK"),
            *([] if voice is None else [speak().replace(",-1,", ",1,")]),
            receive("BYE"),
            respond_within_dialog("200 OK"),
        ]
        super().__init__(
            directory,
            host,
            steps,
            port=32681,
            voice=voice or b"",
            arguments=["-rtp_echo"] if voice is None else [],
            calls=MOST_CALLS,
            seconds=WHOLE_RUN_S,
        )

    def records(self) -> list[dict[str, Any]]:
        """All calls so far as an API tells of them that has records alone, oldest first; by its own
        trace.
        """
        calls: dict[str, dict[str, Any]] = {}
        for when, way, text in _BLOCK.findall(self.messages.replace("\r\n", "\n")):
            message = Message.parse(text.lstrip("\n").replace("\n", "\r\n"))
            at = datetime.datetime.fromisoformat(when).timestamp()
            if isinstance(message, Request) and message.method == "INVITE" and way == "received":
                record = {
                    "call_id": message.call_id,
                    "status": "ringing",
                    "start_time": at,
                    "executed_actions": {},
                }
                record |= {
                    "phone_number_from": message.from_.uri.user,
                    "phone_number_to": message.uri.user,
                }
                calls.setdefault(message.call_id, record)
            elif message.call_id not in calls:
                continue
            elif (
                isinstance(message, Response) and way == "sent" and message.cseq.method == "INVITE"
            ):
                if message.status == 200 and calls[message.call_id]["status"] == "ringing":
                    calls[message.call_id]["status"] = "in-progress"
            elif isinstance(message, Request) and message.method == "BYE":
                calls[message.call_id]["status"] = "completed"
        return list(calls.values())
