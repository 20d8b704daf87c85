-- Records how the job of an item ended. Only the first word about a job that is in hand counts.
-- KEYS: batch, running, retries, positions, outcomes
-- ARGV: now ms, job id, result ('succeeded', 'failed', 'cancelled', or 'lost': the job never was), error code or '',
--       outcome as a JSON list, ms until another try or '' if it is not worth one, ms that one may wait, seconds to keep
-- Returns false if the job is not in hand (any more), 'again' if the item gets another try, else the result. The wait
-- doubles with each try.
local entry = redis.call('HGET', KEYS[2], ARGV[2])
if not entry then return false end
redis.call('HDEL', KEYS[2], ARGV[2])
local index, tries = unpack(cjson.decode(entry))
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return false end
local goes_on = state == 'running' or state == 'paused'

local function try_again(at, tried)
  redis.call('ZADD', KEYS[3], at, string.format('%d:%d', index, tried))
  redis.call('EXPIRE', KEYS[3], ARGV[8])
end

local function finish(reason)
  redis.call('HSET', KEYS[1], 'state', 'ended', 'end_reason', reason, 'finished_at', ARGV[1])
  redis.call('DEL', KEYS[3])
end

local function keep()
  local place = redis.call('GETRANGE', KEYS[4], index * 4, index * 4 + 3)
  local position = #place == 4 and struct.unpack('>I4', place) or 0
  local outcome = '[' .. tries .. ',' .. string.sub(ARGV[5], 2)
  if position > 0 then
    redis.call('LSET', KEYS[5], position - 1, outcome)
  else
    position = redis.call('RPUSH', KEYS[5], outcome)
    redis.call('SETRANGE', KEYS[4], index * 4, struct.pack('>I4', position))
  end
  redis.call('EXPIRE', KEYS[4], ARGV[8])
  redis.call('EXPIRE', KEYS[5], ARGV[8])
end

local result = ARGV[3]
if result == 'lost' and goes_on then
  try_again(ARGV[1], tries - 1)
  result = 'again'
elseif result == 'lost' then
  result = 'again'
elseif result == 'failed' and ARGV[6] ~= '' and goes_on and tries <= tonumber(redis.call('HGET', KEYS[1], 'retries')) then
  try_again(tonumber(ARGV[1]) + math.min(tonumber(ARGV[7]), tonumber(ARGV[6]) * 2 ^ (tries - 1)), tries)
  result = 'again'
else
  keep()
  redis.call('HINCRBY', KEYS[1], result, 1)
  if result == 'failed' then redis.call('HINCRBY', KEYS[1], 'error:' .. ARGV[4], 1) end
end

local failed = tonumber(redis.call('HGET', KEYS[1], 'failed') or 0)
local done = failed + tonumber(redis.call('HGET', KEYS[1], 'succeeded') or 0)
  + tonumber(redis.call('HGET', KEYS[1], 'cancelled') or 0)
local failures_max = tonumber(redis.call('HGET', KEYS[1], 'stop_after_failures'))
if done >= tonumber(redis.call('HGET', KEYS[1], 'total')) then
  finish('completed')
else
  if goes_on and failures_max > 0 and failed >= failures_max then
    state = 'stopping'
    redis.call('HSET', KEYS[1], 'state', state, 'end_reason', 'failures')
  end
  if state == 'stopping' and redis.call('HLEN', KEYS[2]) == 0 then finish(redis.call('HGET', KEYS[1], 'end_reason')) end
end
redis.call('EXPIRE', KEYS[1], ARGV[8])
return result
