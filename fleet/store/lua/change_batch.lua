-- Moves a batch from one of some states to another one.
-- KEYS: batch, running, retries
-- ARGV: now ms, new state, end reason or '', new deadline in ms or '', states that it may be in
-- Returns the state that it is in now, false if there is no such batch. What stops and has nothing in hand has ended.
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return false end
local may = false
for i = 5, #ARGV do may = may or ARGV[i] == state end
if not may then return state end
local to = ARGV[2]
if to == 'stopping' and redis.call('HLEN', KEYS[2]) == 0 then to = 'ended' end
redis.call('HSET', KEYS[1], 'state', to)
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'end_reason', ARGV[3]) end
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'deadline_at', ARGV[4]) end
if to == 'ended' then
  redis.call('HSET', KEYS[1], 'finished_at', ARGV[1])
  redis.call('DEL', KEYS[3])
elseif to == 'running' then
  redis.call('HDEL', KEYS[1], 'end_reason', 'finished_at')
end
return to
