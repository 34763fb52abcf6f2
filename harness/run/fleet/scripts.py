"""Lua scripts, each of which changes Redis atomically; every time is Redis's own, in milliseconds.

Those that let something through check the run's epoch first: a Redis that has lost the run, or never had it, lets nothing through.
"""

from __future__ import annotations

_NOW = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
"""

#: KEYS epoch, shard. ARGV nonce, attempt, token, lease ms. 1: the shard is this worker's; 0: it is not to be run (any more).
CLAIM_SHARD = (
    _NOW
    + """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local shard = redis.call('HMGET', KEYS[2], 'state', 'attempt', 'token')
if shard[2] ~= ARGV[2] then return 0 end
if shard[1] == 'running' and shard[3] == ARGV[3] then return 1 end
if shard[1] ~= 'queued' then return 0 end
redis.call('HSET', KEYS[2], 'state', 'running', 'token', ARGV[3], 'lease', now + ARGV[4], 'began', now)
return 1
"""
)

#: KEYS epoch, shard. ARGV nonce, attempt, token, lease ms. 1: extended; 0: the shard is another worker's.
RENEW_SHARD = (
    _NOW
    + """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local shard = redis.call('HMGET', KEYS[2], 'state', 'attempt', 'token')
if shard[1] ~= 'running' or shard[2] ~= ARGV[2] or shard[3] ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[2], 'lease', now + ARGV[4])
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

#: KEYS shard. ARGV attempt, state: the attempt that counts from here on; calls of an older one are refused.
FENCE_SHARD = """
if tonumber(redis.call('HGET', KEYS[1], 'attempt') or '0') > tonumber(ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'attempt', ARGV[1])
redis.call('EXPIRE', KEYS[1], 1209600)
return 1
"""

#: KEYS claims. ARGV token, lease ms. All of them, or none: the number of the first that another holds, 0 when all are taken.
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

#: ADMIT and ANOTHER begin alike. KEYS epoch, usage, open, ledger, shard. ARGV nonce, call's token, lease ms, longest s, calls a run,
#: seconds a run, cost of a call, cost a run (-1: none), ledger entry, attempt, shard's token. Both return
#: {'go', ms to wait}, {'wait', why}, {'refused', what, used}, {'shut', why}.
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

#: One more call in the place of one, which is held as long again. After those of all calls: KEYS each cap's calls.
#: ARGV place's token.
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
