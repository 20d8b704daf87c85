-- A webhook that was expected becomes one that is to be delivered; once, whoever else has seen the end.
-- KEYS: expected, index of the expected, webhook, index, index of its subject's, receivers by when they are next
-- ARGV: expected as the caller saw it, subject id, webhook id, receiver, now ms, now s, record, body, seconds to keep it,
--   seconds to keep indexes, length of the index
-- Returns 1, or 0 if it was made or replaced before.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('HSET', KEYS[3], 'state', 'pending', 'record', ARGV[7], 'body', ARGV[8])
redis.call('EXPIRE', KEYS[3], ARGV[9])
redis.call('ZADD', KEYS[4], ARGV[6], ARGV[3])
redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -ARGV[11] - 1)
redis.call('EXPIRE', KEYS[4], ARGV[10])
redis.call('ZADD', KEYS[5], ARGV[6], ARGV[3])
redis.call('EXPIRE', KEYS[5], ARGV[9])
-- The keys of a receiver are that of all with its name behind it: fleet/keys.py, webhooks_due_of.
local due = KEYS[6] .. ':' .. ARGV[4]
redis.call('ZADD', due, ARGV[5], ARGV[3])
redis.call('EXPIRE', due, ARGV[10])
redis.call('ZADD', KEYS[6], 'LT', ARGV[5], ARGV[4])
redis.call('EXPIRE', KEYS[6], ARGV[10])
return 1
