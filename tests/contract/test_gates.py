"""The call limits: what every gate promises, whether it keeps its counts in lock files or in Redis.

The Redis gate is tested against a real redis-server. fakeredis (2.41, with Lua) does not do: it has
no INFO, and a run begins only where INFO says that Redis keeps every write.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.deployment.limits import Gate
from harness.errors import RefusedError, ResourceError
from tests import redis_server
from tests.contract.gates import Gates, LockFiles, RedisSites, most_at_once

ROOT = Path(__file__).resolve().parents[2]
#: How long a call waits that is expected to be let through, on a machine that may be busy; and one
#: that is not.
PATIENCE_S, SOON_S = 30.0, 0.3


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis_server.Redis]:
    with contextlib.closing(redis_server.Redis(tmp_path_factory.mktemp("redis"))) as server:
        yield server


@pytest.fixture(params=["lock-files", "redis"] if redis_server.INSTALLED else ["lock-files"])
def gates(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Gates]:
    made: Gates = (
        LockFiles(str(tmp_path / "gate"))
        if request.param == "lock-files"
        else RedisSites.new(request.getfixturevalue("server").address)
    )
    with contextlib.closing(made):
        yield made
        for thread in threading.enumerate():  # a permit of Redis is given back in the background
            if thread.name == "settle":
                thread.join()


@pytest.mark.skipif(
    not (redis_server.INSTALLED or os.environ.get("CI")),
    reason="the Redis gate is not tested: there is no redis-server (apt-get install redis-server)",
)
def test_redis_server_is_installed() -> None:
    assert redis_server.INSTALLED, (
        "the Redis gate is not tested: there is no redis-server (apt-get install redis-server)"
    )


def kept_out(gate: Gate, limit: str) -> None:
    """The gate lets no call through now, and names the limit."""
    with pytest.raises(ResourceError, match=rf"limits\.{limit}\b"):
        gate.admit(SOON_S)


# Calls at once


def test_concurrent_calls_hold_over_all_workers(gates: Gates) -> None:
    one, other = gates(concurrent_calls=2), gates(concurrent_calls=2)
    first = one.admit(PATIENCE_S)
    second = other.admit(PATIENCE_S)
    kept_out(one, "concurrent_calls")
    kept_out(other, "concurrent_calls")
    second.release()
    one.admit(PATIENCE_S)
    first.release()
    other.admit(PATIENCE_S)


def test_a_permit_released_twice_frees_one_place(gates: Gates) -> None:
    gate = gates(concurrent_calls=2)
    first = gate.admit(PATIENCE_S)
    gate.admit(PATIENCE_S)
    first.release()
    first.release()
    gate.admit(PATIENCE_S)
    kept_out(gate, "concurrent_calls")


def test_a_waiting_call_gets_the_place_that_comes_free(gates: Gates) -> None:
    gate = gates(concurrent_calls=1)
    first = gate.admit(PATIENCE_S)
    ended = threading.Timer(0.05, first.release)
    ended.start()
    gate.admit(PATIENCE_S).release()
    ended.join()


def test_gate_reports_the_number_of_calls_with_each_change(gates: Gates) -> None:
    told: queue.Queue[int] = queue.Queue()
    gate = gates(told.put)
    first = gate.admit(PATIENCE_S)
    second = first.another()
    assert [told.get(timeout=PATIENCE_S) for _ in range(2)] == [1, 2]
    for permit in (first, first, second):
        permit.release()
    assert [told.get(timeout=PATIENCE_S) for _ in range(2)] == [1, 0]
    assert told.empty()


# Calls, seconds and money of a run


def test_a_run_places_no_more_calls_than_it_may(gates: Gates) -> None:
    for _ in range(3):
        gates(calls_per_run=3).admit(PATIENCE_S).release()
    with pytest.raises(RefusedError, match=r"limits\.calls_per_run"):
        gates(calls_per_run=3).admit(PATIENCE_S)


def test_refused_call_is_not_counted(gates: Gates) -> None:
    gate = gates(concurrent_calls=1, calls_per_run=2)
    first = gate.admit(PATIENCE_S)
    for _ in range(2):
        kept_out(gate, "concurrent_calls")
    first.release()
    gate.admit(PATIENCE_S).release()
    with pytest.raises(RefusedError, match=r"limits\.calls_per_run"):
        gate.admit(PATIENCE_S)


def test_a_refused_call_holds_no_place(gates: Gates) -> None:
    gate = gates(concurrent_calls=1, calls_per_run=1)
    first = gate.admit(PATIENCE_S)
    with pytest.raises(RefusedError):
        first.another()
    first.release()
    with pytest.raises(RefusedError):
        gate.admit(PATIENCE_S)
    gates(concurrent_calls=1, calls_per_run=2).admit(PATIENCE_S)


@pytest.mark.parametrize(
    ("caps", "limit"),
    [
        ({"seconds_per_run": 100.0}, "seconds_per_run"),
        ({"cost_per_minute": 1.0, "cost_per_run": 1.5}, "cost_per_run"),
    ],
    ids=["seconds", "cost"],
)
def test_a_call_under_way_counts_at_its_longest_time(
    gates: Gates, caps: dict[str, float], limit: str
) -> None:
    gate = gates(seconds_per_call=60.0, **caps)
    first = gate.admit(PATIENCE_S)
    kept_out(gate, limit)
    with pytest.raises(ResourceError, match=rf"limits\.{limit}\b"):
        first.another()
    first.release()


def test_an_ended_call_counts_with_the_time_it_took(gates: Gates) -> None:
    gate = gates(seconds_per_call=60.0, seconds_per_run=100.0)
    gate.admit(PATIENCE_S).release()
    gate.admit(PATIENCE_S)


def test_a_run_that_has_used_its_seconds_is_refused(gates: Gates) -> None:
    gate = gates(seconds_per_call=60.0, seconds_per_run=60.0)
    gate.admit(PATIENCE_S).release()  # after some moments at least
    with pytest.raises(RefusedError, match=r"limits\.seconds_per_run"):
        gate.admit(PATIENCE_S)


def test_each_begun_minute_costs(gates: Gates) -> None:
    priced = {"cost_per_minute": 0.5, "cost_per_run": 0.9}
    with pytest.raises(RefusedError, match=r"limits\.cost_per_run"):
        gates(seconds_per_call=61.0, **priced).admit(PATIENCE_S)
    gates(seconds_per_call=60.0, **priced).admit(PATIENCE_S)


def test_a_run_that_has_spent_its_money_is_refused(gates: Gates) -> None:
    gate = gates(seconds_per_call=60.0, cost_per_minute=0.5, cost_per_run=1.2)
    for _ in range(2):
        gate.admit(PATIENCE_S).release()
    with pytest.raises(RefusedError, match=r"limits\.cost_per_run"):
        gate.admit(PATIENCE_S)


# Calls a second


def test_a_call_whose_turn_comes_too_late_is_not_placed_and_not_counted(gates: Gates) -> None:
    slow = {"calls_per_second": 0.02, "calls_per_run": 2}
    gates(**slow).admit(PATIENCE_S)
    kept_out(gates(**slow), "calls_per_second")
    with pytest.raises(ResourceError):  # and not RefusedError: one call of two was placed
        gates(**slow).admit(SOON_S)


def test_an_interrupted_wait_for_its_turn_holds_no_place(gates: Gates) -> None:
    """A signal ends the wait: Ctrl-C, or the death of the simulated world."""
    slow = {"concurrent_calls": 2, "calls_per_second": 0.05}
    gates(**slow).admit(PATIENCE_S)
    main = threading.get_ident()

    def interrupt_once_it_has_a_place() -> None:
        while "concurrent_calls" not in str(refusal(gates(**slow))):
            pass
        signal.pthread_kill(main, signal.SIGUSR2)

    def interrupted(signum: int, frame: object) -> None:
        raise InterruptedError

    before = signal.signal(signal.SIGUSR2, interrupted)
    thread = threading.Thread(target=interrupt_once_it_has_a_place)
    thread.start()
    try:
        with pytest.raises(InterruptedError):
            gates(**slow).admit(PATIENCE_S)
        thread.join()
    finally:
        signal.signal(signal.SIGUSR2, before)
    kept_out(gates(**slow), "calls_per_second")


def refusal(gate: Gate) -> ResourceError:
    """Why no call is let through now."""
    with pytest.raises(ResourceError) as caught:
        gate.admit(0.1)
    return caught.value


# Transfers


def test_the_call_of_a_transfer_takes_the_place_of_the_first(gates: Gates) -> None:
    gate = gates(concurrent_calls=1)
    first = gate.admit(PATIENCE_S)
    second = first.another()
    first.release()
    kept_out(gate, "concurrent_calls")
    second.release()
    gate.admit(PATIENCE_S)


def test_the_call_of_a_transfer_counts_as_a_call_of_its_own(gates: Gates) -> None:
    gate = gates(calls_per_run=2, seconds_per_call=60.0, cost_per_minute=1.0, cost_per_run=2.5)
    first = gate.admit(PATIENCE_S)
    second = first.another()
    with pytest.raises(RefusedError, match=r"limits\.calls_per_run"):
        second.another()
    first.release()
    second.release()
    with pytest.raises(RefusedError, match=r"limits\.cost_per_run"):  # each has cost its own minute
        gates(calls_per_run=3, seconds_per_call=60.0, cost_per_minute=1.0, cost_per_run=2.5).admit(
            PATIENCE_S
        )


def test_no_call_takes_the_place_of_one_that_has_ended(gates: Gates) -> None:
    permit = gates().admit(PATIENCE_S)
    permit.release()
    with pytest.raises(ResourceError, match="has ended"):
        permit.another()


# Other processes, and counts that are gone

CALLER = """
import json, sys, time
from tests import redis_server
from tests.contract.gates import from_words
gate = from_words(sys.argv[1:])(concurrent_calls=3, calls_per_second=40.0)
for _ in range(16):
    permit = gate.admit(60.0)
    begin = time.monotonic()
    time.sleep(0.08)
    print(json.dumps([begin, time.monotonic()]), flush=True)
    permit.release()
