"""A site's Celery worker: takes tasks of its own queue, one at a time, and sends heartbeats
meanwhile.

It runs a shard by pytest and xdist, in a process that is ended when the shard was given to another
site.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from celery import Celery

from harness.deployment import Deployment
from harness.deployment.grants import Grants
from harness.deployment.hours import AS_OF_VARIABLE
from harness.errors import DeploymentError, HarnessError, MistakeError, ResourceError
from harness.integrations import load
from harness.report import scope
from harness.run.fleet.site import LIFELINE_VARIABLE, TASK_VARIABLE, longest_call_s
from harness.run.fleet.state import ShardRef, State, redis_address
from harness.run.plugin.options import collection_arguments, live_refusal
from harness.scenario.phones import own_phone
from harness.support import resources
from harness.support.files import own_directories, user_files, whole_file
from harness.support.files.own_directories import Scratch
from harness.support.forkserver import PYTHON

#: The installed version. A site with another version would run other rows with other checks.
RELEASE: Final = metadata.version("call-verification-harness")
_CASES = "cases.txt"
_POLL_S = 0.1
#: How long a pytest that was asked to end may take to hang up and exit; then it is killed, and its
#: softphones' processes hang up.
_HANGUP_S = 45.0
#: The exit code of an attempt that was never begun, as a shell has it and pytest does not; its
#: words say why.
NOT_BEGUN: Final = 126


@dataclass(frozen=True)
class SiteRules:
    """What a site's own command line has, and thereby allows; the queue's tasks add nothing to it."""

    files: Path  #: its deployment files
    live: bool = False
    scenarios: str = ""
    grant: tuple[str, ...] = ()


def run_shard(task: dict[str, Any], state: State, rules: SiteRules, scratch: Path) -> None:
    """Run an attempt, if it is still to be run; how it ended is noted in Redis, its evidence is in
    the store.
    """
    ref = ShardRef(**{**task["ref"], "token": secrets.token_hex(8)})
    lease_s = float(task["lease_s"])
    if not state.claim(ref, lease_s):
        return
    with contextlib.ExitStack() as stack:
        try:
            deployment = _read(task, rules)
            directory = stack.enter_context(_directory(task, scratch))
        except HarnessError as error:
            state.end(ref, NOT_BEGUN, str(error))
            return
        claims = claims_of(deployment)
        claimed_for = longest_call_s(deployment) + lease_s
        if not _claim(state, ref, claims, claimed_for, lease_s):
            return
        keep_claims = partial(state.take, claims, ref.token, claimed_for)
        code, words = _verify(task, ref, state, rules, directory, keep_claims)
    if code is not None:
        state.end(ref, code, words)
        # An orderly end has hung up all calls. If a signal killed pytest, its softphones may still
        # be hanging up.
        if code >= 0:
            state.give_back(claims, ref.token)


def claims_of(deployment: Deployment) -> list[str]:
    """What only one site may use at a time: called numbers and registering phones; nothing in a
    simulated world.
    """
    if deployment.kind == "simulated":
        return []
    numbers = {f"number {number}" for _, _, number in deployment.all_dids()}
    phones = set()
    for name in deployment.phones:
        config = own_phone(deployment, name)
        phones.add(f"phone {config.user}@{config.domain} at {config.proxy}")
    return sorted(numbers | phones)


def _read(task: dict[str, Any], rules: SiteRules) -> Deployment:
    """The deployment, with the site's secrets.

    Raises :class:`MistakeError` where its file, or the harness, is another than the controller's,
    and where the task wants what the site does not allow.
    """
    if (wanted := task.get("harness")) != RELEASE:
        differ = f"this site has harness {RELEASE}, and the controller {wanted}"
        raise MistakeError(f"{differ}; allowed: the same")
    if task["scenarios"] != rules.scenarios:
        here = f"--scenarios {rules.scenarios}".strip()
        wanted = f"--scenarios {task['scenarios']}".strip()
        differ = f"the run wants {wanted}, and this site has {here}"
        raise MistakeError(f"{differ}; allowed: the same with fleet work")
    files = rules.files
    path = files / task["file"]
    if not path.resolve().is_relative_to(files.resolve()):
        raise DeploymentError(f"{task['file']}: lies outside of {files}")
    deployment = load(path, grants=Grants.given(rules.grant))
    if deployment.kind != "simulated" and not rules.live:
        raise live_refusal(deployment.name, deployment.kind, " with fleet work at this site")
    if scope.digest(scope.content_of(deployment)) != task["hash"]:
        differs = "says something else than the controller's file of that name"
        raise MistakeError(f"{path}: {differs}; allowed: the same")
    return deployment


@contextlib.contextmanager
def _directory(task: dict[str, Any], scratch: Path) -> Iterator[Path]:
    """A directory for the attempt, with its cases. Raises :class:`ResourceError`."""
    with contextlib.ExitStack() as stack:
        try:
            # made and checked for each shard: temporary folders are tidied up while a worker works
            # for months
            scratch.parent.mkdir(parents=True, exist_ok=True)
            directory = stack.enter_context(Scratch(own_directories.own_below(scratch))).path
            whole_file.write(directory / _CASES, "\n".join(task["cases"]) + "\n")
        except OSError as error:
            raise ResourceError(f"{scratch}: cannot be used: {error.strerror}") from error
        yield directory


def _claim(
    state: State,
    ref: ShardRef,
    claims: Sequence[str],
    for_s: float,
    lease_s: float,
) -> bool:
    """Wait until all names are claimed; False when the shard was given to another meanwhile."""
    while state.take(claims, ref.token, for_s) is not None:
        time.sleep(_POLL_S)
        if not state.claim(ref, lease_s):
            return False
    return True


def _verify(
    task: dict[str, Any],
    ref: ShardRef,
    state: State,
    rules: SiteRules,
    directory: Path,
    keep_claims: Callable[[], str | None],
) -> tuple[int | None, str]:
    """Run pytest to its end; return its exit code and the end of its output. No code: the shard was
    given to another.

    ``keep_claims`` renews the shard's claims, and returns the first that another holds.
    """
    reading, writing = os.pipe()
    log, lease_s = directory / "pytest.log", float(task["lease_s"])
    known = {name: task[name] for name in ("site", "trunks", "results")}
    known["ref"] = asdict(ref)
    environment = {
        **os.environ,
        TASK_VARIABLE: json.dumps(known),
        LIFELINE_VARIABLE: str(reading),
        AS_OF_VARIABLE: task["as_of"],
    }
    environment["PYTHONSAFEPATH"] = "1"  # as -P for pytest, so for its workers
    with log.open("wb") as output:
        process = subprocess.Popen(
            _command(task, rules, directory),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=directory,
            pass_fds=[reading],
            start_new_session=True,
        )
    os.close(reading)
    ours = True
    try:
        renewed = time.monotonic()
        while process.poll() is None:
            time.sleep(_POLL_S)
            if time.monotonic() - renewed >= lease_s / 3:
                renewed = time.monotonic()
                # a worker suspended for longer than its claims last may have lost them, but not its
                # shard
                ours = state.claim(ref, lease_s) and keep_claims() is None
                if not ours:
                    break
    finally:
        _end(process, writing)
    words = user_files.read_text(log, user_files.EVIDENCE, "replace").strip()[-2000:]
    return (process.returncode if ours else None), words


def _end(process: subprocess.Popen[bytes], lifeline: int) -> None:
    """Make pytest hang up and exit; kill it if it does not."""
    os.close(lifeline)
    try:
        process.wait(_HANGUP_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _command(task: dict[str, Any], rules: SiteRules, directory: Path) -> list[str]:
    """The command of ``harness verify``, for these cases, with the fleet's plugin."""
    scenarios = Path(rules.scenarios or resources.SCENARIOS)
    command = [*PYTHON, "-m", "pytest", *collection_arguments([scenarios])]
    command += ["-p", "harness.run.fleet.site", "-n", str(task["workers"])]
    named = {
        "deployment": rules.files / task["file"],
        "site": task["site"],
        "cases": directory / _CASES,
        "reports": directory / "reports",
    }
    command += ["--no-reports", "--no-manual"]
    command += [f"--{name}={value}" for name, value in named.items()]
    command += [f"--row={row}" for row in task["rows"]]
    command += [f"--grant={word}" for word in rules.grant]
    if task["live"] and rules.live:
        command.append("--live")
    return command


