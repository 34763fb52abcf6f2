"""What Redis holds: of a run its epoch, shards, usage and ledger; of all runs together caps, claims
and sites.

Every request is repeated until a deadline, so a Redis that restarts is waited for. Without an
answer no call is placed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

import redis
from redis.connection import parse_url

from harness.deployment import Limits
from harness.errors import RefusedError, ResourceError
from harness.support.network_text import keep_secret, line

T = TypeVar("T")

#: Where Redis is, for controller, workers and their runs; it may hold a password, so it stands in
#: no file.
REDIS_VARIABLE = "HARNESS_FLEET_REDIS"

_PREFIX = "harness"
_RETRY_S = 0.2
#: Of one request.
_TIMEOUT_S = 3.0
#: Time limit for a call that follows a REFER: all calls of its process wait for the answer.
_ANOTHER_WITHIN_S = 0.5
#: A run's keys expire after so many seconds without use; the scripts have the same time.
_KEPT_S = 14 * 86400


def redis_address() -> str:
    """Where Redis is. Raises :class:`RefusedError` if the address is missing or invalid: without
    Redis no call is placed.
    """
    found = os.environ.get(REDIS_VARIABLE)
    keep_secret(found)
    if found and _is_redis(found):
        return found
    what = (
        "holds no address (it is not shown, as it may hold a password)" if found else "is not set"
    )
    raise RefusedError(
        f"{REDIS_VARIABLE}: {what}, so no call is placed; allowed: redis://HOST:PORT/DB, or redis://USER:PASSWORD@HOST:PORT/DB "
        "(USER may be empty; rediss:// for TLS), with what is not a letter or digit in a password percent-encoded"
    )


def _is_redis(address: str) -> bool:
    """Whether Redis clients accept the address: an unencoded / ? or # ends the password or the host
    (RFC 3986 section 3.2).
    """
    try:
        parse_url(address)  # type: ignore[no-untyped-call]
        parts = urlsplit(address)
        of_a_network = parts.scheme in ("redis", "rediss") and bool(parts.hostname)
    except ValueError:
        return False
    return of_a_network and not parts.fragment and re.fullmatch(r"/?\d*", parts.path) is not None


# -- Lua scripts: each changes Redis atomically; every time is Redis's own, in milliseconds.
# Those that let something through check the run's epoch first: a Redis that has lost the run, or never had it, lets nothing through.

_NOW = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
"""

#: KEYS epoch, shard. ARGV nonce, attempt, token, lease ms. 1: the shard is this worker's, for so
#: long from now on; 0: it is not to be run (any more).
CLAIM_SHARD = (
    _NOW
    + """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local shard = redis.call('HMGET', KEYS[2], 'state', 'attempt', 'token')
local own = shard[1] == 'running' and shard[3] == ARGV[3]
if shard[2] ~= ARGV[2] or not (own or shard[1] == 'queued') then return 0 end
redis.call('HSET', KEYS[2], 'state', 'running', 'token', ARGV[3], 'lease', now + ARGV[4])
return 1
"""
)

#: KEYS shard. ARGV attempt, token, exit code, words. 1: noted.
END_SHARD = """
local shard = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'token')
if shard[1] ~= 'running' or shard[2] ~= ARGV[1] or shard[3] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'state', 'ended', 'code', ARGV[3], 'words', ARGV[4])
return 1
"""

#: KEYS shard. ARGV attempt, state, site: the attempt that counts from here on; calls of an older
#: one are refused.
FENCE_SHARD = """
if tonumber(redis.call('HGET', KEYS[1], 'attempt') or '0') > tonumber(ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'attempt', ARGV[1], 'site', ARGV[3])
redis.call('EXPIRE', KEYS[1], 1209600)
return 1
"""

#: KEYS claims. ARGV token, lease ms. All of them, or none: the number of the first that another
#: holds, 0 when all are taken.
CLAIM = """
for number, key in ipairs(KEYS) do
  local holder = redis.call('GET', key)
  if holder and holder ~= ARGV[1] then return number end
end
for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[1], 'PX', ARGV[2]) end
return 0
"""

#: KEYS claims. ARGV token.
RELEASE = """
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
end
return 0
"""

#: ADMIT and ANOTHER begin alike. KEYS epoch, usage, open, ledger, shard. ARGV nonce, call's token,
#: lease ms, longest s, calls a run, seconds a run, cost of a call, cost a run (-1: none), ledger
#: entry, attempt, shard's token. Both return {'go', ms to wait}, {'wait', why}, {'refused', what,
#: used}, {'shut', why}.
_CALL = (
    _NOW
    + """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'shut', 'Redis does not know this run'} end
local usage, open, ledger = KEYS[2], KEYS[3], KEYS[4]
local token, longest, cost = ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[7])
local shard = redis.call('HMGET', KEYS[5], 'state', 'attempt', 'token')
if shard[1] ~= 'running' or shard[2] ~= ARGV[10] or shard[3] ~= ARGV[11] then
  return {'shut', 'its cases were given to another worker'}
end
if redis.call('ZSCORE', open, token) then  -- asked again, since the answer was lost
  return {'go', math.max(0, tonumber(redis.call('HGET', usage, 'start:' .. token) or '0') - now)}
end
"""
)

