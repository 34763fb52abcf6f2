"""INFO within a call, for the platform's menu and the assistant."""

from __future__ import annotations

from harness.world.media.digits import ReceivedDigit, digit_of_info
from harness.world.wire.indialog import InDialogRequest


def take(request: InDialogRequest) -> ReceivedDigit | None:
    """Answer an INFO; the digit in it, None when there is none.

    One without a body is a keep-alive; a body that cannot be read gets 415 with what could be (RFC 3261 section 21.4.13).
    """
    asked = request.request
    digit = digit_of_info(asked.content_type, asked.body)
    if digit is None and asked.body:
        request.respond(415, headers=[("Accept", "application/dtmf-relay, application/dtmf")])
    else:
        request.respond(200)
    return digit
