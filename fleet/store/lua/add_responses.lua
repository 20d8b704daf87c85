-- Keeps a session's newest responses. An ended session takes none.
-- KEYS: session, responses, then of each response its record and its body
-- ARGV: limit, now µs, then of each response: id, end µs, record JSON, body or ''
-- Returns the number of responses that fell out, or false if the session has ended.
-- Keys of those that fall out are the index's with the id behind it: fleet/keys.py, session_response.
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
local last = 0
for at = 0, (#KEYS - 2) / 2 - 1 do
  local id, ends, record, body = unpack(ARGV, 3 + 4 * at, 6 + 4 * at)
  local ends_ms = math.floor(ends / 1000)
  last = math.max(last, ends_ms)
  redis.call('ZADD', KEYS[2], ends, id)
  redis.call('SET', KEYS[3 + 2 * at], record, 'PXAT', ends_ms)
  if body ~= '' then redis.call('SET', KEYS[4 + 2 * at], body, 'PXAT', ends_ms) end
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[2])
local out = redis.call('ZRANGE', KEYS[2], 0, -ARGV[1] - 1)
for _, id in ipairs(out) do
  redis.call('ZREM', KEYS[2], id)
  redis.call('UNLINK', KEYS[2] .. ':' .. id, KEYS[2] .. ':' .. id .. ':body')
end
redis.call('PEXPIREAT', KEYS[2], last)
return #out
