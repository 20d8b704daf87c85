-- KEYS: job
-- ARGV: state that the caller saw, new state, new record JSON, channel of the session's viewers, event for them or ''
-- Returns 1 if moved, 0 if another one moved it first or it has expired. The TTL stays.
if redis.call('HGET', KEYS[1], 'state') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'record', ARGV[3])
if ARGV[5] ~= '' then redis.call('PUBLISH', ARGV[4], ARGV[5]) end
return 1
