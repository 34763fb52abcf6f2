"""A request of ours up to its final response, challenges included."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from harness.sip.digest import DigestClient
from harness.sip.message import Request, Response
from harness.world.wire.transaction import Failure
from harness.world.wire.transactions import TransactionLayer
from harness.world.wire.transport import Flow


async def transact(
    layer: TransactionLayer,
    request: Request,
    flow: Flow | Callable[[], Flow],
    *,
    digest: DigestClient | None = None,
    next_cseq: Callable[[], int] | None = None,
    on_more: Callable[[Response], None] | None = None,
) -> Response:
    """Send a built request (without Via), answer challenges, and return its final response, a local 408 or 503 included.

    ``on_more`` gets the further 2xx of an INVITE.
    """
    for _ in range(3):
        try:
            way = flow() if callable(flow) else flow
        except LookupError as error:
            return Response.to_request(request, 503, str(error))
        response = await _once(layer, request, way, on_more)
        if not response.is_challenge or digest is None:
            return response
        again = digest.answer(request, response)
        if again is None:
            return response
        number = next_cseq() if next_cseq else request.cseq.number + 1
        request = again.setting("CSeq", f"{number} {request.method}")
    return response


async def _once(
    layer: TransactionLayer, request: Request, flow: Flow, on_more: Callable[[Response], None] | None
) -> Response:
    final: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    def responded(response: Response) -> None:
        if not response.is_final:
            return
        if not final.done():
            final.set_result(response)
        elif response.is_success and on_more is not None:
            on_more(response)

    def failed(failure: Failure, error: Exception | None) -> None:
        if not final.done():
            reason = None if error is None else " ".join(str(error).split())
            final.set_result(Response.to_request(request, failure.value, reason))

    layer.send_request(request, flow, responded, failed)
    return await final
