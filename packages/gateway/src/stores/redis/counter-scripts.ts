import { createHash } from "node:crypto";

/** A script with the name that the server knows it by. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

/*
 * Keys, all under one hash tag, so that a cluster keeps them together and a script may touch several:
 *   {prefix}:live           sorted set: replica → when it was last heard, by the server's clock
 *   {prefix}:r:<replica>    hash: e = the session that may write; <seq % 4096> = seq of the operation done there last
 *   {prefix}:h:<replica>    hash: account → what this replica holds there
 *   {prefix}:c:<account>    hash: s settled, h held by all; of a sliding window also n = newest step, and 61 steps
 *   {prefix}:touched        sorted set: account → when it changed last
 *   {prefix}:b:<account>    hash: who counts a budget, and whose ledgers its counter includes
 * Sums are whole numbers up to 2^53, which Lua's doubles hold exactly; they are written with %.0f, never as 1e+15.
 */
const base = `
local root = string.sub(KEYS[1], 1, -5)
local dayMs = 86400000
local function number(value) return tonumber(value or '0') or 0 end
local function whole(value) return string.format('%.0f', value) end
local function serverMs()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
-- Forgets what a replica holds.
local function release(replica)
  local held = redis.call('HGETALL', root .. 'h:' .. replica)
  for i = 1, #held, 2 do
    local key = root .. 'c:' .. held[i]
    local now = number(redis.call('HGET', key, 'h'))
    if now > 0 then redis.call('HSET', key, 'h', whole(math.max(0, now - number(held[i + 1])))) end
  end
  redis.call('DEL', root .. 'h:' .. replica)
end
`;

/** ARGV: replica, session, seq, then what follows from 4 on. An operation of a session that is over does nothing. */
const session = `${base}
local replica, seq = ARGV[1], ARGV[3]
local mine = root .. 'r:' .. replica
local slot = whole(number(seq) % 4096)
local known = redis.call('HMGET', mine, 'e', slot)
if known[1] ~= ARGV[2] then return {'lost'} end
-- Lets go of the steps that left a sliding window; returns the newest step and the step of this moment.
local function advance(key, lengthMs, atMs)
  local now = math.floor(atMs * 60 / lengthMs)
  local newest = redis.call('HGET', key, 'n')
  if not newest then return now, now end
  newest = tonumber(newest)
  if now <= newest then return newest, now end
  local gone = {}
  for step = math.max(newest + 1, now - 60), now do gone[#gone + 1] = whole(step % 61) end
  local amounts = redis.call('HMGET', key, unpack(gone))
  local left = 0
  for _, amount in ipairs(amounts) do left = left + number(amount) end
  redis.call('HDEL', key, unpack(gone))
  redis.call('HSET', key, 'n', whole(now))
  if left ~= 0 then redis.call('HSET', key, 's', whole(number(redis.call('HGET', key, 's')) - left)) end
  return now, now
end
-- Adds settled and held amounts. What belongs to a step that is gone changes only what is held.
local function add(name, kind, spanMs, atMs, settled, held, isNow)
  local key = root .. 'c:' .. name
  local leftMs = spanMs
  if kind == 's' then
    local newest, step = advance(key, spanMs, atMs)
    redis.call('HSETNX', key, 'n', whole(newest))
    if isNow and step < newest then step = newest end
    if step <= newest - 61 then settled = 0 end
    if settled ~= 0 then redis.call('HINCRBY', key, whole(step % 61), whole(settled)) end
  else
    leftMs = math.max(0, spanMs - atMs)
  end
  local sums = {number(redis.call('HGET', key, 's')), number(redis.call('HGET', key, 'h'))}
  if settled ~= 0 then sums[1] = redis.call('HINCRBY', key, 's', whole(settled)) end
  if held ~= 0 then
    sums[2] = math.max(0, sums[2] + held)
    redis.call('HSET', key, 'h', whole(sums[2]))
    local own = root .. 'h:' .. replica
    if redis.call('HINCRBY', own, name, whole(held)) <= 0 then redis.call('HDEL', own, name) end
  end
  redis.call('PEXPIRE', key, whole(leftMs + dayMs))
  return sums
end
local function done()
  redis.call('HSET', mine, slot, seq)
end
local touchedMs
local function touch(name)
  touchedMs = touchedMs or whole(serverMs())
  redis.call('ZADD', root .. 'touched', touchedMs, name)
end
`;

