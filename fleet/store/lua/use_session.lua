-- One use of a session: takes what the use brings or leaves and, in the same step, renews the session's life.
-- KEYS: session, options, jobs, grave, lock, scripts
-- ARGV: now ms, grave s, at least this many ms of life (-1: as many as a job that runs now holds), job id to append
--   or '', jobs that may wait (0: any number), then field, value, … to set (a new ttl among them counts at once)
-- Returns: false if the session has ended, 'busy' if too many jobs wait, else {state, worker or ''}
local dies_at = redis.call('HGET', KEYS[1], 'dies_at')
if not dies_at or dies_at - ARGV[1] <= 0 then return false end
local limit = tonumber(ARGV[5])
if limit > 0 and redis.call('LLEN', KEYS[3]) >= limit then return 'busy' end
redis.call('HSET', KEYS[1], 'last_used_at', ARGV[1], unpack(ARGV, 6))
local least_ms = tonumber(ARGV[3])
if least_ms < 0 then least_ms = redis.call('EXISTS', KEYS[5]) * redis.call('PTTL', KEYS[1]) end
local ttl_ms = math.max(redis.call('HGET', KEYS[1], 'ttl') * 1000, least_ms)
ttl_ms = math.min(ttl_ms, dies_at - ARGV[1])
if redis.call('HGET', KEYS[1], 'state') == 'pending' then ttl_ms = dies_at - ARGV[1] end
redis.call('PEXPIRE', KEYS[1], ttl_ms)
redis.call('PEXPIRE', KEYS[2], ttl_ms)
redis.call('PEXPIRE', KEYS[6], ttl_ms)
local after = ttl_ms + ARGV[2] * 1000
if ARGV[4] ~= '' then redis.call('RPUSH', KEYS[3], ARGV[4]) end
redis.call('PEXPIRE', KEYS[3], after)
redis.call('HSET', KEYS[4], 'expires_at', ARGV[1] + ttl_ms)
redis.call('PEXPIRE', KEYS[4], after)
local found = redis.call('HMGET', KEYS[1], 'state', 'worker')
return {found[1], found[2] or ''}
