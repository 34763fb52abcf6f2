"""Synthflow's recordings of calls, as the documented endpoint gives them: a redirection to a signed
address on another host.
"""

from __future__ import annotations

import asyncio
import hmac
import io
import secrets
import time
from typing import Final
from urllib.parse import urlencode

import numpy as np
import soundfile
from aiohttp import web
from numpy.typing import NDArray

from harness.audio import g711
from harness.audio.samples import resample
from harness.world import http_server
from harness.world.settings import ApiSettings
from harness.world.synthflow.record import CallRecord

_RATE: Final = 16_000
_FILE_TYPES: Final = {"wav": "audio/wav", "mp3": "audio/mpeg"}


class Recording:
    """Both sides of one call at the assistant, as G.711 frames of 20 ms with their codec, which may
    change with a re-INVITE.
    """

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.received: list[tuple[str, bytes]] = []

    def sides(self) -> NDArray[np.int16]:
        """(samples, 2) at 8 kHz: the assistant's side, the caller's side."""
        sides = [_decoded(self.sent), _decoded(self.received)]
        length = max(map(len, sides))
        return np.stack([np.pad(side, (0, length - len(side))) for side in sides], axis=1)


def _decoded(frames: list[tuple[str, bytes]]) -> NDArray[np.int16]:
    decode = {"PCMU": g711.decode_ulaw, "PCMA": g711.decode_alaw}
    parts = [decode[law](payload) for law, payload in frames]
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


class RecordingStore:
    """The host that signed addresses name: it gives each file once it is asked for with the right
    signature, and no token.

    A client that follows the redirection with its API token is refused: the token is not meant for
    another host.
    """

    def __init__(self) -> None:
        self.base = ""
        self._key = secrets.token_bytes(16)
        self._files: dict[str, tuple[str, bytes]] = {}  # by name: the media type, the content

    def signed(self, name: str, media_type: str, content: bytes) -> str:
        """The address of a file from now on."""
        self._files[name] = (media_type, content)
        return f"{self.base}/{name}?{urlencode({'signature': self._signature(name)})}"

    def _signature(self, name: str) -> str:
        return hmac.new(self._key, name.encode(), "sha256").hexdigest()

    def application(self) -> web.Application:
        async def file(request: web.Request) -> web.Response:
            name = request.match_info["name"]
            if "Authorization" in request.headers:
                # As Amazon S3 answers two ways of authorization at once.
                return http_server.error(400, "Only one auth mechanism allowed")
            shown = request.query.get("signature", "")
            if not hmac.compare_digest(shown, self._signature(name)):
                return http_server.error(403, "the signature does not match")
            if name not in self._files:
                return http_server.error(404, "no such file")
            media_type, content = self._files[name]
            return web.Response(body=content, content_type=media_type)

        app = http_server.application()
        app.add_routes([web.get("/recordings/{name}", file)])
        return app


async def answer(
    record: CallRecord | None,
    others: list[CallRecord],
    settings: ApiSettings,
    store: RecordingStore,
) -> web.Response:
    """The answer of ``GET /calls/{id}/recording``; ``others`` are the tenant's other calls, the
    newest first.
    """
    kind = settings.recording
    if kind in ("403", "502"):
        return http_server.error(int(kind), "the recording cannot be given")
    if record is None or kind == "404" or not _is_recorded(record, settings.recording_after_s):
        return http_server.error(404, "there is no recording")
    recording = record.recording
    if kind == "another-call":
        recording = _other_recording(record, others)
    if recording is None:
        return http_server.error(404, "there is no recording")
    ending, content = await asyncio.to_thread(_file, recording.sides(), kind)
    name = f"{record.id}.{ending}"
    raise web.HTTPFound(store.signed(name, _FILE_TYPES[ending], content))


def _is_recorded(record: CallRecord, after_s: float) -> bool:
    """Whether the call has a recording that is complete, ``after_s`` after the call's end."""
    if record.recording is None or record.released_at is None:
        return False
    return time.time() >= record.released_at + after_s


def _other_recording(record: CallRecord, others: list[CallRecord]) -> Recording | None:
    for other in others:
        if other is not record and other.recording is not None:
            return other.recording
    return None


def _file(sides: NDArray[np.int16], kind: str) -> tuple[str, bytes]:
    """The recording as a file of that kind; returns its ending, and its octets."""
    if kind == "silent":
        sides = np.zeros_like(sides)
    if kind == "truncated":
        sides = sides[: len(sides) // 3]
    content = io.BytesIO()
    if kind in ("stereo", "swapped"):
        if kind == "swapped":
            sides = sides[:, ::-1]
        soundfile.write(content, sides, 8000, format="WAV", subtype="PCM_16")
        return "wav", content.getvalue()
    mixed = np.clip(sides.sum(axis=1, dtype=np.int32), -32768, 32767).astype(np.int16)
    wide = resample(mixed, 8000, _RATE) / np.float32(32768)
    with soundfile.SoundFile(
        content,
        "w",
        _RATE,
        1,
        "MPEG_LAYER_III",
        format="MP3",
        bitrate_mode="VARIABLE",
        compression_level=0.9,
    ) as file:
        file.write(wide)
    encoded = content.getvalue()
    if kind == "broken":
        encoded = encoded[:40] + bytes(200)
    return "mp3", encoded
