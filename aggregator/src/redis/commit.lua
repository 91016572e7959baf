-- Writes a commit, all or nothing. KEYS: the position, then what is set, then what is deleted.
-- ARGV: the position expected, the new one, how many keys are set, their values.
-- A script is not rolled back: everything is checked before the first write.
local sets = tonumber(ARGV[3])
if not sets or #ARGV ~= sets + 3 or #KEYS < sets + 1 then
  return redis.error_reply('ERR the commit is malformed; nothing was written')
end
local stands = redis.call('GET', KEYS[1]) or ''
if stands ~= ARGV[1] then
  return stands
end
for i = 1, sets do
  redis.call('SET', KEYS[i + 1], ARGV[i + 3])
end
for i = sets + 2, #KEYS do
  redis.call('DEL', KEYS[i])
end
redis.call('SET', KEYS[1], ARGV[2])
return ARGV[2]