#: Whether the run's calls, seconds and money leave room for a call at its longest time.
_ROOM = """
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', open, '-inf', now)) do
  redis.call('ZREM', open, dead)
  redis.call('HDEL', usage, 'start:' .. dead)
  redis.call('HINCRBYFLOAT', usage, 'seconds', longest)
  redis.call('HINCRBYFLOAT', usage, 'cost', ARGV[7])
end
local placed = tonumber(redis.call('HGET', usage, 'placed') or '0')
if placed >= tonumber(ARGV[5]) then return {'refused', 'calls_per_run', tostring(placed)} end
local up = redis.call('ZCARD', open)
for _, cap in ipairs({{'seconds', longest, tonumber(ARGV[6])}, {'cost', cost, tonumber(ARGV[8])}}) do
  local used = tonumber(redis.call('HGET', usage, cap[1]) or '0')
  if cap[3] >= 0 and used + cap[2] > cap[3] then return {'refused', cap[1] .. '_per_run', tostring(used)} end
  if cap[3] >= 0 and used + cap[2] * (up + 1) > cap[3] then return {'wait', cap[1] .. '_per_run'} end
end
"""

#: Needs ``ends``, the time when the call counts as over even without a report of its end.
_ENTER = """
redis.call('ZADD', open, ends, token)
redis.call('HINCRBY', usage, 'placed', 1)
redis.call('RPUSH', ledger, ARGV[9])
for _, key in ipairs({usage, open, ledger}) do redis.call('EXPIRE', key, 1209600) end
"""

#: A call. After those of all calls: KEYS each cap's calls and next.
#: ARGV most ms to wait, then each cap's concurrent calls and ms between two calls.
ADMIT = (
    _CALL
    + _ROOM
    + """
local caps = (#KEYS - 5) / 2
local start = now
for cap = 1, caps do
  local calls, next = KEYS[4 + 2 * cap], KEYS[5 + 2 * cap]
  redis.call('ZREMRANGEBYSCORE', calls, '-inf', now)
  if redis.call('ZCARD', calls) >= tonumber(ARGV[11 + 2 * cap]) then return {'wait', 'concurrent_calls'} end
  start = math.max(start, tonumber(redis.call('GET', next) or '0'))
end
if start - now > tonumber(ARGV[12]) then return {'wait', 'calls_per_second'} end
local ends = start + tonumber(ARGV[3])
for cap = 1, caps do
  redis.call('ZADD', KEYS[4 + 2 * cap], ends, token)
  redis.call('SET', KEYS[5 + 2 * cap], start + tonumber(ARGV[12 + 2 * cap]), 'PX', 86400000)
end
redis.call('HSET', usage, 'start:' .. token, start)
"""
    + _ENTER
    + """
return {'go', start - now}
"""
)

#: One more call in the place of one, which is held as long again. After those of all calls: KEYS
#: each cap's calls. ARGV place's token.
ANOTHER = (
    _CALL
    + _ROOM
    + """
local ends = now + tonumber(ARGV[3])
for number = 6, #KEYS do redis.call('ZADD', KEYS[number], ends, ARGV[12]) end
"""
    + _ENTER
    + """
return {'go', 0}
"""
)

#: A call is over. KEYS usage, open, then each cap's calls if it was the last in its place.
#: ARGV call's token, seconds, cost, place's token.
SETTLE = """
for number = 3, #KEYS do redis.call('ZREM', KEYS[number], ARGV[4]) end
if redis.call('ZREM', KEYS[2], ARGV[1]) == 1 then
  redis.call('HDEL', KEYS[1], 'start:' .. ARGV[1])
  redis.call('HINCRBYFLOAT', KEYS[1], 'seconds', ARGV[2])
  redis.call('HINCRBYFLOAT', KEYS[1], 'cost', ARGV[3])
end
return 0
"""


@dataclass(frozen=True)
class ShardRef:
    """One attempt at one shard of a run; ``token`` is the worker's that runs it, ``nonce`` the
    run's epoch.
    """

    run: str
    nonce: str
    shard: int
    attempt: int
    token: str = ""


@dataclass(frozen=True)
class ShardState:
    """The state of an attempt."""

    state: (
        str  #: ``queued``, ``running``, ``ended``, ``cancelled``; empty: Redis knows nothing of it
    )
    attempt: int
    lease_left_s: float  #: of a running one
    code: int | None
    words: str
    site: str = ""  #: where the attempt was sent