/**
 * ARGV from 4: time, then for each charge: account, kind (f or s), end or length, amount, limit ("" for none), certain
 * (1 or 0). Answers `ok` and the balances, or `no`, the charge's place from 0, its balance and, of a sliding window, the
 * step whose leaving makes room. A refusal writes nothing that counts.
 */
const reserve = `${session}
local atMs = tonumber(ARGV[4])
local asked = {}
for i = 5, #ARGV, 6 do
  local name, kind, spanMs, amount, limit = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4])
  local key = root .. 'c:' .. name
  local newest
  if kind == 's' then newest = advance(key, spanMs, atMs) end
  local sums = redis.call('HMGET', key, 's', 'h')
  local settled, held = number(sums[1]), number(sums[2])
  local earlier = asked[name] or 0
  asked[name] = earlier + amount
  if limit and settled + held + earlier + amount > limit then
    local answer = {'no', (i - 5) / 6, whole(settled), whole(held), ''}
    if kind == 's' and amount + earlier <= limit then
      local excess = settled + held + earlier + amount - limit
      for step = newest - 60, newest do
        excess = excess - number(redis.call('HGET', key, whole(step % 61)))
        if excess <= 0 then
          answer[5] = whole(step)
          break
        end
      end
    end
    return answer
  end
end
local answer = {'ok'}
for i = 5, #ARGV, 6 do
  local amount = tonumber(ARGV[i + 3])
  local isCertain = ARGV[i + 5] == '1'
  local sums = add(ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), atMs, isCertain and amount or 0, isCertain and 0 or amount, true)
  answer[#answer + 1] = whole(sums[1])
  answer[#answer + 1] = whole(sums[2])
  touch(ARGV[i])
end
done()
return answer
`;

/**
 * ARGV from 4: 1 to forget first what this replica holds, then for each entry: account, kind, end or length, time, settled
 * and held amounts to add, either sign. Answers `ok` and the balances. The same operation counts once.
 */
const apply = `${session}
local isNew = known[2] ~= seq
if isNew and ARGV[4] == '1' then release(replica) end
local answer = {'ok'}
for i = 5, #ARGV, 6 do
  local settled, held = tonumber(ARGV[i + 4]), tonumber(ARGV[i + 5])
  local sums
  if isNew and (settled ~= 0 or held ~= 0) then
    sums = add(ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]), settled, held, false)
    touch(ARGV[i])
  else
    local key = root .. 'c:' .. ARGV[i]
    if ARGV[i + 1] == 's' then advance(key, tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])) end
    local found = redis.call('HMGET', key, 's', 'h')
    sums = {number(found[1]), number(found[2])}
  end
  answer[#answer + 1] = whole(sums[1])
  answer[#answer + 1] = whole(sums[2])
end
done()
return answer
`;

/**
 * Begins a session: nothing of an earlier one is done from now on, however late it arrives. ARGV: replica, session, then
 * the seqs of operations whose outcome is not known. Answers 1 if an operation of the replica is known, for a session alone
 * may have begun without its answer being heard, and the seqs that were done.
 */
const open = `${base}
local mine = root .. 'r:' .. ARGV[1]
-- One that was sent earlier on another connection may come late.
if number(redis.call('HGET', mine, 'e')) > number(ARGV[2]) then return {'lost'} end
local answer = {redis.call('HLEN', mine) > redis.call('HEXISTS', mine, 'e') and 1 or 0}
for i = 3, #ARGV do
  if redis.call('HGET', mine, whole(number(ARGV[i]) % 4096)) == ARGV[i] then answer[#answer + 1] = ARGV[i] end
end
redis.call('HSET', mine, 'e', ARGV[2])
redis.call('PEXPIRE', mine, dayMs)
redis.call('ZADD', root .. 'live', whole(serverMs()), ARGV[1])
return answer
`;

