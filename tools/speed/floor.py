"""What a leg of plain pjsua2 costs that plays a tone and records with pjsua2's own recorder: the
least a harness leg can cost.

Two processes call each other, with :data:`CALLS_A_PROCESS` calls each; no code of the harness runs
in them.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pjsua2 as pj
import soundfile

from tools.speed.processes import cpu_s

_RATE = 8000
#: As many as a process of the wheel on PyPI holds: what a process costs by itself is shared by so
#: many legs, here and in ``leg``.
CALLS_A_PROCESS = 4
_HOST = "127.0.73.1"


class _Call(pj.Call):  # type: ignore[misc]
    """Plays the tone and records what comes, from the moment there is media."""

    def __init__(self, account: _Account, *arguments: Any) -> None:
        super().__init__(account, *arguments)
        self._directory, self._kept = account.directory, list[Any]()

    def onCallMediaState(self, prm: Any) -> None:
        """Media was negotiated."""
        if self._kept:
            return
        media = self.getAudioMedia(-1)
        player, recorder = pj.AudioMediaPlayer(), pj.AudioMediaRecorder()
        player.createPlayer(str(self._directory / "tone.wav"))
        recorder.createRecorder(str(self._directory / f"{os.getpid()}-{self.getId()}.wav"))
        player.startTransmit(media)
        media.startTransmit(recorder)
        self._kept += [media, player, recorder]


class _Account(pj.Account):  # type: ignore[misc]
    """Answers what comes."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.directory, self.calls = directory, list[_Call]()

    def onIncomingCall(self, prm: Any) -> None:
        """A call came."""
        call = _Call(self, prm.callId)
        self.calls.append(call)
        answer = pj.CallOpParam()
        answer.statusCode = 200
        call.answer(answer)


def _run(directory: Path, dial: str) -> None:
    """In a process of its own: the port on stdout; then the calls, until it is killed."""
    stack = pj.Endpoint()
    stack.libCreate()
    config = pj.EpConfig()
    config.uaConfig.threadCnt, config.logConfig.level, config.logConfig.consoleLevel = 0, 0, 0
    media = config.medConfig
    media.clockRate = media.sndClockRate = _RATE
    media.audioFramePtime = media.ptime = 20
    media.noVad, media.ecTailLen = True, 0
    stack.libInit(config)
    transport = pj.TransportConfig()
    transport.boundAddress = _HOST
    number = stack.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
    stack.libStart()
    stack.audDevManager().setNullDev()
    for codec in stack.codecEnum2():
        stack.codecSetPriority(codec.codecId, 250 if codec.codecId.startswith("PCMU") else 0)
    account = _Account(directory)
    settings = pj.AccountConfig()
    settings.idUri = f"sip:floor@{_HOST}"
    settings.sipConfig.transportId = number
    settings.mediaConfig.transportConfig.boundAddress = _HOST
    account.create(settings)
    if dial:
        for _ in range(CALLS_A_PROCESS):
            call = _Call(account)
            account.calls.append(call)
            call.makeCall(f"sip:floor@{dial}", pj.CallOpParam(True))
    print("ready", stack.transportGetInfo(number).localName, flush=True)
    while True:
        stack.libHandleEvents(1000)


class Floor:
    """Two processes with their calls, for as long as :func:`floor` lasts."""

    def __init__(self, scratch: Path, pids: tuple[int, int]) -> None:
        self._scratch, self._pids = scratch, pids

    def cpu_s(self) -> float:
        """CPU time that both have used."""
        return sum(map(cpu_s, self._pids))

    def legs(self, seconds: float) -> int:
        """How many legs they have. Raises ``RuntimeError`` unless each has recorded that long."""
        recorded = [
            file for file in self._scratch.glob("*-*.wav") if file.stat().st_size > _RATE * seconds
        ]
        if len(recorded) != 2 * CALLS_A_PROCESS:
            raise RuntimeError(f"{len(recorded)} of {2 * CALLS_A_PROCESS} legs were recorded")
        return len(recorded)


@contextlib.contextmanager
def floor() -> Iterator[Floor]:
    """The calls of two processes, once all are up."""
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as processes:
        tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(_RATE) / _RATE)).astype(np.int16)
        soundfile.write(Path(scratch) / "tone.wav", tone, _RATE)
        answering = processes.enter_context(_started(scratch))
        where = _said(answering)
        dialling = processes.enter_context(_started(scratch, where))
        _said(dialling)
        time.sleep(3.0)  # until all are up
        yield Floor(Path(scratch), (answering.pid, dialling.pid))


@contextlib.contextmanager
def _started(scratch: str, *dial: str) -> Any:
    command = [sys.executable, "-m", "tools.speed.floor", scratch, *dial]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = next(
        line for line in process.stdout if line.startswith("ready ")
    )  # behind pjlib's first words
    return line.split()[1]


if __name__ == "__main__":
    _run(Path(sys.argv[1]), "".join(sys.argv[2:]))
