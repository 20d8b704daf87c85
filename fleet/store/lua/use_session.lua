-- One use of a session: takes what the use brings or leaves and, in the same step, renews the session's life.
-- KEYS: session, options, jobs, grave, scripts, checkpoint
-- ARGV: now ms, grave s, ms that one job may take, jobs on the list that count no more, job id to append or '', jobs
--   that may wait (0: any number), then field, value, … to set (a new ttl among them counts at once)
-- Returns: false if the session has ended, 'busy' if too many jobs wait, else {state, worker or ''}
local dies_at = redis.call('HGET', KEYS[1], 'dies_at')
if not dies_at or dies_at - ARGV[1] <= 0 then return false end
local limit = tonumber(ARGV[6])
if limit > 0 and redis.call('LLEN', KEYS[3]) >= limit then return 'busy' end
redis.call('HSET', KEYS[1], 'last_used_at', ARGV[1], unpack(ARGV, 7))
if ARGV[5] ~= '' then redis.call('RPUSH', KEYS[3], ARGV[5]) end
-- It is not idle while jobs wait or run, but it does not outlast jobs that nobody comes to run.
local jobs_ms = (redis.call('LLEN', KEYS[3]) - ARGV[4]) * ARGV[3]
local ttl_ms = math.max(redis.call('HGET', KEYS[1], 'ttl') * 1000, jobs_ms)
ttl_ms = math.min(ttl_ms, dies_at - ARGV[1])
if redis.call('HGET', KEYS[1], 'state') == 'pending' then ttl_ms = dies_at - ARGV[1] end
for _, key in ipairs({KEYS[1], KEYS[2], KEYS[5], KEYS[6]}) do redis.call('PEXPIRE', key, ttl_ms) end
local after = ttl_ms + ARGV[2] * 1000
redis.call('PEXPIRE', KEYS[3], after)
redis.call('HSET', KEYS[4], 'expires_at', ARGV[1] + ttl_ms)
redis.call('PEXPIRE', KEYS[4], after)
local found = redis.call('HMGET', KEYS[1], 'state', 'worker')
return {found[1], found[2] or ''}
