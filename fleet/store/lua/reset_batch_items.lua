-- Makes items of a batch that has ended look as if they had never been begun, but for those that succeeded.
-- KEYS: batch, claimed, positions, outcomes
-- ARGV: seconds to keep, index of each item
-- Returns how many were reset; false if the batch has not ended.
if redis.call('HGET', KEYS[1], 'state') ~= 'ended' then return false end
local reset = 0
for i = 2, #ARGV do
  local index = tonumber(ARGV[i])
  local place = redis.call('GETRANGE', KEYS[3], index * 4, index * 4 + 3)
  local position = #place == 4 and struct.unpack('>I4', place) or 0
  local outcome = position > 0 and redis.call('LINDEX', KEYS[4], position - 1) or ''
  local _, result, code = unpack(outcome ~= '' and cjson.decode(outcome) or {})
  if result ~= 'succeeded' then
    if result then
      redis.call('HINCRBY', KEYS[1], result, -1)
      if result == 'failed' then redis.call('HINCRBY', KEYS[1], 'error:' .. code, -1) end
      redis.call('LSET', KEYS[4], position - 1, '')
    end
    redis.call('SETBIT', KEYS[2], index, 0)
    reset = reset + 1
  end
end
redis.call('EXPIRE', KEYS[2], ARGV[1])
return reset
