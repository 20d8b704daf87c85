-- KEYS: responses
-- ARGV: now µs
-- Returns how many there were. Their keys are the index's with the id behind it: fleet/keys.py, session_response.
local count = redis.call('ZCOUNT', KEYS[1], '(' .. ARGV[1], '+inf')
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  redis.call('UNLINK', KEYS[1] .. ':' .. id, KEYS[1] .. ':' .. id .. ':body')
end
redis.call('DEL', KEYS[1])
return count