TASK = "harness.run_shard"
_HEARTBEAT_EVERY_S = 1.0
#: Without a heartbeat for so long a site counts as down.
_HEARTBEAT_FOR_S = 5.0


def queue_of(site: str) -> str:
    """The queue of a site."""
    return f"harness.{site}"


def application() -> Celery:
    """The Celery application of controller and workers.

    Celery only carries tasks: the controller alone decides who runs what, and whether again. So
    tasks are acknowledged when they arrive: one that came twice, or never, is found by the state of
    its shard.
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


def work(site: str, rules: SiteRules, base: Path) -> None:
    """Work for a site until asked to end (SIGTERM: the shard under way is finished first).

    Shards run in a directory of this user alone, below ``base``. Raises :class:`MistakeError` where
    another has its name there.
    """
    app, state = application(), State(redis_address())
    scratch = base / f"harness-fleet-{site}"
    try:
        base.mkdir(parents=True, exist_ok=True)
        own_directories.own_below(scratch)  # again before each shard
    except OSError as error:
        why = f"cannot be used: {error.strerror}; allowed: --scratch DIR"
        raise MistakeError(f"{scratch}: {why}") from error

    @app.task(name=TASK)  # type: ignore[untyped-decorator]
    def take(task: dict[str, Any]) -> None:
        run_shard(task, state, rules, scratch)

    threading.Thread(target=_send_heartbeats, args=(site,), name="heartbeats", daemon=True).start()
    options = {
        "queues": queue_of(site),
        "pool": "threads",
        "concurrency": "1",
        "loglevel": "WARNING",
        "hostname": f"{site}@%h",
    }
    arguments = ["worker"]
    arguments += [f"--{name}={value}" for name, value in options.items()]
    arguments += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    app.worker_main(arguments)


def _send_heartbeats(site: str) -> None:
    state = State(redis_address())
    pause = threading.Event()
    while True:
        state.heartbeat(site, _HEARTBEAT_FOR_S)
        pause.wait(_HEARTBEAT_EVERY_S)
