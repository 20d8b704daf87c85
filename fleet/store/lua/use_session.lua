-- One use of a session: renews its life and, in the same step, takes what the use brings or leaves.
-- KEYS: session, options, jobs, grave, scripts
-- ARGV: now ms, grave s, at least this many ms of life (-1: as many as it has), job id to append or '',
--   then field, value, … to set
-- Returns: false if the session has ended, else {state, worker or ''}
local dies_at = redis.call('HGET', KEYS[1], 'dies_at')
if not dies_at then return false end
local least_ms = tonumber(ARGV[3])
if least_ms < 0 then least_ms = redis.call('PTTL', KEYS[1]) end
local ttl_ms = math.max(redis.call('HGET', KEYS[1], 'ttl') * 1000, least_ms)
ttl_ms = math.min(ttl_ms, dies_at - ARGV[1])
if ttl_ms <= 0 then return false end
redis.call('HSET', KEYS[1], 'last_used_at', ARGV[1], unpack(ARGV, 5))
redis.call('PEXPIRE', KEYS[1], ttl_ms)
redis.call('PEXPIRE', KEYS[5], ttl_ms)
local after = ttl_ms + ARGV[2] * 1000
redis.call('PEXPIRE', KEYS[2], after)
if ARGV[4] ~= '' then redis.call('RPUSH', KEYS[3], ARGV[4]) end
redis.call('PEXPIRE', KEYS[3], after)
redis.call('HSET', KEYS[4], 'expires_at', ARGV[1] + ttl_ms)
redis.call('PEXPIRE', KEYS[4], after)
local found = redis.call('HMGET', KEYS[1], 'state', 'worker')
return {found[1], found[2] or ''}
