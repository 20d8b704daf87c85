-- KEYS: session, options, grave, responses, scripts, checkpoint
-- ARGV: reason, now ms, grave s
-- The list of jobs stays: each waiting job is still woken, finds no session, and fails with that reason.
if redis.call('DEL', KEYS[1]) == 0 then return 0 end
redis.call('DEL', KEYS[2], KEYS[5], KEYS[6])
-- Their keys are the index's with the id behind it: fleet/keys.py, session_response.
for _, id in ipairs(redis.call('ZRANGE', KEYS[4], 0, -1)) do
  redis.call('UNLINK', KEYS[4] .. ':' .. id, KEYS[4] .. ':' .. id .. ':body')
end
redis.call('DEL', KEYS[4])
redis.call('HSET', KEYS[3], 'end_reason', ARGV[1], 'expires_at', ARGV[2])
redis.call('EXPIRE', KEYS[3], ARGV[3])
return 1
