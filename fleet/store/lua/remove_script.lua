-- KEYS: scripts
-- ARGV: script id
-- Returns the removed script's JSON, or false if there is none of that id.
for _, script in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  if cjson.decode(script).id == ARGV[1] then
    redis.call('LREM', KEYS[1], 1, script)
    return script
  end
end
return false
