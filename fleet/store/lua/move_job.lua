-- KEYS: job, who waits in its queue
-- ARGV: state that the caller saw, new state, new record JSON, channel of the session's viewers, event for them or '',
--       job id
-- Returns 1 if moved, 0 if another one moved it first or it has expired. The TTL stays.
if redis.call('HGET', KEYS[1], 'state') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'record', ARGV[3])
-- In one step: a Redis that dies and forgets the one forgets the other.
if ARGV[1] == 'queued' then redis.call('ZREM', KEYS[2], ARGV[6]) end
if ARGV[5] ~= '' then redis.call('PUBLISH', ARGV[4], ARGV[5]) end
return 1
