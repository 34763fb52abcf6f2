"""A proxy with several processes may overtake itself: requests under way at once arrive in any
order (RFC 3261 section 12.2.2).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from harness.case.events import DtmfReceived, Event
from harness.phone import Answer
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from tests.interop.platform import AI, PASSWORD, Platform
from tests.process.phone.conftest import media_of
from tools.interop.processes import PATIENCE

DIGITS = "12#A*0987654321BCD"


def test_digits_by_info_arrive_in_order_and_whole(
    platform: Platform, lease: Callable[..., Phone]
) -> None:
    """A receiver has to refuse a request whose CSeq is below the last one's, so the next digit
    waits for its answer.
    """
    deployment, kamailio = platform.deployments["stand-in"], platform.kamailio
    ai = lease("ai", bind_address=platform.block[AI["stand-in"]], bind_port=32681)
    ai.policy = Answer()
    user = deployment.phones["caller"].aor_user
    server = f"{kamailio.host}:{kamailio.port}"
    caller = lease(
        "caller",
        user=user,
        domain="carrier.example",
        proxy=server,
        username=user,
        password=PASSWORD,
    )
    for _ in range(3):
        leg = caller.dial(deployment.did("inbound", "udp"))
        leg.wait_state("confirmed", PATIENCE)
        heard = ai.next_call(PATIENCE)
        media_of(leg, PATIENCE)
        leg.send_digits(DIGITS, method="info")

        heard.wait("all digits", partial(_has, heard, len(DIGITS)), PATIENCE)
        assert _digits(heard) == DIGITS
        leg.hangup()
        heard.wait_closed(PATIENCE)


def _digits(leg: Leg) -> str:
    return "".join(event.digit for event in leg.events if isinstance(event, DtmfReceived))


def _has(leg: Leg, count: int, _: Event) -> bool:
    return len(_digits(leg)) >= count
