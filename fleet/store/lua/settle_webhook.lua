-- Keeps what an attempt has come to, and gives back its place in the receiver's hand.
-- KEYS: webhook, receivers by when they are next
-- ARGV: webhook id, receiver, now ms, new state ('' if there is nothing left to deliver), record, next attempt in ms or
--   '', seconds to keep it, seconds to keep the queue, the state of one that waits
-- Returns 1, or 0 if it was settled before or has expired.
local due = KEYS[2] .. ':' .. ARGV[2]
redis.call('ZREM', due .. ':hand', ARGV[1])
local waits = ARGV[4] ~= '' and redis.call('HGET', KEYS[1], 'state') == ARGV[9]
if waits then
  redis.call('HSET', KEYS[1], 'state', ARGV[4], 'record', ARGV[5])
  redis.call('EXPIRE', KEYS[1], ARGV[7])
end
if waits and ARGV[6] ~= '' then
  redis.call('ZADD', due, ARGV[6], ARGV[1])
  redis.call('EXPIRE', due, ARGV[8])
else
  redis.call('ZREM', due, ARGV[1])
  redis.call('HDEL', KEYS[1], 'body')
end
local after = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')[2]
if after then
  redis.call('ZADD', KEYS[2], math.max(tonumber(after), tonumber(ARGV[3])), ARGV[2])
  redis.call('EXPIRE', KEYS[2], ARGV[8])
else
  redis.call('ZREM', KEYS[2], ARGV[2])
end
return waits and 1 or 0
