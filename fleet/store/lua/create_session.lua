-- KEYS: session, options, jobs, grave, scripts
-- ARGV: session id, now ms, ttl s, max lifetime s, metadata JSON, options JSON, id of the creation's job, grave s,
--   then each script's JSON
-- It is not idle while it waits to be created, so that a short ttl does not end it in the queue.
local ttl_ms = ARGV[4] * 1000
local dies_at = ARGV[2] + ttl_ms
local after = ttl_ms + ARGV[8] * 1000
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'state', 'pending', 'generation', 1, 'created_at', ARGV[2],
  'last_used_at', ARGV[2], 'ttl', ARGV[3], 'dies_at', dies_at, 'metadata', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ttl_ms)
redis.call('SET', KEYS[2], ARGV[6], 'PX', ttl_ms)
redis.call('RPUSH', KEYS[3], ARGV[7])
redis.call('PEXPIRE', KEYS[3], after)
if #ARGV > 8 then
  redis.call('RPUSH', KEYS[5], unpack(ARGV, 9))
  redis.call('PEXPIRE', KEYS[5], ttl_ms)
end
redis.call('HSET', KEYS[4], 'expires_at', dies_at, 'dies_at', dies_at)
redis.call('PEXPIRE', KEYS[4], after)
return 1
