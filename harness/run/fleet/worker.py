"""A site's Celery worker: takes tasks of its own queue, one at a time, and sends heartbeats meanwhile."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from celery import Celery

from harness.errors import MistakeError
from harness.run.fleet import shard
from harness.run.fleet.config import redis_address
from harness.run.fleet.state import State
from harness.support.files import own_directories

TASK = "harness.run_shard"
_HEARTBEAT_EVERY_S = 1.0
#: Without a heartbeat for so long a site counts as down.
_HEARTBEAT_FOR_S = 5.0


def queue_of(site: str) -> str:
    """The queue of a site."""
    return f"harness.{site}"


def application() -> Celery:
    """The Celery application of controller and workers.

    Celery only carries tasks: the controller alone decides who runs what, and whether again. So tasks are acknowledged when they
    arrive: one that came twice, or never, is found by the state of its shard.
    """
    app = Celery("harness", broker=redis_address(), set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={"visibility_timeout": 7 * 86400, "socket_keepalive": True},
        task_default_queue="harness.nobody",
    )
    return app


def work(site: str, files: Path, base: Path) -> None:
    """Work for a site until asked to end (SIGTERM: the shard under way is finished first).

    Shards run in a directory of this user alone, below ``base``. Raises :class:`MistakeError` where another has its name there.
    """
    app, state = application(), State(redis_address())
    scratch = base / f"harness-fleet-{site}"
    try:
        base.mkdir(parents=True, exist_ok=True)
        own_directories.own(scratch)  # again before each shard
    except OSError as error:
        raise MistakeError(f"{scratch}: cannot be used: {error.strerror}; allowed: --scratch DIR") from error

    @app.task(name=TASK)  # type: ignore[untyped-decorator]
    def run_shard(task: dict[str, Any]) -> None:
        shard.run(task, state, files=files, scratch=scratch)

    threading.Thread(target=_send_heartbeats, args=(site,), name="heartbeats", daemon=True).start()
    options = {"queues": queue_of(site), "pool": "threads", "concurrency": "1", "loglevel": "WARNING"}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    arguments += ["--without-gossip", "--without-mingle", "--without-heartbeat", f"--hostname={site}@%h"]
    app.worker_main(["worker", *arguments])


def _send_heartbeats(site: str) -> None:
    state = State(redis_address())
    pause = threading.Event()
    while True:
        state.heartbeat(site, _HEARTBEAT_FOR_S)
        pause.wait(_HEARTBEAT_EVERY_S)
