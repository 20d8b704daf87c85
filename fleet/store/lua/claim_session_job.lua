-- The head of a session's list of jobs, for the one runner that holds the session's lock.
-- KEYS: jobs, lock
-- ARGV: runner, lock ms
-- Returns: false if there is nothing for this runner to do, else the job id. The same runner may claim
-- again: its message came back because the process that ran it died.
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return false end
local head = redis.call('LINDEX', KEYS[1], 0)
if not head then return false end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return head