/**
 * A heartbeat. ARGV: replica, session, milliseconds after which a silent replica is dead, time of the last call's answer.
 * Drops what dead replicas hold. Answers the server's time, this replica's place among the living and their number, then the
 * accounts that changed since, each with its age in milliseconds and its balance; of very many the newest.
 */
const sync = `${base}
local mine = root .. 'r:' .. ARGV[1]
if redis.call('HGET', mine, 'e') ~= ARGV[2] then return {'lost'} end
local live, now = root .. 'live', serverMs()
redis.call('ZADD', live, whole(now), ARGV[1])
redis.call('PEXPIRE', live, dayMs)
redis.call('PEXPIRE', mine, dayMs)
redis.call('PEXPIRE', root .. 'h:' .. ARGV[1], 2 * dayMs)
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', live, '-inf', '(' .. whole(now - tonumber(ARGV[3])))) do
  release(dead)
  redis.call('HDEL', root .. 'r:' .. dead, 'e')
  redis.call('ZREM', live, dead)
end
local all = redis.call('ZRANGE', live, 0, -1)
table.sort(all)
local place = 0
for i, replica in ipairs(all) do if replica == ARGV[1] then place = i - 1 end end
local answer = {'ok', whole(now), place, #all}
local touched = root .. 'touched'
redis.call('ZREMRANGEBYSCORE', touched, '-inf', whole(now - dayMs - 3600000))
redis.call('PEXPIRE', touched, 2 * dayMs)
local changed = redis.call('ZREVRANGEBYSCORE', touched, '+inf', ARGV[4], 'WITHSCORES', 'LIMIT', 0, 1000)
for i = 1, #changed, 2 do
  local name = changed[i]
  local sums = redis.call('HMGET', root .. 'c:' .. name, 's', 'h')
  answer[#answer + 1] = name
  answer[#answer + 1] = whole(math.max(0, now - number(changed[i + 1])))
  answer[#answer + 1] = whole(number(sums[1]))
  answer[#answer + 1] = whole(number(sums[2]))
end
return answer
`;

/** Leaves at once, instead of being found dead. ARGV: replica. */
const leave = `${base}
release(ARGV[1])
redis.call('DEL', root .. 'r:' .. ARGV[1])
redis.call('ZREM', root .. 'live', ARGV[1])
return 1
`;

/**
 * Who books what was spent before. ARGV: replica, name of the budget's account, name of its counter now, ledger. A budget that no other living
 * replica counts begins anew. Answers `begin` or `book` (do it, then say so), `wait` (another replica is about to) or `booked`.
 */
const claim = `${base}
local key, counter = root .. 'b:' .. ARGV[2], root .. 'c:' .. ARGV[3]
local live = root .. 'live'
local isCounted = false
local fields = redis.call('HKEYS', key)
for _, field in ipairs(fields) do
  if string.sub(field, 1, 2) == 'm:' then
    local member = string.sub(field, 3)
    if not redis.call('ZSCORE', live, member) then redis.call('HDEL', key, field)
    elseif member ~= ARGV[1] then isCounted = true end
  end
end
local answer = 'book'
if not isCounted and redis.call('HEXISTS', key, 'm:' .. ARGV[1]) == 0 then
  answer = 'begin'
  redis.call('DEL', key)
  local held = number(redis.call('HGET', counter, 'h'))
  redis.call('DEL', counter)
  if held > 0 then
    redis.call('HSET', counter, 'h', whole(held))
    redis.call('PEXPIRE', counter, dayMs)
  end
end
redis.call('HSET', key, 'm:' .. ARGV[1], '1')
redis.call('PEXPIRE', key, 40 * dayMs)
local ledger = 'l:' .. ARGV[4]
local state = redis.call('HGET', key, ledger)
if state == 'done' then return 'booked' end
if state and state ~= ARGV[1] and redis.call('ZSCORE', live, state) then return 'wait' end
redis.call('HSET', key, ledger, ARGV[1])
return answer
`;

const made = (text: string): Script => ({ text, sha: createHash("sha1").update(text).digest("hex") });

export const counterScripts = {
  reserve: made(reserve),
  apply: made(apply),
  open: made(open),
  sync: made(sync),
  leave: made(leave),
  claim: made(claim),
} as const;
