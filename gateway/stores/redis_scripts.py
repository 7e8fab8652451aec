"""What each call of the contract does in Redis: one Lua script each.

The rules are those of `gateway.stores.record` and `gateway.stores.presences`. KEYS[1] is an
account's hash; its fields, all text: `document` (JSON), `revision`, `digest` (of both), `fence`,
`lease_owner` and `lease_until` (microseconds since the epoch). Stamps are `number.tag`, compared
as a whole. Or it is the replicas' hash: by name, the microseconds of the last heartbeat and the
JSON. The last argument is added to Redis' time, in milliseconds: 0, but in tests. Redis 5 or newer.
"""

from typing import Final

from gateway.core.presence import PRESENT
from gateway.ports import NOTHING
from gateway.stores.presences import MOST
from gateway.stores.record import LONGEST_LEASE

DAMAGED: Final = "ZGDAMAGED"
"""The code of the error for a document that is not as this gateway wrote it."""

NO_STAMP: Final = "ZGSTAMP"
"""The code of the error for a fence that is none."""

DIGITS: Final = 15
"""The most that the number of a stamp has: Lua's numbers are doubles."""

_PRELUDE: Final = f"""
local key = KEYS[1]
local function field(name, default)
  return redis.call('HGET', key, name) or default
end
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2] + ARGV[#ARGV] * 1000
end
local function whole(number)
  return string.format('%.0f', number)
end
local function held(at)
  local ends = tonumber(field('lease_until', '0')) or 0
  return field('lease_owner', '') ~= '' and at < ends
    and ends <= at + {LONGEST_LEASE * 1e6:.0f}
end
local function mine(owner, fence)
  return field('lease_owner', '') == owner and field('fence', '{NOTHING}') == fence
end
local function digest(revision, document)
  return redis.sha1hex(revision .. ' ' .. document)
end
local function damaged()
  local document, revision = field('document', false), field('revision', false)
  if not document and not revision then
    return false
  end
  return not document or not revision or field('digest', '') ~= digest(revision, document)
end
"""

# What a replica has, which may be a primary that was demoted, may be older than what others have
# seen. It is told apart by the deletion of nothing; a script that writes by itself does without,
# as after the first write of a script Redis heeds its limit of memory no more.
_ON_PRIMARY: Final = f"""{_PRELUDE}
local tried = redis.pcall('HDEL', key, '')
if type(tried) == 'table' and tried.err and string.find(tried.err, 'READONLY', 1, true) then
  return redis.error_reply('READONLY')
end
"""

READ: Final = f"""{_ON_PRIMARY}
if damaged() then
  return redis.error_reply('{DAMAGED}')
end
local at = now()
return {{whole(at), field('document', false), field('revision', '{NOTHING}'),
  field('fence', '{NOTHING}'), held(at) and field('lease_owner', '') or ''}}
"""
"""Gives time, document, revision, fence and the lease's owner."""

# The news is only a hint (replicas look by themselves, too), so a user who may not publish still
# writes: an error would come when the document is there already.
WRITE: Final = f"""{_PRELUDE}
local document, revision, fence, written = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if damaged() then
  return redis.error_reply('{DAMAGED}')
end
if field('revision', '{NOTHING}') ~= revision
    or (fence ~= '' and field('fence', '{NOTHING}') ~= fence) then
  return 0
end
redis.call('HSET', key, 'document', document, 'revision', written,
  'digest', digest(written, document))
if ARGV[7] == '1' then
  redis.call('HDEL', key, 'lease_owner', 'lease_until')
end
redis.pcall('PUBLISH', ARGV[5], ARGV[6])
return 1
"""
"""ARGV: document, the expected revision, the fence or nothing, the new revision, the channel of
the news, the account, 1 if the lease of that fence is given back, too."""

ACQUIRE: Final = f"""{_PRELUDE}
local at = now()
if held(at) then
  return false
end
local number = string.match(field('fence', '{NOTHING}'), '^(%d+)%.[0-9a-z]*$')
if not number or #number > {DIGITS} then
  return redis.error_reply('{NO_STAMP}')
end
local fence = whole(tonumber(number) + 1) .. '.' .. ARGV[3]
redis.call('HSET', key, 'fence', fence, 'lease_owner', ARGV[1], 'lease_until', whole(at + ARGV[2]))
return fence
"""
"""ARGV: owner, microseconds, a new tag. Gives the fence, or nothing while another holds it."""

RENEW: Final = f"""{_ON_PRIMARY}
if not mine(ARGV[1], ARGV[2]) then
  return 0
end
redis.call('HSET', key, 'lease_until', whole(now() + ARGV[3]))
return 1
"""
"""ARGV: owner, fence, microseconds."""

# HDEL, because a Redis whose memory is full still allows it.
RELEASE: Final = f"""{_PRELUDE}
if mine(ARGV[1], ARGV[2]) then
  redis.call('HDEL', key, 'lease_owner', 'lease_until')
end
return 1
"""
"""ARGV: owner, fence."""

# A fleet that ended leaves nothing behind, and a hash that somebody filled with nonsense would
# stop Redis for the time that it takes to go through it: those who live write themselves again.
BEAT: Final = f"""{_PRELUDE}
local at, name = now(), ARGV[1]
if redis.call('HLEN', key) > {10 * MOST} then
  redis.call('DEL', key)
end
local own = whole(at) .. ' ' .. ARGV[2]
redis.call('HSET', key, name, own)
redis.call('PEXPIRE', key, {2 * PRESENT * 1000:.0f})
local found = {{whole(at), name, own}}
local all = redis.call('HGETALL', key)
for place = 1, #all, 2 do
  local other, entry = all[place], all[place + 1]
  local beat = tonumber(string.match(entry, '^(%d+) ') or '')
  if not beat or beat <= at - {PRESENT * 1e6:.0f} or beat > at then
    redis.call('HDEL', key, other)
  elseif other ~= name and #found < {2 * MOST} then
    found[#found + 1] = other
    found[#found + 1] = entry
  end
end
return found
"""
"""ARGV: name, JSON. Gives the time, and then name and entry of all that are there."""

LEAVE: Final = """
return redis.call('HDEL', KEYS[1], ARGV[1])
"""
"""ARGV: name."""

ALL: Final = (READ, WRITE, ACQUIRE, RENEW, RELEASE, BEAT, LEAVE)
