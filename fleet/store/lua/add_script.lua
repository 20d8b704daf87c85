-- KEYS: session, scripts
-- ARGV: limit, script JSON
-- Returns 1 if added, 0 if the session has as many as the limit allows or has ended.
local ttl_ms = redis.call('PTTL', KEYS[1])
if ttl_ms <= 0 or redis.call('LLEN', KEYS[2]) >= tonumber(ARGV[1]) then return 0 end
redis.call('RPUSH', KEYS[2], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ttl_ms)
return 1
