"""What a platform says itself: menus that wait for a digit, and announcements that answer a call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from harness.sip.grammar import SipSyntaxError
from harness.sip.offer_answer import NoAgreementError
from harness.world.b2bua import LegRefusedError
from harness.world.media import digits, sound
from harness.world.media.digits import DigitListener, ReceivedDigit
from harness.world.media.leg import LegMedia
from harness.world.media.sound import TICK, Player, Ticker
from harness.world.wire.agent import UserAgent
from harness.world.wire.call import InDialogRequest
from harness.world.wire.invite import IncomingCall

#: The end of an event is sent three times (RFC 4733 section 2.5.1.4): its copies are not for whom the call goes on to.
_COPIES_SECONDS: Final = 0.1
PATIENCE_SECONDS: Final = 20.0  #: without the right digit for so long, the menu gives up


class Menu:
    """The menu of one leg; digits come as telephone-events, as tones, or by INFO. ``plays`` is the prompt."""

    def __init__(self, media: LegMedia, ticker: Ticker, plays: Callable[[str], sound.Frames] = sound.menu) -> None:
        self._plays = plays
        self._media = media
        self._ticker = ticker
        self._digits: asyncio.Queue[str] = asyncio.Queue()

    async def wait_for(self, digit: str, within: float = PATIENCE_SECONDS) -> None:
        """Play until ``digit`` comes; other digits are ignored. Raises `LegRefusedError` when it never does."""
        player = Player(self._ticker, self._media, self._plays)
        listener = DigitListener(self._media, self._pressed)
        try:
            async with asyncio.timeout(within):
                while await self._digits.get() != digit:
                    pass
                await asyncio.sleep(_COPIES_SECONDS)
        except TimeoutError:
            raise LegRefusedError(480, "No choice was made") from None
        finally:
            player.stop()
            listener.stop()

    def info(self, request: InDialogRequest) -> None:
        """Take an INFO of the leg."""
        if digit := digits.take_info(request):
            self._pressed(digit)

    def _pressed(self, digit: ReceivedDigit) -> None:
        self._digits.put_nowait(digit.digit)


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
