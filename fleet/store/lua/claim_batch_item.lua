-- Takes one item of a batch in hand, for a job that is then made.
-- KEYS: batch, claimed, running, retries, hosts
-- ARGV: now ms, job id, index, host, its entry among the retries or '', items in hand at once, of one host,
--       ms between two of one host, seconds to keep
-- Returns 'claimed', or why not: 'closed' (the batch does not run), 'full' (as many as may be are in hand),
-- 'host' (the host is busy, or left alone), 'taken' (by another one).
if redis.call('HGET', KEYS[1], 'state') ~= 'running' then return 'closed' end
if redis.call('HLEN', KEYS[3]) >= tonumber(ARGV[6]) then return 'full' end
local of_host = 0
for _, entry in ipairs(redis.call('HVALS', KEYS[3])) do
  if cjson.decode(entry)[3] == ARGV[4] then of_host = of_host + 1 end
end
if of_host >= tonumber(ARGV[7]) then return 'host' end
local alone_until = redis.call('ZSCORE', KEYS[5], ARGV[4])
if alone_until and tonumber(alone_until) > tonumber(ARGV[1]) then return 'host' end
local tries = 1
if ARGV[5] ~= '' then
  if redis.call('ZREM', KEYS[4], ARGV[5]) == 0 then return 'taken' end
  tries = tonumber(string.match(ARGV[5], ':(%d+)$')) + 1
elseif redis.call('SETBIT', KEYS[2], ARGV[3], 1) == 1 then
  return 'taken'
end
redis.call('HSET', KEYS[3], ARGV[2], cjson.encode({tonumber(ARGV[3]), tries, ARGV[4], tonumber(ARGV[1])}))
if tonumber(ARGV[8]) > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', ARGV[1])
  redis.call('ZADD', KEYS[5], tonumber(ARGV[1]) + tonumber(ARGV[8]), ARGV[4])
  redis.call('EXPIRE', KEYS[5], ARGV[9])
end
redis.call('EXPIRE', KEYS[2], ARGV[9])
redis.call('EXPIRE', KEYS[3], ARGV[9])
return 'claimed'
