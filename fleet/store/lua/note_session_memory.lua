-- What the pages of a session take in memory. No use of the session: its life stays as it is.
-- KEYS: session
-- ARGV: bytes
-- Returns 1; 0 if the session has ended
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'memory_bytes', ARGV[1])
return 1