class State:
    """A connection to Redis, for any thread."""

    def __init__(self, address: str, within_s: float = 30.0) -> None:
        """``within_s``: how long an answer is waited for before :class:`ResourceError` is raised."""
        self._redis = redis.Redis.from_url(
            address,
            decode_responses=True,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            health_check_interval=5,
        )
        self._within_s = within_s
        self._failed_at = -math.inf

    @property
    def answered_for_s(self) -> float:
        """For how long Redis has answered each request of this process, in seconds."""
        return time.monotonic() - self._failed_at

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    def _ask(self, request: Callable[[], T], within_s: float | None = None) -> T:
        deadline = time.monotonic() + (self._within_s if within_s is None else within_s)
        while True:
            try:
                return request()
            except (
                redis.ConnectionError,
                redis.TimeoutError,
            ) as error:  # BusyLoading is a ConnectionError
                self._failed_at = time.monotonic()
                if self._failed_at >= deadline:
                    raise ResourceError(
                        f"Redis cannot be asked, so no call is placed: {line(str(error))}"
                    ) from error
                time.sleep(_RETRY_S)
            except redis.RedisError as error:
                raise ResourceError(
                    f"Redis cannot be asked, so no call is placed: {line(str(error))}"
                ) from error

    def _run(
        self,
        script: str,
        keys: Sequence[str],
        arguments: Iterable[object],
        within_s: float | None = None,
    ) -> Any:
        values = [str(value) for value in arguments]
        return self._ask(lambda: self._redis.eval(script, len(keys), *keys, *values), within_s)

    # -- a run

    def begin(self, run: str, nonce: str) -> None:
        """Register the run, so that its calls are let through. Raises :class:`ResourceError` where
        Redis may forget them.
        """
        self._require_memory()
        self._ask(lambda: self._redis.set(_key("run", run, "epoch"), nonce, ex=_KEPT_S))

    def _require_memory(self) -> None:
        """Refuse a Redis that may forget which calls are up: it evicts keys, or restarts from an
        old snapshot.
        """
        memory, kept = (
            self._ask(partial(self._redis.info, section)) for section in ("memory", "persistence")
        )
        policy = memory.get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            raise ResourceError(
                f"Redis removes keys when its memory is full (maxmemory-policy {policy}), and with them which calls are up, "
                "so no call is placed; allowed: noeviction"
            )
        if not kept.get("aof_enabled", 1):
            raise ResourceError(
                "Redis does not keep every write, so it may forget which calls are up, and no call is placed; allowed: appendonly yes"
            )

    def knows(self, run: str, nonce: str) -> bool:
        """Whether Redis has the run as it was begun."""
        return bool(self._ask(lambda: self._redis.get(_key("run", run, "epoch"))) == nonce)

    def ledger(self, run: str) -> list[dict[str, Any]]:
        """Every admitted call: case, deployment, site, shard, attempt."""
        found = self._ask(lambda: self._redis.lrange(_key("run", run, "ledger"), 0, -1))
        return [json.loads(entry) for entry in found]

    # -- shards

    def queue(self, ref: ShardRef, site: str = "") -> bool:
        """Make that attempt the one that counts; False when a later one does."""
        return bool(self._run(FENCE_SHARD, [_shard(ref)], [ref.attempt, "queued", site]))

    def cancel(self, ref: ShardRef, site: str = "") -> None:
        """Let no more calls of that attempt, or of an older one, through."""
        self._run(FENCE_SHARD, [_shard(ref)], [ref.attempt, "cancelled", site])

    def claim(self, ref: ShardRef, lease_s: float) -> bool:
        """Take the attempt for this worker, or go on with it; False when it is not to be run (any
        more).
        """
        keys = [_key("run", ref.run, "epoch"), _shard(ref)]
        terms = [ref.nonce, ref.attempt, ref.token, _ms(lease_s)]
        return bool(self._run(CLAIM_SHARD, keys, terms))

    def end(self, ref: ShardRef, code: int, words: str) -> None:
        """Note how the attempt ended."""
        self._run(END_SHARD, [_shard(ref)], [ref.attempt, ref.token, code, words])

    def shard(self, ref: ShardRef) -> ShardState:
        """The state of the shard."""
        plain = {
            str(name): str(value)
            for name, value in self._ask(lambda: self._redis.hgetall(_shard(ref))).items()
        }
        seconds, micro = self._ask(self._redis.time)
        now = seconds * 1000 + micro / 1000
        return ShardState(
            state=plain.get("state", ""),
            attempt=int(plain.get("attempt", "0")),
            lease_left_s=(float(plain.get("lease", "0")) - now) / 1000,
            code=int(plain["code"]) if "code" in plain else None,
            words=plain.get("words", ""),
            site=plain.get("site", ""),
        )

    # -- sites, and claims on what only one of them may use at a time

    def is_alive(self, site: str) -> bool:
        """Whether the site's worker sent a heartbeat lately."""
        return bool(self._ask(lambda: self._redis.exists(_key("site", site))))

    def heartbeat(self, site: str, for_s: float) -> None:
        """Mark the site's worker as alive for ``for_s``; where Redis cannot be reached, the next
        heartbeat does.
        """
        with contextlib.suppress(ResourceError):
            self._ask(
                lambda: self._redis.set(_key("site", site), "alive", px=_ms(for_s)), within_s=0
            )

    def take(self, names: Sequence[str], token: str, lease_s: float) -> str | None:
        """Claim all of these names, or none; return the first that another holds, None when all are
        claimed.
        """
        held = int(self._run(CLAIM, [_key("claim", n) for n in names], [token, _ms(lease_s)]))
        return names[held - 1] if held else None

    def give_back(self, names: Sequence[str], token: str) -> None:
        """Release these claims."""
        self._run(RELEASE, [_key("claim", name) for name in names], [token])

    # -- calls

    def admit(self, call: CallRequest, within_s: float) -> tuple[str, str, str]:
        """Ask to place a call: ``go`` and ms to wait; ``wait`` and why; ``refused``, the cap and
        its usage; ``shut`` and why.
        """
        keys = list(_of_call(call))
        arguments = [*_terms(call), _ms(within_s)]
        for name, calls, rate in call.caps:
            keys += (_key("cap", name, "calls"), _key("cap", name, "next"))
            arguments += (calls, _ms(1 / rate))
        return _said(self._run(ADMIT, keys, arguments, within_s))

    def another(self, call: CallRequest) -> tuple[str, str, str]:
        """Ask to place a call in the place of one that is up; as :meth:`admit`, but it never has to
        wait its turn.
        """
        keys = [*_of_call(call), *_cap_keys(call)]
        return _said(self._run(ANOTHER, keys, [*_terms(call), call.place], _ANOTHER_WITHIN_S))

    def settle(self, call: CallRequest, seconds: float, cost: float, *, frees_place: bool) -> None:
        """Count what an ended call used. Where Redis cannot be reached, it counts in full when its
        lease is over.
        """
        keys = list(_usage(call))
        if frees_place:
            keys += _cap_keys(call)
        with contextlib.suppress(ResourceError):
            self._run(SETTLE, keys, [call.token, seconds, cost, call.place], within_s=_TIMEOUT_S)


