"""The gate over all sites, on a real Redis: it never exceeds a cap, and admits nothing when its
state is unknown.
"""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Any

import pytest
import redis

from harness.deployment import Deployment, Limits
from harness.errors import ResourceError
from harness.integrations import load
from harness.run.fleet.plan import SharedTrunk
from harness.run.fleet.site import LONGEST_HANGUP_S, RedisGate
from harness.run.fleet.state import ShardRef, State
from harness.run.fleet.worker import claims_of
from tests.fleet.fleet import ROOT
from tests.redis_server import Redis

RUN = ShardRef(run="r", nonce="n", shard=1, attempt=1, token="t")


def lab(name: str = "lab", **limits: Any) -> Deployment:
    found = load(ROOT / "scenarios" / "deployments" / "simulated-talkdesk.toml")
    wide = {"concurrent_calls": 100, "calls_per_second": 10_000.0, "calls_per_run": 1000}
    return found.model_copy(update={"name": name, "limits": Limits.model_validate(wide | limits)})


def begun(server: Redis) -> State:
    state = server.state(within_s=5.0)
    state.begin(RUN.run, RUN.nonce)
    assert state.queue(RUN)
    assert state.claim(RUN, 60.0)
    return state


def gate(
    state: State, deployment: Deployment, ref: ShardRef = RUN, trunks: tuple[SharedTrunk, ...] = ()
) -> RedisGate:
    return RedisGate(state, ref, "ams", deployment, trunks, lambda: "CASE")


def ended(permit: Any) -> None:
    """Release, and wait until Redis knows."""
    permit.release()
    for thread in threading.enumerate():
        if thread.name == "settle":
            thread.join()


def test_a_shared_trunks_caps_hold_over_deployments(redis_server: Redis) -> None:
    state = begun(redis_server)
    trunk = SharedTrunk(
        name="carrier", concurrent_calls=2, calls_per_second=1000.0, deployments=("acme-*",)
    )
    one, two, other = (
        gate(state, lab(name), trunks=(trunk,)) for name in ("acme-1", "acme-2", "else")
    )
    first, second = one.admit(30.0), two.admit(30.0)
    with pytest.raises(ResourceError, match="concurrent_calls"):
        one.admit(0.2)
    other.admit(30.0)
    ended(second)
    ended(second)
    one.admit(30.0)
    with pytest.raises(ResourceError, match="concurrent_calls"):
        two.admit(0.2)
    ended(first)


def expiry(server: Redis, key: Any) -> float:
    """When the only entry of a set expires, in ms."""
    found: Any = server.client.zrange(key, 0, -1, withscores=True)
    assert len(found) == 1
    return float(found[0][1])


def test_call_of_a_dead_site_counts_for_its_longest_time(redis_server: Redis) -> None:
    state = begun(redis_server)
    own = gate(state, lab(concurrent_calls=1, seconds_per_call=7.0))
    own.admit(30.0)  # its end is never reported
    (key,) = redis_server.client.keys("harness:cap:*:calls")
    until = expiry(redis_server, key)
    left_s = until / 1000 - int(redis_server.client.time()[0])
    assert 7.0 + 32.0 < left_s <= 7.0 + LONGEST_HANGUP_S + 1.0
    with pytest.raises(ResourceError):
        own.admit(0.2)
    for each in (key, "harness:run:r:open:lab"):  # expired
        redis_server.client.zadd(each, {str(redis_server.client.zrange(each, 0, -1)[0]): 1})
    own.admit(30.0)
    assert float(redis_server.client.hget("harness:run:r:usage:lab", "seconds") or 0) == 7.0, (
        "entered in full"
    )


def test_replaced_call_counts_for_the_longest_time_of_its_successor(redis_server: Redis) -> None:
    """Each leg may be up for seconds_per_call; the second begins when the first is transferred."""
    state = begun(redis_server)
    trunk = SharedTrunk(
        name="shared", deployments=("lab",), concurrent_calls=1, calls_per_second=10_000.0
    )
    own = gate(state, lab(concurrent_calls=1, seconds_per_call=7.0), trunks=(trunk,))
    first = own.admit(30.0)
    places = redis_server.client.keys("harness:cap:*:calls")
    assert len(places) == 2
    soon = redis_server.client.time()[0] * 1000 + 3000
    for key in places:  # transferred shortly before it expires
        redis_server.client.zadd(key, {str(redis_server.client.zrange(key, 0, -1)[0]): soon})
    second = first.another()
    for key in places:
        left_s = expiry(redis_server, key) / 1000 - int(redis_server.client.time()[0])
        assert 7.0 + 32.0 < left_s <= 7.0 + LONGEST_HANGUP_S + 1.0
    ended(first)
    with pytest.raises(ResourceError, match="concurrent_calls"):
        own.admit(0.2)
    ended(second)
    ended(own.admit(5.0))


