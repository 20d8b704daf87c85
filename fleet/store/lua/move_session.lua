-- A session changes its state, and perhaps its worker, only from what the mover saw.
-- KEYS: session, lock
-- ARGV: the worker that has it ('' for none), new state, new worker ('' for none), generations to add, crashes to add,
--   then the states that it may be in now
-- Returns {generation, crashes}, or false if it has ended, is in another state, or is another worker's.
local now = redis.call('HMGET', KEYS[1], 'state', 'worker')
if not now[1] or (now[2] or '') ~= ARGV[1] then return false end
local allowed = false
for at = 6, #ARGV do allowed = allowed or ARGV[at] == now[1] end
if not allowed then return false end
redis.call('HSET', KEYS[1], 'state', ARGV[2])
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[1], 'worker', ARGV[3])
else
  -- The runner that may still hold the lock belongs to the worker that it leaves.
  redis.call('DEL', KEYS[2])
  redis.call('HDEL', KEYS[1], 'worker')
end
return {redis.call('HINCRBY', KEYS[1], 'generation', ARGV[4]), redis.call('HINCRBY', KEYS[1], 'crashes', ARGV[5])}
