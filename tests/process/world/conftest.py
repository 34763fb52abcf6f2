"""A simulated world in a process of its own, and softphones that live in it."""

from __future__ import annotations

import itertools
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.case.events import Event, MarkHeard
from harness.deployment import Deployment, Replicas
from harness.deployment.limits import LEG_MARKS
from harness.phone import PhoneConfig
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from harness.phone.pool import PhonePool
from harness.scenario.phones import own_phone, stand_in
from harness.support.resources import EXAMPLES
from harness.witness.call_record import CallRecord
from harness.witness.synthflow import SynthflowApi

PATIENCE = 10.0  #: seconds for what should come at once, on a machine that may be busy
CUSTOMER = Path(__file__).with_name("customer.toml")


@dataclass
class RunningWorld:
    """A world's process and what it printed."""

    process: subprocess.Popen[str]
    directory: Path
    deployments: Sequence[Deployment]
    control: str
    client: httpx.Client  #: for the control API and campaigns; each made anew would read all the certificates there are

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.client.get("/calls").json()
        return state

    def wait_for_state(
        self, goal: str, fulfilled: Callable[[dict[str, Any]], bool], within: float = PATIENCE
    ) -> None:
        deadline = time.monotonic() + within
        while not fulfilled(state := self.state()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{goal} never came about: {json.dumps(state, indent=1)}")
            time.sleep(0.05)

    def wait_until_quiet(self, within: float = PATIENCE) -> None:
        self.wait_for_state("the end of all calls", is_quiet, within)

    @contextmanager
    def fault(self, name: str, line: str | None = None) -> Iterator[None]:
        asked = {"name": name, "line": line}
        self.client.post("/faults", json=asked).raise_for_status()
        try:
            yield
        finally:
            self.client.request("DELETE", "/faults", json=asked).raise_for_status()

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def is_quiet(state: dict[str, Any]) -> bool:
    return not state["channels"] and not any(
        tenant["calls"] or tenant["ai_calls"] or tenant["relays"] or tenant["trunks_in_use"]
        for tenant in state["tenants"]
    )


@contextmanager
def running(deployment: str | Path, directory: Path, *options: str) -> Iterator[RunningWorld]:
    file = deployment if isinstance(deployment, Path) else EXAMPLES / f"{deployment}.toml"
    command = [sys.executable, "-m", "harness.world", str(file), "--control"]
    process = subprocess.Popen(
        [*command, "--directory", str(directory), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=EXAMPLES.parents[1],
    )
    try:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        assert line["event"] == "ready", line
        assert line["pid"] == process.pid
        with httpx.Client(base_url=line["control"]) as client:
            yield RunningWorld(
                process, directory, Replicas(line["deployments"]), line["control"], client
            )
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()


@contextmanager
def ending_in_order(deployment: str | Path, directory: Path) -> Iterator[RunningWorld]:
    with running(deployment, directory, "--trace") as world:
        yield world
        world.wait_until_quiet()
        assert world.end() == 0, (world.directory / "world.log").read_text()


@pytest.fixture(scope="package")
def talkdesk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorld]:
    with ending_in_order("simulated-talkdesk", tmp_path_factory.mktemp("talkdesk")) as world:
        yield world


@pytest.fixture(scope="package")
def customer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorld]:
    """A customer's set-up: one trunk, groups of several agents whose names are unlike theirs."""
    with ending_in_order(CUSTOMER, tmp_path_factory.mktemp("customer")) as world:
        yield world


@pytest.fixture(scope="package")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PhonePool]:
    with PhonePool(tmp_path_factory.mktemp("phones")) as pool:
        yield pool


def api_of(deployment: Deployment) -> SynthflowApi:
    synthflow = deployment.synthflow
    assert synthflow is not None
    assert synthflow.api_base
    assert synthflow.api_token
    return SynthflowApi(
        synthflow.api_base, synthflow.api_token.get_secret_value(), synthflow.ca_file
    )


_marks = itertools.count(os.getpid())


@dataclass
class Stage:
    """The phones of one test in one world."""

    world: RunningWorld
    pool: PhonePool
    directory: Path
    phones: dict[str, Phone] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    @property
    def deployment(self) -> Deployment:
        return self.world.deployments[0]

    def phone(self, name: str, **more: object) -> Phone:
        """A phone of the deployment, registered."""
        if name not in self.phones:
            phone = self._lease(own_phone(self.deployment, name, **more))
            assert phone.register(PATIENCE).active
            self.phones[name] = phone
        return self.phones[name]

    def stand_in(self, trunk: str, **more: object) -> Phone:
        """A phone as a stand-in for the AI."""
        phone = self._lease(stand_in(self.deployment, self.deployment.trunk(trunk), **more))
        self.phones[f"stand-in {len(self.phones)}"] = phone
        return phone

    def _lease(self, config: PhoneConfig) -> Phone:
        return self.pool.lease(
            config,
            sink=self.events.append,
            marks=iter(lambda: next(_marks) % LEG_MARKS, None),
            directory=self.directory,
        )

    def dial(self, line: str, trunk: str = "udp-ip", caller: str = "caller", **more: Any) -> Leg:
        return self.phone(caller).dial(self.deployment.did(line, trunk), **more)

    def api(self) -> SynthflowApi:
        return api_of(self.deployment)

    def client(self) -> httpx.Client:
        """The same API, request by request."""
        synthflow = self.deployment.synthflow
        assert synthflow is not None
        assert synthflow.api_base
        assert synthflow.api_token
        return httpx.Client(
            base_url=synthflow.api_base,
            headers={"Authorization": f"Bearer {synthflow.api_token.get_secret_value()}"},
            verify=ssl.create_default_context(cafile=synthflow.ca_file),
        )

    def record(self, since: float = 0.0) -> CallRecord:
        """The newest call Synthflow knows of, with the fields that a list leaves out."""
        api = self.api()
        try:
            found = api.calls(since, self.deployment.models())
            newest = max(
                (r for r in found if r.is_since(since)),
                key=lambda record: int(record.plain["start_time"]),
            )
            return api.call(newest.id)
        finally:
            api.close()

    def close(self) -> None:
        for phone in self.phones.values():
            phone.release()
        self.world.wait_until_quiet()


@pytest.fixture
def td(talkdesk: RunningWorld, pool: PhonePool, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(talkdesk, pool, tmp_path)
    yield stage
    stage.close()


@pytest.fixture
def cu(customer: RunningWorld, pool: PhonePool, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(customer, pool, tmp_path)
    yield stage
    stage.close()


def hears(leg: Leg, mark: int, since: float | None = None, within: float = PATIENCE) -> Event:
    return leg.wait(
        f"mark {mark}",
        lambda event: isinstance(event, MarkHeard) and event.mark == mark,
        within,
        since=since,
    )
