"""What each call of the contract does to an account's hash in Redis: one Lua script each.

The rules are those of `gateway.stores.record`. KEYS[1] is the hash. Its fields, all text:
`document` (JSON), `revision`, `fence`, `lease_owner` and `lease_until` (microseconds since the
epoch). Revisions and fences are compared as text, because Lua's numbers are doubles. The last
argument is added to Redis' time, in milliseconds: 0, but in tests. Redis 5 or newer.
"""

from typing import Final

from gateway.stores.record import LONGEST_LEASE

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
  return field('lease_owner', '') == owner and field('fence', '0') == fence
end
"""

READ: Final = f"""{_PRELUDE}
local at = now()
return {{whole(at), field('document', false), field('revision', false), field('fence', '0'),
  held(at) and field('lease_owner', '') or ''}}
"""
"""Gives time, document, revision, fence and the lease's owner."""

# The news is only a hint (replicas look by themselves, too), so a user who may not publish still
# writes: an error would come when the document is there already.
WRITE: Final = f"""{_PRELUDE}
local document, revision, fence, channel = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if field('revision', '0') ~= revision or (fence ~= '' and field('fence', '0') ~= fence) then
  return 0
end
redis.call('HSET', key, 'document', document)
redis.call('HINCRBY', key, 'revision', 1)
redis.pcall('PUBLISH', channel, field('revision', ''))
return 1
"""
"""ARGV: document, the expected revision, the fence or nothing, the channel of the news."""

ACQUIRE: Final = f"""{_PRELUDE}
local at = now()
if held(at) then
  return false
end
redis.call('HINCRBY', key, 'fence', 1)
redis.call('HSET', key, 'lease_owner', ARGV[1], 'lease_until', whole(at + ARGV[2]))
return field('fence', '')
"""
"""ARGV: owner, microseconds. Gives the fence, or nothing while another holds the lease."""

RENEW: Final = f"""{_PRELUDE}
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
