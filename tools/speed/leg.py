"""What calls cost that are up: a leg of ours, beside the least that pjsua2 needs, and a whole
simulated call; and a phone process without one.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import tomli_w

from harness.deployment import Deployment
from harness.deployment.file import load
from harness.deployment.limits import LEG_MARKS
from harness.phone.config import PhoneConfig
from harness.phone.leg import Leg
from harness.phone.pool import PhonePool
from harness.run.plugin.worlds import one_world
from harness.scenario.phones import own_phone
from tools.speed.bars import REFERENCE_FLOOR
from tools.speed.floor import CALLS_A_PROCESS, floor
from tools.speed.held import wide
from tools.speed.processes import cpu_s, threads_s

_STEADY_S = 10.0
_ROUNDS = 3
_IDLE = 8
_SETTLED_S = 2.0  # from then on a phone process waits


def measure_leg() -> dict[str, float]:
    """Per cent of a core: a leg, pjsua2's own with its C recorder, and a call with the world that
    relays and answers it.

    On both sides in two processes with as many calls each, so that what a process costs by itself
    is shared alike. Both at the same time, as a shared machine is a third slower in some minutes
    than in others; and the median of each figure.
    """
    rounds = [_measure_call() for _ in range(_ROUNDS)]
    for found in rounds:
        found["leg_over_floor"] = found["leg_cpu_percent"] / found["floor_leg_cpu_percent"]
        found["machine_slowness"] = found["floor_leg_cpu_percent"] / REFERENCE_FLOOR
    return {name: statistics.median(found[name] for found in rounds) for name in rounds[0]}


def measure_idle() -> dict[str, float]:
    """Per cent of a core that a phone process costs, and its parent for it, while it has no call."""
    with tempfile.TemporaryDirectory() as scratch, PhonePool(Path(scratch)) as pool:
        for index in range(_IDLE):
            config = PhoneConfig("idle", f"{index}", "example.com", max_calls=CALLS_A_PROCESS)
            pool.lease(config, sink=lambda event: None, marks=iter(()), directory=Path(scratch))
        if len(pool.pids) != _IDLE:
            raise RuntimeError(f"{_IDLE} phones in {len(pool.pids)} processes")
        time.sleep(_SETTLED_S)

        def meters() -> dict[str, float]:
            return {"phones": sum(map(cpu_s, pool.pids)), "parent": time.process_time()}

        percent = _used_percent(meters, 2 * _STEADY_S)
    return {
        "idle_phone_cpu_percent": percent["phones"] / _IDLE,
        "idle_phone_parent_percent": percent["parent"] / _IDLE,
    }


def _used_percent(meters: Callable[[], dict[str, float]], seconds: float) -> dict[str, float]:
    """Per cent of a core that each has used in the next ``seconds``; ``meters`` has CPU seconds."""
    before = meters()
    time.sleep(seconds)
    return {name: 100 * (used - before.get(name, 0.0)) / seconds for name, used in meters().items()}


def _measure_call() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "wide.toml"
        file.write_text(tomli_w.dumps(wide(CALLS_A_PROCESS)))
        with (
            floor() as least,
            one_world(file, load(file), Path(scratch), tenants=2) as world,
            PhonePool(Path(scratch)) as pool,
        ):
            legs = dialled(pool, world.tenants, Path(scratch))
            children = {leg.phone.process.pid for leg in legs}
            if len(legs) != CALLS_A_PROCESS * len(children):
                raise RuntimeError(f"{len(legs)} legs in {len(children)} processes")
            for leg in legs:
                leg.wait_state("confirmed", within=5.0)

            def meters() -> dict[str, float]:
                return {
                    "phones": sum(map(cpu_s, children)),
                    "parent": time.process_time(),
                    "world": cpu_s(world.pid),
                    "floor": least.cpu_s(),
                    **threads_s(children),
                }

            percent = _used_percent(meters, _STEADY_S)
            for leg in legs:
                leg.hangup()
            least_legs = least.legs(_STEADY_S)
    each = {name: used / len(legs) for name, used in percent.items()}
    ours = each["phones"] + each["parent"]
    return {
        "leg_cpu_percent": ours,
        "world_cpu_percent": each["world"],
        "call_cpu_percent": ours + each["world"],
        "calls_measured": float(len(legs)),
        "leg_clock_percent": each["clock"],
        "leg_media_percent": each["media"],
        "leg_python_percent": each["python"],
        "leg_parent_percent": each["parent"],
        "floor_leg_cpu_percent": percent["floor"] / least_legs,
    }


def dialled(pool: PhonePool, deployments: Sequence[Deployment], scratch: Path) -> list[Leg]:
    """Calls of two phones in each deployment: the phones of one are in one process, as their users
    differ.
    """
    legs: list[Leg] = []
    marks = iter(range(LEG_MARKS))
    for index, deployment in enumerate(deployments):
        did = deployment.did("inbound", deployment.trunks[0].name)
        for name in ("caller", "caller-2"):
            config = own_phone(deployment, name, max_calls=CALLS_A_PROCESS // 2)
            directory = scratch / f"{index}-{name}"
            directory.mkdir()
            phone = pool.lease(config, sink=lambda event: None, marks=marks, directory=directory)
            phone.register(within=5.0)
            legs += [phone.dial(f"sip:{did}@{config.domain}") for _ in range(config.max_calls)]
    return legs