@dataclass(frozen=True, kw_only=True)
class CallRequest:
    """A call that is to be placed. ``caps`` are (name, concurrent calls, calls per second); all of
    them have to allow it.
    """

    ref: ShardRef
    deployment: str
    token: str
    place: str  #: the token of the admitted call: its own, or that of the call it replaces
    entry: dict[str, object]  #: the ledger's entry
    caps: tuple[tuple[str, int, float], ...]
    lease_s: float  #: seconds that it counts as up without a report of its end
    limits: Limits


def _usage(call: CallRequest) -> list[str]:
    return [
        _key("run", call.ref.run, "usage", call.deployment),
        _key("run", call.ref.run, "open", call.deployment),
    ]


def _cap_keys(call: CallRequest) -> list[str]:
    return [_key("cap", name, "calls") for name, _, _ in call.caps]


def _of_call(call: CallRequest) -> list[str]:
    return [
        _key("run", call.ref.run, "epoch"),
        *_usage(call),
        _key("run", call.ref.run, "ledger"),
        _shard(call.ref),
    ]


def _terms(call: CallRequest) -> list[object]:
    limits, longest = call.limits, call.limits.seconds_per_call
    most = [longest, limits.calls_per_run, limits.seconds_per_run, limits.cost(longest)]
    cost_per_run = -1 if limits.cost_per_run is None else limits.cost_per_run
    of_shard = [call.ref.attempt, call.ref.token]
    return [
        call.ref.nonce,
        call.token,
        _ms(call.lease_s),
        *most,
        cost_per_run,
        json.dumps(call.entry),
        *of_shard,
    ]


def _said(parts: list[Any]) -> tuple[str, str, str]:
    said = [str(part) for part in parts]
    return (said[0], said[1], said[2] if len(said) > 2 else "")


def _key(*words: object) -> str:
    """A Redis key. Customers' names are hashed: they may contain anything, and every user of Redis
    can read keys.
    """
    shown = [str(word) for word in words]
    if shown[0] in ("cap", "claim"):
        shown[1] = hashlib.sha256(shown[1].encode()).hexdigest()[:32]
    return ":".join((_PREFIX, *shown))


def _shard(ref: ShardRef) -> str:
    return _key("run", ref.run, "shard", ref.shard)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
