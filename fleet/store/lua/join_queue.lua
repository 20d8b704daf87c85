-- KEYS: waiting
-- ARGV: score (µs since the epoch), job id, limit, seconds to keep the key, score before which nobody can wait
-- Returns 1, or 0 if as many wait as the limit allows.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[5])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
