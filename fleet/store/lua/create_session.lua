-- KEYS: session, options, jobs, grave, scripts
-- ARGV: session id, now ms, ttl s, max lifetime s, metadata JSON, options JSON, id of the creation's job, grave s,
--   then each script's JSON
local ttl_ms = ARGV[3] * 1000
local dies_at = ARGV[2] + ARGV[4] * 1000
ttl_ms = math.min(ttl_ms, dies_at - ARGV[2])
local expires_at = ARGV[2] + ttl_ms
local after = ttl_ms + ARGV[8] * 1000
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'state', 'pending', 'generation', 1, 'created_at', ARGV[2],
  'last_used_at', ARGV[2], 'ttl', ARGV[3], 'dies_at', dies_at, 'metadata', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ttl_ms)
redis.call('SET', KEYS[2], ARGV[6], 'PX', after)
redis.call('RPUSH', KEYS[3], ARGV[7])
redis.call('PEXPIRE', KEYS[3], after)
if #ARGV > 8 then
  redis.call('RPUSH', KEYS[5], unpack(ARGV, 9))
  redis.call('PEXPIRE', KEYS[5], ttl_ms)
end
redis.call('HSET', KEYS[4], 'expires_at', expires_at, 'dies_at', dies_at)
redis.call('PEXPIRE', KEYS[4], after)
return 1