"""


def program(text: str, gates: Gates) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", text, *gates.words], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )


def test_limits_hold_over_processes(gates: Gates) -> None:
    callers = [program(CALLER, gates) for _ in range(2)]
    calls = []
    for caller in callers:
        output, _ = caller.communicate()
        assert caller.returncode == 0
        calls += [tuple(json.loads(line)) for line in output.splitlines()]
    assert len(calls) == 32
    assert most_at_once(calls) <= 3
    begins = sorted(begin for begin, _ in calls)
    assert begins[-1] - begins[0] >= 31 / 40 - 0.1


KILLED = """
import os, sys
from tests import redis_server
from tests.contract.gates import from_words
first = from_words(sys.argv[1:])(seconds_per_call=60.0).admit(60.0)
second = first.another()
os.kill(os.getpid(), 9)
"""


def test_the_calls_of_a_killed_process_stay_counted_in_full(gates: Gates) -> None:
    """Both calls of its transfer: nobody can say when they ended."""
    with program(KILLED, gates) as killed:
        killed.wait()
    assert killed.returncode == -signal.SIGKILL
    gates(seconds_per_call=60.0, seconds_per_run=190.0).admit(
        PATIENCE_S
    ).release()  # 120 s, and 60 of its own
    with pytest.raises((RefusedError, ResourceError), match=r"limits\.seconds_per_run"):
        gates(seconds_per_call=60.0, seconds_per_run=150.0).admit(SOON_S)


def test_gate_without_its_counts_admits_no_call(gates: Gates) -> None:
    gate = gates(concurrent_calls=2)
    up = gate.admit(PATIENCE_S)
    gates.damage()
    with pytest.raises(ResourceError, match="no call is placed"):
        gate.admit(PATIENCE_S)
    with pytest.raises(ResourceError, match="no call is placed"):
        up.another()
