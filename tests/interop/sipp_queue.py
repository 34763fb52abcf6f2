"""SIPp as a queue: a caller hears music before anybody has answered (183, RFC 3960), and is let go
to the agents after a while.
"""

from __future__ import annotations

from pathlib import Path

from harness.world.media import sound
from tests.interop.sipp import (
    MOST_CALLS,
    RECEIVE_INVITE,
    WHOLE_RUN_S,
    Sipp,
    pause,
    receive,
    repeated,
    respond_to_proxy,
    sdp,
    speak,
)

_WAITS_MS, _SOUND_S = 1500, 30


class SippQueue(Sipp):
    """Plays music as early media and then refuses with 480, so that a proxy goes on to the agents:
    another fork of the call.
    """

    def __init__(self, directory: Path, host: str) -> None:
        steps = [
            RECEIVE_INVITE,
            respond_to_proxy("183 Session Progress", sdp("8 101")),
            speak("8,PCMA/8000"),
            pause(_WAITS_MS),
            respond_to_proxy("480 Somebody Is Free"),
            receive("ACK"),
        ]
        super().__init__(
            directory,
            host,
            steps,
            voice=repeated(sound.music("PCMA"), _SOUND_S),
            calls=MOST_CALLS,
            seconds=WHOLE_RUN_S,
        )
