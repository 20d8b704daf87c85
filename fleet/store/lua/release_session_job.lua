-- KEYS: jobs, lock
-- ARGV: runner, job id
-- Returns the number of jobs that wait behind it. Removal, unlock and count are one step: a wake-up that
-- found the lock taken was dropped, and this count is what replaces it.
redis.call('LREM', KEYS[1], 1, ARGV[2])
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return redis.call('LLEN', KEYS[1])
