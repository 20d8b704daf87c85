-- KEYS: session, checkpoint
-- ARGV: the worker that holds the session, checkpoint JSON
-- Returns 1, or 0 if the session has ended or is another worker's by now.
if redis.call('HGET', KEYS[1], 'worker') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', redis.call('PTTL', KEYS[1]))
return 1