def test_no_call_is_placed_without_redis(redis_server: Redis) -> None:
    state = begun(redis_server)
    own = gate(state, lab())
    up = own.admit(30.0)
    redis_server.kill()
    for asked in (up.another, lambda: own.admit(0.3)):
        with pytest.raises(ResourceError, match="no call is placed"):
            asked()
    redis_server.start()
    own.admit(30.0)
    assert len(state.ledger("r")) == 2


def test_redis_that_lost_its_data_admits_no_call(redis_server: Redis) -> None:
    state = begun(redis_server)
    own = gate(state, lab())
    up = own.admit(30.0)
    redis_server.client.flushall()
    with pytest.raises(ResourceError, match="does not know this run"):
        own.admit(1.0)
    with pytest.raises(ResourceError, match="does not know this run"):
        up.another()
    assert not state.claim(RUN, 60.0), "and its shard ends"


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [("maxmemory-policy", "volatile-lru", "noeviction"), ("appendonly", "no", "appendonly yes")],
)
def test_redis_without_persistence_is_refused(
    redis_server: Redis, name: str, value: str, why: str
) -> None:
    redis_server.client.config_set(name, value)
    with pytest.raises(ResourceError, match=f"no call is placed; allowed: {why}"):
        begun(redis_server)
    assert not redis_server.client.keys("*")


def test_reassigned_attempt_places_no_call(redis_server: Redis) -> None:
    state = begun(redis_server)
    own = gate(state, lab())
    up = own.admit(30.0)
    second = dataclasses.replace(RUN, attempt=2, token="u")
    assert state.queue(second)
    with pytest.raises(ResourceError, match="given to another"):
        own.admit(1.0)
    with pytest.raises(ResourceError, match="given to another"):
        up.another()
    assert len(state.ledger("r")) == 1
    assert not state.claim(RUN, 60.0)
    assert not state.queue(RUN), "an older attempt does not come back"
    assert state.claim(second, 60.0)
    assert not state.claim(dataclasses.replace(second, token="v"), 60.0), (
        "a task that came twice runs once"
    )
    gate(state, lab(), second).admit(30.0)


def test_lost_redis_answer_counts_once(
    redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = begun(redis_server)
    ask = state._redis.eval
    lost: list[Any] = []

    def eval_and_lose(*arguments: Any) -> Any:
        found = ask(*arguments)
        if not lost:
            lost.append(found)
            raise redis.ConnectionError("gone")
        return found

    monkeypatch.setattr(state._redis, "eval", eval_and_lose)
    up = gate(state, lab(concurrent_calls=1)).admit(30.0)
    assert lost
    assert len(state.ledger("r")) == 1
    lost.clear()
    up.another()
    assert lost
    assert len(state.ledger("r")) == 2


def test_numbers_and_phones_belong_to_one_site_at_a_time(
    redis_server: Redis, tmp_path: Path
) -> None:
    live = load(ROOT / "scenarios" / "deployments" / "live-talkdesk.toml", secrets=False)
    claims = claims_of(live)
    assert {name for name in claims if name.startswith("number ")} == {
        f"number {number}" for _, _, number in live.all_dids()
    }
    assert sum(name.startswith("phone ") for name in claims) == len(live.phones)
    assert claims_of(lab()) == [], "a simulated world is the site's own"
    state = begun(redis_server)
    assert state.take(claims, "here", 60.0) is None
    assert state.take(claims, "here", 60.0) is None, "kept"
    assert state.take(claims[-1:], "there", 60.0) == claims[-1]
    assert state.take(["number +19995550100", *claims], "there", 60.0) == claims[0]
    assert state.take(["number +19995550100"], "else", 60.0) is None, "all of them or none"
    state.give_back(claims, "there")
    assert state.take(claims, "there", 60.0) == claims[0], "nobody gives back another's"
    state.give_back(claims, "here")
    assert state.take(claims, "there", 60.0) is None
