"""A node that answers every call with an announcement: voicemail, and the message out of hours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from harness.sip.grammar import SipSyntaxError
from harness.sip.offer_answer import NoAgreementError
from harness.world.media import sound
from harness.world.media.leg import LegMedia
from harness.world.media.player import Player
from harness.world.media.ticker import TICK, Ticker
from harness.world.wire.agent import UserAgent
from harness.world.wire.incoming import IncomingCall

VOICEMAIL, CLOSED, SOMEBODY = "voicemail", "closed", "somebody"
_MESSAGE_SECONDS = 60.0  # a caller may speak for so long
#: What is played, and whether the call ends with it.
_SOUNDS: Final[dict[str, tuple[Callable[[str], sound.Frames], bool]]] = {
    VOICEMAIL: (sound.voicemail, False),
    CLOSED: (sound.closed, True),
    SOMEBODY: (sound.somebody, False),
}


class Announcements:
    """Plays the announcement that the URI's user names: `VOICEMAIL`, `CLOSED`, `SOMEBODY` (a person who is no agent)."""

    def __init__(self, ua: UserAgent, ticker: Ticker, new_media: Callable[[], LegMedia], platform: str) -> None:
        self.ua = ua
        self._ticker = ticker
        self._new_media = new_media
        self._platform = platform
        ua.on_invite = self._invited

    async def _invited(self, call: IncomingCall) -> None:
        if call.source[0] != self._platform:
            call.reject(403, "Address not allowed")
            return
        found = _SOUNDS.get(call.request.uri.user or "")
        if found is None or call.offer is None:
            call.reject(404 if found is None else 488)
            return
        media = self._new_media()
        try:
            call.answer(media.answer(call.offer))
            if call.state == "confirmed":
                await self._play(call, media, *found)
        except (SipSyntaxError, NoAgreementError) as error:
            call.reject(488, str(error))
        finally:
            media.close()

    async def _play(
        self, call: IncomingCall, media: LegMedia, frames: Callable[[str], sound.Frames], ends: bool
    ) -> None:
        codec = media.codec
        seconds = len(frames(codec.name.upper() if codec is not None else "PCMU")) * TICK
        player = Player(self._ticker, media, frames)
        try:
            await call.wait_ended(seconds if ends else _MESSAGE_SECONDS)
        except TimeoutError:
            call.hangup()
        finally:
            player.stop()
