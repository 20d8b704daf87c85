-- Takes a webhook in hand whose time has come, of the receiver that has waited longest and has fewer in hand than it may.
-- KEYS: receivers by when they are next
-- ARGV: now ms, end of the lease in ms, in hand of one receiver at most, seconds to keep, receivers to look at
-- Returns {webhook id, receiver}, or false if there is none. Whoever takes it and dies leaves it due at the lease's end.
for _, receiver in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[5])) do
  local due = KEYS[1] .. ':' .. receiver
  local hand = due .. ':hand'
  redis.call('ZREMRANGEBYSCORE', hand, '-inf', ARGV[1])
  local taken = redis.call('ZRANGEBYSCORE', due, '-inf', ARGV[1], 'LIMIT', 0, 1)[1]
  if taken and redis.call('ZCARD', hand) < tonumber(ARGV[3]) then
    redis.call('ZADD', due, ARGV[2], taken)
    redis.call('ZADD', hand, ARGV[2], taken)
    redis.call('EXPIRE', due, ARGV[4])
    redis.call('EXPIRE', hand, ARGV[4])
  else
    taken = false
  end
  local full = redis.call('ZCARD', hand) >= tonumber(ARGV[3])
  local after = redis.call('ZRANGE', full and hand or due, 0, 0, 'WITHSCORES')[2]
  if after then
    -- Not before now: behind the others whose time has come.
    redis.call('ZADD', KEYS[1], math.max(tonumber(after), tonumber(ARGV[1])), receiver)
    redis.call('EXPIRE', KEYS[1], ARGV[4])
  else
    redis.call('ZREM', KEYS[1], receiver)
  end
  if taken then return {taken, receiver} end
end
return false
