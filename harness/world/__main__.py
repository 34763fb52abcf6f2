"""``python -m harness.world FILE --tenants N --directory DIR``: the world as a process
(docs/simulation.md says what it prints).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.deployment import Deployment, to_plain
from harness.deployment.file import load, mistaken
from harness.deployment.grants import Grants
from harness.errors import DeploymentError, HarnessError, MistakeError
from harness.support import resources
from harness.support.forkserver import allow_open_files
from harness.support.heartbeat import PERIOD_S, Heartbeat
from harness.support.memory import SHORT, FreedMemory, settle
from harness.world.addresses import StartError
from harness.world.audit import AuditHandler
from harness.world.faults import Faults, listed
from harness.world.tenant import mistakes_of
from harness.world.world import World

COULD_NOT_START = 3
#: The program that starts a world has asked the file's user; the world itself asks no host that a file names.
_GRANTED = Grants(host=("*",), path=("/",))
PRIORITY = -10


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until stdin closes or a signal comes; 0 when the audit was clean, 1 when not, 3 without a
    start.
    """
    parser = _parser()
    asked = parser.parse_args(arguments)
    allow_open_files()
    if asked.list_faults:
        _say({"faults": listed()})
        return 0
    if asked.file is None or (asked.directory is None and not asked.check):
        parser.error("needed: FILE, and --directory DIR to start the world")
    if asked.check:
        return _check(asked)
    asked.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    logging.basicConfig(
        filename=asked.directory / "world.log",
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        level=logging.INFO,
        force=True,
    )
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    # Audio is made and relayed in real time; only root may ask for it.
    with contextlib.suppress(OSError):
        os.nice(PRIORITY)
    try:
        return asyncio.run(_run(asked, _playable(asked)))
    except StartError as error:
        return _could_not_start(error.kind, error)
    except MistakeError as error:
        return _could_not_start("mistake", error)
    except (HarnessError, OSError) as error:
        logging.exception("the world did not start")
        return _could_not_start("broken", error)


def _playable(asked: argparse.Namespace) -> Deployment:
    """The file's deployment. Raises :class:`MistakeError` if no world can play it, or not with
    these faults.
    """
    path = resources.deployment_file(asked.file)
    deployment = load(path, grants=_GRANTED)
    if deployment.kind != "simulated":
        raise DeploymentError(f"{path}: kind: {deployment.kind!r}; allowed: 'simulated'")
    mistakes = mistakes_of(deployment)
    if mistakes:
        raise mistaken(path, mistakes, to_plain(deployment))
    faults = Faults(deployment.integration, frozenset(deployment.lines))
    for text in asked.fault:
        faults.set(*_fault(text))
    return deployment


def _check(asked: argparse.Namespace) -> int:
    """Whether the world would start; starts nothing."""
    try:
        _playable(asked)
    except MistakeError as error:
        return _could_not_start("mistake", error)
    _say({"event": "checked"})
    return 0


async def _run(asked: argparse.Namespace, deployment: Deployment) -> int:
    """Start the world, say so, and serve until it is to end; then its audit decides the exit code."""
    world = World(
        deployment,
        asked.tenants,
        asked.directory,
        timings=asked.timings,
        trace=asked.trace,
        speech=asked.speech,
    )
    for logs in ("harness.world", "asyncio"):
        logging.getLogger(logs).addHandler(AuditHandler(world.audit))
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    _watch_stdin(loop, ended)
    faults = [_fault(text) for text in asked.fault]
    control = await world.start(faults, with_control=asked.control)
    # What the world was built of stays. No audio goes on during a collection: one of all takes 0.15
    # s, and calls leave few cycles.
    settle(SHORT)
    heart = Heartbeat(asked.directory / "beat")
    world.audit.on_error = lambda: _beat(heart, world)
    beating = asyncio.create_task(_beat_on(heart, world))
    ready = {
        "event": "ready",
        "pid": os.getpid(),
        "control": control,
        "deployments": world.deployments(),
    }
    _say(ready)
    await ended.wait()
    clean = await world.stop()
    beating.cancel()
    for error in world.audit.errors:
        print(error, file=sys.stderr)
    return 0 if clean else 1


def _beat(heart: Heartbeat, world: World) -> None:
    heart.beat(world.ticker.stood_still_s, len(world.audit.errors))


async def _beat_on(heart: Heartbeat, world: World) -> None:
    freed = FreedMemory(collects=False)  # audio goes on in this process
    while True:
        _beat(heart, world)
        freed.give_back()
        await asyncio.sleep(PERIOD_S)


def _watch_stdin(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    """End when stdin closes, as it does however the program dies that started this one."""

    def readable() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            ended.set()

    # What cannot be watched (a file, /dev/null) does not close either.
    with contextlib.suppress(OSError, ValueError):
        loop.add_reader(0, readable)


def _fault(text: str) -> tuple[str, str | None]:
    name, _, line = text.partition("@")
    return name, line or None


def _could_not_start(kind: str, error: Exception) -> int:
    _say({"event": "error", "kind": kind, "message": str(error)})
    return COULD_NOT_START


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m harness.world", description="The simulated world."
    )
    parser.add_argument("file", type=Path, nargs="?", help="a deployment file of kind simulated")
    parser.add_argument("--tenants", type=int, default=1, help="complete copies of the deployment")
    parser.add_argument("--directory", type=Path, help="for certificates and logs")
    parser.add_argument(
        "--list-faults", action="store_true", help="print the faults there are, and end"
    )
    parser.add_argument(
        "--check", action="store_true", help="look at the file and the faults, and end"
    )
    parser.add_argument("--timings", choices=("quick", "documented"), default="quick")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="NAME[@LINE]", help="be wrong in this way"
    )
    parser.add_argument(
        "--speech",
        action="store_true",
        help="assistants speak as real ones do, and send no marks",
    )
    parser.add_argument("--control", action="store_true", help="open the control API")
    parser.add_argument(
        "--trace", action="store_true", help="write every SIP message to DIR/sip.log"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
